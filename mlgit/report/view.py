"""What a report says, before any markup: two runs side by side, as data that a template only has to lay out.

Pure: the same runs, the same view. Names and values are still as hostile as they came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlgit.core import again, compare, drifted, escape, surroundings
from mlgit.core.compare import Change, Direction, Goal
from mlgit.core.findings import Findings
from mlgit.core.run import Run, State
from mlgit.core.seeds import is_seed
from mlgit.core.sweep import Sweep
from mlgit.core.verdict import Verdict
from mlgit.report import headline, made, measured
from mlgit.report.made import Made
from mlgit.report.measured import Repeat, Row, told

_STATES = {
    State.FAILED: "The run failed: its program ended with an error. What it logged until then is below.",
    State.CRASHED: "The run crashed: its process died. What it logged until then is below.",
    State.PREEMPTED: "The run was preempted before it was done. What it logged until then is below.",
    State.PRUNED: "The sweep stopped this run early, as others did better. What it logged until then is below.",
    State.RUNNING: "The run is still running: what follows is what it has logged so far.",
}


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A chart, drawn."""

    title: str
    name: str
    """Its kind in a file's name: `curves.png`."""
    png: bytes


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A picture: what it shows, and where it lies."""

    title: str
    link: str


@dataclass(frozen=True, kw_only=True)
class Alert:
    """What head's script alerted people of."""

    title: str
    text: str
    level: str


@dataclass(frozen=True, kw_only=True)
class Champion:
    """The version that is in production, to be beaten."""

    name: str
    """`digits@v1.2.0`."""
    run: str
    """The id of the run that made it."""
    metrics: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What a report is about. `base` is None where no run speaks for the base; then `alone` says why."""

    head: Run
    base: Run | None = None
    distance: int = 0
    """How many commits before the base the base's run lies."""
    beside: str = "base"
    """What head is compared with, in a person's words: `main`; empty where a run was named."""
    alone: str = ""
    head_repeats: Sequence[Repeat] = ()
    """Head and its other seeds, head first; nothing is as good as head alone."""
    base_repeats: Sequence[Repeat] = ()
    champion: Champion | None = None
    champion_lost: str = ""
    """Why it cannot be told what is in production; mostly empty."""
    surroundings: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, {})
    """What the `run.yaml` of the base and of head say, packages too."""
    siblings: Sequence[Run] = ()
    """The trials of head's sweep, head among them."""
    sweep: Sweep | None = None
    """Head's sweep itself, where it is known: its name, and the metric that it searches by."""
    goals: Mapping[str, Goal]
    findings: Findings | None = None
    """What that has found, where it can be told."""
    command: Sequence[str] = ()
    """How head was started."""
    alerts: Sequence[Alert] = ()
    """What head's script alerted people of."""
    has_origin: bool = False
    """Whether the repository has a remote `origin` to fetch from."""


@dataclass(frozen=True, kw_only=True)
class SweepView:
    """Head among the trials of its sweep."""

    id: str
    """Of a sweep that is known here; or nothing."""
    name: str
    count: int
    lost: int
    """Trials that did not finish."""
    pruned: int
    """Trials that the sweep stopped early."""
    metric: str
    best: Run | None
    place: int | None
    """1 for the best; None where head or the goal has no number."""


@dataclass(frozen=True, kw_only=True)
class View:
    """A report, ready to be laid out."""

    headline: str
    alarm: str
    """What the reader must not miss about the run's state; mostly empty."""
    head: Run
    base: Run | None
    beside: str
    distance: int
    alone: str
    from_outside: str
    """Whose params came from outside of the code: the base's, in words; mostly empty."""
    metrics: tuple[Row, ...]
    seeds: tuple[int, int]
    """How many runs speak for the base, and for head."""
    certainty: str
    """How sure one can be of what the table of metrics says."""
    champion: Champion | None
    """What is in production, where that is neither side's run."""
    in_production: str
    """Which side is in production already, or why that cannot be told, in words; mostly empty."""
    params: tuple[Change, ...]
    data: tuple[Change, ...]
    environment: tuple[Change, ...]
    """What was otherwise around the runs, where metrics moved."""
    artifacts: tuple[Made, ...]
    cost: str
    """What it took, in words; empty where that is not known."""
    sweep: SweepView | None
    findings: Findings | None
    verdicts: tuple[Verdict, ...]
    charts: tuple[Chart, ...]
    reproduce: tuple[str, ...]
    alerts: tuple[Alert, ...] = ()


def build(about: Compared, *, verdicts: Sequence[Verdict] = (), charts: Sequence[Chart] = ()) -> View:
    """The report on *about*."""
    head, base = about.head, about.base
    head_side, base_side = _sides(about)
    champion, in_production = _production(about)
    metrics = measured.rows(head_side, base_side, compare.flatten(champion.metrics) if champion else {}, about.goals)
    return View(
        headline=headline.of(head, base, about.beside, metrics, goals=about.goals, verdicts=verdicts),
        alarm=_STATES.get(head.state, ""),
        head=head,
        base=base,
        beside=about.beside,
        distance=about.distance,
        alone=about.alone,
        from_outside=_from_outside(base) if base and about.beside else "",
        metrics=metrics,
        seeds=(len(base_side), len(head_side)),
        certainty=headline.certainty(metrics, len(base_side), len(head_side)),
        champion=champion,
        in_production=in_production,
        params=compare.changes(base.params if base else {}, head.params),
        data=compare.changes(base.data if base else {}, head.data),
        environment=_environment(about, metrics),
        artifacts=made.artifacts(base, head),
        cost=_cost(about, head_side, base_side),
        sweep=_sweep(about),
        findings=about.findings,
        verdicts=tuple(verdicts),
        charts=tuple(charts),
        reproduce=reproduce(about),
        alerts=tuple(about.alerts),
    )


def alerts(provenance: Mapping[str, Any]) -> list[Alert]:
    """The alerts that a run's `run.yaml` tells of, data that were not as named among them."""
    told = provenance.get("alerts")
    became = "; ".join(f"{path}: {text}" for path, text in sorted(drifted.words(provenance).items()))
    data = [Alert(title="Its data are not what its code names", text=became, level="WARN")] if became else []
    return data + [
        Alert(title=str(one.get("title", "")), text=str(one.get("text", "")), level=str(one.get("level", "INFO")))
        for one in (told if isinstance(told, list) else ())
        if isinstance(one, Mapping)
    ]


def _from_outside(base: Run) -> str:
    if given := [name for name in base.given if not is_seed(name)]:
        return f"{headline.short(base.name)} was given {escape.line(', '.join(given[:5]), 100)} from outside"
    return f"{headline.short(base.name)} is a trial of a sweep" if base.sweep else ""


def reproduce(about: Compared) -> tuple[str, ...]:
    """The shell commands that make head again, in any clone; none where how it was started is not known."""
    if not about.command or not about.head.source:
        return ()
    pull = [again.pull(about.head)] if about.has_origin else []
    return (*pull, again.reproduce(about.head))


def _sides(about: Compared) -> tuple[Sequence[Repeat], Sequence[Repeat]]:
    """The runs that speak for head, and for the base."""
    alone = [Repeat(run=about.base)] if about.base else []
    return about.head_repeats or [Repeat(run=about.head)], (about.base_repeats if about.base else ()) or alone


def _production(about: Compared) -> tuple[Champion | None, str]:
    champion = about.champion
    if about.champion_lost:
        return None, f"What is in production cannot be told: {about.champion_lost}"
    if champion and champion.run == about.head.id:
        return None, f"This run is {champion.name}, which is in production."
    if champion and about.base and champion.run == about.base.id:
        return None, f"{headline.short(about.base.name)} is {champion.name}, which is in production."
    return champion, ""


def _environment(about: Compared, metrics: Sequence[Row]) -> tuple[Change, ...]:
    """What was otherwise around head, unless every metric is as it was: then nobody looks for a cause."""
    if about.base is None or all(row.direction is Direction.SAME for row in metrics):
        return ()
    before, after = about.surroundings
    found = [_listed(change) for change in surroundings.differing(before, after) if not change.key.startswith("seeds")]
    has_packages = any(change.key.startswith("packages.") for change in found)
    return tuple(change for change in found if not (has_packages and change.key.startswith("lock")))


def _listed(change: Change) -> Change:
    """*change*, where it is of lists, with them as a person writes them."""
    base, head = (", ".join(map(str, one)) if isinstance(one, list) else one for one in (change.base, change.head))
    return Change(key=change.key, base=base, head=head)


def _cost(about: Compared, head: Sequence[Repeat], base: Sequence[Repeat]) -> str:
    """What head's seeds took, the base's, and the whole of its sweep, whose trials count as if on head's GPUs."""
    theirs, ours = map(surroundings.gpus, about.surroundings)
    told = []
    if cost := made.cost([each.run for each in head], ours):
        told.append(cost.told + (f" for {cost.runs} seeds" if cost.runs > 1 else ""))
    if base and (cost := made.cost([each.run for each in base], theirs)):
        told.append(f"base {cost.told}" + (f" for {cost.runs} seeds" if cost.runs > 1 else ""))
    if len(about.siblings) > 1 and (cost := made.cost(about.siblings, ours)):
        told.append(f"the sweep's {cost.runs} trials {cost.told}")
    return "; ".join(told)


def searched_by(about: Compared) -> tuple[str, Goal | None]:
    """The metric by which head's sweep is judged, and its goal: the sweep's own, else the headline's."""
    if about.sweep and about.sweep.metric:
        return about.sweep.metric, about.sweep.goal
    metric = headline.primary(told(about.head), about.goals) or ""
    return metric, compare.goal_of(metric, about.goals)


def _sweep(about: Compared) -> SweepView | None:
    trials = list(about.siblings)
    if about.head.sweep is None or len(trials) < 2:
        return None
    metric, goal = searched_by(about)
    pairs = [(run.id, told(run).get(metric)) for run in trials]
    own = dict(pairs).get(about.head.id)
    pruned = {run.id for run in trials if run.state is State.PRUNED}
    pairs = [pair for pair in pairs if pair[0] not in pruned]  # what one had when it was stopped is no result
    best = compare.best(pairs, goal) if goal else None
    better = (value for _, value in pairs if compare.direction(own, value, goal) is Direction.BETTER)
    return SweepView(
        id=about.sweep.id if about.sweep else "",
        name=about.sweep.name if about.sweep else about.head.sweep,
        count=len(trials),
        lost=sum(run.state in (State.FAILED, State.CRASHED, State.PREEMPTED) for run in trials),
        pruned=sum(run.state is State.PRUNED for run in trials),
        metric=metric,
        best=next((run for run in trials if run.id == best), None),
        place=1 + sum(1 for _ in better) if goal and compare.is_number(own) else None,
    )
