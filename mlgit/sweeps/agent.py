"""An agent of a sweep: it looks what others do, claims trials, keeps its slots going, and needs nobody who coordinates.

Any number of agents work on one sweep. What ended, the runs tell; what is under way, the claims. However an agent ends,
nothing that it started goes on behind its back, and what it held is taken by others.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from mlgit.core.job import JobSpec, JobState
from mlgit.core.run import Run
from mlgit.core.sweep import Sweep, SweepState
from mlgit.errors import MlgitError
from mlgit.sweeps import claims, command, judging, plan
from mlgit.sweeps.claims import Agent, Claim, Claims, Pace, Watch
from mlgit.sweeps.history import History, Runs
from mlgit.sweeps.plan import Trial
from mlgit.sweeps.record import Task, bound
from mlgit.sweeps.search import initial
from mlgit.sweeps.space import Method, Params

J = TypeVar("J")

MOST_FORESEEN = 1000
"""Trials that a dry run lists."""
MOST_TRIES = 3
"""So often a point is tried whose trials are ended from outside while their agent goes on."""
FAILURES = 3
"""So many trials that fail before one succeeds end a sweep: something is wrong with all of them."""


class Board(Protocol):
    """What all agents of a sweep see, and change."""

    def look(self) -> tuple[Sweep, Claims]:
        """The sweep and its claims as they are now."""

    def change(self, change: Callable[[Claims], Claims]) -> Claims:
        """The claims after *change*, which may be asked more than once."""

    def settle(self, state: SweepState) -> None:
        """Let the sweep have ended like this, unless it has ended before."""

    def lives(self, agent: Agent) -> bool | None:
        """Whether *agent*, or something that it ran, is alive; None where nobody here can tell."""


class Watching(Protocol):
    """What sees trials go badly."""

    def look(self, alive: Iterable[Run], ended: Iterable[Run], mine: Mapping[int, Trial]) -> Mapping[int, object]:
        """Those of *mine*, by number, that are to be ended now; that they are pruned stands in their runs by then."""


@dataclass(frozen=True, kw_only=True)
class Launcher(Generic[J]):
    """A backend's verbs, as the agent needs them."""

    submit: Callable[[Trial], J]
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
    """Why it ended: `done`, `nothing left`, `target reached`, `budget used up`, `stopped`, `cancelled`, `interrupted`,
    `given up`."""
    why: str = ""
    """Why it was given up."""


def run(
    task: Task,
    me: Agent,
    board: Board,
    launcher: Launcher[J],
    runs: Runs,
    tell: Callable[[Trial, tuple[Trial, ...]], None],
    *,
    pace: Pace | None = None,
    enough: Callable[[Trial], str] | None = None,
    alive: Callable[[], Sequence[Run]] = tuple,
    watch: Watching | None = None,
) -> Outcome:
    """Run trials of *task* as *me*, until there is nothing left to do for it; *tell* hears of each that begins or ends.

    *alive*: the sweep's runs that are under way here, as they began. *watch* says which trials are stopped early.

    Ctrl-C ends it early and cleanly. Where *enough* says why of a trial that ended, that is the end; without it, raises
    `MlgitError` when the first trials all fail.
    """
    history = History(task.sweep, task.file, runs)
    agent = _Agent(task, me, board, launcher, history, tell, pace or Pace(), enough, alive, watch)
    try:
        return agent.work()
    except KeyboardInterrupt:
        agent.stop()
        return agent.outcome("interrupted")
    finally:
        try:
            agent.stop()
        finally:
            agent.leave()


@dataclass
class _Running(Generic[J]):
    """A trial of ours that is under way."""

    trial: Trial
    job: J
    since: float


@dataclass
class _Agent(Generic[J]):
    task: Task
    me: Agent
    board: Board
    launcher: Launcher[J]
    history: History
    tell: Callable[[Trial, tuple[Trial, ...]], None]
    pace: Pace
    enough: Callable[[Trial], str] | None
    alive: Callable[[], Sequence[Run]]
    watch: Watching | None
    sweep: Sweep = field(init=False)
    claims: Claims = field(default_factory=Claims)
    queue: deque[Claim] = field(default_factory=deque)
    """What is claimed, and not begun."""
    running: dict[int, _Running[J]] = field(default_factory=dict)
    own: dict[int, Trial] = field(default_factory=dict)
    """Trials that began here, as they stand."""
    known: dict[int, Trial] = field(default_factory=dict)
    """All trials, as they stand."""
    over: dict[int, str | None] = field(default_factory=dict)
    """What ended and is still to be said: number → why it left no run, or None where it did."""
    back: set[int] = field(default_factory=set)
    """What was broken off, and is still to be given back."""
    broken_off: Counter[object] = field(default_factory=Counter)
    """How often points were, by their key."""
    begun: int = 0
    failures: int = 0
    succeeded: bool = False
    idle: bool = False
    """Whether there was nothing to claim when we last tried, and nothing has changed since."""
    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=32))
    """How long trials took, the last ones."""
    heard: Watch = field(default_factory=dict)
    lost: set[int] = field(default_factory=set)
    """What we run, and do not hold any more."""
    spent: str = ""
    """Why nothing more may begin, or nothing."""
    is_stopping: bool = False
    looked: float = 0.0
    written: float = 0.0

    def __post_init__(self) -> None:
        self.sweep = self.task.sweep

    def outcome(self, ended: str) -> Outcome:
        return Outcome(trials=self.trials, ended=ended)

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All trials that are known here, by number: those of others as their runs tell."""
        return tuple(self.known[number] for number in sorted(self.known))

    def hear(self, now: Claims) -> None:
        """Take in what the runs tell by now."""
        for trial in self.history.look(now):
            if trial.number not in self.own:
                self.known[trial.number] = trial

    def work(self) -> Outcome:
        self.write()
        self.hear(self.claims)
        while True:
            ended = {
                number: state for number, one in self.running.items() if (state := self.launcher.state(one.job)).ended
            }
            if ended:
                self.collect(ended)
                if why := self.hopeless(ended):
                    self.stop()
                    return replace(self.outcome("given up"), why=why)
            if self.look() or ended:
                if self.sweep.state is SweepState.CANCELLED:
                    self.stop()
                    return self.outcome("cancelled")
                if self.reached():
                    self.board.settle(SweepState.FINISHED)
                    self.stop()
                    return self.outcome("target reached")
                self.count_costs()
            if self.sweep.state is SweepState.RUNNING and not self.spent:
                self.begin()
            if not self.running and (why := self.reason()):
                return self.outcome(why)
            if not ended:
                self.launcher.pause()

    def reason(self) -> str:
        """Why there is nothing left to do here, or nothing."""
        if self.sweep.state is SweepState.STOPPED:
            return "stopped"
        if self.task.count is not None and self.begun >= self.task.count:
            return "done"
        if self.spent:
            self.board.settle(SweepState.FINISHED)
            return "budget used up"
        if self.sweep.state is SweepState.FINISHED and not self.claims.open:
            return "done" if self.room(self.claims) == 0 else "nothing left"
        if self.sweep.state is not SweepState.RUNNING or not self.idle or self.claims.open:
            return ""
        self.board.settle(SweepState.FINISHED)
        return "done" if self.room(self.claims) == 0 else "nothing left"

    def look(self) -> bool:
        """Look what others do, if it is time to; whether it was."""
        now = time.monotonic()
        if now - self.looked < self.pace.look:
            return False
        self.looked = now
        before = self.sweep.state, self.claims
        self.sweep, self.claims = self.board.look()
        if (self.sweep.state, self.claims) != before:
            self.idle = False
        if self.sweep.state is not SweepState.RUNNING:
            self.back |= {one.number for one in self.queue}
            self.queue.clear()
        if self.over or self.back or self.dead(self.claims) or now - self.written >= self.pace.beat:
            self.write()
        held = {one.number for one in self.claims.of(self.me.id)}
        for number in self.running.keys() - held - self.lost:  # we were silent for too long: somebody else runs it
            self.launcher.cancel(self.running[number].job)
            self.lost.add(number)
        self.prune()
        return True

    def prune(self) -> None:
        """Tell those of our trials to end that go badly."""
        if self.watch is None or not self.running:
            return
        ended = [trial.run for trial in self.history.found.values() if trial.run and trial.state.ended]
        mine = {number: one.trial for number, one in self.running.items() if number not in self.lost}
        for number in self.watch.look(self.alive(), ended, mine):
            self.launcher.cancel(self.running[number].job)

    def dead(self, now: Claims) -> set[str]:
        """The agents that are dead: their locks say so, or they have been silent for too long."""
        moment = time.monotonic()
        self.heard = claims.watch(self.heard, now, now=moment)
        silent = claims.silent(self.heard, now=moment, lease=self.pace.lease)
        holders = {one.agent for one in now.open} - {one.id for one in now.agents} - {"", self.me.id}
        others = (one for one in now.agents if one.id != self.me.id)
        lives = {one.id: self.board.lives(one) for one in others}
        return holders | {one for one, alive in lives.items() if alive is False or (alive is None and one in silent)}

    def write(self, further: Callable[[Claims], Claims] = lambda now: now) -> None:
        """Say what ended here, that we are alive, and who is not; then do what is *further* to do."""

        def change(now: Claims) -> Claims:
            gone = {number: why for number, why in self.over.items() if why is not None}
            now = claims.release(now, self.me.id, set(self.over), gone)
            now = claims.give_back(now, self.me.id, self.back)
            now = claims.leave(now, *self.dead(now))
            return further(claims.renew(now, self.me, heard=time.time()))

        self.claims = self.board.change(change)
        self.over.clear()
        self.back.clear()
        self.written = time.monotonic()

    def leave(self) -> None:
        """Be no agent any more; what we hold and have not ended waits for others."""
        self.queue.clear()
        self.write(lambda now: claims.leave(now, self.me.id))

    def room(self, now: Claims) -> int | None:
        """How many trials the sweep may still begin, beside those that *now* are open; None: as many as there are."""
        most = bound(self.task.file, self.sweep.trials)
        return None if most is None else max(0, most - self.history.begun(now))

    def begin(self) -> None:
        """Give every free slot a trial, as long as there are any."""
        free = self.me.slots - len(self.running)
        if self.task.count is not None:
            free = min(free, self.task.count - self.begun)
        if free > len(self.queue) and not self.idle:
            self.claim(free - len(self.queue))
        while self.queue and len(self.running) < self.me.slots:
            one = self.queue.popleft()
            if one.number in self.running:  # we had lost it, and it has not ended yet
                self.back.add(one.number)
            else:
                self.start(one)

    def claim(self, free: int) -> None:
        """Claim trials for *free* slots: first what others have left, then what the search says."""
        had = {one.number for one in self.queue} | set(self.running)

        def wanting(now: Claims) -> Claims:
            self.hear(now)
            told, file = self.history.told, self.task.file
            now = claims.take(now, self.me.id, free, told)
            short = free - len([one for one in now.of(self.me.id) if one.number not in had])
            if short < 1:
                return now
            learns = file.space.method is Method.BAYES or file.seeds
            seen, tried = self.history.seen(now) if learns else [], self.history.tried(now)
            points = judging.following(file, seen, self.block(short, now), self.sweep.seed, tried=tried)
            return claims.claim(now, self.me.id, points, told)

        self.write(wanting)
        new = [one for one in self.claims.of(self.me.id) if one.number not in had]
        self.queue.extend(new)
        self.idle = not new

    def block(self, short: int, now: Claims) -> int:
        """How many trials to claim where *short* slots are free."""
        room, space = self.room(now), self.task.file.space
        wanted = claims.block(
            short, seconds=self.seconds, agents=len(now.agents), left=room, is_quick=space.method is not Method.BAYES
        )
        return wanted if self.task.count is None else min(wanted, self.task.count - self.begun - len(self.queue))

    def start(self, one: Claim) -> None:
        name = plan.trial_name(self.task.sweep, one.number)
        trial = Trial(number=one.number, name=name, params=dict(one.params), state=JobState.RUNNING)
        since = time.monotonic()
        self.running[one.number] = _Running(trial, self.launcher.submit(trial), since)
        self.begun += 1
        self.change(trial)

    def collect(self, ended: Mapping[int, JobState]) -> None:
        """Take down what became of trials that ended."""
        self.hear(self.claims)
        for number, state in ended.items():
            one = self.running.pop(number)
            quiet = state in (JobState.SUCCEEDED, JobState.CANCELLED)
            problem = "" if quiet else self.launcher.tail(one.job)
            found = self.history.of(number)
            if found and found.state.ended:  # what became of it, its run tells best
                state = found.state
            trial = plan.judged(
                replace(one.trial, state=state, problem=problem), found.run if found else None, self.task.file.metrics
            )
            is_given_up = trial.interrupted and self.is_too_often(trial)
            self.seconds.append(time.monotonic() - one.since)
            self.succeeded = self.succeeded or trial.counts
            self.failures += trial.failed or is_given_up
            if number in self.lost:
                self.lost.remove(number)
            elif trial.interrupted and not is_given_up:
                self.back.add(number)
            else:
                self.over[number] = None if trial.run and not trial.interrupted else trial.problem or trial.word
            self.change(trial)

    def is_too_often(self, trial: Trial) -> bool:
        """Whether the point of *trial*, which was broken off, has been so often enough."""
        key = plan.key(self.task.file, trial.params)
        self.broken_off[key] += not self.is_stopping and trial.number not in self.lost
        return self.broken_off[key] >= MOST_TRIES

    def change(self, trial: Trial) -> None:
        self.own[trial.number] = self.known[trial.number] = trial
        self.tell(trial, tuple(self.known.values()))

    def reached(self) -> bool:
        file = self.task.file
        return any(m.target is not None for m in file.metrics) and judging.reached(file, self.trials) is not None

    def count_costs(self) -> None:
        """See whether the budget is used up; what was claimed and has not begun is then nobody's."""
        file = self.task.file
        if file.budget.minutes is None and file.budget.cost is None:
            return
        runs = {run.id: run for run in self.alive()}
        runs |= {trial.run.id: trial.run for trial in self.trials if trial.run}
        self.spent = judging.spent(file, judging.used(file, runs.values(), now=time.time()))
        if self.spent:
            self.over |= dict.fromkeys((one.number for one in self.queue), None)
            self.queue.clear()

    def stop(self) -> None:
        """End what is running, then take it down; asked again meanwhile, end it by force."""
        self.is_stopping = True
        ended: dict[int, JobState] = {}
        while len(ended) < len(self.running):
            try:
                for one in self.running.values():
                    self.launcher.cancel(one.job)
                while len(ended) < len(self.running):
                    states = {number: self.launcher.state(one.job) for number, one in self.running.items()}
                    ended = {number: state for number, state in states.items() if state.ended}
                    self.launcher.pause()
            except KeyboardInterrupt:
                continue
        if ended:
            self.collect(ended)

    def hopeless(self, ended: Iterable[int]) -> str:
        """Why to give up, or nothing. Raises `MlgitError` where trials fail, one as the other, and none succeeded."""
        if self.enough:
            return next(filter(None, (self.enough(self.own[number]) for number in ended)), "")
        if self.succeeded or self.failures < FAILURES or any(trial.counts for trial in self.history.found.values()):
            return ""
        self.board.settle(SweepState.STOPPED)
        trial = self.own[max(ended)]
        raise MlgitError(
            f"The first {self.failures} trials of the sweep {self.task.sweep.id} all failed; it was stopped.",
            why=f"{trial.name}: {trial.problem}",
            fix=f"mend the cause, then `mlgit sweep run --resume {self.task.sweep.id}`",
        )


def submitting(task: Task, start: Callable[[JobSpec], J]) -> Callable[[Trial], J]:
    """How the job of a trial of *task* begins, by what *start* does with its description."""

    def submit(trial: Trial) -> J:
        if "${args_json_file}" in " ".join(task.sweep.command):
            path = json_file(task, trial.number)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(command.json_args(dict(trial.params), task.file))
        return start(spec(task, trial.number, dict(trial.params)))

    return submit


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
    file, space, seeds = task.file, task.file.space, max(1, len(task.file.seeds))
    known = initial(space) * seeds - len(task.earlier) if space.method is Method.BAYES else MOST_FORESEEN
    most = MOST_FORESEEN if task.most is None else task.most
    seen = plan.seen(task.earlier, file.metrics)
    points = judging.following(file, seen, max(0, min(known, most, MOST_FORESEEN)), task.sweep.seed)
    first = max((trial.number for trial in task.earlier), default=0) + 1
    whole = judging.size(file)
    complete = len(points) == task.most or (whole is not None and len(points) + len(task.earlier) >= whole)
    return [spec(task, number, params) for number, params in enumerate(points, first)], complete
