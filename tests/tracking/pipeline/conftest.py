"""Who runs a pipeline: stock DVC, and mlgit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mlgit.git.repo import Repo
from tests.tracking.pipeline.made import FILES, Script, commit, write


@pytest.fixture
def dvc(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> Script:
    """Stock DVC, in the project's folder; a stage's `python` is the one that runs the tests."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")

    def call(*words: str, check: bool = True, cwd: Path = repo.folder) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["dvc", *words], cwd=cwd, check=check, capture_output=True, text=True)

    return call


@pytest.fixture
def project(repo: Repo, dvc: Script, tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """A project of two stages, none of which has run."""
    made = tmp_path_factory.getbasetemp() / "pipeline"
    if not made.exists():
        write(repo, FILES)
        dvc("init", "-q")
        dvc("add", "-q", "data/raw.csv")
        commit(repo)
        shutil.copytree(repo.folder, made)
    else:
        shutil.copytree(made, repo.folder, dirs_exist_ok=True)
    return repo


@pytest.fixture
def run(mlgit: Script, project: Repo) -> Script:
    def call(*words: str, check: bool = True, **kwargs: object) -> subprocess.CompletedProcess[str]:
        return mlgit("run", *words, cwd=project.folder, check=check, **kwargs)

    return call
