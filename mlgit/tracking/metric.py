"""`define_metric`: how a metric is summed up and drawn, and what that makes of the run's summary while it is alive."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from mlgit.core import summary as summaries
from mlgit.core.summary import KINDS, Fold, Rule
from mlgit.errors import MlgitError, UsageError
from mlgit.tracking import values

if TYPE_CHECKING:
    import threading

    from mlgit.store.live import Live
    from mlgit.store.telling import Account
    from mlgit.tracking.summary import Summary

_GOALS = {"min": "minimize", "max": "maximize"}


class Metric:
    """What `define_metric` returns: the rule that it made, by W&B's names."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule

    @property
    def name(self) -> str:
        """The metric's name, or how the names of several begin: `val/*`."""
        return self._rule.name

    @property
    def step_metric(self) -> str | None:
        """The metric that it is drawn over."""
        return self._rule.step_metric

    @property
    def step_sync(self) -> bool:
        """Whether a row without the step metric gets its latest value."""
        return self._rule.step_sync

    @property
    def hidden(self) -> bool | None:
        """Whether it is left out of charts."""
        return self._rule.hidden or None

    @property
    def summary(self) -> tuple[str, ...] | None:
        """What its summary holds."""
        return self._rule.summary or None

    @property
    def goal(self) -> str | None:
        """`minimize` or `maximize`."""
        return self._rule.goal

    def __repr__(self) -> str:
        told = ", ".join(f"{key}={value!r}" for key, value in self._rule.document().items())
        return f"<mlgit metric {self.name}{told and f': {told}'}>"


def rule_of(
    name: str, *, step_metric: str | Metric | None = None, step_sync: bool | None = None, hidden: bool | None = None,
    summary: str | None = None, goal: str | None = None, overwrite: bool | None = None,
) -> Rule:  # fmt: skip
    """The rule that the arguments of `define_metric` say. Raises `UsageError` for what they cannot be."""
    step = step_metric.name if isinstance(step_metric, Metric) else step_metric
    given = {"step_sync": step_sync, "hidden": hidden, "overwrite": overwrite}
    wrong = [key for key, value in given.items() if not isinstance(value, bool | None)]
    texts = {"name": name, "step_metric": step, "summary": summary, "goal": goal}
    wrong += [key for key, value in texts.items() if not isinstance(value, str | None)]
    if wrong:
        raise UsageError(f"define_metric(): {wrong[0]} cannot be a {type((given | texts)[wrong[0]]).__name__}.")
    if not name:
        raise UsageError("define_metric() needs the name of a metric.")
    if "*" in name[:-1]:
        raise UsageError(f"define_metric(): {name[:80]!r} cannot be a name.", why="A '*' stands at the end alone.")
    kinds = [kind.strip().lower() for kind in summary.split(",")] if summary else []
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise UsageError(f"define_metric(): {unknown[0]!r} is no summary.", fix=", ".join(KINDS))
    if goal and goal[:3].lower() not in _GOALS:
        raise UsageError(f"define_metric(): {goal!r} is no goal.", fix="minimize, or maximize")
    return Rule(
        name=values.text(name.replace("\\.", ".")), summary=tuple(kind for kind in KINDS if kind in kinds),
        step_metric=values.text(step.replace("\\.", ".")) if step else None,
        step_sync=bool(step) if step_sync is None else step_sync, hidden=bool(hidden),
        goal=_GOALS[goal[:3].lower()] if goal else None,
    )  # fmt: skip


class Metrics:
    """The part of a run that says how its metrics are to be summed up and drawn."""

    _live: Live
    _lock: threading.RLock
    _step: int
    summary: Summary

    def _check_open(self, what: str) -> None:
        raise NotImplementedError  # pragma: no cover

    def _warn(self, text: str) -> None:
        raise NotImplementedError  # pragma: no cover

    def define_metric(
        self, name: str, step_metric: str | Metric | None = None, step_sync: bool | None = None,
        hidden: bool | None = None, summary: str | None = None, overwrite: bool | None = None, *,
        goal: str | None = None,
    ) -> Metric:  # fmt: skip
        """Say what becomes of the metric *name*, or of all whose names begin so: `val/*`.

        *summary*: what `run.summary` and the branch hold of it, of `min`, `max`, `mean`, `best` (by *goal*), `last`,
        `first`, `copy` (the last value by itself, as without a rule) and `none`, several joined by commas:
        `{"loss": {"min": 0.1}}`. It counts for what was logged before as well. *step_metric*: the metric that it is
        drawn over; a row that lacks it gets its latest value unless *step_sync* is false. *hidden*: left out of charts.
        What was defined for the name before stands beside it, unless *overwrite*. A rule of its own goes before one
        for several; of those the first that fits counts. Raises `UsageError` for arguments that cannot be.
        """
        rule = rule_of(
            name, step_metric=step_metric, step_sync=step_sync, hidden=hidden, summary=summary, goal=goal,
            overwrite=overwrite,
        )  # fmt: skip
        self._check_open("metrics")
        with self._lock:
            self._put_rule(rule, overwrite=bool(overwrite))
            self.summary.follow(
                rule, overwrite=bool(overwrite), step=lambda: self._step,
                so_far=self._so_far() if summary and len(self.summary) else None,
            )  # fmt: skip
        return Metric(rule)

    def _put_rule(self, rule: Rule, *, overwrite: bool) -> None:
        try:
            self._live.rule(rule, overwrite=overwrite)
        except MlgitError as exc:
            self._warn(f"define_metric: the rule could not be stored: {exc}")

    def _so_far(self) -> Account | None:
        """What was logged before the rule, which it speaks of too."""
        from mlgit.store import telling

        try:
            return telling.read(self._live.folder)
        except (MlgitError, OSError):
            return None


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

    def set(self, names: Mapping[str, Any]) -> None:
        """Metrics were set by hand: no rule speaks of them any more."""
        self._by_hand.update(name for name, _ in _leaves(names))
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
            if (step := summaries.step_of(rule)) and not _holds(self._last, step):
                self._last[step] = 0
            if not summaries.asks(rule) or summaries.is_object(value):
                last[key] = value
            elif told := self._told(name, rule, values.plain(value)):
                last[key] = told
            else:
                last.pop(key, None)

    def _rule(self, name: str) -> Rule | None:
        found = None if name in self._by_hand else summaries.rule_for(self._rules, name)
        self._known[name] = found
        return found

    def _told(self, name: str, rule: Rule, value: Any) -> dict[str, Any]:
        step = self._step()
        if name in self._folds:
            fold, at, before = self._folds[name]
            if at != step:
                fold.take((before,))
        else:
            fold = Fold.of(self._last.get(name))
        self._folds[name] = fold, step, value
        return {} if "none" in rule.summary else fold.with_last(value).told(rule, value)


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


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in tree.items():
        nested = type(value) is dict and "_type" not in value
        found += _leaves(value, f"{prefix}{key}.") if nested else [(f"{prefix}{key}", value)]
    return found
