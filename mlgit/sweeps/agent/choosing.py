"""What an agent claims: first what others have left, then what the search says."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from mlgit.sweeps import claims, judging
from mlgit.sweeps.agent.history import History
from mlgit.sweeps.claims import Claims
from mlgit.sweeps.claims.holding import Hold
from mlgit.sweeps.record import Task, bound
from mlgit.sweeps.space import Method


@dataclass(frozen=True)
class Choosing:
    """The choice of an agent's next trials of *task*, by what it holds and what the runs tell."""

    task: Task
    hold: Hold
    history: History

    def room(self, now: Claims) -> int | None:
        """How many trials the sweep may still begin, beside those that *now* are open; None: as many as there are."""
        most = bound(self.task.file, self.hold.sweep.trials)
        return None if most is None else max(0, most - self.history.begun(now))

    def claimed(
        self, now: Claims, free: int, *, had: Collection[int], most: int | None, seconds: Sequence[float]
    ) -> Claims:  # fmt: skip
        """*now* with trials for *free* slots claimed beside those that it *had*, *most* of them at most.

        *seconds*: how long trials took, the last ones.
        """
        file, me, told = self.task.file, self.hold.me.id, self.history.told(now)
        now = claims.take(now, me, free, told)
        short = free - len([one for one in now.of(me) if one.number not in had])
        if short < 1:
            return now
        learns = file.space.method is Method.BAYES or file.seeds
        seen, tried = self.history.seen(now) if learns else [], self.history.tried(now)
        count = self._block(short, now, most, seconds)
        return claims.claim(now, me, judging.following(file, seen, count, self.hold.sweep.seed, tried=tried), told)

    def _block(self, short: int, now: Claims, most: int | None, seconds: Sequence[float]) -> int:
        """How many trials to claim where *short* slots are free."""
        wanted = claims.block(
            short, seconds=seconds, agents=len(now.agents), left=self.room(now),
            is_quick=self.task.file.space.method is not Method.BAYES, every=self.hold.pace.block,
        )  # fmt: skip
        return wanted if most is None else min(wanted, most)
