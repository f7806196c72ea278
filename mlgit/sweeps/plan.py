"""The trials of a sweep: what their runs tell of them, and what the next one runs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from mlgit.core import figures, refs
from mlgit.core.compare import Goal, is_number
from mlgit.core.job import JobSpec, JobState
from mlgit.core.run import Run, State
from mlgit.core.sweep import Sweep
from mlgit.documents import writer
from mlgit.sweeps import command
from mlgit.sweeps.search import Seen
from mlgit.sweeps.space import SEED, Impute, Metric, Params, SweepFile

_NUMBER = re.compile(r"[0-9]{1,9}")
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
    values: tuple[Any, ...] = ()
    """The sweep's metrics as its run has them, each None where it has none; nothing as long as it has no run."""
    run: Run | None = None
    problem: str = ""
    """Why it does not count, or nothing."""

    @property
    def value(self) -> Any:
        """The sweep's first metric, or None."""
        return self.values[0] if self.values else None

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


def last_word(said: str) -> str:
    """The last line of what a trial's program *said*; where it said nothing, its exit code, which `mlgit run` tells."""
    lines = [line for line in said.splitlines() if line.strip()]
    if own := [line for line in lines if not line.startswith("mlgit: ")]:
        return own[-1]
    code = re.search(r", (exit code [0-9]+)(?:: .*)?$", said, re.MULTILINE)
    return code[1] if code else lines[-1] if lines else ""


def trial_name(sweep: Sweep, number: int) -> str:
    """What the run of a trial is called."""
    return f"{_stem(sweep.name, sweep.id)}-{number}"


@lru_cache(maxsize=16)
def _stem(name: str, sweep_id: str) -> str:
    return refs.slug(name, 50) or sweep_id


def trials(sweep: Sweep, file: SweepFile, runs: Iterable[Run]) -> list[Trial]:
    """The trials that *runs* tell of, oldest first."""
    found: list[Trial] = []
    last = 0
    for run in sorted(runs, key=lambda run: (run.created, run.id)):
        number = number_in(sweep, run) or last + 1
        last = max(last, number)
        found.append(trial(number, run, file))
    return found


def number_in(sweep: Sweep, run: Run) -> int | None:
    """The number of a trial that its *run*'s name tells, unless its script gave it another."""
    stem, _, number = run.name.rpartition("-")
    is_ours = stem == _stem(sweep.name, sweep.id) and _NUMBER.fullmatch(number)
    return int(number) if is_ours else None


def trial(number: int, run: Run, file: SweepFile) -> Trial:
    """The trial that *run* tells of."""
    known = {p.name: value for p in file.space.parameters if (value := at(run.params, p.name)) is not MISSING}
    params = file.space.present(known)
    if file.seeds and SEED in run.params:
        params[SEED] = run.params[SEED]
    state, values, problem = _told(run, _STATES[run.state], "", file.metrics)
    return Trial(number=number, name=run.name, params=params, state=state, values=values, run=run, problem=problem)


def key(file: SweepFile, params: Mapping[str, Any]) -> tuple[str | None, Any]:
    """What tells a trial's params from those of any other: the point, and the seed where there are several."""
    return file.space.key(params), params.get(SEED) if file.seeds else None


def judged(trial: Trial, run: Run | None, metrics: Sequence[Metric]) -> Trial:
    """*trial* with what its *run* says of it."""
    if run is None:
        problem = "no run was recorded" if trial.state is JobState.SUCCEEDED else trial.problem
        return replace(trial, problem=problem)
    state, values, problem = _told(run, trial.state, trial.problem, metrics)
    return replace(trial, run=run, state=state, values=values, problem=problem)


def _told(
    run: Run, state: JobState, problem: str, metrics: Sequence[Metric]
) -> tuple[JobState, tuple[Any, ...], str]:  # fmt: skip
    """(state, values, problem) of the trial that *run* is of, which has ended as its job says."""
    if run.state is State.PRUNED:
        state, problem = JobState.CANCELLED, ""
    values = [at(run.metrics, metric.name) for metric in metrics]
    if state is JobState.SUCCEEDED:
        problem = next(
            (_problem(m, value, run) for m, value in zip(metrics, values, strict=True) if not is_number(value)), problem
        )
    return state, tuple(None if value is MISSING else value for value in values), problem


def _problem(metric: Metric, value: Any, run: Run) -> str:
    if value is not MISSING:
        return f"its {metric.name} is {figures.number(value)}"
    others = ", ".join(list(run.metrics)[:8])
    return f"it logged no metric {metric.name!r}, " + (f"but {others}" if others else "nor any other")


def seen(trials: Iterable[Trial], metrics: Sequence[Metric]) -> list[Seen]:
    """What *trials* tell the search. One that was interrupted tells nothing, so that its point is tried again."""
    trials = list(trials)
    costs = [_costs(trials, metric, place) for place, metric in enumerate(metrics)]

    def told(trial: Trial) -> Seen:
        own = [known.get(trial.number) for known in costs]
        all_ = tuple(cost for cost in own if cost is not None)
        return Seen(
            params=trial.params, cost=own[0] if own else None, pending=not trial.state.ended, pruned=trial.pruned,
            costs=all_ if len(all_) == len(metrics) > 1 else (),
        )  # fmt: skip

    return [told(trial) for trial in trials if not trial.interrupted]


def _costs(trials: Sequence[Trial], metric: Metric, place: int) -> dict[int, float]:
    """What *trials* cost by a metric, by number; failures as its `impute` says."""
    sign = -1 if metric.goal is Goal.MAXIMIZE else 1
    costs = {
        trial.number: sign * trial.values[place]
        for trial in trials
        if trial.values and is_number(trial.values[place])
        and (trial.counts or trial.pruned or metric.impute is Impute.LATEST)
    }  # fmt: skip
    if metric.impute is Impute.BEST and costs:
        costs |= {trial.number: min(costs.values()) for trial in trials if trial.failed}
    return costs


def target(file: SweepFile) -> str:
    """What a sweep is to reach, for a person: `the target 0.9`, `loss 0.1 and acc 0.9`."""
    aims = [metric for metric in file.metrics if metric.target is not None]
    if not aims:
        return "the target"
    if len(file.metrics) < 2:
        return f"the target {figures.number(aims[0].target)}"
    return " and ".join(f"{metric.name} {figures.number(metric.target)}" for metric in aims)


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
    run = words(sweep, file, number, params, json_file=json_file, env=env, interpreter=python.name)
    command_ = (str(python), "-m", "mlgit", "run", *run)
    return JobSpec(name=trial_name(sweep, number), command=command_, folder=folder, env=_path(python, env))


def words(
    sweep: Sweep, file: SweepFile, number: int, params: Params, *, json_file: str, env: Mapping[str, str],
    interpreter: str = "python",
) -> tuple[str, ...]:  # fmt: skip
    """What trial *number* says to `mlgit run`, as `job` has it."""
    given = [word for key, value in params.items() for word in ("-p", f"{key}={text(value)}")]
    given += [word for key in params if key in file.paths for word in ("--inner", key)]
    run = command.fill(sweep.command, params, file=file, json_file=json_file, env=env, interpreter=interpreter)
    return ("--sweep", sweep.id, "--group", sweep.name, "--name", trial_name(sweep, number), *given, "--", *run)


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
