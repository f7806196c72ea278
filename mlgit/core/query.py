"""Conditions on runs, as a person types them: `accuracy>0.9`, `state=failed`, `params.lr<=1e-3`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mlgit.core.compare import flatten, is_number
from mlgit.core.run import Run
from mlgit.errors import UsageError

_FORM = re.compile(r"\s*([^<>=!~]+?)\s*(<=|>=|!=|==|=|<|>|~)\s*(.*?)\s*", re.DOTALL)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
FIELDS = ("id", "name", "project", "state", "group", "sweep", "job_type", "notes", "created", "duration", "tags")


@dataclass(frozen=True, kw_only=True)
class Condition:
    """*key* *operation* *value*; `~` asks whether a text contains the value."""

    key: str
    operation: str
    value: str

    def holds(self, run: Run) -> bool:
        """Whether *run* meets it; a run without the key meets only `!=`."""
        found = value_of(run, self.key)
        if isinstance(found, tuple):
            return (self.value in found) != (self.operation == "!=")
        if self.operation in _COMPARE:
            wanted = _number(self.value)
            return is_number(found) and wanted is not None and _COMPARE[self.operation](found, wanted)
        if self.operation == "~":
            return found is not None and self.value.lower() in str(found).lower()
        return _equal(found, self.value) != (self.operation == "!=")


def parse(text: str) -> Condition:
    """*text* as a condition. Raises `UsageError`."""
    form = _FORM.fullmatch(text)
    if form is None:
        raise UsageError(
            f"{text[:80]!r} is no condition.", fix="write it like 'accuracy>0.9', 'state=failed', 'name~lr'"
        )
    return Condition(key=form[1], operation=form[2], value=form[3])


def value_of(run: Run, key: str) -> Any:
    """What *run* has under *key*, or None: a field, a metric, a param; `metrics.` and `params.` say which."""
    if key.startswith("params."):
        return flatten(run.params).get(key[7:])
    if key.startswith("metrics."):
        return flatten(run.metrics).get(key[8:])
    if key in FIELDS:
        value = getattr(run, key)
        return value.value if key == "state" else value
    metrics = flatten(run.metrics)
    return metrics[key] if key in metrics else flatten(run.params).get(key)


def ordered(runs: Sequence[Run], key: str) -> list[Run]:
    """*runs* by *key*, smallest first, `-key` largest first; those without a number there come last."""
    name, sign = (key[1:], -1) if key.startswith("-") else (key, 1)
    found = [(value_of(run, name), run) for run in runs]
    numbers = sorted((pair for pair in found if is_number(pair[0])), key=lambda pair: sign * pair[0])
    words = [(str(value), run) for value, run in found if not is_number(value) and value is not None]
    words.sort(key=lambda pair: pair[0], reverse=sign < 0)
    return [run for _, run in (*numbers, *words)] + [run for value, run in found if value is None]


def _equal(found: Any, text: str) -> bool:
    if isinstance(found, bool):
        return str(found).lower() == text.lower()
    if is_number(found):
        return bool(found == _number(text))
    return ("" if found is None else str(found)) == text


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
