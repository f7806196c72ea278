"""Parallel coordinates: a line a trial through what it had of each param, to what came of it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlgit.core import compare, figures
from mlgit.core.compare import Goal
from mlgit.core.findings import Findings, Point
from mlgit.plots import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 12
"""Params with an axis of their own."""
_MOST_WORDS = 12
_MOST_LINES = 200
# From bad over middling to good: each 3:1 against a light and a dark page, and apart for who sees no red or no green.
_RAMP = ("#a67c00", "#7f858d", "#0f7fc4")
_PLATE = "#5c626a"
"""Behind white words, which lines would else cross out: 3:1 against either page."""


def parallel(findings: Findings, params: Sequence[str], metric: int = 0) -> bytes:
    """A line a trial over an axis for each of *params* and one for a *metric* (by its place): coloured by rank.

    The best trial's is drawn on top, thicker, where its value can be drawn. Trials without a value are left out.
    """
    shown = params[:MOST]
    aim = findings.aims[metric]
    points = [one for one in findings.points if one.counts and not math.isnan(canvas.plottable(one.values[metric]))]
    by_value = min(points, key=lambda point: _cost(point, metric, aim.goal), default=None)
    best = findings.best if metric == 0 and findings.best else by_value
    drawn = _some(sorted(points, key=lambda point: (point is best, -_cost(point, metric, aim.goal))))
    columns = [
        _Scale.of([point.params.get(name, compare.MISSING) for point in drawn], logarithmic=findings.searched.get(name))
        for name in shown
    ]
    columns.append(_Scale.of([point.values[metric] for point in drawn], logarithmic=None))
    names = [*shown, aim.name]
    long = max(len(name) for name in names) > 90 // len(names)
    with canvas.sheet(1, height=3.9, width=canvas.WIDTH) as (figure, (axes,), png):
        if not drawn:
            canvas.say_empty(axes, f"no {findings.unit} has a value")
            return png()
        for number, point in enumerate(drawn):
            goodness = number / (len(drawn) - 1) if len(drawn) > 1 else 1.0
            _draw_line(axes, [column.places[number] for column in columns], goodness=goodness, best=point is best)
        for x, (name, column) in enumerate(zip(names, columns, strict=True)):
            _draw_axis(axes, x, column)
            title = canvas.legible(name, 28)
            axes.text(
                x, 1.06, title, ha="left" if long else "center", va="bottom", rotation=25 if long else 0,
                fontweight="bold" if x == len(columns) - 1 else "normal",
            )  # fmt: skip
        axes.set_xlim(-0.35, len(columns) - 1 + 0.45)
        axes.set_ylim(-0.12, 1.12)
        axes.set_axis_off()
        left = len(params) - len(shown)
        told = f"best: {canvas.legible(best.name, 40)}" if best in drawn and best else ""
        some = f"{len(drawn)} of {figures.count(len(points), findings.unit)}" if len(points) > len(drawn) else ""
        _legend(figure, told, filter(None, (some, f"{left} more params" if left > 0 else "")))
        return canvas.small(png())


def _cost(point: Point, metric: int, goal: Goal) -> float:
    value = point.values[metric]
    assert value is not None
    return -value if goal is Goal.MAXIMIZE else value


def _some(points: Sequence[Point]) -> list[Point]:
    """At most `_MOST_LINES` of *points*, evenly, the last among them: it is the best."""
    if len(points) <= _MOST_LINES:
        return list(points)
    step = (len(points) - 1) / (_MOST_LINES - 1)
    return [points[round(number * step)] for number in range(_MOST_LINES)]


@dataclass(frozen=True, kw_only=True)
class _Scale:
    """An axis: where each value lies on it, from 0 to 1, and its ticks. nan: there is none."""

    places: Sequence[float]
    ticks: Sequence[tuple[float, str]]

    @classmethod
    def of(cls, column: Sequence[Any], *, logarithmic: bool | None) -> _Scale:
        """The axis that *column* asks for: numbers on a scale, words on named places."""
        present = [value for value in column if value is not compare.MISSING]
        if present and all(compare.is_number(value) for value in present):
            return _numbers([canvas.plottable(value) for value in column], logarithmic=logarithmic)
        words = sorted({str(value) for value in present})
        named = words[:_MOST_WORDS]
        labels = canvas.distinct(named, 12)
        spots = {word: _share(n, len(named)) for n, word in enumerate(named)}
        places = [math.nan if value is compare.MISSING else spots.get(str(value), math.nan) for value in column]
        return cls(places=places, ticks=list(zip(spots.values(), labels, strict=True)))


def _share(number: int, of: int) -> float:
    return number / (of - 1) if of > 1 else 0.5


def _numbers(values: Sequence[float], *, logarithmic: bool | None) -> _Scale:
    from matplotlib.ticker import LogLocator, MaxNLocator

    finite = sorted({value for value in values if not math.isnan(value)})
    if not finite:
        return _Scale(places=[math.nan] * len(values), ticks=[])
    low, high = finite[0], finite[-1]
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        return _Scale(
            places=[0.5 if not math.isnan(value) else math.nan for value in values], ticks=[(0.5, figures.number(low))]
        )
    has_decades = logarithmic is not False and canvas.spans_decades(values, 3 if logarithmic else 100)
    step = math.log10 if has_decades else float
    span = step(high) - step(low)
    if len(finite) <= 5:
        at = finite
    elif has_decades:
        at = [float(one) for one in LogLocator(numticks=6).tick_values(low, high) if low <= one <= high]
    else:
        at = [float(one) for one in MaxNLocator(nbins=5).tick_values(low, high) if low <= one <= high]
    if len(at) < 2:
        at = [low, high]
    ticks = [
        ((step(one) - step(low)) / span, figures.number(int(one) if one == int(one) and abs(one) < 1e6 else one))
        for one in at
    ]
    places = [math.nan if math.isnan(value) else (step(value) - step(low)) / span for value in values]
    return _Scale(places=places, ticks=_apart(ticks))


def _apart(ticks: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """Those of *ticks* that can be read beside one another."""
    kept: list[tuple[float, str]] = []
    for tick in ticks:
        if not kept or tick[0] - kept[-1][0] >= 0.06:
            kept.append(tick)
    return kept


def _draw_line(axes: Axes, places: Sequence[float], *, goodness: float, best: bool) -> None:
    """A curve through *places*; dashed past an axis on which it has none."""
    look: dict[str, Any] = {"color": _colour(goodness), "linewidth": 1.1, "alpha": 0.3 + 0.5 * goodness}
    if best:
        look = {"color": canvas.COLOURS[1], "linewidth": 2.8, "zorder": 5}
    known = [(x, y) for x, y in enumerate(places) if not math.isnan(y)]
    through: list[tuple[float, float]] = []
    past: list[tuple[float, float]] = []
    gap = (math.nan, math.nan)
    for (left, one), (right, two) in itertools.pairwise(known):
        curve = through if right - left == 1 else past
        parts = [number / 16 for number in range(17)]
        curve += [(left + (right - left) * t, one + (two - one) * t * t * (3 - 2 * t)) for t in parts]
        if curve is past:
            past.append(gap)
            through.append(gap)
    axes.plot(*canvas.columns_of(through), solid_capstyle="round", **look)
    axes.plot(*canvas.columns_of(past), linestyle=(0, (3, 2)), **look)
    if best:
        axes.plot(*canvas.columns_of(known), "o", color=canvas.COLOURS[1], markersize=5, zorder=6)


def _colour(goodness: float) -> tuple[float, ...]:
    from matplotlib.colors import to_rgb

    bad, middling, good = (to_rgb(one) for one in _RAMP)
    one, two, part = (bad, middling, goodness * 2) if goodness < 0.5 else (middling, good, goodness * 2 - 1)
    return tuple(a + (b - a) * part for a, b in zip(one, two, strict=True))


def _draw_axis(axes: Axes, x: int, scale: _Scale) -> None:
    axes.plot([x, x], [0, 1], color=canvas.INK, linewidth=1.1, zorder=3)
    for place, label in scale.ticks:
        axes.plot([x - 0.02, x + 0.02], [place, place], color=canvas.INK, linewidth=1.1, zorder=3)
        axes.annotate(
            label, (x, place), xytext=(5, 0), textcoords="offset points", va="center", fontsize=7.5, zorder=7,
            color="white", bbox={"boxstyle": "round,pad=0.2", "facecolor": _PLATE, "edgecolor": "none", "alpha": 0.9},
        )  # fmt: skip


def _legend(figure: Figure, best: str, besides: Iterable[str]) -> None:
    from matplotlib.lines import Line2D

    looks: list[tuple[str, dict[str, Any]]] = [
        (best, {"color": canvas.COLOURS[1], "linewidth": 2.8, "marker": "o", "markersize": 5}),
        ("better", {"color": _RAMP[2]}), ("middling", {"color": _RAMP[1]}), ("worse", {"color": _RAMP[0]}),
        *((text, {"linestyle": "none"}) for text in besides),
    ]  # fmt: skip
    handles = [Line2D([], [], label=label, **look) for label, look in looks if label]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, labelcolor=canvas.INK)
