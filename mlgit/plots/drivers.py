"""Which params drove a metric, as bars."""

from __future__ import annotations

from mlgit.core import figures
from mlgit.core.findings import Importance
from mlgit.plots import canvas

MOST = 20
"""Params with a bar of their own."""


def drivers(importance: Importance, *, unit: str = "trial") -> bytes:
    """A bar a param: what it explains by itself, what only together with others; and its correlation beside it.

    *unit*: what one of those that it rests on is called.
    """
    shown = importance.drivers[:MOST]
    names = canvas.distinct([one.name for one in shown], 34)
    rows = range(len(shown))
    height = 1.0 + 0.3 * max(2, len(shown))
    with canvas.sheet(2, legend=True, height=height, width=canvas.WIDTH, ratios=(3, 2)) as (figure, (left, right), png):
        left.barh(rows, [one.alone for one in shown], color=canvas.COLOURS[0], height=0.66, label="by itself")
        left.barh(
            rows, [one.importance - one.alone for one in shown], left=[one.alone for one in shown], height=0.66,
            color=canvas.COLOURS[0], alpha=0.45, label="only together with others",
        )  # fmt: skip
        for row, one in zip(rows, shown, strict=True):
            left.text(one.importance, row, f" {one.importance:.0%} ", va="center", ha="left", fontsize=8)
            if one.correlation is None:
                right.text(0, row, "  its values have no order", va="center", ha="left", fontsize=8)
            else:
                side = "right" if one.correlation < 0 else "left"
                text = f" {one.correlation:+.2f} ".replace("-", "−")
                right.text(one.correlation, row, text, va="center", ha=side, fontsize=8)
        correlations = [one.correlation or 0.0 for one in shown]
        colours = [canvas.COLOURS[1 if value < 0 else 2] for value in correlations]
        right.barh(rows, correlations, color=colours, height=0.66)
        right.axvline(0, color=canvas.INK, linewidth=0.8)
        labels = [_with_count(name, one.trials, importance.trials) for name, one in zip(names, shown, strict=True)]
        for axes, span, ticks in ((left, (0.0, 1.12), labels), (right, (-1.35, 1.35), [])):
            axes.set_yticks(rows if ticks else [], ticks)
            axes.set_ylim(max(1.4, len(shown) - 0.4), -0.6)
            axes.set_xlim(*span)
        canvas.dress(left, f"share of the variance of {_what(importance)}")
        canvas.dress(right, "rank correlation")
        left.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
        right.set_xticks([-1, -0.5, 0, 0.5, 1])
        if shown:
            figure.legend(
                handles=left.containers[:2], loc="outside lower left", ncols=2, frameon=False, labelcolor=canvas.INK
            )
        else:
            canvas.say_empty(left, f"too few {unit}s")
        for axes in (left, right):
            axes.grid(visible=False, axis="y")
        figure.text(0.995, 0.015, _told(importance, unit), ha="right", va="bottom", fontsize=8.5)
        return png()


def _what(importance: Importance) -> str:
    name = canvas.legible(importance.metric, 24)
    return f"log {name}" if importance.is_logarithmic else name


def _with_count(name: str, trials: int, of: int) -> str:
    return name if trials == of else f"{name}  (of {trials})"


def _told(importance: Importance, unit: str) -> str:
    left = len(importance.drivers) - MOST
    more = f" · {left} more params" if left > 0 else ""
    explained = importance.explained
    known = "" if explained is None else f" · explains {max(0.0, explained):.0%} of {unit}s it was not shown"
    return f"{figures.count(importance.trials, unit)}{known}{more}"
