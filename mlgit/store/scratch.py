"""The scratch repository: where runs go that start outside of any repository. First contact never fails."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlgit.errors import GitError
from mlgit.git import process
from mlgit.git.repo import Repo

if TYPE_CHECKING:
    from mlgit.git.snapshot import Snapshot

PROJECT = "uncategorized"
CODE = (".py", ".ipynb", ".sh", ".R", ".jl")
"""How the name of a program's source ends."""


def folder() -> Path:
    """Where it lies: in the user's data folder, or where `MLGIT_SCRATCH` says."""
    if chosen := os.environ.get("MLGIT_SCRATCH"):
        return Path(chosen)
    from platformdirs import user_data_path

    return user_data_path("mlgit", appauthor=False) / "scratch"


def existing() -> Repo | None:
    """The scratch repository, if a run ever needed one."""
    place = folder()
    return Repo.find(place) if (place / ".git").exists() else None


def repository() -> Repo:
    """The scratch repository, made at first need."""
    if found := existing():
        return found
    place = folder()
    try:
        place.mkdir(parents=True, exist_ok=True)
        process.run("init", "--quiet", "--initial-branch=main", folder=place)
    except (OSError, GitError):
        import tempfile

        place = Path(tempfile.mkdtemp(prefix="mlgit-scratch-"))
        process.run("init", "--quiet", "--initial-branch=main", folder=place)
    found = Repo.find(place)
    assert found is not None
    return found


def snapshot(repo: Repo, start: Path, command: Sequence[str]) -> Snapshot:
    """The script that *command* runs, as a commit of its own: all the code that can be told without a repository."""
    from mlgit.core import secrets
    from mlgit.git.changes import USUAL
    from mlgit.git.snapshot import Snapshot

    files: dict[str, bytes] = {}
    left_out: list[tuple[str, str]] = []
    for word in command:
        script = start / word
        if script.suffix in CODE and script.is_file():
            content = script.read_bytes()
            if len(content) > USUAL.file_bytes or secrets.is_secret(content):
                left_out.append((script.name, "too large, or it holds what looks like a token"))
            else:
                files[script.name] = content
            break
    commit = repo.commit(None, files, "The code as it ran")
    return Snapshot(commit=commit, head=None, dirty=bool(files), left_out=tuple(left_out))
