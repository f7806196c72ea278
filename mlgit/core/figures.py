"""Numbers, times and sizes as people read them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from mlgit.core import escape
from mlgit.core.compare import is_number
from mlgit.core.run import Run, in_calendar
from mlgit.core.stats import Summary


def number(value: Any) -> str:
    """A metric's or param's value for a table: four significant digits, `nan` and `inf` as words, text as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value):
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    return f"{value:.4g}"


def mean(summary: Summary) -> str:
    """`0.9123 ± 0.004`: a mean, and half of its 95 % confidence interval where there is one; nothing of nothing."""
    if not summary.n:
        return ""
    told, margin = number(summary.mean), f"{summary.margin:.2g}"
    if "e" in margin and "e" not in told and 1e-9 < summary.margin < _WRITTEN_OUT:
        from decimal import Decimal  # which every end of a run would pay for

        margin = f"{Decimal(margin):f}"
    return told + (f" ± {margin}" if summary.n > 1 else "")


_WRITTEN_OUT = 1e9


def count(number: int, what: str) -> str:
    """So many of *what*, which is one of them in words: `1 file`, `2,000 files`."""
    return f"{number:,} {what}{'s' * (number != 1)}"


def finite(data: Any) -> Any:
    """*data* for JSON, which knows no nan and no infinities: they stand in it as words."""
    if isinstance(data, float):
        return data if math.isfinite(data) else number(data)
    if isinstance(data, Mapping):
        return {str(key): finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [finite(value) for value in data]
    return data


def headlines(run: Run) -> str:
    """The four numbers that say most about *run*: `accuracy 0.981, loss 0.07`."""
    values = run.scalars
    names = [name for name in run.headlines if is_number(values[name])][:4]
    return ", ".join(f"{escape.line(name, 40)} {number(values[name])}" for name in names)


_BARS = "▁▂▃▄▅▆▇█"


def sparkline(places: Sequence[float], values: Sequence[float], width: int = 24) -> str:
    """A curve as a line of bars, at most *width* of them, each a mean of `evenly`. Nothing for one bar."""
    means = evenly(places, values, width)
    low, high = min(means, default=0.0), max(means, default=0.0)
    return "".join(_bar(mean, low, high) for mean in means)


def evenly(places: Sequence[float], values: Sequence[float], width: int) -> list[float]:
    """A curve in at most *width* stretches of one length: the mean of each, where nothing lies the one before.

    *places* says where each of *values* stands, as they were told: several processes that share a run tell theirs in no
    order. What is not finite is left out. Nothing of one value.
    """
    told = [(at / 2, value) for at, value in zip(places, values, strict=True) if is_number(value)]  # see `_bar`
    known = sorted(told, key=itemgetter(0))
    if len(known) < 2:
        return []
    first, span = known[0][0], known[-1][0] - known[0][0]
    width = min(width, len(known))
    stretches: list[list[float]] = [[] for _ in range(width)]
    for at, value in known:
        stretches[min(width - 1, int((at - first) / span * width)) if span else 0].append(value)
    return list(_carried([sum(value / len(some) for value in some) if some else None for some in stretches]))


def _carried(means: Sequence[float | None]) -> Iterator[float]:
    """*means*, where there is none the one before."""
    last = 0.0
    for mean in means:
        last = last if mean is None else mean
        yield last


def _bar(value: float, low: float, high: float) -> str:
    span = high / 2 - low / 2  # halves, for the whole may be too large for a float
    return _BARS[min(len(_BARS) - 1, int((value / 2 - low / 2) / span * len(_BARS)))] if span else _BARS[0]


def difference(value: float | None) -> str:
    """A delta with its sign, `+0.012`; nothing for None, `0` for no change."""
    if value is None:
        return ""
    return "0" if value == 0 else f"{value:+.4g}".replace("-", "−")


def chance(value: float) -> str:
    """A p-value: `p 0.034`, `p < 0.001`; one just below 0.05 is not rounded to it."""
    if value < 0.001:
        return "p < 0.001"
    return f"p {value:.3g}" if 0.0495 <= value < 0.05 else f"p {value:.2g}"


def duration(seconds: float | None) -> str:
    """`0.4s`, `42s`, `3m 20s`, `2h 05m`, `3d 4h`; nothing for None."""
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours}h"
    if hours:
        return f"{hours}h {minutes:02d}m"
    return f"{minutes}m {rest:02d}s" if minutes else f"{rest}s"


_COUNT = r"[0-9]+(?:\.[0-9]+)?"
SECONDS = rf"\s*{_COUNT}\s*|\s*(?:{_COUNT}\s*[dhms]\s*)+"
"""How a time is written: `90`, `30s`, `5m`, `1h 30m`."""


def seconds(text: str) -> float | None:
    """The seconds that *text* means, written like `SECONDS`; None where it means none."""
    if not re.fullmatch(SECONDS, text):
        return None
    units = {"d": 86400, "h": 3600, "m": 60, "s": 1, "": 1}
    return sum(float(count) * units[unit] for count, unit in re.findall(rf"({_COUNT})\s*([dhms]?)", text))


def ago(then: float, now: float) -> str:
    """How long before *now* (both in seconds since the epoch), roughly: `now`, `5 min`, `3 h`, `12 d`."""
    seconds = max(0.0, now - then)
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return "now"


def size(count: int) -> str:
    """Bytes with a binary unit: `512 B`, `1.2 KiB`, `3.4 GiB`."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def moment(seconds: float) -> str:
    """A time for a document: UTC, ISO 8601, to the second."""
    return datetime.fromtimestamp(in_calendar(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
