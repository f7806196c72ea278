"""Runners for what waits at GitHub, as many as are wanted at the time: from none, and back to none."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mlgit.core import figures
from mlgit.errors import MlgitError
from mlgit.forge.github.answers import RefusedError
from mlgit.forge.github.runners import Pool
from mlgit.launch.runners import keeping, stands
from mlgit.launch.runners.keeping import Tell, Wanted
from mlgit.store.place import Place


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
    _told: str = ""

    def follow(self, seconds: float, wait: Callable[[float], object] = time.sleep) -> None:
        """Look every so many *seconds*, for ever. Raises, once it has begun, only what GitHub refuses."""
        self.look()
        while True:
            wait(seconds)
            try:
                self.look()
                self._told = ""
            except RefusedError:
                raise
            except MlgitError as exc:  # the network is away, the queue is full: another time
                if (why := f"tried again in {seconds:g} s: {exc.what}") != self._told:
                    self.tell(why)
                    self._told = why

    def look(self) -> None:
        """Take away what died, and start what is missing. Raises what `keeping.start` does."""
        looked = keeping.look(self.place, [self.pool])
        queue = self.wanted.queue
        for name, what in keeping.mend(self.place, [self.pool], looked).items():
            self.tell(f"{name} {what}")
        own = [one for one in looked.runners if one.job and one.job.queue == queue.name]
        waiting = self.pool.jobs()
        count = stands.missing(waiting, own, self.wanted.labels, self.most)
        for _ in range(count):
            job = keeping.start(self.place, self.wanted, self.pool, self.tell)
            self.started.add(job.name)
            self.tell(f"{job.name} started ({job.id}): {queue.name}'s {job.job}")

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
