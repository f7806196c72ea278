"""Whether a run saw the data that its code names: told to it at its end, and to a person."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlgit.core.run import Run, State
from mlgit.dvc import project
from mlgit.errors import MlgitError
from mlgit.git.repo import Repo
from mlgit.store import live
from mlgit.tracking.notice import notify

if TYPE_CHECKING:
    from mlgit.dvc.worktree.drift import Drift


_AT_LEISURE = (State.FINISHED, State.FAILED)
"""The ends of a run that nobody waits to kill."""


def tell(repo: Repo, opened: live.Live, record: Run, state: State) -> None:
    """Let *opened*, a run that ends now, say which of its data are not what the pointers in its code name.

    What had changed before it began counts as its data; what was changed while it ran, by itself perhaps, does not. Of
    a run that somebody has ended little is read.
    """
    top = repo.work_tree
    if top is None or record.source is None or project.root(top / record.folder, top) is None:
        return
    from mlgit.dvc.worktree import drift

    try:
        looked_at = drift.found(repo, record.source, record.folder, in_haste=state not in _AT_LEISURE)
        found = [one for one in looked_at if one.differs]
        unsure = {
            "data_by_size": [one.path for one in looked_at if one.by_size],
            "data_unread": [one.path for one in looked_at if one.unread],
        }
        if looked_at:
            opened.event(
                data={one.path: one.hash for one in found if one.hash and one.changed < record.created},
                about={"changed_data": {one.path: _about(one, record) for one in found}} if found else {},
            )
        if any(unsure.values()):
            opened.event(about={key: paths for key, paths in unsure.items() if paths})
    except (MlgitError, OSError) as exc:
        notify(f"whether the run's data have changed is not known: {exc}")
        with contextlib.suppress(OSError):
            opened.event(about={"data_unread": ["."]})
        return
    if gone := [one.path for one in found if not one.files]:
        notify(f"not here of the data that the code names: {_some(gone)}; dvc pull brings it")
    if changed := [_words(one, record) for one in found if one.files]:
        notify(f"{_some(changed)}; `mlgit data add PATH` lets the pointer say what this run saw")


def _about(one: Drift, record: Run) -> dict[str, Any]:
    """What `run.yaml` says of it."""
    if not one.files:
        return {"pointer": one.pointer, "now": "missing"}
    some = {"files": one.files, "expected": one.expected} if one.files < one.expected else {}
    during = {"during": True} if one.changed >= record.created else {}
    return {"pointer": one.pointer, "now": one.hash or "not read"} | some | during


def _words(one: Drift, record: Run) -> str:
    if one.files < one.expected:
        return f"{one.path} is here in part, {one.files:,} of {one.expected:,} files"
    return f"{one.path} {'was changed during the run' if one.changed >= record.created else 'has changed'}"


def _some(texts: Sequence[str]) -> str:
    return ", ".join(texts[:3]) + (f" and {len(texts) - 3} more" if len(texts) > 3 else "")
