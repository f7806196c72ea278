"""Run a sweep: one coordinator that keeps N jobs going and asks the search what comes next.

The history is what the run branches say; the coordinator alone knows what is pending. However it ends, nothing that it
started goes on behind its back.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, TypeVar

from mlgit.core.job import JobSpec, JobState
from mlgit.core.run import Run
from mlgit.errors import MlgitError
from mlgit.sweeps import command, plan
from mlgit.sweeps.plan import Trial
from mlgit.sweeps.record import Task
from mlgit.sweeps.search import initial, suggest
from mlgit.sweeps.space import Method, Params

J = TypeVar("J")

MOST_FORESEEN = 1000
"""Trials that a dry run lists."""
FAILURES = 3
"""So many trials that fail before one succeeds end a sweep: something is wrong with all of them."""


@dataclass(frozen=True, kw_only=True)
class Launcher(Generic[J]):
    """A backend's verbs, as the agent needs them."""

    submit: Callable[[JobSpec], J]
    state: Callable[[J], JobState]
    cancel: Callable[[J], None]
    """Asks a job to end; asked again, makes it."""
    tail: Callable[[J], str]
    """The last lines of a job's output."""
    pause: Callable[[], None]
    """Lets a moment pass."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a sweep stands when the agent is done with it."""

    trials: tuple[Trial, ...]
    ended: str
    """Why it ended: `done`, `nothing left`, `target reached`, `interrupted`."""


def run(
    task: Task,
    launcher: Launcher[J],
    runs: Callable[[], Iterable[Run]],
    tell: Callable[[Trial, tuple[Trial, ...]], None],
) -> Outcome:
    """Run *task* to its end. *runs*: the sweep's runs as they are now; *tell* hears of each trial that begins or ends.

    Ctrl-C ends it early and cleanly. Raises `MlgitError` when the first trials all fail.
    """
    agent = _Agent(task, launcher, runs, tell, {trial.number: trial for trial in task.earlier})
    try:
        return agent.work()
    except KeyboardInterrupt:
        agent.stop()
        return agent.outcome("interrupted")
    finally:
        agent.stop()


@dataclass
class _Agent(Generic[J]):
    task: Task
    launcher: Launcher[J]
    runs: Callable[[], Iterable[Run]]
    tell: Callable[[Trial, tuple[Trial, ...]], None]
    trials: dict[int, Trial]
    running: dict[int, J] = field(default_factory=dict)
    begun: int = 0
    failures: int = 0
    succeeded: bool = False

    def outcome(self, ended: str) -> Outcome:
        return Outcome(trials=tuple(self.trials[number] for number in sorted(self.trials)), ended=ended)

    def work(self) -> Outcome:
        self.begin()
        while self.running:
            ended = {number: state for number, job in self.running.items() if (state := self.launcher.state(job)).ended}
            if not ended:
                self.launcher.pause()
                continue
            self.collect(ended)
            if not self.succeeded and self.failures >= FAILURES:
                raise self.hopeless(self.trials[max(ended)])
            if self.reached():
                self.stop()
                return self.outcome("target reached")
            self.begin()
        return self.outcome("done" if self.room(1) == 0 else "nothing left")

    def room(self, free: int) -> int:
        """How many of *free* agents may begin a trial."""
        return free if self.task.most is None else max(0, min(free, self.task.most - self.begun))

    def begin(self) -> None:
        """Give every free agent a trial, as long as there are any."""
        file, metric = self.task.file, self.task.file.metric
        if room := self.room(self.task.agents - len(self.running)):
            for params in suggest(file.space, plan.seen(self.trials.values(), metric), room, self.task.sweep.seed):
                self.start(max(self.trials, default=0) + 1, params)

    def start(self, number: int, params: Params) -> None:
        job = spec(self.task, number, params)
        if "${args_json_file}" in " ".join(self.task.sweep.command):
            path = json_file(self.task, number)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(command.json_args(params, self.task.file))
        self.running[number] = self.launcher.submit(job)
        self.begun += 1
        self.change(Trial(number=number, name=job.name, params=params, state=JobState.RUNNING))

    def collect(self, ended: Mapping[int, JobState]) -> None:
        """Take down what became of trials that ended."""
        runs = list(self.runs())
        for number, state in ended.items():
            quiet = state in (JobState.SUCCEEDED, JobState.CANCELLED)
            problem = "" if quiet else self.launcher.tail(self.running[number])
            trial = replace(self.trials[number], state=state, problem=problem)
            trial = plan.judged(trial, self.run_of(trial, runs), self.task.file.metric)
            self.succeeded = self.succeeded or trial.counts
            self.failures += not trial.counts
            self.change(trial)
            del self.running[number]

    def run_of(self, trial: Trial, runs: Iterable[Run]) -> Run | None:
        """The run that *trial* made: by its name, or by its params where its script renamed it."""
        taken = {other.run.id for other in self.trials.values() if other.run}
        free = [run for run in runs if run.id not in taken]
        space = self.task.file.space
        for run in free:
            if run.name == trial.name:
                return run
        made = plan.trials(self.task.sweep, space, None, free)
        return next((other.run for other in made if space.key(other.params) == space.key(trial.params)), None)

    def change(self, trial: Trial) -> None:
        self.trials[trial.number] = trial
        self.tell(trial, tuple(self.trials.values()))

    def reached(self) -> bool:
        metric = self.task.file.metric
        best = plan.best_of(self.trials.values(), metric)
        return metric is not None and best is not None and metric.reached(best.value)

    def stop(self) -> None:
        """End what is running, then take it down; asked again meanwhile, end it by force."""
        ended: dict[int, JobState] = {}
        while len(ended) < len(self.running):
            try:
                for job in self.running.values():
                    self.launcher.cancel(job)
                while len(ended) < len(self.running):
                    states = {number: self.launcher.state(job) for number, job in self.running.items()}
                    ended = {number: state for number, state in states.items() if state.ended}
                    self.launcher.pause()
            except KeyboardInterrupt:
                continue
        if ended:
            self.collect(ended)

    def hopeless(self, trial: Trial) -> MlgitError:
        return MlgitError(
            f"The first {self.failures} trials of the sweep {self.task.sweep.id} all failed; it was stopped.",
            why=f"{trial.name}: {trial.problem}",
            fix=f"mend the cause, then `mlgit sweep run --resume {self.task.sweep.id}`",
        )


def spec(task: Task, number: int, params: Params) -> JobSpec:
    """The job of one trial."""
    return plan.job(
        task.sweep, task.file, number, params,
        folder=str(task.folder), json_file=str(json_file(task, number)), env=os.environ, python=interpreter(),
    )  # fmt: skip


def interpreter() -> Path:
    """The Python that runs us, by its plainest name: as `python`, where that is the same one in the same folder."""
    ours = Path(sys.executable)
    plain = ours.with_name("python")
    return plain if plain.exists() and plain.samefile(ours) else ours


def json_file(task: Task, number: int) -> Path:
    """Where a trial's params lie for `${args_json_file}`."""
    return task.scratch / f"{number}.json"


def foreseen(task: Task) -> tuple[list[JobSpec], bool]:
    """The jobs of the trials that are known before any result, and whether these are all."""
    space, metric = task.file.space, task.file.metric
    known = initial(space) - len(task.earlier) if space.method is Method.BAYES else MOST_FORESEEN
    most = MOST_FORESEEN if task.most is None else task.most
    points = suggest(space, plan.seen(task.earlier, metric), max(0, min(known, most, MOST_FORESEEN)), task.sweep.seed)
    first = max((trial.number for trial in task.earlier), default=0) + 1
    complete = len(points) == task.most or (space.size is not None and len(points) + len(task.earlier) >= space.size)
    return [spec(task, number, params) for number, params in enumerate(points, first)], complete
