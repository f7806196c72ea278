"""Other trackers and searches, each in a virtual environment of its own beside the benchmarks, made at first need."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

VENVS = Path(__file__).parent / "peers"


def interpreter(package: str, requirements: Sequence[str] = ()) -> str | None:
    """A Python that has *package*; None, with a word about it, where it cannot be installed.

    *requirements*: what is installed instead of its newest version; by pip, which is told of PyTorch without CUDA.
    """
    folder = VENVS / package
    program = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        uv = (str(Path(sys.executable).parent / "uv"), "pip", "install", "--compile-bytecode", "--python", program)
        pip = (sys.executable, "-m", "pip", "--python", program, "install", "--disable-pip-version-check")
        try:
            subprocess.run((sys.executable, "-m", "venv", "--without-pip", folder), check=True, capture_output=True)
            install = (*pip, *requirements) if requirements else (*uv, package)
            subprocess.run((*install, "--quiet"), check=True)
        except (OSError, subprocess.CalledProcessError) as exc:
            print(f"{package} could not be installed and is left out: {exc}", file=sys.stderr)
            return None
        (folder / ".ready").touch()
    return str(program)
