"""Why an agent begins no more trials: the target is reached, the budget used up, or all of them fail.

Each trial is heard of once: what ten thousand before it have come to is not asked again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from mlgit.core.run import Run
from mlgit.core.sweep import SweepState
from mlgit.errors import MlgitError
from mlgit.sweeps import judging
from mlgit.sweeps.claims.holding import Board
from mlgit.sweeps.judging import Used
from mlgit.sweeps.plan import Trial
from mlgit.sweeps.record import Task

FAILURES = 3
"""So many trials that fail before one succeeds end a sweep: something is wrong with all of them."""


@dataclass
class Ending:
    """What speaks for the end of *task*."""

    task: Task
    board: Board
    spent: str = ""
    """Why nothing more may begin, or nothing."""
    _succeeded: bool = False
    _failures: int = 0
    """Of our own trials."""
    _without_run: int = 0
    """Of these, the last ones that failed and left no run, as every one would on a full disk."""
    _fresh: dict[int, Trial] = field(default_factory=dict)
    """What is new since it was last seen whether the target is reached, by number."""
    _used: dict[str, Used] = field(default_factory=dict)
    """By each run that has ended."""
    _going: dict[str, Run] = field(default_factory=dict)
    """The others."""

    def hear(self, trial: Trial) -> None:
        """Take in how *trial* stands, ours or another's."""
        self._succeeded = self._succeeded or trial.counts
        if any(metric.target is not None for metric in self.task.file.metrics):
            self._fresh[trial.number] = trial
        if self._has_budget and (run := trial.run):
            self._going.pop(run.id, None)
            if run.duration is None:
                self._going[run.id] = run
            else:
                self._used[run.id] = self._used_by(run)

    def end(self, trial: Trial, *, failed: bool) -> None:
        """Take down that *trial*, one of ours, has ended."""
        self._failures += failed
        self._without_run = self._without_run + 1 if trial.failed and trial.run is None else 0

    def is_reached(self, trials: Iterable[Trial]) -> bool:
        """Whether the target is, by the point of one that is new among *trials*."""
        fresh, self._fresh = self._fresh, {}
        file = self.task.file
        return bool(fresh) and judging.reached(file, trials if file.seeds else fresh.values()) is not None

    def is_spent(self, alive: Callable[[], Iterable[Run]]) -> bool:
        """Whether the budget is used up, by those *alive* too."""
        if self._has_budget:
            going = {run.id: self._used_by(run) for run in (*alive(), *self._going.values())}
            every = (going | self._used).values()
            so_far = Used(minutes=math.fsum(one.minutes for one in every), cost=math.fsum(one.cost for one in every))
            self.spent = judging.spent(self.task.file, so_far)
        return bool(self.spent)

    def _used_by(self, run: Run) -> Used:
        return judging.used(self.task.file, (run,), now=time.time())

    @property
    def _has_budget(self) -> bool:
        budget = self.task.file.budget
        return budget.minutes is not None or budget.cost is not None

    def give_up(self, last: Trial) -> None:
        """Stop the sweep, and raise `MlgitError`, where trials fail, one as the other, and none succeeded.

        Raise it, and leave the sweep to other agents, where no run can be recorded here any more.
        """
        if self._succeeded and self._without_run >= FAILURES:
            raise MlgitError(
                f"The last {self._without_run} trials left no run; this agent ends, the sweep goes on.",
                why=f"{last.name}: {last.problem}",
                fix=f"mend the cause, then `mlgit sweep agent {self.task.sweep.id}`",
            )
        if self._succeeded or self._failures < FAILURES:
            return
        self.board.settle(SweepState.STOPPED)
        raise MlgitError(
            f"The first {self._failures} trials of the sweep {self.task.sweep.id} all failed; it was stopped.",
            why=f"{last.name}: {last.problem}",
            fix=f"mend the cause, then `mlgit sweep run --resume {self.task.sweep.id}`",
        )
