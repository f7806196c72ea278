"""Two edits of one run made into one: what each of them changed against what both began with."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from mlgit.core.artifact import ArtifactVersion, Link
from mlgit.core.run import Run
from mlgit.core.summary import is_object

if TYPE_CHECKING:
    from _typeshed import SupportsRichComparison

T = TypeVar("T", bound="SupportsRichComparison")

_LIFE = (
    "id", "project", "state", "created", "finished", "paused", "seen", "sweep", "parent", "reruns",
    "reproduces", "source", "tree", "dirty", "folder", "given",
)  # fmt: skip
"""What a run says of itself and no edit does: it comes from one side as a whole."""
_WORDS = ("name", "group", "job_type", "notes")
_TREES = ("params", "metrics", "rules", "data", "held")
_VERSIONS = ("used", "logged")
_LISTS = ("tags", "aliases")
_ABSENT = object()


_V = TypeVar("_V")
_Join = Callable[[_V | None, _V, _V], _V]
"""What two sides make of one thing, and how it was before, if it was there."""


class Side(enum.Enum):
    """Whose value counts where both have one of their own."""

    OURS = "ours"
    THEIRS = "theirs"


@dataclass(frozen=True, kw_only=True)
class Clash:
    """A field to which two edits gave two values; None stands for what one of them took away."""

    field: str
    """Its dotted name: `notes`, `params.lr`."""
    ours: Any
    theirs: Any


def merge(base: Run, ours: Run, theirs: Run, prefer: Side | None = None) -> tuple[Run, tuple[Clash, ...]]:
    """The run with what *ours* and *theirs* each made of *base*, and the fields in which they contradict one another.

    There *prefer* says which counts; with None it stays as it was in *base*. Neither which side is which matters, nor
    the order in which several edits come together. `ref` and `commit` are those of *ours*.
    """
    three = _Three(prefer)

    def sides(name: str) -> tuple[Any, Any, Any]:
        return getattr(base, name), getattr(ours, name), getattr(theirs, name)

    lives = [tuple(getattr(run, name) for name in _LIFE) for run in (base, ours, theirs)]
    changed: dict[str, Any] = dict(zip(_LIFE, three.value("life", *lives), strict=True))
    changed |= {name: three.value(name, *sides(name)) for name in _WORDS}
    changed |= {name: three.tree(name, *sides(name)) for name in _TREES}
    changed |= {name: three.versions(name, *sides(name)) for name in _VERSIONS}
    return replace(ours, tags=united(*sides("tags")), **changed), tuple(three.clashes)


def versions(
    base: Sequence[ArtifactVersion], ours: Sequence[ArtifactVersion], theirs: Sequence[ArtifactVersion], prefer: Side
) -> tuple[tuple[ArtifactVersion, ...], tuple[Clash, ...]]:
    """What `merge` makes of the versions that two sides tell of, and where *prefer* had to say which counts."""
    three = _Three(prefer)
    return three.versions("versions", base, ours, theirs), tuple(three.clashes)


def life(run: Run) -> tuple[object, ...]:
    """What changes when a run goes on, and stays whoever edits it."""
    return run.id, run.state, run.created, run.finished, run.seen


def united(base: Sequence[T], ours: Sequence[T], theirs: Sequence[T]) -> tuple[T, ...]:
    """What neither side has taken out of *base*, and what either has added, sorted; as it is where only one did."""
    if ours in (base, theirs):
        return tuple(theirs)
    if theirs == base:
        return tuple(ours)
    kept = [item for item in base if item in ours and item in theirs]
    added = {item for item in (*ours, *theirs) if item not in base}
    return (*kept, *sorted(added))


class _Three:
    """Merges field by field, and remembers the clashes."""

    def __init__(self, prefer: Side | None) -> None:
        self._prefer = prefer
        self.clashes: list[Clash] = []

    def value(self, name: str, base: Any, ours: Any, theirs: Any) -> Any:
        """The one that was changed; `_ABSENT` stands for one that is not there."""
        told = _told(ours)
        if told in (_told(base), _told(theirs)):
            return theirs
        if _told(theirs) == _told(base):
            return ours
        mine, other = (None if side is _ABSENT else side for side in (ours, theirs))
        self.clashes.append(Clash(field=name, ours=mine, theirs=other))
        return {Side.OURS: ours, Side.THEIRS: theirs, None: base}[self._prefer]

    def tree(self, name: str, base: Any, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
        """Key by key, and so whatever nests in it."""
        found: dict[str, Any] = {}
        before = base if _nests(base) else {}
        for key in dict.fromkeys((*before, *ours, *theirs)):
            old, mine, other = (side.get(key, _ABSENT) for side in (before, ours, theirs))
            merge = self.tree if _nests(mine) and _nests(other) else self.value
            value = merge(f"{name}.{key}", old, mine, other)
            if value is not _ABSENT:
                found[key] = value
        return found

    def versions(
        self, name: str, base: Sequence[ArtifactVersion], ours: Sequence[ArtifactVersion],
        theirs: Sequence[ArtifactVersion],
    ) -> tuple[ArtifactVersion, ...]:  # fmt: skip
        """Those of one name and one content are the same; what is told of one is merged as a run is."""
        old, mine, other = ({(one.name, one.hash): vars(one) for one in side} for side in (base, ours, theirs))
        return tuple(
            ArtifactVersion(**self._version(f"{name}.{key[0]}", old.get(key, {}), mine[key], other[key]))
            if key in mine and key in other
            else ArtifactVersion(**(mine.get(key) or other[key]))
            for key in united([*old], [*mine], [*other])
        )

    def _version(
        self, name: str, old: Mapping[str, Any], mine: Mapping[str, Any], other: Mapping[str, Any]
    ) -> dict[str, Any]:
        settled: dict[str, Any] = {field: united(old.get(field, ()), mine[field], other[field]) for field in _LISTS}
        settled["claimed"] = _later(old.get("claimed"), mine["claimed"], other["claimed"])
        settled["edited"] = _each(old.get("edited", {}), mine["edited"], other["edited"], _later)
        settled["links"] = _links(old.get("links", ()), mine["links"], other["links"])
        return self.tree(name, {**old, **settled}, {**mine, **settled}, {**other, **settled})


def _each(base: Mapping[str, _V], ours: Mapping[str, _V], theirs: Mapping[str, _V], join: _Join[_V]) -> dict[str, _V]:
    """What *join* makes of what both sides have, and what either has added."""
    return {
        name: join(base.get(name), ours[name], theirs[name])
        if name in ours and name in theirs
        else {**ours, **theirs}[name]
        for name in united([*base], [*ours], [*theirs])
    }


def _later(base: float | None, ours: float, theirs: float) -> float:
    """When the later one of those was that are changes."""
    return max({ours, theirs} - {base}, default=ours)


def _links(base: Sequence[Link], ours: Sequence[Link], theirs: Sequence[Link]) -> tuple[Link, ...]:
    """The collections that neither side has left, and those that either has put the version into."""
    old, mine, other = ({link.collection: link for link in side} for side in (base, ours, theirs))
    return tuple(_each(old, mine, other, _link).values())


def _link(base: Link | None, ours: Link, theirs: Link) -> Link:
    aliases = united(base.aliases if base else (), ours.aliases, theirs.aliases)
    return replace(ours, aliases=aliases, linked=_later(base.linked if base else None, ours.linked, theirs.linked))


def _nests(value: Any) -> bool:
    return isinstance(value, Mapping) and not is_object(value)


def _told(value: Any) -> Any:
    """What is the same for two values if they are: nan is nan, and 1 neither 1.0 nor true."""
    if isinstance(value, Mapping):
        return sorted((repr(key), _told(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return [_told(item) for item in value]
    return repr(value)
