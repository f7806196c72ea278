"""Ledgers that two repositories share: theirs first, ours behind, and a number for whatever goes there for good.

Nothing is read but the ledgers that differ and the runs that are on their way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from mlgit.core import escape, ledger, refs
from mlgit.core.artifact import called
from mlgit.core.ledger import Ledger
from mlgit.core.merging import Clash
from mlgit.core.roll import Told
from mlgit.core.run import Run
from mlgit.git.objects import Entry, Reader
from mlgit.git.repo import Repo
from mlgit.store import ledgers, runs

Telling = Callable[[Sequence[str]], Mapping[tuple[str, str], Told[str]]]
"""(project, name) → what the runs here claim of the artifacts called so: the index tells."""


@dataclass(frozen=True, kw_only=True)
class Renumbered:
    """A version whose number here was not the one that it has for good."""

    name: str
    before: int
    after: int


@dataclass(frozen=True, kw_only=True)
class Overruled:
    """A word on a version that counts no more, for somebody else had shared another one."""

    version: str
    """`digits:v2`."""
    clash: Clash


class Numbering:
    """What becomes of ledgers; what it makes is on disk after `flush`."""

    def __init__(self, repo: Repo, reader: Reader, telling: Telling) -> None:
        self._repo, self._reader, self._telling, self._writer = repo, reader, telling, repo.writer()
        self.renumbered: dict[tuple[str, str], Renumbered] = {}
        """By ledger and content."""
        self.overruled: dict[tuple[str, str, str], Overruled] = {}
        """By ledger, content and field."""

    def flush(self) -> None:
        """Make the commits durable. Raises `GitError`."""
        self._writer.flush()

    def used(self, tips: Iterable[tuple[str, str]]) -> set[str]:
        """The ledgers of what the runs at *tips*, refs and commits, used of their own project."""
        found = runs.read_all(self._reader, list(tips))
        return {ref for run in found for one in run.used if (ref := refs.ledger(run.project, one.name))}

    def logged(self, tips: Iterable[tuple[str, str]]) -> dict[str, list[Run]]:
        """Ledger → which of the runs at *tips*, refs and commits, logged what it is about.

        What bears the id of its run in its name, as checkpoints of models often do, is nobody else's: it needs none.
        """
        found: dict[str, list[Run]] = {}
        for run in runs.read_all(self._reader, list(tips)):
            for name in called(run.logged):
                if run.id not in name and (ref := refs.ledger(run.project, name)):
                    found.setdefault(ref, []).append(run)
        return found

    def decide(
        self, tips: Mapping[str, tuple[str | None, str | None]], shared: Mapping[str, Sequence[Run]]
    ) -> dict[str, str]:
        """Where the ledgers *tips*, each with ours and theirs, go; without those of which there is nothing to say.

        What the runs *shared* logged gets a number.
        """
        sides = {ref: self._read(ref, near, far) for ref, (near, far) in tips.items()}
        here = self._here([ref for ref, two in sides.items() if _is_unsure(two, shared.get(ref))])
        found: dict[str, str] = {}
        for ref, two in sides.items():
            told = ledger.told(shared.get(ref, ()), two.ours.name)
            if ref in here and two.is_new:  # a new one lists whatever there is
                told.take_over(here[ref])
            contents = ledger.roll(told, two.ours.name).contents
            base = self._base(ref, two)
            joined = ledger.join(base, two.ours, two.theirs)[0].listing(contents)
            for content, clashes in ledger.overruled(base, two.ours, two.theirs).items():
                for one in clashes:
                    word = Overruled(version=joined.called(content), clash=one)
                    self.overruled[ref, content, one.field] = word
            if tip := self._tip(two, joined):
                found[ref] = tip
            if ref in here or two.ours.added:
                self._compare(ref, two.ours, joined, here.get(ref, Told()))
        return found

    def _read(self, ref: str, near: str | None, far: str | None) -> _Two:
        ours, theirs = (ledgers.read(self._reader, ref, tip) for tip in (near, far))
        base = near if near == far else self._repo.merge_base(near, far) if near and far else None
        return _Two(near=near, far=far, base=base, ours=ours, theirs=theirs)

    def _base(self, ref: str, two: _Two) -> Ledger:
        return ledgers.read(self._reader, ref, two.base)

    def _here(self, some: Sequence[str]) -> dict[str, Told[str]]:
        """Ledger → what the runs here claim of what it is about."""
        names = [about[1] for ref in some if (about := refs.of_ledger(ref))]
        known = self._telling(list(dict.fromkeys(names))) if names else {}
        found = {refs.ledger(*about): told for about, told in known.items()}
        return {ref: found[ref] for ref in some if ref in found}

    def _tip(self, two: _Two, joined: Ledger) -> str | None:
        """A commit that says what *joined* does, with all that led there; None where nobody has said anything."""
        if not ledgers.written(two.theirs, joined):
            return two.far
        if two.base == two.far and not ledgers.written(two.ours, joined):
            return two.near
        parents = [tip for tip in (two.far, two.near) if tip and tip != two.base] or [tip for tip in (two.base,) if tip]
        before = two.theirs if parents[:1] == [two.far] else two.ours
        known = set(before.listed)
        new = [f"v{number}" for number, content in enumerate(joined.listed) if content not in known]
        what = f"{joined.name}:{', '.join(new[:5])}{' …' * bool(new[5:])}" if new else joined.name
        why = "written on two machines" if len(parents) > 1 else "listed"
        entries = self._entries(f"{parents[0]}^{{tree}}") if parents else {}
        tree = self._writer.edit(entries, dict(ledgers.written(before, joined)), self._entries)
        return self._repo.write_commit(self._writer, tree, parents, escape.line(f"{what} {why}"))

    def _entries(self, name: str) -> Mapping[str, Entry]:
        return self._reader.tree(name) or {}

    def _compare(self, ref: str, ours: Ledger, joined: Ledger, here: Told[str]) -> None:
        """Remember which versions here have another number than they had."""
        before, after = (ledger.numbers(here, one) for one in (ours, joined))
        for content, place in before.items():
            if after[content] != place:
                self.renumbered[ref, content] = Renumbered(name=ours.name, before=place, after=after[content])


@dataclass(frozen=True, kw_only=True)
class _Two:
    """A ledger here and there."""

    near: str | None
    far: str | None
    base: str | None
    """The newest commit that both hold."""
    ours: Ledger
    theirs: Ledger

    @property
    def is_new(self) -> bool:
        """Whether nothing has a number yet."""
        return not self.ours.listed and not self.theirs.listed


def _is_unsure(two: _Two, shared: Sequence[Run] | None) -> bool:
    """Whether it has to be known what runs here logged: they counted without theirs, or nothing has a number yet."""
    return (two.is_new and bool(shared)) or two.theirs.listed != two.ours.listed[: len(two.theirs.listed)]
