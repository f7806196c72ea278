"""Runs that logged a model, as real result commits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mlgit.artifacts import log as artifacts
from mlgit.core.run import Run, State
from mlgit.git.repo import Move, Repo
from mlgit.store import result, runs

Trained = Callable[..., Run]


@pytest.fixture
def trained(repo: Repo) -> Trained:
    """`trained("a", accuracy=0.9)`: a finished run whose model is a file with its name in it."""

    def make(name: str, *, state: State = State.FINISHED, models: int = 1, folder: str = "", **metrics: Any) -> Run:
        assert repo.work_tree
        logged = []
        for number in range(models):
            path = repo.own / f"model-{number}.pkl"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"weights of {name} {number}")
            logged.append(artifacts.log(repo, path, name=f"net{number or ''}", type="model", folder=folder))
        run = Run(
            id=f"{name:0<8}", name=name, project="digits", state=state, created=1_700_000_000, finished=1_700_000_060,
            folder=folder, params={"lr": 0.1}, metrics=metrics, data={"digits.csv": "a" * 32}, logged=tuple(logged),
        )  # fmt: skip
        commit = repo.commit(repo.resolve("HEAD"), {"experiment/metrics.yaml": b"x: 1\n"}, result.message(run))
        ref = f"refs/heads/exp/digits/{name}"
        repo.move([Move(ref, None, commit)], why="test")
        found = runs.read(repo, commit)
        assert found
        return replace(found, ref=ref, commit=commit)

    return make
