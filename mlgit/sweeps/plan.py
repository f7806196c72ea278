"""The trials of a sweep: what their runs tell of them, and what the next one runs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlgit.core import figures, refs
from mlgit.core.compare import Goal, best, is_number
from mlgit.core.job import JobSpec, JobState
from mlgit.core.run import Run, State
from mlgit.core.sweep import Sweep
from mlgit.documents import writer
from mlgit.sweeps import command
from mlgit.sweeps.search import Seen
from mlgit.sweeps.space import Impute, Metric, Params, Space, SweepFile

_STATES = {
    State.RUNNING: JobState.RUNNING,
    State.FINISHED: JobState.SUCCEEDED,
    State.FAILED: JobState.FAILED,
    State.CRASHED: JobState.LOST,
    State.PREEMPTED: JobState.PREEMPTED,
    State.PRUNED: JobState.CANCELLED,
}


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One run of a sweep."""

    number: int
    """From 1, in the order of starting."""
    name: str
    params: Mapping[str, Any]
    """Flat, nested ones by dotted name."""
    state: JobState
    value: Any = None
    """The sweep's metric as its run has it, or None."""
    run: Run | None = None
    problem: str = ""
    """Why it does not count, or nothing."""

    @property
    def counts(self) -> bool:
        """Whether it tells how good its params are."""
        return self.state is JobState.SUCCEEDED and not self.problem

    @property
    def word(self) -> str:
        """How it stands: its run's state, in the words of `mlgit ls`; its job's, as long as it has no run."""
        return self.run.state.value if self.run else "failed" if self.failed else self.state.value

    @property
    def pruned(self) -> bool:
        """Whether the sweep ended it early, since others did better: its metric is the last that it told."""
        return self.run is not None and self.run.state is State.PRUNED

    @property
    def interrupted(self) -> bool:
        """Whether it was ended from outside, so that its params still wait for a trial."""
        return self.state in (JobState.CANCELLED, JobState.PREEMPTED, JobState.LOST) and not self.pruned

    @property
    def failed(self) -> bool:
        """Whether it ended by itself without telling how good its params are."""
        return self.state.ended and not (self.counts or self.interrupted or self.pruned)


def trial_name(sweep: Sweep, number: int) -> str:
    """What the run of a trial is called."""
    return f"{refs.slug(sweep.name, 50) or sweep.id}-{number}"


def trials(sweep: Sweep, space: Space, metric: Metric | None, runs: Iterable[Run]) -> list[Trial]:
    """The trials that *runs* tell of, oldest first."""
    found: list[Trial] = []
    last = 0
    for run in sorted(runs, key=lambda run: (run.created, run.id)):
        number = number_in(sweep, run) or last + 1
        last = max(last, number)
        found.append(trial(number, run, space, metric))
    return found


def number_in(sweep: Sweep, run: Run) -> int | None:
    """The number of a trial that its *run*'s name tells, unless its script gave it another."""
    number = re.fullmatch(re.escape(trial_name(sweep, 0)[:-1]) + r"([0-9]{1,9})", run.name)
    return int(number[1]) if number else None


def trial(number: int, run: Run, space: Space, metric: Metric | None) -> Trial:
    """The trial that *run* tells of."""
    known = {p.name: value for p in space.parameters if (value := at(run.params, p.name)) is not MISSING}
    found = Trial(number=number, name=run.name, params=space.present(known), state=_STATES[run.state])
    return judged(found, run, metric)


def judged(trial: Trial, run: Run | None, metric: Metric | None) -> Trial:
    """*trial* with what its *run* says of it."""
    if run is None:
        problem = "no run was recorded" if trial.state is JobState.SUCCEEDED else trial.problem
        return replace(trial, problem=problem)
    if run.state is State.PRUNED:
        trial = replace(trial, state=JobState.CANCELLED, problem="")
    value = at(run.metrics, metric.name) if metric else MISSING
    problem = trial.problem
    if metric and trial.state is JobState.SUCCEEDED:
        if value is MISSING:
            logged = ", ".join(list(run.metrics)[:8]) or "nothing"
            problem = f"it logged no metric {metric.name!r}, but {logged}"
        elif not is_number(value):
            problem = f"its {metric.name} is {figures.number(value)}"
    return replace(trial, run=run, value=None if value is MISSING else value, problem=problem)


def seen(trials: Iterable[Trial], metric: Metric | None) -> list[Seen]:
    """What *trials* tell the search. One that was interrupted tells nothing, so that its point is tried again."""
    trials = list(trials)
    costs = {
        trial.number: -trial.value if metric and metric.goal is Goal.MAXIMIZE else trial.value
        for trial in trials
        if is_number(trial.value) and (trial.counts or trial.pruned or (metric and metric.impute is Impute.LATEST))
    }
    if metric and metric.impute is Impute.BEST and costs:
        costs |= {trial.number: min(costs.values()) for trial in trials if trial.failed}
    return [
        Seen(params=trial.params, cost=costs.get(trial.number), pending=not trial.state.ended, pruned=trial.pruned)
        for trial in trials
        if not trial.interrupted
    ]


def best_of(trials: Iterable[Trial], metric: Metric | None) -> Trial | None:
    """The trial with the best metric, or None."""
    counted = {trial.name: trial for trial in trials if trial.counts}
    name = best(((name, trial.value) for name, trial in counted.items()), metric.goal) if metric else None
    return None if name is None else counted[name]


def ranked(trials: Iterable[Trial], metric: Metric | None) -> list[Trial]:
    """*trials*, the best first, pruned ones and those that failed last; in their own order where there is no metric."""
    sign = -1 if metric and metric.goal is Goal.MAXIMIZE else 1

    def place(trial: Trial) -> tuple[bool, bool, float, int]:
        return (
            not trial.counts,
            not trial.pruned,
            sign * trial.value if trial.counts and is_number(trial.value) else 0.0,
            trial.number,
        )

    return sorted(trials, key=place)


class _Missing:
    pass


MISSING = _Missing()


def at(tree: Mapping[str, Any], name: str) -> Any:
    """The value called *name* in *tree*, as one key or as a path of keys; `MISSING` if there is none."""
    if name in tree:
        return tree[name]
    node: Any = tree
    for part in name.split("."):
        if not isinstance(node, Mapping) or part not in node:
            return MISSING
        node = node[part]
    return node


def job(
    sweep: Sweep, file: SweepFile, number: int, params: Params, *, folder: str, json_file: str, env: Mapping[str, str],
    python: Path,
) -> JobSpec:  # fmt: skip
    """Trial *number* as a job: `mlgit run` around the sweep's command.

    *python* runs both. The command has its name alone, and its folder is first on the job's PATH: so what a run records
    is the same on every machine. *json_file*: where `${args_json_file}` lies.
    """
    name = trial_name(sweep, number)
    given = [word for key, value in params.items() for word in ("-p", f"{key}={text(value)}")]
    words = command.fill(sweep.command, params, file=file, json_file=json_file, env=env, interpreter=python.name)
    head = (str(python), "-m", "mlgit", "run", "--sweep", sweep.id, "--group", sweep.name, "--name", name)
    return JobSpec(name=name, command=(*head, *given, "--", *words), folder=folder, env=_path(python, env))


def _path(python: Path, env: Mapping[str, str]) -> dict[str, str]:
    """The PATH on which *python* is found first, unless it is there already."""
    before = env.get("PATH", os.defpath)
    first = str(python.parent)
    return {} if before.split(os.pathsep)[0] == first else {"PATH": f"{first}{os.pathsep}{before}"}


def text(value: Any) -> str:
    """*value* as YAML on one line, which reads back as the same value: `"0.1"` for text, `0.1` for a number."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{text(str(key))}: {text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(text(item) for item in value) + "]"
    return writer.dump(value).rstrip("\n")
