"""Runners for what waits at GitHub, as many as are wanted at the time: from none, and back to none."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mlgit.core import figures
from mlgit.errors import MlgitError
from mlgit.forge.github.answers import RefusedError, TooMuchError
from mlgit.forge.github.runners import Pool
from mlgit.launch.runners import keeping, stands
from mlgit.launch.runners.keeping import Tell, Wanted
from mlgit.launch.runners.stands import Stand
from mlgit.store import locks
from mlgit.store.place import Place

_LATER = 60.0
"""Seconds that are waited where GitHub answers no more, and does not say for how long."""


def pause(failed: int) -> float:
    """Seconds until another runner is tried, after so many that came to nothing, one after another."""
    return min(15.0 * 2 ** (failed - 1), 300.0) if failed > 1 else 0.0


@dataclass(kw_only=True)
class Watch:
    """A look at GitHub now and then, and runners for the jobs that wait there, *most* of a queue at once."""

    place: Place
    wanted: Wanted
    pool: Pool
    most: int
    tell: Tell
    started: set[str] = field(default_factory=set)
    """The runners that are ours to end when the watch does."""
    clock: Callable[[], float] = time.monotonic
    _told: str = ""
    _failed: int = 0
    """How many came to nothing since one was seen with a job."""
    _until: float = 0
    """Before that time, none is started."""

    def follow(self, seconds: float, wait: Callable[[float], object] = time.sleep) -> None:
        """Look every so many *seconds*, for ever. Raises, once it has begun, only what GitHub refuses for good."""
        self.look()
        longer = 0.0
        while True:
            wait(max(seconds, longer))
            longer = 0.0
            try:
                self.look()
                self._told = ""
            except TooMuchError as exc:
                longer = _LATER if exc.seconds is None else exc.seconds
                self.tell(f"{exc.what} It is asked again in {figures.duration(max(seconds, longer))}.")
            except RefusedError:
                raise
            except MlgitError as exc:  # the network is away, the queue is full: another time
                if (why := f"tried again in {seconds:g} s: {exc.what}") != self._told:
                    self.tell(why)
                    self._told = why

    def look(self) -> None:
        """Take away what died, and start what is missing. Raises what `keeping.start` does.

        Two watches of one clone take turns, so that each sees what the other has started.
        """
        with locks.alone(self.place.repo.own / "runners.lock"):
            queue = self.wanted.queue
            looked = keeping.look(self.place, [self.pool], queue.name)
            mended = keeping.mend(self.place, [self.pool], looked)
            for name, what in mended.items():
                self.tell(f"{name} {what}")
            own = [one for one in looked.runners if one.job and one.job.queue == queue.name]
            count = stands.missing(self.pool.jobs(), own, self.wanted.labels, self.most)
            if count and any(one.name in mended for one in own):
                self._fail()
            elif any(one.stand is Stand.BUSY for one in own):
                self._failed = 0
            if self.clock() >= self._until:
                self._start(min(count, 1) if self._failed > 1 else count)

    def _start(self, count: int) -> None:
        for _ in range(count):
            try:
                job = keeping.start(self.place, self.wanted, self.pool, self.tell)
            except MlgitError:
                self._fail()
                raise
            self.started.add(job.name)
            self.tell(f"{job.name} started ({job.id}): {job.queue}'s {job.job}")

    def _fail(self) -> None:
        """Another that came to nothing: the next is tried later each time, and not with all others at once."""
        self._failed += 1
        self._until = self.clock() + pause(self._failed)
        if self._failed > 1:
            self.tell(
                f"{self._failed} runners in a row came to nothing: the next in {figures.duration(pause(self._failed))}"
            )

    def end(self) -> None:
        """End those of ours that have nothing to do; the others go when their job is done."""
        if not self.started:
            return
        with contextlib.suppress(MlgitError):  # they end by themselves, when they were idle long enough
            looked = keeping.look(self.place, [self.pool])
            ours = [one for one in looked.runners if one.name in self.started]
            for name, what in keeping.stop(self.place, [self.pool], ours).items():
                self.tell(f"{name} {what}")
            return
        self.tell(f"{figures.count(len(self.started), 'runner')} may be left: mlgit runner ls")
