"""What a sweep has found, as Markdown and as pictures."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from mlgit import plots
from mlgit.core import escape, figures, xychart
from mlgit.core.compare import Goal
from mlgit.core.findings import Findings, Point
from mlgit.forge import sticky
from mlgit.forge.base import Forge
from mlgit.report.render import MOST_CHARACTERS, ROWS, environment
from mlgit.report.templates import NONE, Own, Safe, fill
from mlgit.report.view import Chart, Picture

_BARS = 60
"""Trials that a chart of text shows at most."""


def headline(findings: Findings) -> str:
    """`search: val/loss 0.0432 after 60 trials`."""
    name, best = findings.sweep.name, findings.best
    trials = figures.count(sum(point.runs for point in findings.points), "trial")
    if best is None:
        return f"{name}: nothing to tell the best by, after {trials}" if findings.points else f"{name}: no trials yet"
    told = ", ".join(
        f"{aim.name} {figures.number(value)}"
        for aim, value in zip(findings.aims, best.values, strict=True)
        if value is not None
    )
    if len(findings.front) > 1:
        return f"{name}: {len(findings.front)} points that no other beats, after {trials}"
    return f"{name}: {told} after {trials}"


def by_importance(findings: Findings) -> list[str]:
    """The params that differ, those first that mattered most for the first metric; then in the file's order."""
    points = findings.points
    differing = [
        name for name in findings.searched
        if len({repr(point.params[name]) for point in points if name in point.params}) > 1
    ]  # fmt: skip
    drivers = findings.importances[0].drivers if findings.importances else ()
    known = [driver.name for driver in drivers if driver.name in differing]
    return [*known, *(name for name in differing if name not in known)]


def draw(findings: Findings) -> list[Picture]:
    """The charts that say something, those first that say most."""
    if sum(point.values[0] is not None for point in findings.points if point.values) < 2:
        return []
    name = escape.line(findings.aims[0].name, 60)
    found = [
        Picture(title=f"{name}, {findings.unit} by {findings.unit}", name="history.png", png=plots.history(findings))
    ]
    params = by_importance(findings)
    if len(findings.aims) > 1 and findings.front:
        other = escape.line(findings.aims[1].name, 60)
        found.append(Picture(title=f"{name} against {other}", name="front.png", png=plots.front(findings)))
    if params and findings.best:
        title = f"Each {findings.unit}'s params, and the {name} that came of them"
        found.append(Picture(title=title, name="parallel.png", png=plots.parallel(findings, params)))
    for number, importance in enumerate(findings.importances):
        if importance.drivers:
            told = escape.line(importance.metric, 60)
            png = plots.drivers(importance, unit=findings.unit)
            found.append(Picture(title=f"What drove {told}", name=f"importance-{number + 1}.png", png=png))
    if params:
        png = plots.slices(findings, params)
        found.append(Picture(title=f"{name} against each param", name="slices.png", png=png))
    return found


def title(findings: Findings, point: Point) -> str:
    """What a pull request of *point* is called: `search: take the params of search-14, val/loss 0.043`."""
    told = [
        f", {aim.name} {figures.number(value)}"
        for aim, value in zip(findings.aims, point.values, strict=True)
        if value is not None
    ]
    return f"{findings.sweep.name}: take the params of {point.name}{''.join(told)}"


def post(forge: Forge, findings: Findings, number: int, *, own: Own = NONE) -> str:
    """Put *findings* onto pull request *number*: one comment a sweep, updated in place; return it as Markdown.

    A forge that does not let us write is left alone.
    """
    text = illustrated(forge, findings, own=own)
    if forge.capabilities.writable:
        sticky.upsert(forge, number, f"mlgit:sweep-{findings.sweep.id}", text)
    return text


def illustrated(forge: Forge, findings: Findings, chosen: Point | None = None, *, own: Own = NONE) -> str:
    """*findings* as Markdown, its pictures on *forge* where that lets us write; *chosen*: whose params are taken."""
    can = forge.capabilities
    pictures = draw(findings) if can.writable and can.images else []
    charts = [Chart(title=each.title, link=forge.image(each.png, each.name)) for each in pictures]
    return render(findings, charts=charts, chosen=chosen, own=own)


def render(
    findings: Findings, *, charts: Sequence[Chart] = (), chosen: Point | None = None, on_terminal: bool = False,
    own: Own = NONE, most: int = MOST_CHARACTERS,
) -> str:  # fmt: skip
    """*findings* as Markdown of at most *most* characters; where there are no *charts*, with one of text.

    *chosen*: the point whose params are told first, if not the best one's. *on_terminal*: nobody draws mermaid there.
    *own*: the project's templates.
    """
    made = environment(own)
    best = chosen or findings.best
    params = by_importance(findings)
    text = ""
    for rows in ROWS:
        text = fill(
            made, "findings.md.j2", own,
            found=findings,
            headline=headline(findings),
            counts=_counts(findings),
            params=params[:6],
            best=best,
            word="best" if best is findings.best else "taken",
            first=[findings.points[place] for place in findings.ranked[:10]],
            front=[findings.points[place] for place in findings.front],
            lost=[point for point in findings.points if point.problem or point.state in ("failed", "crashed")],
            value=_value,
            charts=charts,
            drawn=None if charts else _sparkline(findings) if on_terminal else _mermaid(findings),
            commands=_commands(findings),
            rows=rows,
            few=min(rows, 20),
        )  # fmt: skip
        if len(text) <= most:
            break
    return text


def _counts(findings: Findings) -> str:
    """How many trials there are, and how they stand."""
    points = findings.points
    seeds = max((point.runs for point in points), default=1)
    counted = sum(point.counts for point in points)
    counts = {
        "pruned": sum(point.is_pruned for point in points),
        "under way": sum(point.is_running for point in points),
        "without a result": sum(not (point.counts or point.is_pruned or point.is_running) for point in points),
    }
    unit = f"points of up to {seeds} seeds" if seeds > 1 else f"trial{'s' * (counted != 1)}"
    told = [f"{counted:,} {unit}", *(f"{count:,} {word}" for word, count in counts.items() if count)]
    return f"{findings.sweep.method} search: {', '.join(told)}."


def _value(point: Point, metric: int) -> Safe:
    """A metric of a point, with its interval over seeds."""
    value = point.values[metric]
    if value is None:
        return Safe("—")
    margin = point.margins[metric] if point.margins else None
    return Safe(figures.number(value) + (f" ± {figures.number(margin)}" if margin is not None else ""))


def _commands(findings: Findings) -> list[str]:
    sweep, best = findings.sweep.id, findings.best
    told = {f"mlgit sweep show {sweep}": "all trials"}
    if best and best.run:
        told |= {
            f"mlgit reproduce {best.run}": f"the best {findings.unit} again",
            f"mlgit sweep apply {sweep}": "a pull request with its params",
        }
    wide = max(map(len, told))
    return [f"{command:<{wide}}  # {what}" for command, what in told.items()]


def _costs(findings: Findings) -> tuple[list[float], list[float]]:
    """The first metric of the trials that count, one after the other, and the best so far."""
    if not findings.aims:
        return [], []
    pick = max if findings.aims[0].goal is Goal.MAXIMIZE else min
    values = [value for point in findings.points if point.counts and (value := point.values[0]) is not None]
    return values, list(itertools.accumulate(values, pick))


def _sparkline(findings: Findings) -> Safe | None:
    """The best so far, as a line of bars."""
    _, best = _costs(findings)
    bars = figures.sparkline(range(len(best)), best, 60)
    return Safe(f"The best so far: {bars}") if bars else None


def _mermaid(findings: Findings) -> Safe | None:
    """The first metric trial by trial, and the best so far, as a chart that GitHub draws; None where it can't."""
    values, best = _costs(findings)
    if len(values) < 2:
        return None
    step = max(1, -(-len(values) // _BARS))
    places = range(step - 1, len(values), step)
    name, unit = xychart.words(findings.aims[0].name), findings.unit
    drawn = xychart.block(
        f"{name} of each {unit}, and the best so far", x=unit, span=(places[0] + 1, places[-1] + 1), y=name,
        lines=[[line[place] for place in places] for line in (values, best)],
    )  # fmt: skip
    return Safe(drawn) if drawn else None


def told(findings: Findings, point: Point) -> dict[str, Any]:
    """A *point* for a script."""
    names = [aim.name for aim in findings.aims]
    return {
        "number": point.number, "name": point.name, "run": point.run, "state": point.state, "runs": point.runs,
        "metrics": dict(zip(names, point.values, strict=True)),
        "margins": dict(zip(names, point.margins, strict=True)) if point.margins else {},
        "params": dict(point.params), "counts": point.counts, "problem": point.problem or None,
    }  # fmt: skip


def document(findings: Findings) -> dict[str, Any]:
    """*findings* for a script."""
    return {
        "id": findings.sweep.id,
        "name": findings.sweep.name,
        "method": findings.sweep.method,
        "running": findings.is_running,
        "metrics": [{"name": aim.name, "goal": aim.goal.value} for aim in findings.aims],
        "best": told(findings, findings.best) if findings.best else None,
        "front": [told(findings, findings.points[place]) for place in findings.front],
        "importance": [
            {
                "metric": one.metric, "trials": one.trials, "explained": one.explained,
                "logarithm": one.is_logarithmic, "doubts": list(one.doubts),
                "params": [
                    {"name": each.name, "importance": each.importance, "alone": each.alone, "together": each.together,
                     "correlation": each.correlation, "trials": each.trials}
                    for each in one.drivers
                ],
            }
            for one in findings.importances
        ],
        "trials": [told(findings, point) for point in findings.points],
    }  # fmt: skip
