"""A sweep's trials: the metric as the sweep went on, and against each param."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlgit.core import compare
from mlgit.core.compare import Goal
from mlgit.core.findings import Findings
from mlgit.core.run import Run, State
from mlgit.plots import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def sweep(
    trials: Sequence[Run], *, metric: str, goal: Goal | None, head: str | None = None,
    params: Mapping[str, bool] | None = None,
) -> bytes:  # fmt: skip
    """A sweep: *metric* over the trials in the order they began, and against each param that was searched.

    *params*: those that were searched → whether on a logarithmic scale; None: those that differ, each on the scale that
    its values ask for. Trials without a number for *metric* are marked at the bottom. *head*: the id of a run to ring.
    """
    ordered = sorted(trials, key=lambda run: (run.created, run.id))
    marks = _Marks(
        values=[canvas.plottable(compare.flatten(run.metrics).get(metric)) for run in ordered],
        goal=goal,
        rings=[run.id == head for run in ordered],
        pruned=[run.state is State.PRUNED for run in ordered],
    )
    differing = searched(ordered, params)
    shown = differing[: canvas.MOST_PANELS - 1]
    with canvas.sheet(1 + len(shown), legend=True) as (figure, panels, png):
        marks.draw_history(panels[0], metric)
        for axes, param in zip(panels[1:], shown, strict=True):
            column = [compare.flatten(run.params).get(param, compare.MISSING) for run in ordered]
            marks.draw_slice(axes, param, column, logarithmic=bool(params and params.get(param)) or None)
        left = len(differing) - len(shown)
        marks.legend(figure, with_best_so_far=True, besides=f"{left} more params" if left else "")
        return png()


def history(findings: Findings, metric: int = 0) -> bytes:
    """The value of a *metric*, by its place, of each trial in the order in which they began, and the best so far."""
    with canvas.sheet(1, legend=True, height=3.2, width=canvas.WIDTH) as (figure, (axes,), png):
        marks = _Marks.of(findings, metric)
        marks.draw_history(axes, findings.aims[metric].name)
        marks.legend(figure, with_best_so_far=True)
        return png()


def slices(findings: Findings, params: Sequence[str]) -> bytes:
    """The first metric against each of *params*."""
    shown = params[: canvas.MOST_PANELS]
    with canvas.sheet(len(shown), legend=True) as (figure, panels, png):
        marks = _Marks.of(findings, 0)
        for number, (axes, param) in enumerate(zip(panels, shown, strict=True)):
            column = [point.params.get(param, compare.MISSING) for point in findings.points]
            marks.draw_slice(axes, param, column, logarithmic=findings.searched.get(param, False))
            if number % canvas.across(len(shown)) == 0:
                axes.set_ylabel(canvas.legible(findings.aims[0].name, 28), fontsize=8.5)
        left = len(params) - len(shown)
        marks.legend(figure, besides=f"{left} more params" if left else "" if shown else "no param differs")
        return png()


def searched(trials: Sequence[Run], names: Iterable[str] | None = None) -> list[str]:
    """The params (dotted) that differ between *trials*, by name; of those in *names*, and what lies below them.

    Where one lacks a param that is the same in all others (it ended early), it does not differ.
    """
    values: dict[str, set[str]] = {}
    for run in trials:
        for key, value in compare.flatten(run.params).items():
            values.setdefault(key, set()).add(repr(value))
    wanted = values if names is None else [key for key in values if any(f"{key}.".startswith(f"{n}.") for n in names)]
    return sorted(key for key in wanted if len(values[key]) > 1)


@dataclass(frozen=True, kw_only=True)
class _Marks:
    """How a sweep's trials are drawn, the same in each panel: one each, in the order in which they began."""

    values: Sequence[float]
    """nan for what has none."""
    goal: Goal | None
    unit: str = "trial"
    """What one of them is called."""
    rings: Sequence[bool] = ()
    pruned: Sequence[bool] = ()
    """Those that the sweep ended early: their value is not one that others can be held against."""
    lacking: Sequence[bool] = ()
    """Those whose value is not their last: seeds are still out."""
    waiting: Sequence[bool] = ()
    """Those that have no value yet."""
    margins: Sequence[float] = ()
    judged: int | None = None
    """The place of the one that was judged the best; None: by its value."""

    @classmethod
    def of(cls, findings: Findings, metric: int) -> _Marks:
        """The points of *findings* by one of its metrics."""
        margins = [point.margins[metric] if point.margins else None for point in findings.points]
        return cls(
            values=[canvas.plottable(point.values[metric]) for point in findings.points],
            goal=findings.aims[metric].goal,
            unit=findings.unit,
            pruned=[point.is_pruned for point in findings.points],
            lacking=[not point.is_whole for point in findings.points],
            waiting=[point.is_running for point in findings.points],
            margins=[canvas.plottable(margin) for margin in margins],
            judged=findings.ranked[0] if findings.ranked and len(findings.aims) == 1 else None,
        )

    @property
    def best(self) -> int | None:
        """The place of the best trial."""
        if self.judged is not None:
            return self.judged
        pairs = [(str(place), value) for place, value in enumerate(self.values) if self.is_weighed(place)]
        found = compare.best(pairs, self.goal) if self.goal else None
        return int(found) if found is not None else None

    def is_pruned(self, place: int) -> bool:
        """Whether the trial at *place* was ended early."""
        return bool(self.pruned) and self.pruned[place]

    def is_weighed(self, place: int) -> bool:
        """Whether the value at *place* can be held against others."""
        return not self.is_pruned(place) and not (self.lacking and self.lacking[place])

    @property
    def lost(self) -> list[int]:
        """The places of those that ended without a value."""
        return [
            n for n, value in enumerate(self.values) if math.isnan(value) and not (self.waiting and self.waiting[n])
        ]

    def draw_history(self, axes: Axes, metric: str) -> None:
        """*metric* over the trials, and the best so far."""
        numbers = [float(number) for number in range(1, len(self.values) + 1)]
        self._draw(axes, numbers)
        self._draw_best_so_far(axes, numbers)
        canvas.dress(axes, metric, x=self.unit, whole_x=True)
        canvas.scale(axes, self.values)

    def draw_slice(self, axes: Axes, param: str, column: Sequence[Any], *, logarithmic: bool | None) -> None:
        """The metric against the values of *param* in *column*."""
        self._draw(axes, canvas.positions(axes, column, logarithmic=logarithmic))
        canvas.dress(axes, "", x=param)
        canvas.scale(axes, self.values)

    def _draw(self, axes: Axes, places: Sequence[float]) -> None:
        """A dot a trial, a cross at the bottom for those without a value, a star for the best, a ring for the head."""
        axes.margins(0.08)
        known = [n for n, (x, y) in enumerate(zip(places, self.values, strict=True)) if not math.isnan(x + y)]
        barred = [n for n in known if self.margins and not math.isnan(self.margins[n])]
        if barred:
            axes.errorbar(
                [places[n] for n in barred], [self.values[n] for n in barred], [self.margins[n] for n in barred],
                fmt="none", ecolor=canvas.COLOURS[0], elinewidth=1, alpha=0.6, zorder=1.5,
            )  # fmt: skip
        look: dict[str, Any] = {"markeredgewidth": 0, "markersize": 5 if len(known) <= 300 else 3.5, "alpha": 0.85}
        dots = [(places[n], self.values[n]) for n in known if not self.is_pruned(n)]
        axes.plot(*canvas.columns_of(dots), "o", color=canvas.COLOURS[0], **look)
        ended = [(places[n], self.values[n]) for n in known if self.is_pruned(n)]
        axes.plot(*canvas.columns_of(ended), **_PRUNED)
        crosses = [places[n] for n in self.lost if not math.isnan(places[n])]
        axes.plot(
            crosses, [0.03] * len(crosses), "x", color=canvas.COLOURS[1], markersize=6,
            transform=axes.get_xaxis_transform(),
        )  # fmt: skip
        if self.best is not None and not math.isnan(places[self.best]):
            point = places[self.best], self.values[self.best]
            axes.plot(*point, "*", color=canvas.COLOURS[1], markersize=12, zorder=4, clip_on=False)
        rings = [(places[n], self.values[n]) for n in known if self.rings and self.rings[n]]
        if rings:  # an empty line without clipping would upset the layout
            points = canvas.columns_of(rings)
            axes.plot(*points, "o", fillstyle="none", color=canvas.INK, markersize=13, zorder=5, clip_on=False)

    def _draw_best_so_far(self, axes: Axes, places: Sequence[float]) -> None:
        """The best value up to each trial, as steps."""
        if self.goal is None:
            return
        pick = max if self.goal is Goal.MAXIMIZE else min
        steps: list[tuple[float, float]] = []
        for n, x in enumerate(places):
            best = steps[-1][1] if steps else math.nan
            y = self.values[n] if self.is_weighed(n) else math.nan
            if not (math.isnan(y) and math.isnan(best)):
                steps.append((x, y if math.isnan(best) else best if math.isnan(y) else pick(best, y)))
        axes.plot(*canvas.columns_of(steps), color=canvas.COLOURS[2], drawstyle="steps-post", linewidth=1.6, zorder=1)

    def legend(self, figure: Figure, *, with_best_so_far: bool = False, besides: str = "") -> None:
        """What the marks mean, those that were drawn; and what is to be said *besides*."""
        from matplotlib.lines import Line2D

        def entry(label: str, **look: Any) -> Any:
            return Line2D([], [], label=label, **({"linestyle": "none"} | look))

        entries = [entry(self.unit, marker="o", color=canvas.COLOURS[0], markersize=5)]
        if self.best is not None:
            entries.append(entry("best", marker="*", color=canvas.COLOURS[1], markersize=11))
            if with_best_so_far:
                entries.append(entry("best so far", linestyle="-", color=canvas.COLOURS[2]))
        if any(map(self.is_pruned, range(len(self.values)))):
            entries.append(entry("pruned", **_PRUNED))
        if self.lost:
            entries.append(entry(f"{len(self.lost)} without a value", marker="x", color=canvas.COLOURS[1]))
        if any(self.rings):
            entries.append(entry("this run", marker="o", fillstyle="none", color=canvas.INK, markersize=10))
        if any(not math.isnan(margin) for margin in self.margins):
            entries.append(entry("95 % interval over seeds", marker="|", color=canvas.COLOURS[0], markersize=10))
        if besides:
            entries.append(entry(besides))
        figure.legend(
            handles=entries, loc="outside lower center", ncols=len(entries), frameon=False, labelcolor=canvas.INK
        )


_PRUNED: dict[str, Any] = {
    "marker": "D", "linestyle": "none", "fillstyle": "none", "color": canvas.INK, "markersize": 4, "markeredgewidth": 1,
}  # fmt: skip
