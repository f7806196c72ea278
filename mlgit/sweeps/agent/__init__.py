"""An agent of a sweep: it looks what others do, claims trials, keeps its slots going, and needs nobody who coordinates.

Any number of agents work on one sweep. What ended, the runs tell; what is under way, the claims. However an agent ends,
nothing that it started goes on behind its back, and what it held is taken by others.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol

from mlgit.core.job import JobState
from mlgit.core.run import Run
from mlgit.core.sweep import SweepState
from mlgit.sweeps import plan
from mlgit.sweeps.agent.choosing import Choosing
from mlgit.sweeps.agent.ending import Ending
from mlgit.sweeps.agent.history import TWICE, History, Runs
from mlgit.sweeps.agent.slots import J, Launcher, Slots
from mlgit.sweeps.claims import Agent, Claim, Claims, Pace
from mlgit.sweeps.claims.holding import Board, Hold
from mlgit.sweeps.plan import Trial
from mlgit.sweeps.record import Task

MOST_TRIES = 3
"""So often a point is tried whose trials are ended from outside while their agent goes on."""


class Watching(Protocol):
    """What sees trials go badly."""

    def look(self, alive: Iterable[Run], ended: Iterable[Run], mine: Mapping[int, Trial]) -> Mapping[int, object]:
        """Those of *mine*, by number, that are to be ended now; that they are pruned stands in their runs by then."""


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
    tidy: Callable[[], None] = lambda: None,
) -> Outcome:
    """Run trials of *task* as *me*, until there is nothing left to do for it; *tell* hears of each that begins or ends.

    *alive*: the sweep's runs that are under way here, as they began. *watch* says which trials are stopped early. What
    trials leave behind may be put together by *tidy*, which is called when some have ended.

    Ctrl-C ends it early and cleanly. Where *enough* says why of a trial that ended, that is the end; without it, raises
    `MlgitError` when the first trials all fail.
    """
    pace = pace or Pace()
    history = History(task.sweep, task.file, runs, lease=pace.lease)
    hold = Hold(me, board, pace, task.sweep)
    agent = _Agent(task, hold, Slots(launcher), history, tell, enough, alive, watch, tidy)
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
class _Agent(Generic[J]):
    task: Task
    hold: Hold
    slots: Slots[J]
    history: History
    tell: Callable[[Trial, tuple[Trial, ...]], None]
    enough: Callable[[Trial], str] | None
    alive: Callable[[], Sequence[Run]]
    watch: Watching | None
    tidy: Callable[[], None]
    queue: deque[Claim] = field(default_factory=deque)
    """What is claimed, and not begun."""
    own: dict[int, Trial] = field(default_factory=dict)
    """Trials that began here, as they stand."""
    known: dict[int, Trial] = field(default_factory=dict)
    """All trials, as they stand."""
    broken_off: Counter[object] = field(default_factory=Counter)
    """How often points were, by their key."""
    begun: int = 0
    idle: bool = False
    """Whether there was nothing to claim when we last tried, and nothing has changed since."""
    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=32))
    """How long trials took, the last ones."""
    lost: set[int] = field(default_factory=set)
    """What we run, and do not hold any more."""
    is_stopping: bool = False

    def __post_init__(self) -> None:
        self.choosing = Choosing(self.task, self.hold, self.history)
        self.ending = Ending(self.task, self.hold.board)

    def outcome(self, ended: str) -> Outcome:
        return Outcome(trials=self.trials, ended=ended)

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All trials that are known here, by number: those of others as their runs tell."""
        found = (
            replace(one, number=plan.number_in(self.task.sweep, one.run) or 0)
            if one.number > TWICE and one.run else one for one in self.known.values()
        )  # fmt: skip
        return tuple(sorted(found, key=lambda trial: trial.number))

    @property
    def left(self) -> int | None:
        """How many trials may still begin here; None: as many as there are."""
        return None if self.task.count is None else self.task.count - self.begun

    def hear(self, now: Claims) -> None:
        """Take in what the runs tell by now."""
        for trial in self.history.look(now):
            if trial.number not in self.own:
                self.known[trial.number] = trial
                self.ending.hear(trial)

    def work(self) -> Outcome:
        self.hold.write()
        self.hear(self.hold.claims)
        while True:
            if ended := self.slots.ended():
                self.collect(ended)
                if why := self.hopeless(ended):
                    self.stop()
                    return replace(self.outcome("given up"), why=why)
            if self.look() or ended:
                if self.hold.sweep.state is SweepState.CANCELLED:
                    self.stop()
                    return self.outcome("cancelled")
                if self.ending.is_reached(self.known.values()):
                    self.hold.board.settle(SweepState.FINISHED)
                    self.stop()
                    return self.outcome("target reached")
                if self.ending.is_spent(self.alive):  # what was claimed and has not begun is then nobody's
                    self.hold.over |= dict.fromkeys((one.number for one in self.queue), None)
                    self.queue.clear()
            if self.hold.goes_on and not self.ending.spent:
                self.begin()
            if not self.slots.running and (why := self.reason()):
                return self.outcome(why)
            if not ended:
                self.slots.launcher.pause()

    def hopeless(self, ended: Iterable[int]) -> str:
        """Why to give up, or nothing. Raises `MlgitError` where trials fail, one as the other, and none succeeded."""
        if self.enough:
            return next(filter(None, (self.enough(self.own[number]) for number in ended)), "")
        self.ending.give_up(self.own[max(ended)])
        return ""

    def reason(self) -> str:
        """Why there is nothing left to do here, or nothing."""
        if self.hold.sweep.state is SweepState.STOPPED:
            return "stopped"
        if self.left is not None and self.left < 1:
            return "done"
        if self.ending.spent:
            self.hold.board.settle(SweepState.FINISHED)
            return "budget used up"
        is_over = self.hold.sweep.state is SweepState.FINISHED
        if self.hold.claims.open or not (is_over or (self.hold.goes_on and self.idle)):
            return ""
        if not is_over:
            self.hold.board.settle(SweepState.FINISHED)
        return "done" if self.choosing.room(self.hold.claims) == 0 else "nothing left"

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
        for number in self.slots.running.keys() - held - self.lost:  # silent for too long: somebody else runs it
            self.slots.cancel(number)
            self.lost.add(number)
        self.prune()
        return True

    def waits(self) -> bool:
        """Whether something waits to be taken: of an agent that we have found dead, for one."""
        free = self.hold.claims.of("")
        if free:
            self.hear(self.hold.claims)
        return any(one.number not in self.history.told(self.hold.claims).alive for one in free)

    def prune(self) -> None:
        """Tell those of our trials to end that go badly."""
        if self.watch is None or not self.slots.running:
            return
        ended = [trial.run for trial in self.history.found.values() if trial.run and trial.state.ended]
        mine = {number: one.trial for number, one in self.slots.running.items() if number not in self.lost}
        for number in self.watch.look(self.alive(), ended, mine):
            self.slots.cancel(number)

    def begin(self) -> None:
        """Give every free slot a trial, as long as there are any."""
        free = self.hold.me.slots - len(self.slots.running)
        if self.left is not None:
            free = min(free, self.left)
        if free > len(self.queue) and not self.idle:
            self.claim(free - len(self.queue))
        while self.queue and len(self.slots.running) < self.hold.me.slots:
            one = self.queue.popleft()
            if one.number in self.slots.running:  # we had lost it, and it has not ended yet
                self.hold.back.add(one.number)
            else:
                self.start(one)

    def claim(self, free: int) -> None:
        """Claim trials for *free* slots."""
        had = {one.number for one in self.queue} | set(self.slots.running)
        most = None if self.left is None else self.left - len(self.queue)

        def wanting(now: Claims) -> Claims:
            self.hear(now)
            return self.choosing.claimed(now, free, had=had, most=most, seconds=self.seconds)

        if not self.hold.write(wanting):
            return
        new = [one for one in self.hold.mine if one.number not in had]
        self.queue.extend(new)
        self.idle = not new

    def start(self, one: Claim) -> None:
        name = plan.trial_name(self.task.sweep, one.number)
        trial = Trial(number=one.number, name=name, params=dict(one.params), state=JobState.RUNNING)
        self.slots.begin(trial)
        self.begun += 1
        self.change(trial)

    def collect(self, ended: Mapping[int, JobState]) -> None:
        """Take down what became of trials that ended."""
        self.hear(self.hold.claims)
        for number, state in ended.items():
            one = self.slots.running.pop(number)
            quiet = state in (JobState.SUCCEEDED, JobState.CANCELLED)
            problem = "" if quiet else self.slots.launcher.tail(one.job)
            found = self.history.of(number)
            if found and found.state.ended:  # what became of it, its run tells best
                state = found.state
            trial = plan.judged(
                replace(one.trial, state=state, problem=problem), found.run if found else None, self.task.file.metrics
            )
            is_given_up = trial.interrupted and self.is_too_often(trial)
            self.seconds.append(time.monotonic() - one.since)
            self.ending.end(trial, failed=trial.failed or is_given_up)
            if number in self.lost:
                self.lost.remove(number)
            elif trial.interrupted and not is_given_up:
                self.hold.back.add(number)
            else:
                self.hold.over[number] = None if trial.run and not trial.interrupted else trial.problem or trial.word
            self.change(trial)
        self.tidy()

    def is_too_often(self, trial: Trial) -> bool:
        """Whether the point of *trial*, which was broken off, has been so often enough."""
        key = plan.key(self.task.file, trial.params)
        self.broken_off[key] += not self.is_stopping and trial.number not in self.lost
        return self.broken_off[key] >= MOST_TRIES

    def change(self, trial: Trial) -> None:
        self.own[trial.number] = self.known[trial.number] = trial
        self.ending.hear(trial)
        self.tell(trial, tuple(self.known.values()))

    def stop(self) -> None:
        """End what is running, then take it down; asked again meanwhile, end it by force."""
        self.is_stopping = True
        if ended := self.slots.end():
            self.collect(ended)
