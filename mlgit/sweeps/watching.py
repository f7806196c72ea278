"""Trials watched while they run, for the rule that stops those which go badly.

What was read is not read again: a run under way is read on from where it was read to, one that has ended once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from mlgit.core.run import Run
from mlgit.git.repo import Repo
from mlgit.store import live, runs
from mlgit.store.following import Growing
from mlgit.sweeps.plan import Trial
from mlgit.sweeps.space import Halving, Hyperband, Metric, SweepFile
from mlgit.sweeps.stopping import Curve, Verdict, iterations, stop


@dataclass
class Watch:
    """The curves of a sweep's trials, as far as they are known on this machine."""

    repo: Repo
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

    def look(self, trials: Iterable[Trial], own: Collection[int]) -> dict[int, Verdict]:
        """Which of the trials numbered *own* are to be ended now, and why; *trials* are all that have runs."""
        known = [(trial, trial.run) for trial in trials if trial.run]
        has_news = self._read([run for trial, run in known if trial.state.ended and run.id not in self.over])
        alive = [(trial, run) for trial, run in known if not trial.state.ended]
        for _, run in alive:
            has_news = self._follow(run) or has_news
        found: dict[int, Verdict] = {}
        for trial, run in alive if has_news else ():
            curve = self.curves[run.id]
            if trial.number in own:
                since = self.passed.get(run.id, 0)
                self.passed[run.id] = len(curve.marks)
                if verdict := stop(self.rule, self.curves.values(), curve, since=since):
                    found[trial.number] = verdict
        return found

    def prune(self, run: Run, verdict: Verdict) -> None:
        """Write into *run*, which is under way, why it is ended; whoever asks this then ends it.

        Raises `NotFoundError` where it has ended by itself.
        """
        live.prune(live.folder_of(self.repo, run.id), f"{self.metric.name} {verdict}")

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
            if run.paused and run.commit:  # it was resumed: its branch has what it told before
                earlier = runs.history(self.repo, run, full=True).get(self.metric.name)
                self.curves[run.id].add(earlier.values if earlier is not None else ())
        curve = self.curves[run.id]
        before = curve.told
        curve.add(self.growing[run.id].more())
        return curve.told > before

    def _curve(self) -> Curve:
        return Curve(iterations(self.rule), self.metric.goal)


def watch(repo: Repo, file: SweepFile) -> Watch | None:
    """The watch over the trials of a sweep in *repo*, or None where its file stops none early."""
    if file.early_terminate is None or file.metric is None:
        return None
    return Watch(repo, file.early_terminate, file.metric)
