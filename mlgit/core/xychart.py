"""Curves as a block of Markdown that forges draw: mermaid's `xychart-beta`.

Its grammar knows no exponents, no nan, no infinities, and nothing to escape a quote with.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import Decimal

from mlgit.core import escape

_MOST = 1e15
"""Numbers from here on would be longer than a line."""
_LOOK = (
    '%%{init: {"xyChart": {"width": 760, "height": 300}, "themeVariables": {"xyChart": '
    '{"backgroundColor": "transparent", "plotColorPalette": "#0f7fc4, #d55e00"}}}}%%'
)
"""Mermaid's own first colour cannot be seen on white; these are of the charts that are pictures, for light and dark."""
_FINE = 1e-15
"""What is smaller than so much of the largest value is drawn as 0, which it cannot be told from."""


def block(title: str, *, x: str, span: tuple[float, float], y: str, lines: Sequence[Sequence[float]]) -> str | None:
    """*lines*, their values spread evenly over the *span* of the axis *x*; None where that cannot be drawn."""
    values = [value for line in lines for value in line]
    if not lines or min(map(len, lines)) < 2 or not all(abs(value) < _MOST for value in (*values, *span)):
        return None
    low, high = min(values), max(values)
    size = max(abs(low), abs(high))
    if 0 < size < 1 / _MOST:
        return None
    room = (high - low) * 0.05 or size * 0.1 or 1.0
    digits = max(6, 4 + math.ceil(math.log10(size / (high - low)))) if high > low else 6
    first, last = span

    def number(value: float) -> str:
        return f"{Decimal(f'{value if abs(value) > size * _FINE else 0.0:.{digits}g}'):f}"

    return "\n".join([
        "```mermaid",
        _LOOK,
        "xychart-beta",
        f'  title "{words(title, 80)}"',
        f'  x-axis "{words(x)}" {Decimal(repr(first)):f} --> {Decimal(repr(max(last, first + 1))):f}',
        f'  y-axis "{words(y)}" {number(low - room)} --> {number(high + room)}',
        *(f"  line [{', '.join(map(number, line))}]" for line in lines),
        "```",
    ])  # fmt: skip


def words(text: str, most: int = 40) -> str:
    """*text* as it may stand between quotes: letters and digits of any script, and little else."""
    plain = re.sub(r"[^\w ./,-]", " ", escape.line(text, most))
    return " ".join(re.sub("-{2,}", " ", plain).split()) or "metric"
