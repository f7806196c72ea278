"""Trials and what a sweep is for, as tables and as JSON."""

from __future__ import annotations

import contextlib
import re
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mlgit.cli import output
from mlgit.core import figures
from mlgit.core.compare import is_number
from mlgit.core.sweep import Sweep

if TYPE_CHECKING:
    from mlgit.sweeps.judging import Point
    from mlgit.sweeps.plan import Trial
    from mlgit.sweeps.space import SweepFile


@contextlib.contextmanager
def wait(what: str) -> Iterator[None]:
    """Say *what* takes a moment, to who watches."""
    if not output.is_terminal(sys.stderr):
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


def table(file: SweepFile, trials: Sequence[Trial]) -> None:
    """Print *trials*, the best first; where each point has several seeds, the points."""
    from mlgit.sweeps import judging

    points = judging.ranked(file, trials)
    several = len(file.metrics) > 1
    leading = {point.number for point in judging.front(file, trials)} if several else set()
    known = {name for point in points for name in point.params}
    names = [one.name for one in file.space.parameters if one.name in known]
    metrics = [metric.name for metric in file.metrics]
    rows = [
        (
            *((("*" if point.number in leading else ""),) if several else ()),
            *((_called(point), _states(point), str(_runs(point))) if file.seeds else _name_and_state(point)),
            *(_values(file, point)),
            *(figures.number(point.params[name]) if name in point.params else "" for name in names),
            _time(point),
        )
        for point in points
    ]  # fmt: skip
    columns = (
        *(("front",) if several else ()), *(("trials", "state", "n") if file.seeds else ("trial", "state")), *metrics,
        *names, "time",
    )  # fmt: skip
    numbers = [name for name in names if all(is_number(point.params.get(name, 0)) for point in points)]
    output.table(
        columns, rows, right=("n", *metrics, *numbers, "time"), spare=("time",), firm=metrics, empty="No trials yet."
    )


def _name_and_state(point: Point) -> tuple[str, str]:
    return point.trials[0].name, point.trials[0].word


def _called(point: Point) -> str:
    """The names of a point's trials: `digits-4, 5, 6`."""
    return ", ".join([point.trials[0].name, *(str(trial.number) for trial in point.trials[1:])])


def _states(point: Point) -> str:
    """`finished`, or, where its trials stand otherwise from one another, `2 finished, 1 failed`."""
    words = [trial.word for trial in point.trials]
    different = dict.fromkeys(words)
    return words[0] if len(different) == 1 else ", ".join(f"{words.count(word)} {word}" for word in different)


def _runs(point: Point) -> int:
    """How many trials its means are of."""
    return sum(trial.counts for trial in point.trials)


def _values(file: SweepFile, point: Point) -> list[str]:
    if file.seeds:
        return [figures.mean(summary) for summary in point.summaries]
    values = point.trials[0].values or (None,) * len(file.metrics)
    return ["" if value is None else figures.number(value) for value in values]


def _time(point: Point) -> str:
    """How long its trials ran, all together."""
    lasted = [trial.run.duration for trial in point.trials if trial.run and trial.run.duration is not None]
    return figures.duration(sum(lasted)) if lasted else ""


def in_shell(word: str) -> str:
    """*word* of a command as a person writes it: macros bare, anything else as a shell needs it."""
    return word if re.fullmatch(r"\$\{[a-z_]+\}", word) else shlex.quote(word)


def aim(file: SweepFile) -> str:
    """What a sweep is for, or nothing."""
    return ", ".join(f"{metric.name} ({metric.goal.value})" for metric in file.metrics)


def best(file: SweepFile, trials: Sequence[Trial]) -> str:
    """The best value, over several seeds their mean; of several metrics, how many points are on the front."""
    from mlgit.sweeps import judging

    front = judging.front(file, trials)
    if not front:
        return ""
    if len(file.metrics) > 1:
        return f"front of {len(front)}"
    return figures.mean(front[0].summaries[0])


def used_document(file: SweepFile, trials: Sequence[Trial]) -> dict[str, float] | None:
    """What *trials* have used of the budget, or None where none is given."""
    from mlgit.sweeps import judging

    if file.budget.minutes is None and file.budget.cost is None:
        return None
    so_far = judging.used(file, [trial.run for trial in trials if trial.run], now=time.time())
    return {"minutes": so_far.minutes, "cost": so_far.cost}


def found(file: SweepFile, trials: Sequence[Trial]) -> str:
    """The metrics of the best point: `loss 0.21 ± 0.02`; with how many others it is on the front."""
    from mlgit.sweeps import judging

    front = judging.front(file, trials)
    pairs = zip(file.metrics, front[0].summaries, strict=True) if front else ()
    values = ", ".join(f"{metric.name} {figures.mean(summary)}" for metric, summary in pairs)
    return f"{values} (of a front of {len(front)})" if len(file.metrics) > 1 else values


def used(file: SweepFile, trials: Sequence[Trial]) -> str:
    """`Used of the budget: 12.5 of 90 minutes, a cost of 3 of 20`; nothing where there is none."""
    from mlgit.sweeps import judging

    budget = file.budget
    so_far = judging.used(file, [trial.run for trial in trials if trial.run], now=time.time())
    told = []
    if budget.minutes is not None:
        told.append(f"{figures.number(so_far.minutes)} of {figures.number(budget.minutes)} minutes")
    if budget.cost is not None:
        told.append(f"a cost of {figures.number(so_far.cost)} of {figures.number(budget.cost)}")
    is_over = "; no more trials begin" if judging.spent(file, so_far) else ""
    return f"Used of the budget: {', '.join(told)}{is_over}" if told else ""


def document(sweep: Sweep, file: SweepFile, trials: Sequence[Trial]) -> dict[str, Any]:
    """A sweep as JSON, its trials best first."""
    from mlgit.sweeps import judging

    points = judging.ranked(file, trials)
    front = judging.front(file, trials)
    best = judging.best(file, trials)
    told: dict[str, Any] = about(sweep) | {
        "metric": file.metric and file.metric.name,
        "goal": file.metric and file.metric.goal.value,
        "best": best and _trial(file, best),
        "trials": [_trial(file, trial) for point in points for trial in point.trials],
    }
    if used := used_document(file, trials):
        told["used"] = used
    if file.seeds:
        told |= {"seeds": list(file.seeds), "points": [_point(file, point) for point in points]}
    if len(file.metrics) > 1:
        told |= {
            "metrics": [{"name": m.name, "goal": m.goal.value, "target": m.target} for m in file.metrics],
            "front": [point.number for point in front],
        }  # fmt: skip
    return told


def about(sweep: Sweep) -> dict[str, Any]:
    """What a sweep is known by, as JSON."""
    return {
        "id": sweep.id,
        "name": sweep.name,
        "project": sweep.project,
        "method": sweep.method,
        "state": sweep.state.value,
        "seed": sweep.seed,
        "created": figures.moment(sweep.created),
        "command": list(sweep.command),
    }


def _point(file: SweepFile, point: Point) -> dict[str, Any]:
    parts = ("n", "mean", "std", "low", "high")
    return {
        "params": dict(point.params),
        "trials": [trial.number for trial in point.trials],
        "is_whole": point.is_whole,
        "metrics": {
            metric.name: {part: figures.finite(getattr(summary, part)) for part in parts}
            for metric, summary in zip(file.metrics, point.summaries, strict=True)
        },
    }


def _trial(file: SweepFile, trial: Trial) -> dict[str, Any]:
    told = {
        "number": trial.number,
        "name": trial.name,
        "run": trial.run and trial.run.id,
        "branch": trial.run and trial.run.branch,
        "state": trial.word,
        "value": trial.value,
        "params": dict(trial.params),
        "problem": trial.problem or None,
    }
    if len(file.metrics) > 1:
        names = [metric.name for metric in file.metrics]
        told["values"] = dict(zip(names, trial.values or [None] * len(names), strict=True))
    return told
