"""A live run's summary as its rules ask: the same as its branch will say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from mlgit.core import summary as summaries
from mlgit.core import values
from mlgit.core.summary import Fold, Rule

if TYPE_CHECKING:
    from mlgit.store.telling import Account


class Tally:
    """Keeps a live run's summary as its rules ask: the same as its branch will say."""

    def __init__(self, last: MutableMapping[str, Any], step: Callable[[], int]) -> None:
        self._last, self._step = last, step
        self._rules: dict[str, Rule] = {}
        self._known: dict[str, Rule | None] = {}
        self._folds: dict[str, tuple[Fold, int, Any]] = {}
        """By name: the values of the steps before, the current step, and its value."""
        self._by_hand: set[str] = set()

    def follow(self, rule: Rule, *, overwrite: bool, so_far: Account | None) -> None:
        """Go by one more rule; *so_far* is what was logged before."""
        self._rules = summaries.with_rule(self._rules, rule, overwrite=overwrite)
        self._known.clear()
        self._by_hand = {name for name in self._by_hand if not rule.fits(name)}
        if so_far is None:
            return
        for name in {**so_far.series, **so_far.objects}:
            ruled = self._rule(name)
            if ruled is None or not rule.fits(name) or name not in self._last:
                continue
            *before, (step, value) = so_far.values(name)
            fold = Fold()
            fold.take([value for _, value in before])
            self._folds[name] = fold, step, value
            if name in so_far.run.metrics:
                self._last[name] = so_far.run.metrics[name]
            else:
                del self._last[name]

    def set(self, names: Iterable[str]) -> None:
        """Metrics were set by hand: no rule speaks of them any more."""
        self._by_hand.update(names)
        self._known.clear()

    def note(self, data: Mapping[str, Any]) -> None:
        """Take in a row."""
        self._into(self._last, data, "")

    def _into(self, last: MutableMapping[str, Any], data: Mapping[str, Any], prefix: str) -> None:
        for key, value in data.items():
            name = f"{prefix}{key}"
            if type(value) is dict and "_type" not in value:
                there = last.get(key)
                last[key] = dict(there) if type(there) is dict else {}
                self._into(last[key], value, f"{name}.")
                continue
            rule = self._known[name] if name in self._known else self._rule(name)
            if rule is None:
                last[key] = value
                continue
            step = None if value is None else summaries.step_of(rule)
            if step and step != name and step not in self._folds and not _holds(self._last, step):
                self._last[step] = 0
            if not summaries.asks(rule) or summaries.is_object(value):
                last[key] = value
            elif summed := self._summed(name, rule, values.plain(value)):
                last[key] = summed
            else:
                last.pop(key, None)

    def _rule(self, name: str) -> Rule | None:
        found = None if name in self._by_hand else summaries.rule_for(self._rules, name)
        self._known[name] = found
        return found

    def _summed(self, name: str, rule: Rule, value: Any) -> dict[str, Any]:
        step = self._step()
        if name in self._folds:
            fold, at, before = self._folds[name]
            if at != step:
                fold.take((before,))
                before = None
        else:
            fold, before = Fold.of(self._last.get(name)), None
        now = before if value is None else value  # nothing takes nothing back
        self._folds[name] = fold, step, now
        return {} if "none" in rule.summary else fold.with_last(now).told(rule, value)


def merge(last: MutableMapping[str, Any], data: Mapping[str, Any]) -> None:
    """Take a row with mappings in it into the last values: what such a mapping does not name stays, as in W&B."""
    for key, value in data.items():
        there = last.get(key)
        if type(value) is dict and type(there) is dict and "_type" not in value and "_type" not in there:
            last[key] = dict(there)
            merge(last[key], value)
        else:
            last[key] = value


def _holds(last: Mapping[str, Any], name: str) -> bool:
    """Whether there is a value of this name, by itself or within a mapping."""
    if name in last:
        return True
    parts = ((name[:at], name[at + 1 :]) for at, char in enumerate(name) if char == ".")
    return any(type(inner := last.get(key)) is dict and _holds(inner, rest) for key, rest in parts)
