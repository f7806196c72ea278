"""How a run that was made again compares with the first one (pure)."""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any

from mlgit.core.compare import MISSING, is_number
from mlgit.core.history import Logged, Series
from mlgit.errors import UsageError

_CLOCKS = frozenset(
    """
    time times timestamp date datetime runtime second seconds sec secs ms millis milliseconds microseconds minutes
    hours duration elapsed eta latency throughput fps
    """.split()
)
"""Words in a name by which it tells of a clock, and is never the same twice."""
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_PER = re.compile(r"(?i)(?:\bper|_per)[ _]?(?:s|sec|second|min|minute|h|hour)(?![a-z])|/s(?:ec)?$")


class Kind(enum.Enum):
    """The verdict, in a word."""

    BITWISE = "bitwise"
    WITHIN = "within tolerance"
    DIFFERS = "differs"
    CANNOT = "cannot"


@dataclass(frozen=True)
class Tolerance:
    """How far two numbers may be apart: by so much of the larger one, or by so much. None at all unless given."""

    relative: float = 0.0
    absolute: float = 0.0

    def __str__(self) -> str:
        return f"{self.relative:g} of a value" + (f", or {self.absolute:g}" if self.absolute else "")

    def allows(self, one: Any, other: Any) -> bool:
        """Whether it lets *one* pass for *other*."""
        if not is_number(one) or not is_number(other):
            return False
        return bool(abs(one - other) <= max(self.relative * max(abs(one), abs(other)), self.absolute))


def tolerance(text: str) -> Tolerance:
    """`1e-6`, relative, or `1e-6/1e-9`, relative and absolute. Raises `UsageError`."""
    parts = text.split("/")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if not 1 <= len(numbers) <= 2 or not all(0 <= number < math.inf for number in numbers):
        raise UsageError(f"{text[:40]!r} is no tolerance.", fix="1e-6 (relative), or 1e-6/1e-9 (relative/absolute)")
    return Tolerance(*numbers)


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a run said that another one can say again."""

    end: str
    """How it ended: its state, and its exit code where that was not 0."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """By dotted name; those that the program made itself among them."""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    series: Mapping[str, Series] = field(default_factory=dict)
    objects: Mapping[str, Sequence[Logged]] = field(default_factory=dict)
    artifacts: Mapping[str, str] = field(default_factory=dict)
    """What it logged: name → content hash."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """What it said of that: `model.layers`, the artifact's name and the dotted one of what was said → value."""
    moments: frozenset[tuple[str, str]] = frozenset()
    """(`param`, `metric` or `metadata`, name) of what says when the run was, and so is another one each time."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The first place where the two say otherwise about one thing; `MISSING` for a side that says nothing there."""

    kind: str
    """`end`, `param`, `history`, `metric`, `object`, `artifact` or `metadata`."""
    name: str
    before: Any
    after: Any
    step: int | None = None
    allowed: bool = False
    """Whether it, and all that comes after it about the same thing, is within the tolerance."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What came of it."""

    kind: Kind
    tolerance: Tolerance = Tolerance()
    same: Mapping[str, int] = field(default_factory=dict)
    """How many params, metrics, series, points of history, objects, artifacts and words on these are the same to the
    last bit.
    """
    differences: tuple[Difference, ...] = ()
    """What is not, the first one first."""
    clocks: tuple[str, ...] = ()
    """The metrics that by their name tell of time, and so were left aside; and what else does and differs."""


def is_clock(name: str) -> bool:
    """Whether the metric *name* tells of time: `_runtime`, `epoch_seconds`, `samples_per_sec`."""
    return bool(_PER.search(name)) or any(word.lower() in _CLOCKS for word in _WORD.findall(name))


def no_more_than(before: Told, after: Told) -> Told:
    """*after* without the params, metrics, series and objects that *before* lacks, where nobody had to log them."""
    return replace(
        after,
        params={name: value for name, value in after.params.items() if name in before.params},
        metrics={name: value for name, value in after.metrics.items() if name in before.metrics},
        series={name: rows for name, rows in after.series.items() if name in before.series},
        objects={name: rows for name, rows in after.objects.items() if name in before.objects},
    )


def without_history(told: Told, other: Told) -> Told:
    """*told* without series, and without the metrics that are the last value of one here or in the *other*."""
    kept = {name: value for name, value in told.metrics.items() if name not in {*told.series, *other.series}}
    return replace(told, metrics=kept, series={})


def compare(before: Told, after: Told, allowed: Tolerance | None = None) -> Verdict:
    """The verdict on *after*, which was to be *before* again.

    `bitwise`: every param and metric, every step and value of the histories, every object, the content of every
    artifact and its metadata are the same; what tells of time is left aside. *allowed*: how far numbers may be apart
    for `within tolerance`; other bytes of an artifact are then told, and count no more, for bytes are near to nothing.
    """
    limit = allowed or Tolerance()
    clocks = {name for name in {*before.metrics, *after.metrics, *before.series, *after.series} if is_clock(name)}
    found: list[Difference] = []
    same: dict[str, int] = {}
    if before.end != after.end:
        found.append(Difference(kind="end", name="end", before=before.end, after=after.end))
    for kind, plural, differing in (
        ("param", "params", _values),
        ("history", "series", _series),
        ("metric", "metrics", _values),
        ("object", "objects", _logged),
        ("artifact", "artifacts", _values),
        ("metadata", "metadata", _values),
    ):
        sides = [_of_kind(side, kind) for side in (before, after)]
        for name in sorted(sides[0].keys() | sides[1].keys()):
            if name in clocks and kind in ("history", "metric"):
                continue
            pairs = list(differing(sides[0].get(name, MISSING), sides[1].get(name, MISSING)))
            named_so = kind in ("param", "metadata") and is_clock(name)  # but `warmup_seconds` may be a setting
            if pairs and (named_so or (kind, name) in after.moments):
                clocks.add(name)
                continue
            if pairs:
                found.append(_first(kind, name, pairs, limit, lenient=allowed is not None))
                continue
            same[plural] = same.get(plural, 0) + 1
            if kind == "history":
                same["points"] = same.get("points", 0) + len(before.series[name])
    found.sort(key=_order)
    near = all(one.allowed for one in found)
    return Verdict(
        kind=Kind.DIFFERS if not near else Kind.WITHIN if found else Kind.BITWISE,
        tolerance=limit, same=same, differences=tuple(found), clocks=tuple(sorted(clocks)),
    )  # fmt: skip


def _of_kind(told: Told, kind: str) -> Mapping[str, Any]:
    return {
        "param": told.params, "history": told.series, "metric": told.metrics, "object": told.objects,
        "artifact": told.artifacts, "metadata": told.metadata,
    }[kind]  # fmt: skip


_FIRST = ("end", "param")
"""What is told before all that follows from it."""


def _order(one: Difference) -> tuple[bool, int, int, str, str]:
    """What is beyond the tolerance first; then how it ended, and params; then by step: there it went another way."""
    rank = _FIRST.index(one.kind) if one.kind in _FIRST else len(_FIRST)
    return one.allowed, rank, one.step if one.step is not None else 1 << 63, one.kind, one.name


_Pair = tuple[int | None, Any, Any]
"""A step, and what the two say there."""


def _first(kind: str, name: str, pairs: Sequence[_Pair], limit: Tolerance, *, lenient: bool) -> Difference:
    """The first of *pairs* that the tolerance does not allow, else the first."""
    beyond = [pair for pair in pairs if not limit.allows(*pair[1:])]
    step, one, other = (beyond or pairs)[0]
    allowed = not beyond or (lenient and kind == "artifact" and MISSING not in (one, other))
    return Difference(kind=kind, name=name, before=one, after=other, step=step, allowed=allowed)


def _values(one: Any, other: Any) -> Iterator[_Pair]:
    if not is_same(one, other):
        yield None, one, other


def _series(one: Any, other: Any) -> Iterator[_Pair]:
    if one is MISSING or other is MISSING:
        there = other if one is MISSING else one
        value = there.values[0] if len(there) else MISSING
        yield there.steps[0] if len(there) else 0, *((MISSING, value) if one is MISSING else (value, MISSING))
        return
    rows = zip_longest(zip(one.steps, one.values, strict=True), zip(other.steps, other.values, strict=True))
    for mine, theirs in rows:
        if mine is None or theirs is None or mine[0] != theirs[0]:
            yield from _another_step(mine, theirs)
            return
        if not is_same(mine[1], theirs[1]):
            yield mine[0], mine[1], theirs[1]


def _another_step(mine: tuple[int, Any] | None, theirs: tuple[int, Any] | None) -> Iterator[_Pair]:
    """The earlier of two rows that stand side by side and are of two steps: the other side lacks it."""
    if theirs is None or (mine is not None and mine[0] < theirs[0]):
        yield (mine or (0, MISSING))[0], (mine or (0, MISSING))[1], MISSING
    else:
        yield theirs[0], MISSING, theirs[1]


def _logged(one: Any, other: Any) -> Iterator[_Pair]:
    rows = [() if side is MISSING else side for side in (one, other)]
    for mine, theirs in zip_longest(*rows):
        if mine is None or theirs is None or mine.step != theirs.step or not is_same(mine.value, theirs.value):
            step = (mine or theirs).step
            yield step, MISSING if mine is None else mine.value, MISSING if theirs is None else theirs.value
            return


def is_same(one: Any, other: Any) -> bool:
    """Whether two values are the same to the last bit: nan is nan, 0.0 is not -0.0, and True is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        if one != one or other != other:
            return one != one and other != other
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(is_same, one, other))
    return type(one) is type(other) and bool(one == other)
