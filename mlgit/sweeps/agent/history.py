"""The trials of a sweep as its runs tell of them, kept up to date: what was read once is not read again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from mlgit.core.job import JobState
from mlgit.core.run import Run
from mlgit.core.sweep import Sweep
from mlgit.sweeps import plan
from mlgit.sweeps.claims import Claim, Claims, Gone, Told
from mlgit.sweeps.plan import Trial
from mlgit.sweeps.search import Seen
from mlgit.sweeps.space import SweepFile

TWICE = 10**9
"""Above all numbers that names have: those of runs whose own number another run has."""
Runs = Callable[[Mapping[str, str]], Iterable[Run]]
"""The runs of a sweep that are others than those known (id → commit), or have moved since."""


@dataclass
class History:
    """All that the runs of *sweep* have told so far. What it costs to ask it does not grow with them."""

    sweep: Sweep
    file: SweepFile
    runs: Runs
    lease: float = 60.0
    """Seconds for which a checkpoint that does not move counts as alive, where nobody holds its trial."""
    clock: Callable[[], float] = time.monotonic
    commits: dict[str, str] = field(default_factory=dict)
    """What was read: run → commit."""
    found: dict[str, Trial] = field(default_factory=dict)
    """By run."""
    keys: dict[str, str] = field(default_factory=dict)
    """The points of those that count as tried, by run."""
    _heard: dict[str, float] = field(default_factory=dict)
    """When those under way were heard of last, by run: their branch had moved, or they were alive here."""
    _having: dict[int, str] = field(default_factory=dict)
    """Which run has a number."""
    _numbers: tuple[set[int], set[int], set[int]] = field(default_factory=lambda: (set(), set(), set()))
    """Those that are under way, have ended by themselves, were broken off."""

    def look(self, claims: Claims) -> list[Trial]:
        """The trials of which runs have something new to tell by now.

        One whose script gave it a name of its own is known by its params. What is under way elsewhere, and nobody's any
        more, is lost once it is not heard of for the lease: a checkpoint was the last word of a machine that died.
        """
        new: list[Trial] = []
        now = self.clock()
        for run in sorted(self.runs(self.commits), key=lambda run: (run.created, run.id)):
            number = self.found[run.id].number if run.id in self.found else plan.number_in(self.sweep, run)
            if number is None:
                taken = {trial.number for trial in self.found.values()}
                number = self._claimed(run, claims, taken) or max((claims.last, *taken), default=0) + 1
            number = self._own(number, run, claims, new)
            self.commits[run.id] = run.commit
            trial = plan.trial(number, run, self.file)
            self._heard.pop(run.id, None)
            if not trial.state.ended:
                self._heard[run.id] = now
            new.append(self._keep(run.id, trial))
        waiting = {one.number for one in claims.of("")}
        for silent in [one for one, since in self._heard.items() if now - since >= self.lease]:
            if self.found[silent].number in waiting:
                del self._heard[silent]
                new.append(self._keep(silent, replace(self.found[silent], state=JobState.LOST)))
        return new

    def _own(self, number: int, run: Run, claims: Claims, new: list[Trial]) -> int:
        """*number*, if no other run has it; else one of these two gets another: the one that is not as it was claimed.

        Agents of two clones that see nothing of each other hand out the same numbers; no run hides behind another.
        """
        other = self._having.setdefault(number, run.id)
        if other == run.id:
            return number
        spare = TWICE + len(self._having)
        claimed = next((plan.key(self.file, one.params) for one in claims.open if one.number == number), None)
        if claimed is None or claimed != plan.key(self.file, plan.trial(0, run, self.file).params):
            self._having[spare] = run.id
            return spare
        self._having[number], self._having[spare] = run.id, other
        for numbers in self._numbers:
            numbers.discard(number)
        new.append(self._keep(other, replace(self.found[other], number=spare)))
        return number

    def _keep(self, run: str, trial: Trial) -> Trial:
        self.found[run] = trial
        for numbers in self._numbers:
            numbers.discard(trial.number)
        alive, done, broken_off = self._numbers
        (alive if not trial.state.ended else broken_off if trial.interrupted else done).add(trial.number)
        key = None if trial.interrupted else self.file.space.key(trial.params)
        self.keys.pop(run, None)
        if key is not None:
            self.keys[run] = key
        return trial

    def _claimed(self, run: Run, claims: Claims, taken: set[int]) -> int | None:
        """The number that was handed out for what *run* ran with."""
        file = self.file
        ran = plan.key(file, plan.trial(0, run, file).params)
        return next(
            (one.number for one in claims.open if one.number not in taken and plan.key(file, one.params) == ran), None
        )

    def of(self, number: int) -> Trial | None:
        """The trial of that number, if it has a run; the last one, where there are several."""
        return next((trial for trial in reversed(self.found.values()) if trial.number == number), None)

    def told(self, claims: Claims) -> Told:
        """What the runs tell of the numbers; to those of *claims* that wait, a run of other params tells nothing."""
        alive, done, broken_off = self._numbers
        last = max((number for numbers in self._numbers for number in numbers if number < TWICE), default=0)
        if others := {one.number for one in claims.of("") if self._is_anothers(one)}:
            alive, done, broken_off = alive - others, done - others, broken_off | others
        return Told(last=last, alive=alive, done=done, broken_off=broken_off)

    def _is_anothers(self, claim: Claim) -> bool:
        run = self._having.get(claim.number)
        return run is not None and plan.key(self.file, self.found[run].params) != plan.key(self.file, claim.params)

    def begun(self, claims: Claims) -> int:
        """How many trials were begun, or are about to be; those that were broken off are not counted."""
        return len(self._numbers[0]) + len(self._numbers[1]) + sum(1 for _ in self._others(claims))

    def tried(self, claims: Claims) -> set[str]:
        """The points that nobody has to try any more, as `Space.key` has them."""
        keys = (self.file.space.key(one.params) for one in self._others(claims))
        return {*self.keys.values(), *(key for key in keys if key is not None)}

    def seen(self, claims: Claims) -> list[Seen]:
        """What a search learns from: all that ended, that is under way, and that is about to be."""
        others = (Seen(params=one.params, pending=isinstance(one, Claim)) for one in self._others(claims))
        return [*plan.seen(self.found.values(), self.file.metrics), *others]

    def _others(self, claims: Claims) -> Iterator[Claim | Gone]:
        """What only the *claims* know of."""
        alive, done, _ = self._numbers
        known: tuple[Claim | Gone, ...] = (*claims.open, *claims.gone)
        yield from (one for one in known if one.number not in alive and one.number not in done)
