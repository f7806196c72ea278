"""Runs as their branches hold them: made without running anything, and read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlgit.core import refs
from mlgit.core.run import Run, State
from mlgit.dvc import pointers
from mlgit.dvc.pointers import Out
from mlgit.git.objects import Entry
from mlgit.git.repo import Move, Repo
from mlgit.index import query
from mlgit.store import live, result, runs
from mlgit.store.telling import Account
from mlgit.tracking import session


def track(repo: Repo, data: Mapping[str, str]) -> str:
    """A commit on HEAD, on no branch, at which DVC holds *data*, path → content hash."""
    files = {f"{path}.dvc": pointers.render([Out(path=Path(path).name, hash=data[path])]) for path in data}
    writer = repo.writer()
    entries = {
        name: Entry("100644", writer.blob(text.encode())) for name, text in (files | {".dvc/config": ""}).items()
    }
    tree = writer.edit({}, entries, lambda _: {})
    writer.flush()
    return repo.git("commit-tree", "-p", "HEAD", "-m", "data", tree).strip()


def record(repo: Repo, run_id: str, **fields: Any) -> Run:
    """A finished run of the code at HEAD, on its branch; with the *data* that DVC holds there, if any is given."""
    about = {
        "name": "n", "project": "p", "state": State.FINISHED, "params": {"lr": 0.1}, "metrics": {"loss": 1},
        "created": 1e9, "finished": 1e9 + 60,
    } | fields  # fmt: skip
    source = track(repo, about["data"]) if "data" in about else repo.resolve("HEAD")
    run = Run(id=run_id, source=source, **about)
    made = result.commit(repo, Account(run=run), ())
    ref = refs.run_ref(run.project, run.name, run.id)
    repo.move([Move(ref, None, made.commit)], why="run")
    return replace(made, ref=ref)


def only(repo: Repo) -> Run:
    """The one run of *repo*, ended if it is under way here; git finds nothing wrong with its branch."""
    session.finish()
    (run,) = query.runs(repo)
    assert run.commit
    assert not live.folders(repo)
    repo.git("fsck", "--strict", "--no-dangling")
    return runs.complete(repo, run)


def only_with_history(repo: Repo) -> tuple[Run, Any]:
    """The same, and its history."""
    run = only(repo)
    return run, runs.history(repo, run)
