"""What a report says, before any markup: two runs side by side, as data that a template only has to lay out.

Pure: the same runs, the same view. Names and values are still as hostile as they came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlgit.core import again, compare, drifted, escape, figures, surroundings
from mlgit.core.compare import Change, Direction, Goal
from mlgit.core.findings import Findings
from mlgit.core.run import Run, State
from mlgit.core.seeds import is_seed
from mlgit.core.sweep import Sweep
from mlgit.core.verdict import Verdict
from mlgit.report import made, measured
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
    """Which side is in production already, in words; mostly empty."""
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
        headline=_headline(about, metrics, verdicts),
        alarm=_STATES.get(head.state, ""),
        head=head,
        base=base,
        beside=about.beside,
        distance=about.distance,
        alone=about.alone,
        from_outside=_from_outside(base) if base and about.beside else "",
        metrics=metrics,
        seeds=(len(base_side), len(head_side)),
        certainty=_certainty(metrics, len(base_side), len(head_side)),
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
        return f"{_short(base.name)} was given {escape.line(', '.join(given[:5]), 100)} from outside"
    return f"{_short(base.name)} is a trial of a sweep" if base.sweep else ""


def primary(metrics: Mapping[str, Any], goals: Mapping[str, Goal]) -> str | None:
    """The metric that a headline tells: the first with a stated goal, else one that is better high, else better low.

    None where no number is.
    """
    numbers = sorted(name for name, value in metrics.items() if compare.is_number(value) and not name.startswith("_"))
    for stated in goals:
        if stated in numbers:
            return stated
    ranks = {Goal.MAXIMIZE: 0, Goal.MINIMIZE: 1, None: 2}
    held_out = ("val", "test", "eval")
    return min(
        numbers,
        key=lambda name: (
            ranks[compare.goal_of(name, goals)], not name.lower().startswith(held_out), name
        ),
        default=None,
    )  # fmt: skip


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
    if champion and champion.run == about.head.id:
        return None, f"This run is {champion.name}, which is in production."
    if champion and about.base and champion.run == about.base.id:
        return None, f"{_short(about.base.name)} is {champion.name}, which is in production."
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


def _certainty(metrics: Sequence[Row], base: int, head: int) -> str:
    if not base or not any(row.delta is not None for row in metrics):
        return "Mean ± 95 % interval of the mean (Student's t)." if head > 1 and metrics else ""
    if base == head == 1:
        return "One run a side: nothing here tells a difference from chance. Three seeds a side can."
    mean = "Mean ± 95 % interval of the mean (Student's t)"
    tests = sorted({row.test for row in metrics if row.test})
    if not tests:
        return f"{mean}; insufficient: a test needs three seeds a side, whose results differ."
    count = sum(row.chance is not None for row in metrics)
    several = f", corrected for {count} metrics (Holm)" if count > 1 else ""
    return (
        f"{mean}; p: how often chance alone would do it, {' and '.join(tests)}{several}. "
        f"≈: no clear change, p is {measured.LEVEL} or more."
    )


def _headline(about: Compared, metrics: Sequence[Row], verdicts: Sequence[Verdict]) -> str:
    head, base = about.head, about.base
    refused = [verdict for verdict in verdicts if not verdict.passed]
    gates = f" {len(refused)} of {len(verdicts)} gates refuse." if refused else " All gates pass." if verdicts else ""
    state = "" if head.state is State.FINISHED else f"{head.state.value}: "
    chosen = primary(told(head), about.goals)
    if chosen is None:
        return f"{state}{_short(head.name)} logged no numbers.{gates}"
    found = next(row for row in metrics if row.name == chosen)
    own = f"{state}{_short(chosen)} {_over(found)}"
    if base is None:
        over = f" over {found.head_over.n} seeds" if found.head_over else ""
        return f"{own}{over}, and nothing to compare with.{gates}"
    side, comma, back = _short(about.beside).partition(", ")  # `main, one commit back`
    owner = f"{side}'s {_short(base.name)}{comma}{back}" if about.beside else _short(base.name)
    seeds = _seeds(found)
    if found.direction is Direction.SAME:
        return f"{own}, the same as {owner}{_told(seeds)}{_largest(metrics)}.{gates}"
    if found.delta is None:
        return f"{own}; {owner} has {_value(found.base)}.{gates}"
    difference = figures.difference(found.delta)
    if found.is_insufficient:
        return f"{own}, {difference} from {owner}{_told(seeds, 'too few to tell')}.{gates}"
    if found.chance is not None and not found.is_clear:
        return f"{own}: no clear change from {owner}{_told(difference, seeds, figures.chance(found.chance))}.{gates}"
    than = {Direction.BETTER: "better than", Direction.WORSE: "worse than"}.get(found.direction, "from")
    sure = figures.chance(found.chance) if found.chance is not None else ""
    return f"{own}, {difference} {than} {owner}{_told(seeds, sure)}.{gates}"


def _told(*parts: str) -> str:
    known = ", ".join(filter(None, parts))
    return f" ({known})" if known else ""


def _seeds(row: Row) -> str:
    """`3 seeds each`, `4 seeds against 3`; nothing of one run a side."""
    ours, theirs = (over.n if over else 1 for over in (row.head_over, row.base_over))
    if ours == theirs:
        return f"{ours} seeds each" if ours > 1 else ""
    return f"{figures.count(ours, 'seed')} against {theirs}"


def _over(row: Row) -> str:
    """`0.981`, or `0.981 ± 0.004`."""
    return figures.mean(row.head_over) if row.head_over else figures.number(row.head)


def _largest(metrics: Sequence[Row]) -> str:
    """`; loss −0.05 better`: of the metrics with a goal, the one that changed most, measured by what it was."""
    changed = [row for row in metrics if row.goal and row.delta]
    if not changed:
        return ""
    most = max(changed, key=lambda row: abs(row.delta or 0) / (abs(row.base) or 1))
    return f"; {_short(most.name)} {figures.difference(most.delta)} {most.direction.value}"


def _short(name: str) -> str:
    return escape.line(name, 60)


def _value(value: Any) -> str:
    return "none" if value is compare.MISSING else figures.number(value)


def searched_by(about: Compared) -> tuple[str, Goal | None]:
    """The metric by which head's sweep is judged, and its goal: the sweep's own, else the headline's."""
    if about.sweep and about.sweep.metric:
        return about.sweep.metric, about.sweep.goal
    metric = primary(told(about.head), about.goals) or ""
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
