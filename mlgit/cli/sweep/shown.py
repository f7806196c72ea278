"""Trials and what a sweep is for, as tables and as JSON."""

from __future__ import annotations

import contextlib
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mlgit.cli import output
from mlgit.core import figures
from mlgit.core.compare import is_number
from mlgit.core.sweep import Sweep

if TYPE_CHECKING:
    from mlgit.sweeps.plan import Trial
    from mlgit.sweeps.space import Metric


@contextlib.contextmanager
def wait(what: str) -> Iterator[None]:
    """Say *what* takes a moment, to who watches."""
    if not output.is_terminal(sys.stderr):
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


def table(trials: Sequence[Trial], metric: Metric | None) -> None:
    """Print *trials*, the best first."""
    from mlgit.sweeps import plan

    names = list(dict.fromkeys(name for trial in trials for name in trial.params))
    shown = metric.name if metric else ""
    rows = [
        (
            trial.name, trial.word,
            *((figures.number(trial.value) if trial.value is not None else "",) if metric else ()),
            *(figures.number(trial.params[name]) if name in trial.params else "" for name in names),
            figures.duration(trial.run.duration) if trial.run else "",
        )
        for trial in plan.ranked(trials, metric)
    ]  # fmt: skip
    columns = ("trial", "state", *((shown,) if metric else ()), *names, "time")
    numbers = [name for name in names if all(is_number(trial.params.get(name, 0)) for trial in trials)]
    output.table(columns, rows, right=(shown, *numbers, "time"), empty="No trials yet.")


def in_shell(word: str) -> str:
    """*word* of a command as a person writes it: macros bare, anything else as a shell needs it."""
    return word if re.fullmatch(r"\$\{[a-z_]+\}", word) else shlex.quote(word)


def aim(metric: Metric | None) -> str:
    """What a sweep is for, or nothing."""
    return f"{metric.name} ({metric.goal.value})" if metric else ""


def best(trials: Sequence[Trial], metric: Metric | None) -> str:
    """The best value, or nothing."""
    from mlgit.sweeps import plan

    found = plan.best_of(trials, metric)
    return figures.number(found.value) if found else ""


def document(sweep: Sweep, trials: Sequence[Trial], metric: Metric | None) -> dict[str, Any]:
    """A sweep as JSON, its trials best first."""
    from mlgit.sweeps import plan

    found = plan.best_of(trials, metric)
    return {
        "id": sweep.id,
        "name": sweep.name,
        "project": sweep.project,
        "method": sweep.method,
        "metric": metric and metric.name,
        "goal": metric and metric.goal.value,
        "seed": sweep.seed,
        "created": figures.moment(sweep.created),
        "command": list(sweep.command),
        "best": found and _trial(found),
        "trials": [_trial(trial) for trial in plan.ranked(trials, metric)],
    }


def _trial(trial: Trial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "name": trial.name,
        "run": trial.run and trial.run.id,
        "branch": trial.run and trial.run.branch,
        "state": trial.word,
        "value": trial.value,
        "params": dict(trial.params),
        "problem": trial.problem or None,
    }
