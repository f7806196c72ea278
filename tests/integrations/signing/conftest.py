"""A registered model, and the command line in this process: the library of signatures takes a second to load."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import mlgit as wandb
from mlgit.__main__ import main
from mlgit.git.repo import Move, Repo
from tests.conftest import need

Mlgit = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def mlgit(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Mlgit:
    def call(*args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        capfd.readouterr()
        monkeypatch.setattr(sys, "argv", ["mlgit", *args])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        done = subprocess.CompletedProcess(args, code, *capfd.readouterr())
        assert not check or code == 0, done
        return done

    return call


@pytest.fixture
def registered(inside: Repo, mlgit: Mlgit) -> Repo:
    """digits v1.0.0, a folder of two files."""
    need("model-signing", importlib.util.find_spec("model_signing") is not None)
    Path("net").mkdir()
    Path("net/weights").write_text("weights")
    Path("net/labels").write_text("cat dog")
    with wandb.init(project="digits", name="last") as run:
        run.log_model("net", name="net")
    mlgit("model", "register", "last", "--name", "digits")
    return inside


def trust(repo: Repo, **public: str) -> None:
    """Let the base branch have these public keys or certificates."""
    files = {f"registry/keys/{who}.pem": Path(path).read_bytes() for who, path in public.items()}
    head = repo.resolve("main")
    repo.move([Move("refs/heads/main", head, repo.commit(head, files, "keys"))], why="test")
