"""A trial that is the call of a function, looked at while it runs: where it goes badly, its next `log()` raises.

Nobody can end a call from outside: W&B raises an `Exception` between any two lines of it, which `except Exception`
takes for an error of the training. Here it comes out of `log()`, and is none.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlgit.core.run import Run, State
from mlgit.core.sweep import Sweep
from mlgit.errors import MlgitError
from mlgit.index import query
from mlgit.store.place import Place
from mlgit.sweeps import record, watching
from mlgit.sweeps.plan import Trial
from mlgit.tracking.notice import notify

if TYPE_CHECKING:
    from mlgit.tracking.run.active import ActiveRun


@dataclass(frozen=True, kw_only=True)
class Eye:
    """A look at a trial every so many *seconds*, from another thread."""

    place: Place
    sweep: Sweep
    watch: watching.Watch
    alive: watching.Alive
    seconds: float

    @classmethod
    def over(cls, place: Place, task: record.Task, alive: watching.Alive, *, seconds: float) -> Eye | None:
        """That of *task*, or None where its file stops no trial early."""
        watch = watching.watch(place.repo, task.sweep, task.file)
        return None if watch is None else cls(place=place, sweep=task.sweep, watch=watch, alive=alive, seconds=seconds)

    @contextlib.contextmanager
    def on(self, trial: Trial, begun: Sequence[ActiveRun]) -> Iterator[None]:
        """Meanwhile, look at *trial*; *begun* has its run, as soon as that is there."""
        over = threading.Event()
        looking = threading.Thread(target=self._look, args=(trial, begun, over), name="mlgit-sweep", daemon=True)
        looking.start()
        try:
            yield
        finally:
            over.set()
            looking.join()

    def _look(self, trial: Trial, begun: Sequence[ActiveRun], over: threading.Event) -> None:
        ended: list[Run] | None = None
        while not over.wait(self.seconds):
            try:
                if ended is None:
                    known = query.runs(self.place.repo, sweep=self.sweep.id)
                    ended = [run for run in known if run.state is not State.RUNNING]
                verdicts = self.watch.look(self.alive.look(), ended, {trial.number: trial})
            except (MlgitError, OSError) as exc:
                notify(f"trial {trial.name} is not looked at any more, and runs to its end: {exc}")
                return
            for verdict in verdicts.values():
                for run in list(begun):
                    run.call_off(f"{self.watch.metric.name} {verdict}")
