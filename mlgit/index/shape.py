"""Records turned into columns (pure): what can be asked of runs, key by key.

Runs of one script are of one shape, so their params and metrics are turned like a table, not looked at one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mlgit.core import query
from mlgit.core.artifact import ArtifactVersion, called, claims, odd_namings
from mlgit.core.compare import flatten
from mlgit.core.run import in_calendar

_TEXTS = (
    "project", "state", "group", "sweep", "job_type", "notes", "source", "parent", "reruns", "reproduces", "tree",
)  # fmt: skip
"""The fields that are text."""

Columns = dict[str, tuple[list[int], list[Any]]]
"""Key → positions and values: a field by its name, params and metrics by dotted names after `params.`, `metrics.`."""


def columns(records: Sequence[tuple[int, Mapping[str, Any]]]) -> Columns:
    """What (position, `store.records.content`) of several runs say under each key. None is nothing."""
    made: Columns = {}
    positions = [position for position, _ in records]
    contents = [content for _, content in records]
    there = set[str]().union(*contents)
    for name in filter(there.__contains__, _TEXTS):
        _take(made, _KEYS.get(name, name), positions, [content.get(name) or None for content in contents])
    for name, told in _TOLD.items():
        if name in there:
            values = (content.get(name) for content in contents)
            _take(made, _KEYS.get(name, name), positions, [told(value) if value else None for value in values])
    if "used" in there:
        used = [_versions(content.get("used")) for content in contents]
        _take(made, "used", positions, [list(called(some)) or None for some in used])
        _take(made, query.USED, positions, [query.distinct(one.hash for one in some) or None for some in used])
    created = [in_calendar(content["created"]) for content in contents]
    if "logged" in there:
        logged = [_versions(content.get("logged")) for content in contents]
        claimed = [claims(some, began) for some, began in zip(logged, created, strict=True)]
        _take(made, "logged", positions, [list(called(some)) or None for some in logged])
        _take(made, query.LOGGED, positions, [[claim.text for claim in some] or None for some in claimed])
        odd = [odd_namings(some, began) for some, began in zip(logged, created, strict=True)]
        _take(made, query.CALLED, positions, [[naming.text for naming in some] or None for some in odd])
    finished = [_moment(content.get("finished")) for content in contents]
    _take(made, "created", positions, created)
    _take(made, "finished", positions, finished)
    _take(
        made, "duration", positions,
        [
            None if end is None else max(0.0, end - begin - in_calendar(content.get("paused") or 0.0))
            for begin, end, content in zip(created, finished, contents, strict=True)
        ],
    )  # fmt: skip
    for kind in ("params", "metrics"):
        _turn(made, kind, ((at, tree) for at, content in records if (tree := content.get(kind))))
    return made


def fits(key: str, others: Sequence[Any], *, has_numbers: bool) -> bool:
    """Whether `columns` may have under *key* what is no number, *others*, and numbers."""
    if key.startswith(query.KINDS):
        return True
    if key in _NUMBERS:
        return not others
    are_texts, are_lists = (all(isinstance(value, kind) for value in others) for kind in (str, list))
    if key in _LISTS and are_lists:
        return not has_numbers and all(isinstance(text, str) for some in others for text in some)
    return not has_numbers and are_texts and key in {_KEYS.get(name, name) for name in _TEXTS}


def _versions(told: Iterable[Mapping[str, Any]] | None) -> Sequence[ArtifactVersion]:
    """The artifacts that a record tells of."""
    return [ArtifactVersion.of(version) for version in told] if told else ()


_KEYS = {"tree": query.TREE, "held": query.HELD, "given": query.GIVEN, "data": query.DATA}
"""The keys of fields that are not asked for by their own name."""
_TOLD: Mapping[str, Callable[[Any], Any]] = {
    "tags": lambda tags: list(map(str, tags)), "held": len, "given": len,
    "data": lambda data: query.contents(data) or None,
}  # fmt: skip
"""The fields that are more than a text, and what a column has of them."""
_LISTS = ("tags", "used", "logged", query.DATA, query.USED, query.LOGGED, query.CALLED)
_NUMBERS = ("created", "finished", "duration", query.HELD, query.GIVEN)


def names(keys: Iterable[str]) -> set[str]:
    """The metrics and params among *keys*, by their bare names, and with `metrics.` or `params.` before."""
    named = {key for key in keys if key.startswith(("metrics.", "params."))}
    return named | {key.partition(".")[2] for key in named}


def _moment(seconds: float | None) -> float | None:
    return None if seconds is None else in_calendar(seconds)


def _turn(made: Columns, kind: str, trees: Iterable[tuple[int, Mapping[str, Any]]]) -> None:
    shapes: dict[tuple[str, ...], tuple[list[int], list[Mapping[str, Any]]]] = {}
    for at, tree in trees:
        shape = shapes.setdefault(tuple(tree), ([], []))
        shape[0].append(at)
        shape[1].append(tree)
    for names, (positions, rows) in shapes.items():
        turned = list(zip(*(row.values() for row in rows), strict=True))
        if any(dict in set(map(type, values)) and any(map(_is_nested, values)) for values in turned):
            _turn(made, kind, zip(positions, map(flatten, rows), strict=True))
            continue
        for name, values in zip(names, turned, strict=True):
            _take(made, f"{kind}.{name}", positions, values)


def _is_nested(value: object) -> bool:
    return type(value) is dict and bool(value)


def _take(made: Columns, key: str, positions: Sequence[int], values: Sequence[Any]) -> None:
    """Put *values* into the column *key*, those that are None left out."""
    if None in values:
        positions = [at for at, value in zip(positions, values, strict=True) if value is not None]
        values = [value for value in values if value is not None]
    if values:
        column = made.setdefault(key, ([], []))
        column[0].extend(positions)
        column[1].extend(values)
