"""`mlgit ls --group-by`: a line for all runs that are alike, with what their numbers have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from mlgit.cli import output
from mlgit.core import figures, query
from mlgit.core.condition import Condition
from mlgit.core.stats import PARTS, Group
from mlgit.store.place import Place

_MOST = 3
"""So many metrics are summed up where none is asked for."""
_SAMPLE = 50
"""So many runs say which metrics are worth it."""


def groups(
    place: Place, by: Sequence[str], metrics: Sequence[str], wanted: Condition, order: Sequence[str],
    project: str | None,
) -> list[Group]:  # fmt: skip
    """The groups of the runs that meet *wanted*, *order* by the keys, `runs`, a metric (its mean), `accuracy.std`.

    Where no *metrics* are asked for, those that say most about the newest runs.
    """
    from mlgit.index import query as index

    if not metrics:
        sample = index.search(place.repo, wanted, project=project, limit=_SAMPLE).runs
        counted = Counter(name for run in sample for name in run.headlines if name not in by)
        metrics = [name for name, _ in counted.most_common(_MOST)]
    found = index.groups(place.repo, by, metrics, wanted, project=project)
    names = {*by, *metrics, "runs", *(f"{name}.{part}" for name in metrics for part in PARTS)}
    for key in order:
        if key.removeprefix("-") not in names:
            raise query.unknown(key.removeprefix("-"), names)
    return query.ordered(found, *order, value=_value_of)


def _value_of(group: Group, key: str) -> Any:
    if key in group.values:
        return group.values[key]
    summary = group.summaries.get(key)
    value = group.runs if key == "runs" else summary.mean if summary else group.flat().get(key)
    return None if value != value else value


def draw(shown: Sequence[Group], *, whole: bool, empty: str) -> None:
    """A table of them, for a person; the *whole* of it has spread and extremes."""
    by = list(shown[0].values) if shown else []
    metrics = list(shown[0].summaries) if shown else []
    parts = ("std", "min", "max") if whole else ()
    beside = [f"{name} {part}" for name in metrics for part in parts]
    rows = [
        (
            *(_cell(value, key) for key, value in group.values.items()), str(group.runs),
            *map(figures.mean, group.summaries.values()),
            *(_figure(getattr(one, part)) for one in group.summaries.values() for part in parts),
        )
        for group in shown
    ]  # fmt: skip
    numeric = [name for name in by if all(isinstance(group.values[name], int | float | None) for group in shown)]
    output.table(
        (*by, "runs", *metrics, *beside), rows, right=(*numeric, "runs", *metrics, *beside), empty=empty,
        spare=beside[::-1], firm=(*by, "runs", *metrics),
    )  # fmt: skip


def _figure(value: float) -> str:
    """Nothing for nan: there are too few numbers to say it."""
    return "" if value != value else figures.number(value)


def _cell(value: Any, key: str) -> str:
    if value is None:
        return ""
    if key in ("created", "finished"):
        return figures.moment(value)
    if key == "duration":
        return figures.duration(value)
    return ", ".join(map(str, value)) if isinstance(value, list) else figures.number(value)
