"""`define_metric`: how a metric is summed up and drawn, and what that makes of the run's summary while it is alive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlgit.core import values
from mlgit.core.summary import KINDS, Rule
from mlgit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlgit.tracking.run.journal import Journal
    from mlgit.tracking.run.summary import Summary

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
        rules = ", ".join(f"{key}={value!r}" for key, value in self._rule.document().items())
        return f"<mlgit metric {self.name}{rules and f': {rules}'}>"


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


class Rules:
    """The part of a run that says how its metrics are to be summed up and drawn."""

    def __init__(self, journal: Journal, summary: Summary, step: Callable[[], int]) -> None:
        self._journal, self._summary, self._step = journal, summary, step

    def define_metric(
        self, name: str, step_metric: str | Metric | None = None, step_sync: bool | None = None,
        hidden: bool | None = None, summary: str | None = None, overwrite: bool | None = None, *,
        goal: str | None = None,
    ) -> Metric:  # fmt: skip
        """Say what becomes of the metric *name*, or of all whose names begin so: `val/*`.

            run.define_metric("val/loss", summary="min")  # run.summary["val/loss"]["min"]
            run.define_metric("val/*", step_metric="epoch")  # drawn over what is logged as `epoch`

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
        self._journal.check_open("metrics")
        with self._journal.lock:
            self._journal.rule(rule, overwrite=bool(overwrite))
            self._summary._follow(
                rule, overwrite=bool(overwrite), step=self._step,
                so_far=self._journal.so_far() if summary and len(self._summary) else None,
            )  # fmt: skip
        return Metric(rule)
