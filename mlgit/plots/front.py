"""Two metrics against each other, and the points that no other beats in both."""

from __future__ import annotations

import math

from mlgit.core.compare import Goal
from mlgit.core.findings import Findings
from mlgit.plots import canvas


def front(findings: Findings, across: int = 0, up: int = 1) -> bytes:
    """The points of *findings* by two of its metrics, by their places; those of the front are joined."""
    with canvas.sheet(1, legend=True, height=3.9, width=canvas.WIDTH * 0.8) as (figure, (axes,), png):
        dots: list[tuple[float, float]] = []
        best: list[tuple[float, float]] = []
        for place, point in enumerate(findings.points):
            x, y = canvas.plottable(point.values[across]), canvas.plottable(point.values[up])
            if point.counts and not math.isnan(x + y):
                if place in findings.front:
                    best.append((x, y))
                else:
                    dots.append((x, y))
        best.sort()
        axes.margins(0.1)
        axes.plot(
            *canvas.columns_of(dots),
            "o",
            color=canvas.COLOURS[0],
            markersize=5,
            alpha=0.6,
            markeredgewidth=0,
            label=findings.unit,
        )
        rises = findings.aims[across].goal is not Goal.MAXIMIZE
        axes.plot(
            *canvas.columns_of(best), color=canvas.COLOURS[1], marker="o", markersize=7, linewidth=1.4,
            drawstyle="steps-post" if rises else "steps-pre", label="no other is better in both", zorder=4,
        )  # fmt: skip
        canvas.dress(axes, "", x=_told(findings, across))
        axes.set_ylabel(_told(findings, up), fontsize=8.5)
        xs, ys = zip(*(best + dots), strict=True) if best or dots else ((), ())
        if canvas.spans_decades(xs, 100):
            canvas.to_log(axes.xaxis, axes.set_xscale)
        canvas.scale(axes, ys)
        if not best:
            canvas.say_empty(axes, f"no {findings.unit} has both metrics")
        figure.legend(loc="outside lower center", ncols=2, frameon=False, labelcolor=canvas.INK)
        return png()


def _told(findings: Findings, metric: int) -> str:
    aim = findings.aims[metric]
    better = "the less the better" if aim.goal is Goal.MINIMIZE else "the more the better"
    return f"{canvas.legible(aim.name, 40)} ({better})"
