"""Trials watched while they run, for the rule that stops those which go badly, and for what they use.

What was read is not read again: of a run under way its beginning once, and its history on from where it was read to;
of one that has ended, its branch once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from mlgit.core import history
from mlgit.core.run import Run
from mlgit.core.sweep import Sweep
from mlgit.errors import GitError, MlgitError, NotFoundError
from mlgit.git.repo import Repo
from mlgit.store import live, locks, own, records, runs, telling
from mlgit.store.following import Growing
from mlgit.sweeps import plan
from mlgit.sweeps.plan import Trial
from mlgit.sweeps.space import Halving, Hyperband, Metric, SweepFile
from mlgit.sweeps.stopping import Curve, Verdict, iterations, stop


@dataclass
class Alive:
    """The runs of *sweep* that are under way in this repository, as they began."""

    repo: Repo
    sweep: Sweep
    known: dict[str, Run | None] = field(default_factory=dict)
    """By live folder; None for a run of something else."""

    def look(self) -> list[Run]:
        """Those there are now."""
        folders = live.folders(self.repo)
        self.known = {
            folder.name: self.known[folder.name] if folder.name in self.known else _begun(self.repo, folder.name)
            for folder in folders
        }
        ours = [run for run in self.known.values() if run and run.sweep == self.sweep.id]
        return [run for run in ours if locks.is_alive(live.folder_of(self.repo, run.id))]


@dataclass
class Latest:
    """What the trials under way here have last told of the metric called *name*: for who looks on."""

    alive: Alive
    name: str
    _told: dict[str, tuple[Growing, list[float]]] = field(default_factory=dict)

    def look(self) -> dict[str, float]:
        """The last value of each, by the name of its run."""
        found: dict[str, float] = {}
        for run in self.alive.look():
            folder = live.folder_of(self.alive.repo, run.id)
            growing, last = self._told.setdefault(run.id, (Growing(folder, self.name), []))
            for value in growing.more():
                last[:] = [value]
            if last:
                found[run.name] = last[0]
        return found


def _begun(repo: Repo, run_id: str) -> Run | None:
    try:
        document = telling.begin(live.folder_of(repo, run_id))
        return replace(records.run_of_document(document)[0], params=document["params"])
    except (MlgitError, OSError):  # it ended while we looked, or cannot be read, which its recovery says
        return None


@dataclass
class Watch:
    """The curves of a sweep's trials, as far as they are known on this machine."""

    repo: Repo
    sweep: Sweep
    file: SweepFile
    rule: Hyperband | Halving
    metric: Metric
    curves: dict[str, Curve] = field(default_factory=dict)
    """By run."""
    growing: dict[str, Growing] = field(default_factory=dict)
    """Those under way."""
    over: set[str] = field(default_factory=set)
    """Runs that were read from their branch."""
    passed: dict[str, int] = field(default_factory=dict)
    """How many comparisons a run had come to when it was judged last."""
    pruned: set[str] = field(default_factory=set)
    """Runs that were ended."""

    def look(self, alive: Iterable[Run], ended: Iterable[Run], mine: Mapping[int, Trial]) -> dict[int, Verdict]:
        """Which of our own trials, *mine*, are to be ended now, and why: that stands in their runs by then.

        *alive*: the sweep's runs that are under way here; *ended*: those that are branches.
        """
        has_news = self._read([run for run in ended if run.id not in self.over])
        alive = list(alive)
        for run in alive:
            has_news = self._follow(run) or has_news
        found: dict[int, Verdict] = {}
        for number, run in self._ours(alive, mine) if has_news else ():
            curve, since = self.curves[run.id], self.passed.get(run.id, 0)
            if run.id not in self.pruned and (verdict := stop(self.rule, self.curves.values(), curve, since=since)):
                is_told = self._prune(run, verdict)
                if is_told is None:
                    continue
                if is_told:
                    found[number] = verdict
            self.passed[run.id] = len(curve.marks)
        return found

    def _prune(self, run: Run, verdict: Verdict) -> bool | None:
        """Write into *run* why it is ended; False where it has ended by itself, None where the disk refuses."""
        try:
            is_told = live.prune(live.folder_of(self.repo, run.id), f"{self.metric.name} {verdict}")
        except NotFoundError:
            is_told = False
        except GitError:  # a full disk ends no agent: the trial goes on until the next look
            return None
        self.pruned.add(run.id)
        return is_told

    def _ours(self, alive: Iterable[Run], mine: Mapping[int, Trial]) -> Iterable[tuple[int, Run]]:
        """Those of the runs *alive* that are of our own trials, *mine*; scripts may give them names of their own."""
        keys = {plan.key(self.file, trial.params): number for number, trial in mine.items()}
        for run in alive:
            number = plan.number_in(self.sweep, run)
            if number is None:
                number = keys.get(plan.key(self.file, plan.trial(0, run, self.file).params))
            if number is not None and number in mine:
                yield number, run

    def _read(self, ended: list[Run]) -> bool:
        """Take in what *ended* runs have told, whole; of one whose branch is thinned, what was seen while it ran."""
        for run, told in runs.histories(self.repo, ended):
            self.over.add(run.id)
            self.growing.pop(run.id, None)
            series = told.get(self.metric.name)
            if told.is_full and series is not None:
                self.curves[run.id] = curve = self._curve()
                curve.add(series.values)
        return bool(ended)

    def _follow(self, run: Run) -> bool:
        """Take in what *run* has told since the last look; whether it was anything."""
        if run.id not in self.growing:
            self.growing[run.id] = Growing(live.folder_of(self.repo, run.id), self.metric.name)
            self.curves[run.id] = self._curve()
            self.over.discard(run.id)
            self.curves[run.id].add(self._earlier(run))
        curve = self.curves[run.id]
        before = curve.told
        curve.add(self.growing[run.id].more())
        return curve.told > before

    def _earlier(self, run: Run) -> Iterable[float]:
        """What *run* told in the life that it goes on from, if it was resumed."""
        try:
            _, provenance = records.run_of_document(telling.begin(live.folder_of(self.repo, run.id)))
            before = own.before(provenance)
            recorded = runs.read(self.repo, before.commit) if before else None
        except (MlgitError, OSError):
            return ()
        series = runs.history(self.repo, recorded, full=True).get(self.metric.name) if recorded else None
        if series is None or before is None or before.step is None:
            return ()
        return history.until(series, before.step).values

    def _curve(self) -> Curve:
        return Curve(iterations(self.rule), self.metric.goal)


def watch(repo: Repo, sweep: Sweep, file: SweepFile) -> Watch | None:
    """The watch over the trials of *sweep* in *repo*, or None where its file stops none early."""
    if file.early_terminate is None or file.metric is None:
        return None
    return Watch(repo, sweep, file, file.early_terminate, file.metric)
