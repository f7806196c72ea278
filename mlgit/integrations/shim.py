"""`import wandb` means mlgit: a folder for Python's path that holds a package of that name, and its metadata."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlgit.errors import UsageError

FOLDER = Path(__file__).parent / "path"
"""Holds `wandb/`, which is the Python door under that name, and the `.dist-info` that libraries look for."""

COMMANDS = Path(__file__).parent / "bin"
"""Holds `wandb`, the command, for scripts that call it."""

_PYTHON = re.compile(r"pypy[\d.]*|python[\d.]*w?")
_ISOLATED = re.compile(r"-[A-Za-z]*?[IE]")


def variables(words: Sequence[str], env: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment variables that make `import wandb` and `wandb` mean mlgit in *words* and their children.

    What *env* has on its paths stays on it, behind. Raises `UsageError` for a Python that ignores its environment.
    """
    program = Path(words[0]).name if words else ""
    if _PYTHON.fullmatch(program):
        for word in words[1:]:
            if not word.startswith("-") or word[:2] in ("-c", "-m"):
                break
            if _ISOLATED.match(word):
                raise UsageError(
                    f"`{program} {word}` ignores its environment, so --wandb cannot reach it.",
                    fix=f"leave {word} out, or write `import mlgit as wandb` in the script",
                )
    return {
        "PYTHONPATH": _in_front(FOLDER, env.get("PYTHONPATH", "")),
        "PATH": _in_front(COMMANDS, env.get("PATH", os.defpath)),
        "MLGIT_PYTHON": sys.executable,
    }


def _in_front(folder: Path, path: str) -> str:
    before = [part for part in path.split(os.pathsep) if part and part != str(folder)]
    return os.pathsep.join([str(folder), *before])
