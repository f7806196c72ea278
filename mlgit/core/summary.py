"""How a metric is summed up: the last value, or what a rule (`define_metric`) asks for instead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from mlgit.core.history import AXES

KINDS = ("min", "max", "mean", "best", "last", "first", "copy", "none")
"""What a summary can be; `copy` is the last value by itself, `none` is no summary."""
GOALS = ("minimize", "maximize")
DELETED = {"$delete": True}
"""Stands in a live run's history for the value of a metric that is taken away."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What is to become of a metric, or of all metrics whose names begin alike: `val/*`."""

    name: str
    summary: tuple[str, ...] = ()
    """Of `KINDS`; nothing means the last value by itself."""
    step_metric: str | None = None
    """The metric that it is drawn over, instead of the step."""
    step_sync: bool = False
    """Whether a row without the step metric gets its latest value."""
    hidden: bool = False
    goal: str | None = None
    """Of `GOALS`."""

    def document(self) -> dict[str, Any]:
        """It as plain data, without its name and what it does not say."""
        told = ((field.name, getattr(self, field.name)) for field in fields(self) if field.name != "name")
        return {name: list(value) if isinstance(value, tuple) else value for name, value in told if value}

    def fits(self, name: str) -> bool:
        """Whether it speaks of the metric *name*."""
        return name == self.name or (self.name.endswith("*") and name.startswith(self.name[:-1]))

    @classmethod
    def of(cls, name: str, document: Mapping[str, Any]) -> Rule:
        """What `document` made of it; of what somebody else wrote, what can be understood."""
        summary, step, goal = (document.get(key) for key in ("summary", "step_metric", "goal"))
        return cls(
            name=name,
            summary=tuple(kind for kind in KINDS if isinstance(summary, list | tuple) and kind in summary),
            step_metric=step if isinstance(step, str) else None,
            step_sync=document.get("step_sync") is True,
            hidden=document.get("hidden") is True,
            goal=goal if goal in GOALS else None,
        )


Rules = Mapping[str, Rule]
"""By name, in the order in which they were made."""


def with_rule(rules: Rules, rule: Rule, *, overwrite: bool = False) -> dict[str, Rule]:
    """*rules* and one more. What an earlier one of the same name says stands beside it, unless *overwrite*."""
    old = rules.get(rule.name)
    if old and not overwrite:
        rule = replace(
            rule,
            summary=tuple(kind for kind in KINDS if kind in (*old.summary, *rule.summary)),
            step_metric=rule.step_metric or old.step_metric,
            step_sync=rule.step_sync or old.step_sync,
            hidden=rule.hidden or old.hidden,
            goal=rule.goal or old.goal,
        )
    return {**rules, rule.name: rule}


def rule_for(rules: Rules, name: str) -> Rule | None:
    """The rule that speaks of *name*: its own, else the first whose beginning fits."""
    if own := rules.get(name):
        return own
    return next((rule for rule in rules.values() if rule.fits(name)), None)


def rules_of(documents: Mapping[str, Any]) -> dict[str, Rule]:
    """The rules that `Rule.document` made *documents* of, by name."""
    return {name: Rule.of(name, told) for name, told in documents.items() if isinstance(told, Mapping)}


class Fold:
    """One metric's values, taken in as they come; says at any time what its rule makes of them.

    A nan is no lowest and no highest (in W&B one nan is both for ever); the mean of values with a nan is nan.
    """

    def __init__(self) -> None:
        self._least: float | None = None
        self._most: float | None = None
        self._sum: float = 0.0
        self._count = 0
        self._first: list[Any] = []

    @classmethod
    def of(cls, told: Any) -> Fold:
        """One that goes on from what was *told* of an earlier life: how many values a mean was of, it cannot know."""
        fold = cls()
        if isinstance(told, Mapping) and told and told.keys() <= set(KINDS):
            fold.take([told[kind] for kind in ("first", "min", "max", "best", "last") if kind in told])
            fold._sum, fold._count = (_float(told["mean"]), 1) if "mean" in told else (0.0, 0)
        return fold

    def take(self, values: Sequence[Any]) -> None:
        """Take in some more values: numbers count, of anything else the first and the last do."""
        if not self._first:
            self._first = [_plain(value) for value in values if value is not None][:1]
        numbers = [value for value in values if isinstance(value, int | float)]
        told = [value for value in numbers if value == value]
        if told:
            least, most = _plain(min(told)), _plain(max(told))
            self._least = least if self._least is None or least < self._least else self._least
            self._most = most if self._most is None or most > self._most else self._most
        self._count += len(numbers)
        for value in numbers:  # one by one, so that it is the same to the last digit however they come
            self._sum += _float(value)

    def with_last(self, value: Any) -> Fold:
        """What it would be with *value* as well; it stays as it is."""
        other = Fold()
        other.__dict__.update(self.__dict__)
        other.take((value,))
        return other

    def told(self, rule: Rule, last: Any) -> dict[str, Any]:
        """By kind, what *rule* asks for; *last* is the last value."""
        best = self._most if rule.goal == "maximize" else self._least
        mean = self._sum / self._count if self._count else None
        nan = float("nan") if self._count else None
        known = {
            "min": nan if self._least is None else self._least, "max": nan if self._most is None else self._most,
            "mean": mean, "best": nan if best is None else best,
        }  # fmt: skip
        asked = {kind: known[kind] for kind in rule.summary if known.get(kind) is not None}
        asked |= {"last": last} if "last" in rule.summary else {}
        return asked | ({"first": self._first[0]} if "first" in rule.summary and self._first else {})


def _plain(value: Any) -> Any:
    """A truth value as the number that a series holds for it."""
    return int(value) if isinstance(value, bool) else value


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number beyond every float
        return float("inf") if value > 0 else float("-inf")


def asks(rule: Rule | None) -> bool:
    """Whether *rule* wants anything but the last value by itself."""
    return rule is not None and any(kind != "copy" for kind in rule.summary)


def is_object(value: Any) -> bool:
    """Whether *value* is a picture, a table or the like: one value, whatever is inside."""
    return isinstance(value, Mapping) and "_type" in value


def leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values of *tree*, each with its whole name; an object and an empty mapping are values."""
    for key, value in tree.items():
        if type(value) is dict and value and "_type" not in value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def step_of(rule: Rule) -> str | None:
    """The metric that every row of *rule*'s metrics is to hold: `_step` and the times, every row has anyway."""
    step = rule.step_metric if rule.step_sync else None
    return None if step in AXES else step


def stepless(rules: Rules, names: Iterable[str]) -> dict[str, list[str]]:
    """Step metric → those of *names* whose rows are to hold it."""
    found: dict[str, list[str]] = {}
    for name in names if rules else ():
        rule = rule_for(rules, name)
        if rule and (step := step_of(rule)) and step != name:
            found.setdefault(step, []).append(name)
    return found
