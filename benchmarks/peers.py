"""Other trackers, each in a virtual environment of its own beside the benchmarks, made at first need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

VENVS = Path(__file__).parent / "peers"


def interpreter(package: str) -> str | None:
    """A Python that has *package*; None, with a word about it, where it cannot be installed."""
    folder = VENVS / package
    program = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        uv = Path(sys.executable).parent / "uv"
        try:
            subprocess.run((sys.executable, "-m", "venv", "--without-pip", folder), check=True, capture_output=True)
            subprocess.run(
                (uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", program, package), check=True
            )
        except (OSError, subprocess.CalledProcessError) as exc:
            print(f"{package} could not be installed and is left out: {exc}", file=sys.stderr)
            return None
        (folder / ".ready").touch()
    return str(program)
