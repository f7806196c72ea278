"""What CI's jobs have handed over, with what is kept of their sweep."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mlgit.git.repo import time_of
from mlgit.store.place import Place

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mlgit.ci.collecting import Collected
    from mlgit.ci.plan import Plan
    from mlgit.core.sweep import Sweep
    from mlgit.git.remote import Remote
    from mlgit.git.repo import Repo


def collect(place: Place, plan: Plan, folders: Sequence[Path], *, remote: Remote | None) -> Collected:
    """Bring what lies in *folders* to *remote*, and here. Raises `NotFoundError`, `GitError`, `ConfigError`."""
    from mlgit.ci import collecting

    def keep_sweep(is_over: bool) -> str | None:
        return _keep(place.repo, plan, is_over=is_over)

    return collecting.collect(
        collecting.Wish(repo=place.repo, plan=plan, folders=folders, remote=remote, keep_sweep=keep_sweep)
    )


def _keep(repo: Repo, plan: Plan, *, is_over: bool) -> str | None:
    """The ref of *plan*'s sweep, which is kept then; what a person has said of one that is there stays."""
    from mlgit.core.sweep import SweepState
    from mlgit.sweeps import record

    if (sweep := _sweep(repo, plan)) is None:
        return None

    def now(before: Sweep) -> Sweep:
        ends = is_over and before.state is SweepState.RUNNING
        return replace(before, state=SweepState.FINISHED) if ends else before

    return record.ref_of(record.change(repo, sweep, now))


def _sweep(repo: Repo, plan: Plan) -> Sweep | None:
    """What *plan* says of its sweep: the same whoever makes it, when it was made too."""
    from mlgit.core.compare import Goal
    from mlgit.core.sweep import Sweep
    from mlgit.sweeps import command, file

    if plan.sweep is None:
        return None
    told = file.read(plan.file.encode(), source=plan.path or "the plan's sweep")
    with repo.reader() as reader:
        found = reader.read(plan.commit)
    return Sweep(
        id=plan.sweep, name=plan.sweep_name, project=plan.project, method=told.space.method.value,
        metric=told.metric.name if told.metric else None, goal=told.metric.goal if told.metric else Goal.MINIMIZE,
        seed=plan.seed, created=float(time_of(found[2])) if found else 0.0, command=command.chosen(told, ()),
        file=plan.file,
    )  # fmt: skip
