"""The current folder has been deleted below the shell."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("command", ["-m mlgit ls", "-m mlgit run -- true", "-c import(mlgit);mlgit.init()"])
def test_a_deleted_current_folder_is_said_in_words(tmp_path: Path, command: str):
    gone = tmp_path / "gone"
    gone.mkdir()
    words = [word.replace("(mlgit)", " mlgit") for word in command.split()]
    shell = 'cd "$1" && rmdir "$1" && shift && exec "$@"'
    done = subprocess.run(
        ["sh", "-c", shell, "sh", str(gone), sys.executable, *words], capture_output=True, text=True, check=False
    )

    assert done.returncode
    assert "The current folder has been deleted." in done.stderr
    assert ("Traceback" in done.stderr) == command.startswith("-c")
