"""What all charts share: colours, grounds, scales, and names as they can be shown."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mlgit.core import compare, escape

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


WIDTH = 10.0
_SMALL = 200_000
_HUGE, _TINY = 1e100, 1e-100
"""What matplotlib can still scale, margins and logarithms included."""


def columns_of(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """*points* as their xs and their ys."""
    return [x for x, _ in points], [y for _, y in points]


def positions(axes: Axes, column: Sequence[Any], *, logarithmic: bool | None = None) -> list[float]:
    """Where each value stands on the x axis of *axes*: numbers on a scale, words and mixtures on named places.

    *logarithmic*: whether the scale is; None: if the values ask for it.
    """
    present = [value for value in column if value is not compare.MISSING]
    if present and all(compare.is_number(value) for value in present):
        places = [plottable(value) for value in column]
        if logarithmic is not False and spans_decades(places, 1 if logarithmic else 50):
            to_log(axes.xaxis, axes.set_xscale)
        elif all(isinstance(value, int) for value in present):
            whole(axes)
        return places
    words = sorted({str(value) for value in present})[:12]
    axes.set_xticks(range(len(words)), distinct(words, 12), rotation=30 if sum(map(len, words)) > 24 else 0)
    axes.set_xlim(-0.5, max(0.5, len(words) - 0.5))
    return [float(words.index(str(value))) if str(value) in words else math.nan for value in column]


def say_empty(axes: Axes, text: str) -> None:
    """Words in the place of a drawing."""
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes)
    axes.set_xticks([])
    axes.set_yticks([])


def scale(axes: Axes, values: Sequence[float]) -> None:
    """A logarithmic y axis where the values span decades; room around a constant."""
    if spans_decades(values, 100):
        to_log(axes.yaxis, axes.set_yscale)
        return
    finite = [value for value in values if not math.isnan(value)]
    if not finite:
        axes.set_yticks([])
    elif max(finite) - min(finite) <= 1e-9 * max(map(abs, finite)):
        room = abs(finite[0]) * 0.1 or 1.0
        axes.set_ylim(finite[0] - room, finite[0] + room)


def spans_decades(values: Sequence[float], factor: float) -> bool:
    """Whether *values* are above 0, and the largest at least *factor* times the least."""
    finite = [value for value in values if not math.isnan(value)]
    return bool(finite) and min(finite) > 0 and max(finite) / factor >= min(finite)


def to_log(axis: Any, set_scale: Callable[[str], None]) -> None:
    """A logarithmic *axis* with plain words at its ticks: `0.001`, `1e-05`."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    set_scale("log")
    axis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:.3g}"))
    axis.set_minor_formatter(NullFormatter())


def dress(axes: Axes, title: str, *, x: str = "", whole_x: bool = False) -> None:
    """The quiet parts: title, ground lines, ticks."""
    axes.set_title(legible(title, 40), loc="left", fontsize=10, fontweight="bold")
    axes.set_xlabel(legible(x, 40), fontsize=8.5)
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.tick_params(length=0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if whole_x:
        whole(axes)


def whole(axes: Axes) -> None:
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


def remark(figure: Figure, text: str) -> None:
    """*text* in the upper right corner of the whole."""
    if text:
        figure.text(0.99, 0.99, text, ha="right", va="top", fontsize=8.5)


def distinct(names: Sequence[str], most: int) -> list[str]:
    """*names* shortened to *most* characters; those that look alike then get a number."""
    seen: dict[str, int] = {}
    labels: list[str] = []
    for name in names:
        label = legible(name, most) or "(no name)"
        seen[label] = seen.get(label, 0) + 1
        labels.append(f"{label} ({seen[label]})" if seen[label] > 1 else label)
    return labels


def legible(text: str, most: int) -> str:
    """*text* on one line in characters that the font has; what it lacks becomes `□`, long text loses its middle."""
    from matplotlib.font_manager import findfont, get_font

    glyphs = get_font(findfont("DejaVu Sans")).get_charmap()
    flat = "".join(char if ord(char) in glyphs else "□" for char in escape.line(text, 2000))
    head = most * 2 // 3
    return flat if len(flat) <= most else f"{flat[:head]}…{flat[head + 1 - most :]}"


def plottable(value: Any) -> float:
    """*value* as a float that a chart can hold: nan for what is no finite number or beyond what can be scaled."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    if not -_HUGE < value < _HUGE:
        return math.nan
    return 0.0 if -_TINY < value < _TINY else float(value)


def across(panels: int) -> int:
    """How many of so many *panels* stand side by side."""
    return 2 if panels == 4 else min(3, max(1, panels))


@contextlib.contextmanager
def sheet(
    panels: int,
    *,
    legend: bool = False,
    height: float = 2.3,
    width: float | None = None,
    ratios: Sequence[float] = (),
) -> Iterator[tuple[Figure, list[Axes], Callable[[], bytes]]]:
    """A figure with *panels* axes, and what renders it; the machine's own matplotlibrc has no say.

    *height*: of a panel, in inches; *width*: of the whole. *ratios*: how wide panels side by side are, if not alike.
    """
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
    columns = across(panels)
    rows = max(1, math.ceil(panels / columns))
    width = width or (WIDTH if columns > 1 else WIDTH * 0.6)
    with matplotlib.rc_context({**own, **ours}):
        figure = Figure(figsize=(width, rows * height + (0.5 if legend else 0.1)), layout="constrained")
        canvas = FigureCanvasAgg(figure)
        grid = figure.add_gridspec(rows, columns, width_ratios=ratios or None)
        axes = [figure.add_subplot(grid[number]) for number in range(panels)]

        def png() -> bytes:
            out = io.BytesIO()
            canvas.print_png(out, metadata={"Software": None})
            return out.getvalue()

        figure.set_dpi(150)
        figure.patch.set_alpha(0.0)
        for each in axes:
            each.patch.set_alpha(0.0)
        yield figure, axes, png


def small(png: bytes) -> bytes:
    """The picture as it is, if it is small; else in 128 colours: of hundreds of faint lines, a fifth of the bytes."""
    if len(png) <= _SMALL:
        return png
    from PIL import Image  # matplotlib writes its own pictures by it

    whole = Image.open(io.BytesIO(png)).convert("RGBA")
    few = whole.quantize(128, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    out = io.BytesIO()
    few.save(out, "PNG", optimize=True)
    return out.getvalue()
