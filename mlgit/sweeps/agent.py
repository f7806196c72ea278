"""An agent of a sweep: it looks what others do, claims trials, keeps its slots going, and needs nobody who coordinates.

Any number of agents work on one sweep. What ended, the runs tell; what is under way, the claims. However an agent ends,
nothing that it started goes on behind its back, and what it held is taken by others.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, TypeVar

from mlgit.core.job import JobState
from mlgit.core.run import Run
from mlgit.core.sweep import SweepState
from mlgit.errors import MlgitError
from mlgit.sweeps import claims, judging, plan
from mlgit.sweeps.claims import Agent, Claim, Claims, Pace
from mlgit.sweeps.history import History, Runs
from mlgit.sweeps.holding import Board, Hold
from mlgit.sweeps.plan import Trial
from mlgit.sweeps.record import Task, bound
from mlgit.sweeps.space import Method

J = TypeVar("J")

MOST_TRIES = 3
"""So often a point is tried whose trials are ended from outside while their agent goes on."""
FAILURES = 3
"""So many trials that fail before one succeeds end a sweep: something is wrong with all of them."""


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
    hold = Hold(me, board, pace or Pace(), task.sweep)
    agent = _Agent(task, hold, launcher, history, tell, enough, alive, watch)
    try:
        return agent.work()
    except KeyboardInterrupt:
        agent.stop()
        return agent.outcome("interrupted")
    finally:
        try:
            agent.stop()
        finally:
            hold.leave(launcher.pause)


@dataclass
class _Running(Generic[J]):
    """A trial of ours that is under way."""

    trial: Trial
    job: J
    since: float


@dataclass
class _Agent(Generic[J]):
    task: Task
    hold: Hold
    launcher: Launcher[J]
    history: History
    tell: Callable[[Trial, tuple[Trial, ...]], None]
    enough: Callable[[Trial], str] | None
    alive: Callable[[], Sequence[Run]]
    watch: Watching | None
    queue: deque[Claim] = field(default_factory=deque)
    """What is claimed, and not begun."""
    running: dict[int, _Running[J]] = field(default_factory=dict)
    own: dict[int, Trial] = field(default_factory=dict)
    """Trials that began here, as they stand."""
    known: dict[int, Trial] = field(default_factory=dict)
    """All trials, as they stand."""
    broken_off: Counter[object] = field(default_factory=Counter)
    """How often points were, by their key."""
    begun: int = 0
    failures: int = 0
    succeeded: bool = False
    idle: bool = False
    """Whether there was nothing to claim when we last tried, and nothing has changed since."""
    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=32))
    """How long trials took, the last ones."""
    lost: set[int] = field(default_factory=set)
    """What we run, and do not hold any more."""
    spent: str = ""
    """Why nothing more may begin, or nothing."""
    is_stopping: bool = False

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
        self.hold.write()
        self.hear(self.hold.claims)
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
                if self.hold.sweep.state is SweepState.CANCELLED:
                    self.stop()
                    return self.outcome("cancelled")
                if self.reached():
                    self.hold.board.settle(SweepState.FINISHED)
                    self.stop()
                    return self.outcome("target reached")
                self.count_costs()
            if self.hold.goes_on and not self.spent:
                self.begin()
            if not self.running and (why := self.reason()):
                return self.outcome(why)
            if not ended:
                self.launcher.pause()

    def reason(self) -> str:
        """Why there is nothing left to do here, or nothing."""
        if self.hold.sweep.state is SweepState.STOPPED:
            return "stopped"
        if self.task.count is not None and self.begun >= self.task.count:
            return "done"
        if self.spent:
            self.hold.board.settle(SweepState.FINISHED)
            return "budget used up"
        if self.hold.sweep.state is SweepState.FINISHED and not self.hold.claims.open:
            return "done" if self.room(self.hold.claims) == 0 else "nothing left"
        if not self.hold.goes_on or not self.idle or self.hold.claims.open:
            return ""
        self.hold.board.settle(SweepState.FINISHED)
        return "done" if self.room(self.hold.claims) == 0 else "nothing left"

    def look(self) -> bool:
        """Look what others do, if it is time to; whether it was."""
        if not self.hold.is_due():
            return False
        if self.hold.look():
            self.idle = False
        if not self.hold.goes_on:
            self.hold.back |= {one.number for one in self.queue}
            self.queue.clear()
        self.hold.keep()
        if self.idle and self.waits():
            self.idle = False
        held = {one.number for one in self.hold.mine}
        for number in self.running.keys() - held - self.lost:  # we were silent for too long: somebody else runs it
            self.launcher.cancel(self.running[number].job)
            self.lost.add(number)
        self.prune()
        return True

    def waits(self) -> bool:
        """Whether something waits to be taken: of an agent that we have found dead, for one."""
        free = self.hold.claims.of("")
        if free:
            self.hear(self.hold.claims)
        return any(one.number not in self.history.told.alive for one in free)

    def prune(self) -> None:
        """Tell those of our trials to end that go badly."""
        if self.watch is None or not self.running:
            return
        ended = [trial.run for trial in self.history.found.values() if trial.run and trial.state.ended]
        mine = {number: one.trial for number, one in self.running.items() if number not in self.lost}
        for number in self.watch.look(self.alive(), ended, mine):
            self.launcher.cancel(self.running[number].job)

    def room(self, now: Claims) -> int | None:
        """How many trials the sweep may still begin, beside those that *now* are open; None: as many as there are."""
        most = bound(self.task.file, self.hold.sweep.trials)
        return None if most is None else max(0, most - self.history.begun(now))

    def begin(self) -> None:
        """Give every free slot a trial, as long as there are any."""
        free = self.hold.me.slots - len(self.running)
        if self.task.count is not None:
            free = min(free, self.task.count - self.begun)
        if free > len(self.queue) and not self.idle:
            self.claim(free - len(self.queue))
        while self.queue and len(self.running) < self.hold.me.slots:
            one = self.queue.popleft()
            if one.number in self.running:  # we had lost it, and it has not ended yet
                self.hold.back.add(one.number)
            else:
                self.start(one)

    def claim(self, free: int) -> None:
        """Claim trials for *free* slots: first what others have left, then what the search says."""
        had = {one.number for one in self.queue} | set(self.running)

        def wanting(now: Claims) -> Claims:
            self.hear(now)
            told, file = self.history.told, self.task.file
            now = claims.take(now, self.hold.me.id, free, told)
            short = free - len([one for one in now.of(self.hold.me.id) if one.number not in had])
            if short < 1:
                return now
            learns = file.space.method is Method.BAYES or file.seeds
            seen, tried = self.history.seen(now) if learns else [], self.history.tried(now)
            points = judging.following(file, seen, self.block(short, now), self.hold.sweep.seed, tried=tried)
            return claims.claim(now, self.hold.me.id, points, told)

        if not self.hold.write(wanting):
            return
        new = [one for one in self.hold.mine if one.number not in had]
        self.queue.extend(new)
        self.idle = not new

    def block(self, short: int, now: Claims) -> int:
        """How many trials to claim where *short* slots are free."""
        room, space = self.room(now), self.task.file.space
        wanted = claims.block(
            short, seconds=self.seconds, agents=len(now.agents), left=room, is_quick=space.method is not Method.BAYES,
            every=self.hold.pace.block,
        )  # fmt: skip
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
        self.hear(self.hold.claims)
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
                self.hold.back.add(number)
            else:
                self.hold.over[number] = None if trial.run and not trial.interrupted else trial.problem or trial.word
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
            self.hold.over |= dict.fromkeys((one.number for one in self.queue), None)
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
        self.hold.board.settle(SweepState.STOPPED)
        trial = self.own[max(ended)]
        raise MlgitError(
            f"The first {self.failures} trials of the sweep {self.task.sweep.id} all failed; it was stopped.",
            why=f"{trial.name}: {trial.problem}",
            fix=f"mend the cause, then `mlgit sweep run --resume {self.task.sweep.id}`",
        )
