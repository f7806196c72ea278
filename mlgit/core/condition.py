"""What may be asked of a run, as a tree: `mlgit.core.language` reads it, everything that finds runs asks it.

A run without the key meets `is null` and what is denied of it (`!=`, `not in`, `!~`), and nothing else. Only like kinds
compare, numbers with numbers and texts with texts; a list meets what one of its items meets. `str` writes a tree in
the language again.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

Value = float | int | bool | str
WORDS = frozenset(("and", "or", "not", "in", "is", "null", "true", "false"))
"""What is no key, unless it is written in backquotes."""
KEY = re.compile(r"[^\W\d][\w./-]*")
"""A key that needs no backquotes."""


class Operation(enum.Enum):
    """What a test asks of a value."""

    EQUAL = "="
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="
    MATCH = "~"
    NULL = "is null"


@dataclass(frozen=True)
class Predicate:
    """One question about one *key*. `EQUAL` to any of *values*; the others have one value, `NULL` has none."""

    key: str
    operation: Operation
    values: tuple[Value, ...] = ()

    def __str__(self) -> str:
        return _written(self, denied=False)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Of `MATCH`, what is looked for anywhere in a text."""
        return re.compile(str(self.values[0]))


@dataclass(frozen=True)
class Not:
    """*inner* does not hold."""

    inner: Condition

    def __str__(self) -> str:
        return _written(self.inner, denied=True) if isinstance(self.inner, Predicate) else f"not ({self.inner})"


@dataclass(frozen=True)
class And:
    """All of *parts* hold; without any, that is so."""

    parts: tuple[Condition, ...]

    def __str__(self) -> str:
        return " and ".join(f"({part})" if isinstance(part, And | Or) else str(part) for part in self.parts)


@dataclass(frozen=True)
class Or:
    """One of *parts* holds."""

    parts: tuple[Condition, ...]

    def __str__(self) -> str:
        return " or ".join(f"({part})" if isinstance(part, Or) else str(part) for part in self.parts)


Condition = Predicate | Not | And | Or


def keys(condition: Condition) -> Iterator[str]:
    """The keys that are asked about, in the order of the text, as often as they are."""
    match condition:
        case Predicate():
            yield condition.key
        case Not():
            yield from keys(condition.inner)
        case And() | Or():
            for part in condition.parts:
                yield from keys(part)


def mapped(condition: Condition, change: Callable[[Predicate], Condition]) -> Condition:
    """*condition* with what *change* makes of each of its tests in their place."""
    match condition:
        case Predicate():
            return change(condition)
        case Not():
            return Not(mapped(condition.inner, change))
        case And():
            return And(tuple(mapped(part, change) for part in condition.parts))
        case Or():
            return Or(tuple(mapped(part, change) for part in condition.parts))


def holds(condition: Condition, value_of: Callable[[str], Any]) -> bool:
    """Whether *condition* holds where *value_of* tells what is under a key, None for nothing."""
    match condition:
        case Predicate():
            return meets(condition, value_of(condition.key))
        case Not():
            return not holds(condition.inner, value_of)
        case And():
            return all(holds(part, value_of) for part in condition.parts)
        case Or():
            return any(holds(part, value_of) for part in condition.parts)


def meets(test: Predicate, found: Any) -> bool:
    """Whether *found*, None for nothing, is what *test* asks for."""
    items = found if isinstance(found, list | tuple) else (found,)
    if test.operation is Operation.NULL:
        return found is None or not items
    if test.operation is Operation.MATCH:
        return any(isinstance(item, str) and test.pattern.search(item) for item in items)
    compare = _COMPARED[test.operation]
    return any(_kind(item) is _kind(value) and compare(item, value) for item in items for value in test.values)


_COMPARED: dict[Operation, Callable[[Any, Any], bool]] = {
    Operation.EQUAL: lambda found, value: bool(found == value or (found != found and value != value)),  # nan is nan
    Operation.LESS: lambda found, value: bool(found < value),
    Operation.AT_MOST: lambda found, value: bool(found <= value),
    Operation.MORE: lambda found, value: bool(found > value),
    Operation.AT_LEAST: lambda found, value: bool(found >= value),
}


def _kind(value: Any) -> type | None:
    """What compares with its like; what is neither number, truth value nor text compares with nothing."""
    if isinstance(value, bool):
        return bool
    if isinstance(value, int | float):
        return float
    return str if isinstance(value, str) else None


def _written(test: Predicate, *, denied: bool) -> str:
    is_plain = KEY.fullmatch(test.key) and test.key.lower() not in WORDS
    key = test.key if is_plain else _quoted(test.key, "`")
    values = [_literal(value) for value in test.values]
    if test.operation is Operation.NULL:
        return f"{key} is not null" if denied else f"{key} is null"
    if len(values) != 1:
        return f"{key} {'not in' if denied else 'in'} ({', '.join(values)})"
    if not denied:
        return f"{key} {test.operation.value} {values[0]}"
    known = {Operation.EQUAL: "!=", Operation.MATCH: "!~"}.get(test.operation)
    return f"{key} {known} {values[0]}" if known else f"not {key} {test.operation.value} {values[0]}"


def _literal(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return _quoted(value, "'") if isinstance(value, str) else repr(value)


def _quoted(text: str, quote: str) -> str:
    return f"{quote}{text.replace(quote, quote + quote)}{quote}"
