"""Conditions on runs, as a person types them: `accuracy>0.9`, `state=failed`, `duration<5m`, `created>2026-01-31`."""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mlgit.core import figures
from mlgit.core.compare import flatten, is_number
from mlgit.core.run import Run
from mlgit.errors import UsageError

_FORM = re.compile(r"\s*([^<>=!~]+?)\s*(<=|>=|!=|==|=|<|>|~)\s*(.*?)\s*", re.DOTALL)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
FIELDS = ("id", "name", "project", "state", "group", "sweep", "job_type", "notes", "created", "duration", "tags")
_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?\s*[dhms]\s*)+")


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
            wanted = _amount(self.key, self.value)
            return is_number(found) and wanted is not None and _COMPARE[self.operation](found, wanted)
        if self.key == "created" and _number(self.value) is None:  # a day, or part of a moment as `ls --json` has it
            found = figures.moment(found)
            return found.startswith(self.value) != (self.operation == "!=")
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
    key, operation, value = form.groups()
    if operation in _COMPARE and _amount(key, value) is None:
        kind, how = _WRITTEN.get(key, ("number", "one, as in 'accuracy>0.9'"))
        place = f"{value[:40]!r}, at character {form.start(3) + 1}," if value else "what is compared with"
        raise UsageError(f"{text[:80]!r}: {place} is no {kind}.", fix=f"write {how}")
    return Condition(key=key, operation=operation, value=value)


def check(runs: Sequence[Run], keys: Iterable[str]) -> None:
    """Raise `UsageError` for one of *keys* that none of *runs* has; `-` before it, as in an order, is no part of it.

    Without runs nothing is known, and nothing is wrong.
    """
    left = {key.removeprefix("-") for key in keys} - set(FIELDS)
    known: set[str] = set()
    for run in runs if left else ():
        for kind, tree in (("metrics", run.metrics), ("params", run.params)):
            for name in flatten(tree):
                known |= {name, f"{kind}.{name}"}
        if left <= known:
            return
    if not runs or not (missing := sorted(left - known)):
        return
    names = sorted(name for name in known if not name.startswith(("metrics.", "params.", "_")))
    close = difflib.get_close_matches(missing[0], [*names, *FIELDS], 1)
    some = ", ".join(names[:10] or FIELDS)
    raise UsageError(
        f"No run has {missing[0][:80]!r}.", fix=f"did you mean {close[0]!r}?" if close else f"they have {some}"
    )


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


_WRITTEN = {
    "created": ("date", "it like 2026-01-31 or 2026-01-31T12:30, in UTC"),
    "duration": ("duration", "seconds, or it like 5m, 1h 30m"),
}


def _amount(key: str, text: str) -> float | None:
    """The number that *text* means under *key*: a date is seconds since the epoch, `5m` are seconds."""
    if key == "duration" and _DURATION.fullmatch(text):
        return sum(float(count) * _SECONDS[unit] for count, unit in re.findall(r"([0-9.]+)\s*([dhms])", text))
    if key == "created" and _number(text) is None:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return _number(text)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
