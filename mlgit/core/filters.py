"""W&B's filters of runs, MongoDB's query language in short (pure): `{"config.lr": {"$gt": 0.1}, "state": "finished"}`.

A filter is read once, with its mistakes told, and then asked about each run. As in MongoDB, a key that a run lacks is
equal to None and to nothing else, a list is met where one of its items is, and only like kinds compare: numbers with
numbers, text with text.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from mlgit.core.condition import And, Condition, Not, Operation, Or, Predicate
from mlgit.core.history import AXES
from mlgit.core.run import Run
from mlgit.errors import UsageError

Test = Callable[[Run], bool]
Beside = Callable[[Run, str], Any]
"""What a run's record does not say, by name: `username`, and `_step`, `_runtime`, `_timestamp` of its last row."""

_MISSING = object()
_DEEPEST = 50
_TIMES = ("created_at", "createdAt", "updated_at", "updatedAt", "heartbeat_at", "heartbeatAt")
_WHERE = {"config": "params", "summary_metrics": "metrics", "summary": "metrics", "summaryMetrics": "metrics"}


def _nothing(_run: Run, _name: str) -> None:
    """Nothing is known beside the record."""


@dataclass(frozen=True)
class Filter:
    """A filter that was understood."""

    holds: Test
    """Whether a run passes it."""
    needs: Condition
    """What holds for every run that passes, and perhaps for others: by this they are looked up."""
    is_all: bool
    """Whether it holds for no others."""


def parse(tree: Mapping[str, Any] | None, *, beside: Beside = _nothing) -> Filter:
    """The filter that *tree* describes; None lets every run pass. *beside* is asked what records lack.

    Raises `UsageError`, which names the operator that is wrong. A key that no run can have is one that every run lacks.
    """
    asked = {} if tree is None else tree
    holds = _every(asked, beside, 0)
    needs, is_all = _needs(asked)
    return Filter(holds=holds, needs=needs, is_all=is_all)


def _every(tree: Any, beside: Beside, depth: int) -> Test:
    """All that a mapping asks."""
    if not isinstance(tree, Mapping):
        raise UsageError(f"filters: a mapping is asked for, not {tree!r:.80}.")
    if depth > _DEEPEST:
        raise UsageError("filters: nested too deep.")
    tests = [_asked(key, value, beside, depth) for key, value in tree.items()]
    return lambda run: all(test(run) for test in tests)


def _asked(key: Any, value: Any, beside: Beside, depth: int) -> Test:
    if not isinstance(key, str):
        raise UsageError(f"filters: the key {key!r:.80} is no text.")
    if key == "$not":
        inner = _every(value, beside, depth + 1)
        return lambda run: not inner(run)
    if key in _JOINED:
        if not isinstance(value, list | tuple) or not value:
            raise UsageError(f"filters: {key} takes a list of filters.")
        tests = [_every(item, beside, depth + 1) for item in value]
        join = _JOINED[key]
        return lambda run: join(test(run) for test in tests)
    if key.startswith("$"):
        raise _unknown(key, (*_JOINED, "$not"))
    condition = _condition(key, value, depth)
    return lambda run: condition(value_of(run, key, beside))


def _none(answers: Iterable[bool]) -> bool:
    return not any(answers)


_JOINED: dict[str, Callable[[Iterable[bool]], bool]] = {"$and": all, "$or": any, "$nor": _none}


def _unknown(key: str, known: Sequence[str]) -> UsageError:
    close = difflib.get_close_matches(key, known, 1)
    return UsageError(
        f"filters: there is no operator {key[:80]!r}.", fix=f"did you mean {close[0]}?" if close else ", ".join(known)
    )


def _condition(key: str, value: Any, depth: int) -> Callable[[Any], bool]:
    """What *value* asks of what a run has under *key*: to be equal, or what its operators say."""
    if not (isinstance(value, Mapping) and any(str(name).startswith("$") for name in value)):
        return _operator("$eq", key, value, depth)
    if depth > _DEEPEST:
        raise UsageError("filters: nested too deep.")
    if "$options" in value and "$regex" not in value:
        raise UsageError(f"filters: $options goes with $regex, at {key[:80]!r}.")
    tests = [
        _pattern(key, item, str(value.get("$options", ""))) if name == "$regex" else _operator(name, key, item, depth)
        for name, item in value.items()
        if name != "$options"
    ]
    return lambda found: all(test(found) for test in tests)


def _operator(name: str, key: str, value: Any, depth: int) -> Callable[[Any], bool]:
    if name == "$not":
        inner = _condition(key, value, depth + 1)
        return lambda found: not inner(found)
    if name == "$exists":
        return lambda found: (found is not _MISSING) == bool(value)
    if name in ("$in", "$nin"):
        if not isinstance(value, list | tuple | set | frozenset):
            raise UsageError(f"filters: {name} takes a list, at {key[:80]!r}.")
        wanted = [_figure(key, item) for item in value]
        return lambda found: any(_meets(found, item, _equal) for item in wanted) == (name == "$in")
    if name == "$all":
        if not isinstance(value, list | tuple | set | frozenset):
            raise UsageError(f"filters: $all takes a list, at {key[:80]!r}.")
        every = [_figure(key, item) for item in value]
        return lambda found: bool(every) and all(_meets(found, item, _equal) for item in every)
    if name == "$size":
        return lambda found: isinstance(found, list | tuple) and len(found) == value
    if name not in _COMPARED:
        raise _unknown(name, (*_COMPARED, "$in", "$nin", "$all", "$size", "$not", "$regex", "$exists"))
    compare, figure = _COMPARED[name], _figure(key, value)
    if name == "$ne":
        return lambda found: not _meets(found, figure, _equal)
    return lambda found: _meets(found, figure, compare)


def _pattern(key: str, value: Any, options: str) -> Callable[[Any], bool]:
    if not isinstance(value, str):
        raise UsageError(f"filters: $regex takes a text, at {key[:80]!r}.")
    flags = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE}
    if unknown := [option for option in options if option not in flags]:
        raise UsageError(f"filters: $options knows i, m, s and x, not {unknown[0]!r}.")
    try:
        pattern = re.compile(value, sum(flags[option] for option in set(options)))
    except re.error as exc:
        raise UsageError(f"filters: $regex {value[:80]!r} is no pattern: {exc}.") from None
    return lambda found: any(isinstance(one, str) and pattern.search(one) for one in _each(found))


def _each(found: Any) -> Sequence[Any]:
    return (*found, found) if isinstance(found, list | tuple) else (found,)


def _meets(found: Any, wanted: Any, compare: Callable[[Any, Any], bool]) -> bool:
    """Whether *found*, or an item of it, stands so to *wanted*."""
    if found is _MISSING:
        return wanted is None and compare is _equal
    return any(compare(one, wanted) for one in _each(found))


def _kind(value: Any) -> type:
    if isinstance(value, bool):
        return bool
    if isinstance(value, int | float):
        return float
    return list if isinstance(value, tuple) else dict if isinstance(value, Mapping) else type(value)


def _equal(found: Any, wanted: Any) -> bool:
    if _kind(found) is not _kind(wanted):
        return False
    return list(found) == list(wanted) if _kind(found) is list else bool(found == wanted)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def test(found: Any, wanted: Any) -> bool:
        return _kind(found) is _kind(wanted) and _kind(found) in (bool, float, str) and compare(found, wanted)

    return test


_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": _equal,
    "$ne": _equal,
    "$gt": _ordered(lambda found, wanted: found > wanted),
    "$gte": _ordered(lambda found, wanted: found >= wanted),
    "$lt": _ordered(lambda found, wanted: found < wanted),
    "$lte": _ordered(lambda found, wanted: found <= wanted),
}


def _figure(key: str, value: Any) -> Any:
    """What a run's value is compared with: a moment in seconds, whatever way it is written."""
    if key not in _TIMES or isinstance(value, int | float) or value is None:
        return value
    if isinstance(value, datetime):
        moment = value
    else:
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            raise UsageError(
                f"filters: {value!r:.80} is no moment, at {key}.", fix="2026-01-31T12:30:00, in UTC, or seconds"
            ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


# ------------------------------------------------------------------------------------------------ what is needed


Needs = tuple[Condition, bool]
"""`Filter.needs`, `Filter.is_all`."""


def _needs(tree: Mapping[str, Any]) -> Needs:
    """What a filter that was understood needs: what has no like among conditions is left out."""
    return _all_of(_needed(key, value) for key, value in tree.items())


def _all_of(parts: Iterable[Needs]) -> Needs:
    found = list(parts)
    return And(tuple(part for part, _ in found)), all(is_all for _, is_all in found)


def _any_of(parts: Iterable[Needs]) -> Needs:
    found = list(parts)
    return Or(tuple(part for part, _ in found)), all(is_all for _, is_all in found)


def _none_of(part: Needs) -> Needs:
    """Who does not meet what others need besides may pass, or not."""
    return (Not(part[0]), True) if part[1] else _UNKNOWN


def _needed(key: str, value: Any) -> Needs:
    """What one key has to meet."""
    match key:
        case "$and":
            return _all_of(map(_needs, value))
        case "$or":
            return _any_of(map(_needs, value))
        case "$nor":
            return _none_of(_any_of(map(_needs, value)))
        case "$not":
            return _none_of(_needs(value))
    is_asked = isinstance(value, Mapping) and any(str(name).startswith("$") for name in value)
    return _all_of(
        _met(key, name, item, value)
        for name, item in (value.items() if is_asked else (("$eq", value),))
        if name != "$options"
    )


def _met(key: str, name: str, item: Any, asked: Any) -> Needs:
    """What the operator *name* with *item*, one of what is *asked*, needs of *key*."""
    if name in _DENIED:
        return _none_of(_met(key, _DENIED[name], item, asked))
    figures = tuple(_figure(key, one) for one in (item if name == "$in" else (item,)))
    if name == "$regex":
        figures = (f"(?{asked['$options']}){item}" if asked.get("$options") else item,)
    keys = _keys(key)
    is_plain = all(isinstance(one, bool | int | float | str) and one == one for one in figures)  # no nan
    if name not in _LIKE or not is_plain or not keys:
        return _UNKNOWN
    return Or(tuple(Predicate(one, _LIKE[name], figures) for one in keys)), True


_UNKNOWN: Needs = (And(()), False)
_DENIED = {"$ne": "$eq", "$nin": "$in"}
_LIKE = {
    "$eq": Operation.EQUAL, "$in": Operation.EQUAL, "$gt": Operation.MORE, "$gte": Operation.AT_LEAST,
    "$lt": Operation.LESS, "$lte": Operation.AT_MOST, "$regex": Operation.MATCH,
}  # fmt: skip
_NAMED = {
    "name": ("id", "name"), "display_name": ("name",), "displayName": ("name",), "jobType": ("job_type",),
    "tags": ("tags",), "description": ("notes",), "created_at": ("created",), "createdAt": ("created",),
    **{name: (name,) for name in ("id", "state", "group", "job_type", "sweep", "notes", "project", "duration")},
}  # fmt: skip


def _keys(key: str) -> tuple[str, ...]:
    """The keys of `core.query` one of which has to meet what W&B's *key* does; none where that is not known."""
    first, _, rest = key.partition(".")
    if first not in _WHERE or not rest:
        return _NAMED.get(key, ())
    return () if rest in AXES or "value" in rest.split(".") else (f"{_WHERE[first]}.{rest}",)


def value_of(run: Run, key: str, beside: Beside = _nothing) -> Any:
    """What *run* has under W&B's *key*; `name` is its id and its name, either of which may be meant.

    What it lacks, and what no run has, is equal to nothing, and ordered nowhere.
    """
    if key in _FIELDS:
        found = _FIELDS[key](run)
        return _MISSING if found is None else found
    if key in ("username", "user", "user.username"):
        return beside(run, "username")
    first, _, rest = key.partition(".")
    if first not in _WHERE or not rest:
        return _MISSING
    if _WHERE[first] == "params":
        found = _leaf(run.params, rest)
        return _leaf(run.params, _unwrapped(rest)) if found is _MISSING else found
    found = _leaf(run.metrics, rest)
    if found is not _MISSING or rest not in AXES:
        return found
    told = beside(run, rest)
    return _MISSING if told is None else told


def _unwrapped(path: str) -> str:
    """*path* without the `value` in it: W&B's server keeps `{"opt": {"value": {"name": …}}}`."""
    return re.sub(r"\.value(?=\.|$)", "", path, count=1)


def _leaf(tree: Any, path: str) -> Any:
    """What lies at a dotted path; names may hold dots themselves."""
    if not isinstance(tree, Mapping):
        return _MISSING
    if path in tree:
        return tree[path]
    parts = path.split(".")
    for count in range(len(parts) - 1, 0, -1):
        head = ".".join(parts[:count])
        if head in tree and (found := _leaf(tree[head], ".".join(parts[count:]))) is not _MISSING:
            return found
    return _MISSING


def _ended(run: Run) -> float:
    return run.created if run.finished is None else run.finished


_FIELDS: dict[str, Callable[[Run], Any]] = {
    "id": lambda run: run.id,
    "name": lambda run: (run.id, run.name),
    "display_name": lambda run: run.name,
    "displayName": lambda run: run.name,
    "state": lambda run: run.state.value,
    "group": lambda run: run.group,
    "job_type": lambda run: run.job_type,
    "jobType": lambda run: run.job_type,
    "sweep": lambda run: run.sweep,
    "tags": lambda run: run.tags,
    "notes": lambda run: run.notes,
    "description": lambda run: run.notes,
    "project": lambda run: run.project,
    "commit": lambda run: run.source,
    "duration": lambda run: run.duration,
    "created_at": lambda run: run.created,
    "createdAt": lambda run: run.created,
    "updated_at": _ended,
    "updatedAt": _ended,
    "heartbeat_at": _ended,
    "heartbeatAt": _ended,
}


def ordered(runs: Sequence[Run], order: str, *, beside: Beside = _nothing) -> list[Run]:
    """*runs* by W&B's *order*: `+created_at`, `-summary_metrics.acc`, `config.lr`; several with commas between.

    Those without a value come last, numbers before text. Raises `UsageError`.
    """
    found = list(runs)
    for part in reversed([part.strip() for part in order.split(",") if part.strip()]):
        key, backwards = part.lstrip("+-"), part.startswith("-")
        ranked = [(_rank(value_of(run, key, beside)), run) for run in found]
        found = [run for rank, run in ranked if rank is None]
        for kind in (1, 0):
            alike = [(rank[1], run) for rank, run in ranked if rank and rank[0] == kind]
            found[:0] = [run for _, run in sorted(alike, key=itemgetter(0), reverse=backwards)]
    return found


def keys_of(order: str) -> tuple[str, ...] | None:
    """The same *order* as `core.query.ordered` takes it; None where it is by what it does not know."""
    parts = [part.strip() for part in order.split(",") if part.strip()]
    found = [("-" * part.startswith("-"), _keys(part.lstrip("+-"))) for part in parts]
    return tuple(f"{sign}{keys[-1]}" for sign, keys in found) if all(keys for _, keys in found) else None


def _rank(value: Any) -> tuple[int, Any] | None:
    one = value[-1] if isinstance(value, tuple) and value else value
    if one is _MISSING or one is None or one != one or one == ():
        return None
    return (0, one) if isinstance(one, int | float) else (1, str(one))
