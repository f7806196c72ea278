"""The trials of a sweep as its runs tell of them, kept up to date: what was read once is not read again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from mlgit.core.run import Run
from mlgit.core.sweep import Sweep
from mlgit.sweeps import plan
from mlgit.sweeps.claims import Claims, Told
from mlgit.sweeps.plan import Trial
from mlgit.sweeps.search import Seen
from mlgit.sweeps.space import SweepFile

Runs = Callable[[Mapping[str, str]], Iterable[Run]]
"""The runs of a sweep that are others than those known (id → commit), or have moved since."""


@dataclass
class History:
    sweep: Sweep
    file: SweepFile
    runs: Runs
    commits: dict[str, str] = field(default_factory=dict)
    """What was read: run → commit."""
    found: dict[str, Trial] = field(default_factory=dict)
    """By run."""

    def look(self, claims: Claims) -> None:
        """Take in what runs have to tell by now. One whose script gave it a name of its own is known by its params."""
        new = sorted(self.runs(self.commits), key=lambda run: (run.created, run.id))
        taken = {trial.number for trial in self.found.values()} if new else set()
        for run in new:
            known = self.found.get(run.id)
            number = known.number if known else plan.number_in(self.sweep, run)
            if number is None:
                number = self._claimed(run, claims, taken) or max((claims.last, *taken), default=0) + 1
            taken.add(number)
            self.commits[run.id] = run.commit
            self.found[run.id] = plan.trial(number, run, self.file.space, self.file.metric)

    def _claimed(self, run: Run, claims: Claims, taken: set[int]) -> int | None:
        """The number that was handed out for what *run* ran with."""
        space = self.file.space
        ran = space.key(plan.trial(0, run, space, None).params)
        return next(
            (one.number for one in claims.open if one.number not in taken and space.key(one.params) == ran), None
        )

    def of(self, number: int) -> Trial | None:
        """The trial of that number, if it has a run; the last one, where there are several."""
        return next((trial for trial in reversed(self.found.values()) if trial.number == number), None)

    @property
    def told(self) -> Told:
        """What the runs tell of the numbers."""
        alive: set[int] = set()
        done: set[int] = set()
        broken_off: set[int] = set()
        for trial in self.found.values():
            (alive if not trial.state.ended else broken_off if trial.interrupted else done).add(trial.number)
        numbers = alive | done | broken_off
        return Told(last=max(numbers, default=0), alive=alive, done=done, broken_off=broken_off - done - alive)

    def seen(self, claims: Claims) -> list[Seen]:
        """What the search is told: of all that ended, that is under way, and that is about to be."""
        told = {trial.number for trial in self.found.values() if not trial.interrupted}
        return [*plan.seen(self.found.values(), self.file.metric), *_others(claims, told)]


def _others(claims: Claims, told: set[int]) -> Iterator[Seen]:
    """What only the *claims* know of."""
    yield from (Seen(params=one.params, pending=True) for one in claims.open if one.number not in told)
    yield from (Seen(params=one.params) for one in claims.gone if one.number not in told)
