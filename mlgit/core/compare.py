"""Two runs side by side: what changed, and which way is better."""

from __future__ import annotations

import enum
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# Where mlgit.yaml states no goal, a metric's own name often does: these words are read from its last part.
_DOWN = ("loss", "error", "err", "mae", "mse", "rmse", "perplexity", "ppl", "wer", "cer", "latency", "nll", "logloss")
_UP = ("accuracy", "acc", "auc", "f1", "precision", "recall", "r2", "score", "iou", "map", "bleu", "reward", "auroc")


_MOST = sys.float_info.max


class Goal(enum.Enum):
    """Which way a metric is better."""

    MAXIMIZE = "maximize"
    MINIMIZE = "minimize"


class Direction(enum.Enum):
    """What a change of a metric means, by its goal."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "same"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class MetricDelta:
    """One metric of two runs. `delta` is head - base, or None where either is not a finite number."""

    name: str
    base: Any
    head: Any
    delta: float | None
    direction: Direction
    goal: Goal | None


@dataclass(frozen=True, kw_only=True)
class Change:
    """One key whose value differs; a side that lacks it is `MISSING`."""

    key: str
    base: Any
    head: Any


class _Missing:
    def __repr__(self) -> str:
        return "—"


MISSING = _Missing()


def goal_of(metric: str, goals: Mapping[str, Goal]) -> Goal | None:
    """The goal that *goals* states for *metric*, else the one that its name suggests, else None."""
    if metric in goals:
        return goals[metric]
    words = metric.lower().replace("-", "_").replace("/", "_").replace(".", "_").split("_")
    for word in reversed(words):
        if word in _DOWN:
            return Goal.MINIMIZE
        if word in _UP:
            return Goal.MAXIMIZE
    return None


def is_number(value: object) -> bool:
    """Whether *value* is a finite number that a float can hold; True and False are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -_MOST <= value <= _MOST


def direction(base: Any, head: Any, goal: Goal | None) -> Direction:
    """Whether *head* is better than *base*; a number is better than nan, and what one lacks is neither."""
    if base is MISSING or head is MISSING:
        return Direction.UNKNOWN
    if not is_number(base) or not is_number(head):
        if goal is None or is_number(base) == is_number(head):
            return Direction.SAME if base == head else Direction.UNKNOWN
        return Direction.BETTER if is_number(head) else Direction.WORSE
    if base == head:
        return Direction.SAME
    if goal is None:
        return Direction.UNKNOWN
    return Direction.BETTER if (head > base) == (goal is Goal.MAXIMIZE) else Direction.WORSE


def metric_deltas(
    base: Mapping[str, Any], head: Mapping[str, Any], goals: Mapping[str, Goal]
) -> tuple[MetricDelta, ...]:
    """Every metric of either run, those with a stated goal first, else by name."""
    names = sorted(base.keys() | head.keys(), key=lambda name: (name not in goals, name))
    return tuple(_delta(name, base.get(name, MISSING), head.get(name, MISSING), goals) for name in names)


def _delta(name: str, base: Any, head: Any, goals: Mapping[str, Goal]) -> MetricDelta:
    goal = goal_of(name, goals)
    delta = head - base if is_number(base) and is_number(head) else None
    return MetricDelta(name=name, base=base, head=head, delta=delta, direction=direction(base, head, goal), goal=goal)


def changes(base: Mapping[str, Any], head: Mapping[str, Any]) -> tuple[Change, ...]:
    """The keys whose values differ, nested mappings by dotted key, in order of name."""
    one, two = flatten(base), flatten(head)
    return tuple(
        Change(key=key, base=one.get(key, MISSING), head=two.get(key, MISSING))
        for key in sorted(one.keys() | two.keys())
        if not _same(one.get(key, MISSING), two.get(key, MISSING))
    )


def _same(one: Any, two: Any) -> bool:
    both_nan = isinstance(one, float) and isinstance(two, float) and math.isnan(one) and math.isnan(two)
    return both_nan or (one == two and isinstance(one, bool) == isinstance(two, bool))


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """*tree* with nested mappings spread out: `{"a": {"b": 1}}` → `{"a.b": 1}`; an empty mapping stays a value."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def within(tree: Mapping[str, Any], key: str) -> Any:
    """What `flatten` has of *tree* under *key*, or None: found on the way there, whatever else is in it."""
    found = list(_under(tree, key))
    return flatten(tree).get(key) if len(found) > 1 else next(iter(found), None)


def _under(tree: Mapping[str, Any], key: str) -> Iterator[Any]:
    """All that can be called *key*: `{"a.b": 1, "a": {"b": 2}}` has two."""
    if key in tree and not (isinstance(tree[key], Mapping) and tree[key]):
        yield tree[key]
    for at, char in enumerate(key):
        if char == "." and isinstance(inner := tree.get(key[:at]), Mapping):
            yield from _under(inner, key[at + 1 :])


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The tree that `flatten` has spread out; a name that has no place in it stays as it is."""
    tree: dict[str, Any] = {}
    for name, value in flat.items():
        folder, _, rest = name.partition(".")
        if folder and rest and folder not in flat:
            tree.setdefault(folder, {})[rest] = value
        else:
            tree[name] = value
    return {name: value if name in flat else nested(value) for name, value in tree.items()}


def best(values: Iterable[tuple[str, Any]], goal: Goal) -> str | None:
    """The key with the best number among *(key, value)* pairs; the first of equals; None where there is no number."""
    numbers = [(key, value) for key, value in values if is_number(value)]
    if not numbers:
        return None
    pick = max if goal is Goal.MAXIMIZE else min
    return pick(numbers, key=lambda pair: pair[1])[0]
