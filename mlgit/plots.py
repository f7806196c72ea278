"""Charts as PNG bytes: transparent, so that one picture serves a light and a dark page; the same input, the same bytes.

Names and values are hostile: text is never parsed as mathematics, and no series, however odd, ends a report.
"""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlgit.core import compare, escape, figures
from mlgit.core.compare import Goal
from mlgit.core.history import Series, thin
from mlgit.core.run import Run, State

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Each at least 3:1 against GitHub's light ground (#ffffff) and its dark one (#0d1117), and told apart by who sees no
# red or no green: after Okabe and Ito, https://jfly.uni-koeln.de/color/, the light ones darkened.
COLOURS = ("#0f7fc4", "#d55e00", "#009e73", "#b763a3", "#a67c00", "#6b70d6", "#c4505a", "#3d8f9e")
INK = "#7a7f86"
"""Text and axes: as near to 4.5:1 on both grounds as one grey can be."""
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
"""A second mark beside the colour."""

MOST_PANELS = 12
MOST_NAMED = len(COLOURS)
"""Runs with a colour of their own; the rest is drawn in thin grey, and counted."""
_POINTS = 400
_WIDTH = 10.0
_HUGE, _TINY = 1e100, 1e-100
"""What matplotlib can still scale, margins and logarithms included."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One run in a chart: its name for the legend, and its series by metric."""

    name: str
    history: Mapping[str, Series]


def curves(runs: Sequence[Curve], *, metrics: Sequence[str] = ()) -> bytes:
    """Learning curves: one panel a metric, one line a run, the first of *runs* on top.

    *metrics* chooses and orders the panels; else every metric of any run, by name, at most `MOST_PANELS`.
    """
    names = list(metrics) or sorted({name for run in runs for name in run.history})
    shown = names[:MOST_PANELS]
    with _canvas(len(shown), legend=len(runs) > 1) as (figure, panels, png):
        for axes, metric in zip(panels, shown, strict=True):
            _draw_metric(axes, metric, [run.history.get(metric) for run in runs])
        if len(runs) > 1:
            _legend(figure, [run.name for run in runs])
        left = len(names) - len(shown)
        _remark(figure, "No history was logged." if not names else f"and {left} more metrics" if left else "")
        return png()


def bars(runs: Sequence[tuple[str, Mapping[str, Any]]], *, metrics: Sequence[str] = ()) -> bytes:
    """The metrics of *runs* (name, metrics) side by side: one panel a metric, one bar a run."""
    found = sorted({name for _, values in runs for name, value in values.items() if compare.is_number(value)})
    names = list(metrics) or found
    shown, named = names[:MOST_PANELS], runs[:24]
    with _canvas(len(shown), height=0.8 + 0.22 * max(4, len(named))) as (figure, panels, png):
        for number, (axes, metric) in enumerate(zip(panels, shown, strict=True)):
            values = [_plottable(run.get(metric)) for _, run in named]
            rows = range(len(named))
            colours = [COLOURS[row % len(COLOURS)] for row in rows]
            axes.barh(rows, [0.0 if math.isnan(v) else v for v in values], color=colours, height=0.7)
            axes.set_ylim(len(named) - 0.4, -0.6)
            axes.margins(x=0.22)
            axes.set_yticks(
                rows, _distinct([name for name, _ in named], 22) if number % _columns(len(shown)) == 0 else []
            )
            for row, value in enumerate(values):
                text = f" {figures.number(value)} " if not math.isnan(value) else " — "
                side = "right" if value < 0 else "left"
                axes.text(0.0 if math.isnan(value) else value, row, text, va="center", ha=side, fontsize=8)
            _dress(axes, metric)
        left = len(runs) - len(named)
        _remark(figure, "No metric is a number." if not shown else f"and {left} more runs" if left else "")
        return png()


def sweep(
    trials: Sequence[Run], *, metric: str, goal: Goal | None, head: str | None = None,
    params: Mapping[str, bool] | None = None,
) -> bytes:  # fmt: skip
    """A sweep: *metric* over the trials in the order they began, and against each param that was searched.

    *params*: those that were searched → whether on a logarithmic scale; None: those that differ, each on the scale that
    its values ask for. Trials without a number for *metric* are marked at the bottom. *head*: the id of a run to ring.
    """
    ordered = sorted(trials, key=lambda run: (run.created, run.id))
    values = [_plottable(compare.flatten(run.metrics).get(metric)) for run in ordered]
    differing = searched(ordered, params)
    shown = differing[: MOST_PANELS - 1]
    mark = _Marks(values, [run.state for run in ordered], [run.id == head for run in ordered], goal)
    with _canvas(1 + len(shown), legend=True) as (figure, panels, png):
        numbers = [float(number) for number in range(1, len(ordered) + 1)]
        mark.draw(panels[0], numbers)
        mark.draw_best_so_far(panels[0], numbers)
        _dress(panels[0], metric, x="trial", whole_x=True)
        _scale(panels[0], values)
        for axes, param in zip(panels[1:], shown, strict=True):
            column = [compare.flatten(run.params).get(param, compare.MISSING) for run in ordered]
            places = _positions(axes, column, logarithmic=bool(params and params.get(param)))
            mark.draw(axes, places)
            _dress(axes, "", x=param)
            _scale(axes, values)
        mark.legend(figure)
        left = len(differing) - len(shown)
        _remark(figure, f"and {left} more params" if left else "")
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


@dataclass(frozen=True)
class _Marks:
    """How a sweep's trials are drawn, the same in each panel."""

    values: Sequence[float]
    states: Sequence[State]
    heads: Sequence[bool]
    goal: Goal | None

    @property
    def best(self) -> int | None:
        """The place of the best trial."""
        pairs = [(str(place), value) for place, value in enumerate(self.values)]
        found = compare.best(pairs, self.goal) if self.goal else None
        return int(found) if found is not None else None

    def draw(self, axes: Axes, places: Sequence[float]) -> None:
        """A dot a trial, a cross at the bottom for those without a value, a star for the best, a ring for the head."""
        dots = [(x, y) for x, y in zip(places, self.values, strict=True) if not math.isnan(x) and not math.isnan(y)]
        lost = [x for x, y in zip(places, self.values, strict=True) if math.isnan(y) and not math.isnan(x)]
        axes.margins(0.08)
        axes.plot(*_columns_of(dots), "o", color=COLOURS[0], markersize=5, alpha=0.85, markeredgewidth=0)
        axes.plot(lost, [0.03] * len(lost), "x", color=COLOURS[1], markersize=6, transform=axes.get_xaxis_transform())
        if self.best is not None and not math.isnan(places[self.best]):
            point = places[self.best], self.values[self.best]
            axes.plot(*point, "*", color=COLOURS[1], markersize=12, zorder=4, clip_on=False)
        rings = [p for p in zip(places, self.values, self.heads, strict=True) if p[2] and not math.isnan(p[0] + p[1])]
        if rings:  # an empty line without clipping would upset the layout
            points = _columns_of([(x, y) for x, y, _ in rings])
            axes.plot(*points, "o", fillstyle="none", color=INK, markersize=13, zorder=5, clip_on=False)

    def draw_best_so_far(self, axes: Axes, places: Sequence[float]) -> None:
        """The best value up to each trial, as steps."""
        if self.goal is None:
            return
        pick = max if self.goal is Goal.MAXIMIZE else min
        steps: list[tuple[float, float]] = []
        for x, y in zip(places, self.values, strict=True):
            best = steps[-1][1] if steps else math.nan
            if not (math.isnan(y) and math.isnan(best)):
                steps.append((x, y if math.isnan(best) else best if math.isnan(y) else pick(best, y)))
        axes.plot(*_columns_of(steps), color=COLOURS[2], drawstyle="steps-post", linewidth=1.6, zorder=1)

    def legend(self, figure: Figure) -> None:
        """What the marks mean, those that were drawn."""
        from matplotlib.lines import Line2D

        def entry(label: str, **look: Any) -> Any:
            return Line2D([], [], label=label, **({"linestyle": "none"} | look))

        entries = [entry("trial", marker="o", color=COLOURS[0], markersize=5)]
        if self.best is not None:
            entries.append(entry("best", marker="*", color=COLOURS[1], markersize=11))
            entries.append(entry("best so far", linestyle="-", color=COLOURS[2]))
        if any(map(math.isnan, self.values)):
            count = sum(map(math.isnan, self.values))
            entries.append(entry(f"{count} without a value", marker="x", color=COLOURS[1]))
        if any(self.heads):
            entries.append(entry("this run", marker="o", fillstyle="none", color=INK, markersize=10))
        figure.legend(handles=entries, loc="outside lower center", ncols=len(entries), frameon=False, labelcolor=INK)


def _columns_of(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]


def _positions(axes: Axes, column: Sequence[Any], *, logarithmic: bool = False) -> list[float]:
    """Where each value stands on the x axis of *axes*: numbers on a scale, words and mixtures on named places."""
    present = [value for value in column if value is not compare.MISSING]
    if present and all(compare.is_number(value) for value in present):
        places = [_plottable(value) for value in column]
        if _spans_decades(places, 1 if logarithmic else 50):
            _log(axes.xaxis, axes.set_xscale)
        elif all(isinstance(value, int) for value in present):
            _whole(axes)
        return places
    words = sorted({str(value) for value in present})[:12]
    axes.set_xticks(range(len(words)), _distinct(words, 12), rotation=30 if sum(map(len, words)) > 24 else 0)
    axes.set_xlim(-0.5, max(0.5, len(words) - 0.5))
    return [float(words.index(str(value))) if str(value) in words else math.nan for value in column]


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
        steps = [_plottable(step) for step in thinned.steps]
        values = [_plottable(value) for value in thinned.values]
        odd += sum(math.isnan(_plottable(value)) for value in column.values)
        look = _look(place, of=len(series))
        axes.plot(steps, values, **look)
        alone = _standing_alone(values)
        axes.plot([steps[n] for n in alone], [values[n] for n in alone], "o", color=look["color"], markersize=5)
        everything += values
        seen_steps |= {step for step, value in zip(steps, values, strict=True) if not math.isnan(value)}
    _dress(axes, metric, x="step", whole_x=True)
    _scale(axes, everything)
    if odd:
        axes.set_title(f"{odd} not finite", loc="right", fontsize=7.5)
    if not seen_steps:
        _say_empty(axes, "no finite value")
    elif len(seen_steps) == 1:
        axes.set_xticks(list(seen_steps))


def _look(place: int, *, of: int) -> dict[str, Any]:
    """How the run at *place* of *of* is drawn. Of two, the dashed lies over the solid: equal lines show both."""
    if place >= MOST_NAMED:
        return {"color": INK, "alpha": 0.45, "linewidth": 0.8, "zorder": 1}
    depth = 2 + place if of == 2 else 3 - place / 10
    return {"color": COLOURS[place], "linewidth": 1.7, "linestyle": DASHES[place % len(DASHES)], "zorder": depth}


def _standing_alone(values: Sequence[float]) -> list[int]:
    """The places of values without a finite neighbour: a line would not show them."""
    gaps = [True, *map(math.isnan, values), True]
    return [place for place in range(len(values)) if gaps[place] and not gaps[place + 1] and gaps[place + 2]]


def _say_empty(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes)
    axes.set_xticks([])
    axes.set_yticks([])


def _scale(axes: Axes, values: Sequence[float]) -> None:
    """A logarithmic y axis where the values span decades; room around a constant."""
    if _spans_decades(values, 100):
        _log(axes.yaxis, axes.set_yscale)
        return
    finite = [value for value in values if not math.isnan(value)]
    if not finite:
        axes.set_yticks([])
    elif max(finite) - min(finite) <= 1e-9 * max(map(abs, finite)):
        room = abs(finite[0]) * 0.1 or 1.0
        axes.set_ylim(finite[0] - room, finite[0] + room)


def _spans_decades(values: Sequence[float], factor: float) -> bool:
    finite = [value for value in values if not math.isnan(value)]
    return bool(finite) and min(finite) > 0 and max(finite) / factor >= min(finite)


def _log(axis: Any, set_scale: Callable[[str], None]) -> None:
    """A logarithmic *axis* with plain words at its ticks: `0.001`, `1e-05`."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    set_scale("log")
    axis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:.3g}"))
    axis.set_minor_formatter(NullFormatter())


def _dress(axes: Axes, title: str, *, x: str = "", whole_x: bool = False) -> None:
    """The quiet parts: title, ground lines, ticks."""
    axes.set_title(_legible(title, 40), loc="left", fontsize=10, fontweight="bold")
    axes.set_xlabel(_legible(x, 40), fontsize=8.5)
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.tick_params(length=0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if whole_x:
        _whole(axes)


def _whole(axes: Axes) -> None:
    """An x axis of whole numbers."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _place: _count(value)))


def _count(value: float) -> str:
    """A step at a tick: `250`, `12k`, `3M`, `1e+12`."""
    for size, mark in ((1e6, "M"), (1e3, "k")):
        if size <= abs(value) < size * 1e3 and value >= 1e4:
            return f"{value / size:.4g}{mark}"
    return f"{value:.0f}" if abs(value) < 1e6 else f"{value:.3g}"


def _legend(figure: Figure, names: Sequence[str]) -> None:
    """The runs with a colour of their own, below the panels; how many more there are."""
    from matplotlib.lines import Line2D

    labels = _distinct(names[:MOST_NAMED], 36)
    handles: list[Any] = [
        Line2D([], [], color=COLOURS[place], linestyle=DASHES[place % len(DASHES)], linewidth=1.7, label=label)
        for place, label in enumerate(labels)
    ]
    if left := len(names) - len(labels):
        handles.append(Line2D([], [], color=INK, linewidth=0.8, alpha=0.6, label=f"{left} more"))
    widest = max(len(label) for label in labels)
    columns = max(1, min(len(handles), 4, 110 // (widest + 8)))
    figure.legend(
        handles=handles, loc="outside lower center", ncols=columns, frameon=False, labelcolor=INK, handlelength=3
    )


def _remark(figure: Figure, text: str) -> None:
    if text:
        figure.text(0.99, 0.99, text, ha="right", va="top", fontsize=8.5)


def _distinct(names: Sequence[str], most: int) -> list[str]:
    """*names* shortened to *most* characters; those that look alike then get a number."""
    seen: dict[str, int] = {}
    labels: list[str] = []
    for name in names:
        label = _legible(name, most) or "(no name)"
        seen[label] = seen.get(label, 0) + 1
        labels.append(f"{label} ({seen[label]})" if seen[label] > 1 else label)
    return labels


def _legible(text: str, most: int) -> str:
    """*text* on one line in characters that the font has; what it lacks becomes `□`, long text loses its middle."""
    from matplotlib.font_manager import findfont, get_font

    glyphs = get_font(findfont("DejaVu Sans")).get_charmap()
    flat = "".join(char if ord(char) in glyphs else "□" for char in escape.line(text, 2000))
    head = most * 2 // 3
    return flat if len(flat) <= most else f"{flat[:head]}…{flat[head + 1 - most :]}"


def _plottable(value: Any) -> float:
    """*value* as a float that a chart can hold: nan for what is no finite number or beyond what can be scaled."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    if not -_HUGE < value < _HUGE:
        return math.nan
    return 0.0 if -_TINY < value < _TINY else float(value)


def _columns(panels: int) -> int:
    return 2 if panels == 4 else min(3, max(1, panels))


@contextlib.contextmanager
def _canvas(
    panels: int, *, legend: bool = False, height: float = 2.3
) -> Iterator[tuple[Figure, list[Axes], Callable[[], bytes]]]:
    """A figure with *panels* axes, and what renders it; the machine's own matplotlibrc has no say."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    own: dict[Any, Any] = {
        key: value for key, value in matplotlib.rcParamsDefault.items() if key not in ("backend", "toolbar")
    }
    ours: dict[Any, Any] = {
        "text.parse_math": False, "text.color": INK, "axes.edgecolor": INK, "axes.labelcolor": INK, "grid.color": INK,
        "xtick.color": INK, "ytick.color": INK, "axes.titlecolor": INK, "font.family": "DejaVu Sans", "font.size": 9,
        "axes.formatter.use_mathtext": False, "axes.unicode_minus": True, "legend.fontsize": 9,
    }  # fmt: skip
    columns = _columns(panels)
    rows = max(1, math.ceil(panels / columns))
    width = _WIDTH if columns > 1 else _WIDTH * 0.6
    with matplotlib.rc_context({**own, **ours}):
        figure = Figure(figsize=(width, rows * height + (0.5 if legend else 0.1)), layout="constrained")
        canvas = FigureCanvasAgg(figure)
        axes = [figure.add_subplot(rows, columns, number + 1) for number in range(panels)]

        def png() -> bytes:
            out = io.BytesIO()
            canvas.print_png(out, metadata={"Software": None})
            return out.getvalue()

        figure.set_dpi(150)
        figure.patch.set_alpha(0.0)
        for each in axes:
            each.patch.set_alpha(0.0)
        yield figure, axes, png
