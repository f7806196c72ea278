"""The versions of one artifact: their numbers and aliases, by what is claimed of them (pure).

Who claims it is carried along, and need not be known: a row of the index serves as well as a record. So a name that a
hundred thousand runs have logged is told apart without reading one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any, Generic, TypeVar

from mlgit.core.artifact import Claim, Naming

T = TypeVar("T")
Ids = Callable[[Collection[T]], Mapping[T, str]]
"""The ids of those that are runs: of two claims of one moment the lower id's goes first."""
_SHORTEST = 6
"""So many digits of a hash name a version."""


@dataclass(frozen=True)
class Told(Generic[T]):
    """What is told of one name, a claim a line, in columns and in no order: very many have nothing but these."""

    contents: list[str] = field(default_factory=list)
    logged: list[float] = field(default_factory=list)
    tellers: list[T] = field(default_factory=list)
    odd: dict[int, Naming] = field(default_factory=dict)
    """What of that is called something else than `latest` since it was logged, by line."""

    def add(self, claim: Claim, naming: Naming, teller: T) -> None:
        """Take up that *teller* makes the *claim*, and what it is called."""
        if not naming.is_plain(claim.logged):
            self.odd[len(self.contents)] = naming
        self.take(claim.content, claim.logged, teller)

    def take(self, content: str, logged: float, teller: T) -> None:
        """Take up that *teller* *logged* the *content*, of which nothing else is said."""
        self.contents.append(content)
        self.logged.append(logged)
        self.tellers.append(teller)

    def lines(self) -> dict[tuple[T, str], list[int]]:
        """(teller, content) → its lines, the last one first: nearly always one."""
        found: dict[tuple[T, str], list[int]] = {}
        for line in reversed(range(len(self.contents))):
            found.setdefault((self.tellers[line], self.contents[line]), []).append(line)
        return found

    def by(self, ids: Ids[T]) -> Told[str]:
        """The same with the *ids* of those who tell it, who have to be runs."""
        known = ids(set(self.tellers))
        return Told(self.contents, self.logged, [known[one] for one in self.tellers], self.odd)

    def take_over(self, other: Told[Any]) -> None:
        """Take up all that *other* has."""
        self.odd.update({len(self.contents) + line: claim for line, claim in other.odd.items()})
        self.contents.extend(other.contents)
        self.logged.extend(other.logged)
        self.tellers.extend(other.tellers)


class Roll(Generic[T]):
    """What *project* has under *name*: the contents that are *listed* first, then by when they came.

    An alias belongs to the newest claim of it.
    """

    def __init__(self, project: str, name: str, told: Told[T], ids: Ids[T], listed: Iterable[str] = ()) -> None:
        self.project, self.name = project, name
        self._told, self._ids = told, ids
        self._listed = dict.fromkeys(listed)

    @cached_property
    def _lines(self) -> list[int]:
        """The lines in the order in which they were logged."""
        logged, tellers = self._told.logged, self._told.tellers
        lines = sorted(range(len(logged)), key=logged.__getitem__)
        alike = {logged[line] for line, after in pairwise(lines) if logged[line] == logged[after]}
        if alike:
            ids = self._ids({tellers[line] for line in lines if logged[line] in alike})
            lines.sort(key=lambda line: (logged[line], ids.get(tellers[line], "")))
        return lines

    @cached_property
    def _claimed(self) -> Sequence[int]:
        """The lines by since when they count."""
        logged, odd = self._told.logged, self._told.odd
        if not odd:
            return self._lines
        return sorted(self._lines, key=lambda line: odd[line].when if line in odd else logged[line])

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Content → number; of those too that are listed and nobody tells of any more."""
        every = dict.fromkeys((*self._listed, *map(self._told.contents.__getitem__, self._lines)))
        return dict(zip(every, range(len(every)), strict=True))

    @cached_property
    def _first(self) -> dict[str, int]:
        return {self._told.contents[line]: line for line in reversed(self._lines)}

    @cached_property
    def _newest(self) -> dict[str, int]:
        return {self._told.contents[line]: line for line in self._claimed}

    @cached_property
    def owners(self) -> dict[str, str]:
        """Alias → the content that is called so."""
        contents, odd, lines = self._told.contents, self._told.odd, self._claimed
        found: dict[str, str] = {}
        for line in lines if odd else lines[-1:]:
            for alias in odd[line].aliases if line in odd else ("latest",):
                found[alias] = contents[line]
        return found

    @cached_property
    def called(self) -> dict[str, list[str]]:
        """Content → its aliases, of those that have some."""
        found: dict[str, list[str]] = {}
        for alias, owner in self.owners.items():
            found.setdefault(owner, []).append(alias)
        return found

    @property
    def is_empty(self) -> bool:
        """Whether nobody tells of anything here."""
        return not self._told.contents

    def __contains__(self, content: str) -> bool:
        """Whether somebody tells of it."""
        return content in self._first

    @cached_property
    def contents(self) -> list[str]:
        """Those of which somebody tells, by number."""
        first = self._first
        return [content for content in self.numbers if content in first]

    def logged(self, content: str) -> float:
        """When it was first logged, or added, in seconds since the epoch."""
        return self._told.logged[self._first[content]]

    def first(self, content: str) -> T:
        """Who told of it first."""
        return self._told.tellers[self._first[content]]

    def newest(self, content: str) -> T:
        """Whose word on it counts."""
        return self._told.tellers[self._newest[content]]

    @cached_property
    def _edited(self) -> dict[str, list[T]]:
        odd = self._told.odd
        found: dict[str, list[T]] = {}
        for line in self._lines if odd else ():
            if line in odd and odd[line].edited:
                found.setdefault(self._told.contents[line], []).append(self._told.tellers[line])
        return found

    def edited(self, content: str) -> Sequence[T]:
        """Where people have said something of it: several, where clones did who had not met."""
        return self._edited.get(content, ())

    def tellers(self, content: str) -> set[T]:
        """Those who tell all that counts of it."""
        return {self.first(content), self.newest(content), *self.edited(content)}

    def aliases(self, content: str) -> tuple[str, ...]:
        """The names that nobody has claimed for another version since."""
        return tuple(self.called.get(content, ()))

    def is_listed(self, content: str) -> bool:
        """Whether its number is its own for good."""
        return content in self._listed

    def is_deleted(self, content: str) -> bool:
        """Whether somebody has deleted it since it was last logged."""
        naming = self._told.odd.get(self._newest[content]) if self._told.odd else None
        return naming is not None and naming.is_deleted

    @property
    def left(self) -> str | None:
        """The one that `latest` means: who is called so, else the newest; None where all were deleted."""
        owner = self.owners.get("latest")
        if owner and not self.is_deleted(owner):
            return owner
        return next((content for content in reversed(self.contents) if not self.is_deleted(content)), None)

    def chosen(self, which: str) -> str | None:
        """The content that an alias, `v3`, or six digits of its hash mean here; None for nothing, or several."""
        if which == "latest":
            return self.left or next(reversed(self.contents), None)
        if (number := number_of(which)) is not None:
            return next((one for one, place in self.numbers.items() if place == number and one in self), None)
        if which in self.owners:
            return self.owners[which]
        fitting = [one for one in self.contents if len(which) >= _SHORTEST and one.startswith(which)]
        return fitting[0] if len(fitting) == 1 else None


def number_of(which: str) -> int | None:
    """3 for `v3`."""
    return int(which[1:]) if which[:1] == "v" and which[1:].isdecimal() and len(which) < 20 else None
