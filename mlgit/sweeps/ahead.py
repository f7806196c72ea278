"""The trials of a sweep that are known ahead of any result, for machines that do not see one another.

Grid, random and Sobol searches are known whole; a Bayesian one goes in rounds, each known once the last one has ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlgit.errors import UsageError
from mlgit.sweeps import command, judging, plan, record
from mlgit.sweeps.record import Task
from mlgit.sweeps.search import initial
from mlgit.sweeps.space import Method, Params

MOST = 10_000
"""Trials of a sweep that are given out ahead."""
_JSON_FILE = "${args_json_file}"


@dataclass(frozen=True, kw_only=True)
class Round:
    """Trials that begin without asking one another."""

    first: int
    """The number of the first one."""
    points: tuple[Params, ...] = ()
    goes_on: bool = False
    """Whether there is another round after it."""
    ended: str = ""
    """Why there is nothing in it."""


def whole(task: Task) -> int:
    """How many trials there are in all. Raises `UsageError` where nothing says so, or there are more than `MOST`."""
    file = task.file
    bounds = [bound for bound in (record.bound(file, task.sweep.trials), judging.size(file)) if bound is not None]
    if not bounds:
        raise UsageError(
            f"How many trials the sweep {task.sweep.name} has is not known ahead: its {file.space.method.value} search "
            "has no end of its own.",
            fix="put `run_cap: N` into the file",
        )
    if min(bounds) > MOST:
        raise UsageError(
            f"The sweep {task.sweep.name} has {min(bounds):,} trials; {MOST:,} are the most that are given out ahead.",
            fix="`run_cap: N` in the file, or a smaller space",
        )
    return min(bounds)


def learns(task: Task) -> bool:
    """Whether its search has to see results, so that it goes in rounds."""
    return task.file.space.method is Method.BAYES


def round_of(task: Task, number: int, *, size: int) -> Round:
    """The round *number*, from 1, of *task*, whose `earlier` are the trials of the rounds before.

    Of a search that learns, the first one is what it begins with, each later one of *size* trials, those that left
    nothing counted as well: so it ends. Any other has all trials in its only round. Raises `UsageError`.
    """
    file, most = task.file, whole(task)
    if not learns(task):
        return Round(first=1, points=tuple(judging.following(file, [], most, task.sweep.seed)))
    last, end = (before(task, one, size=size) for one in (number, number + 1))
    few = max(0, min(end, most) - last)
    if number > 1 and (ended := _ended(task)):
        return Round(first=last + 1, ended=ended)
    seen = plan.seen(task.earlier, file.metrics)
    points = tuple(judging.following(file, seen, few, task.sweep.seed))
    return Round(first=last + 1, points=points, goes_on=bool(points) and last + few < most)


def before(task: Task, number: int, *, size: int) -> int:
    """How many trials there are before the round *number* of a search that learns."""
    begins = initial(task.file.space) * max(1, len(task.file.seeds))
    return 0 if number == 1 else begins + (number - 2) * size


def _ended(task: Task) -> str:
    if not any(trial.state.ended for trial in task.earlier):
        return "no trial of the rounds before left a run"
    return f"{plan.target(task.file)} was reached" if judging.reached(task.file, task.earlier) else ""


def words(task: Task, number: int, params: Params) -> tuple[str, ...]:
    """What a trial says to `mlgit run` on another machine: `${args_json_file}` and `${envvar:…}` stay as they are.

    Raises `UsageError` where a value could be taken for one of those.
    """
    if bad := [name for name, value in params.items() if "${envvar:" in str(value) or _JSON_FILE in str(value)]:
        raise UsageError(f"The value of {bad[0]} reads like a macro of the command: {str(params[bad[0]])[:80]!r}.")
    return plan.words(task.sweep, task.file, number, params, json_file=_JSON_FILE, env=_Unfilled())


def json(task: Task, params: Params) -> str:
    """The text of the file that a trial's command asks for; empty where it asks for none."""
    return command.json_args(params, task.file) if _JSON_FILE in " ".join(task.sweep.command) else ""


def aside(task: Task) -> list[str]:
    """What the sweep's file asks for that trials cannot do which do not see one another, a sentence each."""
    file, found = task.file, []
    if file.early_terminate:
        found.append("early_terminate compares trials while they run, which jobs of CI cannot: each runs to its end")
    if not learns(task) and any(metric.target is not None for metric in file.metrics):
        found.append("a target ends no search that is given out at once: all of its trials run")
    if any(value is not None for value in (file.budget.minutes, file.budget.cost)):
        found.append("a budget of minutes or cost is not kept: only the number of trials is")
    return found


class _Unfilled(Mapping[str, Any]):
    """An environment in which each variable stands for its own macro."""

    def __getitem__(self, name: str) -> str:
        return f"${{envvar:{name}}}"

    def __contains__(self, name: object) -> bool:
        return True

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0
