"""Runs side by side: their learning curves, or their metrics as bars."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlgit.core import compare, figures
from mlgit.core.history import Series, thin
from mlgit.plots import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_NAMED = len(canvas.COLOURS)
"""Runs with a colour of their own; the rest is drawn in thin grey, and counted."""
_POINTS = 400


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One run in a chart: its name for the legend, and its series by metric."""

    name: str
    history: Mapping[str, Series]


def curves(runs: Sequence[Curve], *, metrics: Sequence[str] = ()) -> bytes:
    """Learning curves: one panel a metric, one line a run, the first of *runs* on top.

    *metrics* chooses and orders the panels; else every metric of any run, by name, at most `canvas.MOST_PANELS`.
    """
    names = list(metrics) or sorted({name for run in runs for name in run.history})
    shown = names[: canvas.MOST_PANELS]
    with canvas.sheet(len(shown), legend=len(runs) > 1) as (figure, panels, png):
        for axes, metric in zip(panels, shown, strict=True):
            _draw_metric(axes, metric, [run.history.get(metric) for run in runs])
        if len(runs) > 1:
            _legend(figure, [run.name for run in runs])
        left = len(names) - len(shown)
        canvas.remark(figure, "No history was logged." if not names else f"and {left} more metrics" if left else "")
        return png()


def bars(runs: Sequence[tuple[str, Mapping[str, Any]]], *, metrics: Sequence[str] = ()) -> bytes:
    """The metrics of *runs* (name, metrics) side by side: one panel a metric, one bar a run."""
    found = sorted({name for _, values in runs for name, value in values.items() if compare.is_number(value)})
    names = list(metrics) or found
    shown, named = names[: canvas.MOST_PANELS], runs[:24]
    with canvas.sheet(len(shown), height=0.8 + 0.22 * max(4, len(named))) as (figure, panels, png):
        for number, (axes, metric) in enumerate(zip(panels, shown, strict=True)):
            values = [canvas.plottable(run.get(metric)) for _, run in named]
            rows = range(len(named))
            colours = [canvas.COLOURS[row % len(canvas.COLOURS)] for row in rows]
            axes.barh(rows, [0.0 if math.isnan(v) else v for v in values], color=colours, height=0.7)
            axes.set_ylim(len(named) - 0.4, -0.6)
            axes.margins(x=0.22)
            axes.set_yticks(
                rows,
                canvas.distinct([name for name, _ in named], 22) if number % canvas.across(len(shown)) == 0 else [],
            )
            for row, value in enumerate(values):
                text = f" {figures.number(value)} " if not math.isnan(value) else " — "
                side = "right" if value < 0 else "left"
                axes.text(0.0 if math.isnan(value) else value, row, text, va="center", ha=side, fontsize=8)
            canvas.dress(axes, metric)
        left = len(runs) - len(named)
        canvas.remark(figure, "No metric is a number." if not shown else f"and {left} more runs" if left else "")
        return png()


def _draw_metric(axes: Axes, metric: str, series: Sequence[Series | None]) -> None:
    """One panel: the first series on top, gaps where a value is no number, a marker where a point stands alone."""
    everything: list[float] = []
    seen_steps: set[float] = set()
    odd = 0
    for place in reversed(range(len(series))):
        column = series[place]
        if column is None:
            continue
        thinned = thin(column, _POINTS)
        steps = [canvas.plottable(step) for step in thinned.steps]
        values = [canvas.plottable(value) for value in thinned.values]
        odd += sum(math.isnan(canvas.plottable(value)) for value in column.values)
        look = _look(place, of=len(series))
        axes.plot(steps, values, **look)
        alone = _standing_alone(values)
        axes.plot([steps[n] for n in alone], [values[n] for n in alone], "o", color=look["color"], markersize=5)
        everything += values
        seen_steps |= {step for step, value in zip(steps, values, strict=True) if not math.isnan(value)}
    canvas.dress(axes, metric, x="step", whole_x=True)
    canvas.scale(axes, everything)
    if odd:
        axes.set_title(f"{odd} not finite", loc="right", fontsize=7.5)
    if not seen_steps:
        canvas.say_empty(axes, "no finite value")
    elif len(seen_steps) == 1:
        axes.set_xticks(list(seen_steps))


def _look(place: int, *, of: int) -> dict[str, Any]:
    """How the run at *place* of *of* is drawn. Of two, the dashed lies over the solid: equal lines show both."""
    if place >= MOST_NAMED:
        return {"color": canvas.INK, "alpha": 0.45, "linewidth": 0.8, "zorder": 1}
    depth = 2 + place if of == 2 else 3 - place / 10
    return {
        "color": canvas.COLOURS[place],
        "linewidth": 1.7,
        "linestyle": canvas.DASHES[place % len(canvas.DASHES)],
        "zorder": depth,
    }


def _standing_alone(values: Sequence[float]) -> list[int]:
    """The places of values without a finite neighbour: a line would not show them."""
    gaps = [True, *map(math.isnan, values), True]
    return [place for place in range(len(values)) if gaps[place] and not gaps[place + 1] and gaps[place + 2]]


def _legend(figure: Figure, names: Sequence[str]) -> None:
    """The runs with a colour of their own, below the panels; how many more there are."""
    from matplotlib.lines import Line2D

    labels = canvas.distinct(names[:MOST_NAMED], 36)
    handles: list[Any] = [
        Line2D(
            [],
            [],
            color=canvas.COLOURS[place],
            linestyle=canvas.DASHES[place % len(canvas.DASHES)],
            linewidth=1.7,
            label=label,
        )
        for place, label in enumerate(labels)
    ]
    if left := len(names) - len(labels):
        handles.append(Line2D([], [], color=canvas.INK, linewidth=0.8, alpha=0.6, label=f"{left} more"))
    widest = max(len(label) for label in labels)
    columns = max(1, min(len(handles), 4, 110 // (widest + 8)))
    figure.legend(
        handles=handles, loc="outside lower center", ncols=columns, frameon=False, labelcolor=canvas.INK, handlelength=3
    )
