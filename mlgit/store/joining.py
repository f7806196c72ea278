"""One run as two machines have it: one of them has it further, or both edits in one commit, or it is two runs by now.

A merge is a commit with both tips as parents, so that either side comes to it by going forward.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from mlgit.core import merging, refs
from mlgit.core.merging import Clash, Side
from mlgit.core.run import EMPTY, Run
from mlgit.errors import NotFoundError
from mlgit.git import merge
from mlgit.git.objects import Entry, Reader
from mlgit.git.repo import Repo, message_trailer, split_commit
from mlgit.store import edit, files, parted, records, runs

_NEAR = 10
"""Commits below a tip that are looked at before git is asked whether it holds another."""
_MANY = 100
"""Likewise, for the one that two tips have in common."""


@dataclass(frozen=True, kw_only=True)
class Joined:
    """What becomes of two tips of one branch."""

    tip: str | None = None
    """Where both sides go; None where they can't come together."""
    clashes: tuple[Clash, ...] = ()
    """What both have edited, each otherwise: only a person can say what counts."""
    apart: Run | None = None
    """Ours, where it is another run than theirs by now: under an id of its own."""


@dataclass(frozen=True, kw_only=True)
class Parted:
    """A run that has become two."""

    ref: str
    """Its branch: the remote's from now on."""
    own: str
    """The branch of what was recorded here: if both went on with it, under another id, with the run as its parent."""


def free_ref(own: Run, taken: Container[str]) -> str:
    """A branch for *own* that is none of those *taken*."""
    names = [refs.run_ref(own.project, own.name, own.id, digits=digits) for digits in (8, 16, 40)]
    return next(name for name in names if name not in taken)


def is_near(reader: Reader, tip: str, below: str) -> bool:
    """Whether *below* is among the next commits that *tip* holds: mostly so, and git need not be asked then."""
    return any(commit == below for commit, _ in islice(_history(reader, tip), _NEAR))


def _history(reader: Reader, tip: str) -> Iterator[tuple[str, Sequence[str]]]:
    """The commits of a run from its *tip* down, each with its parents; its code without: nothing is read below it.

    That may be where a shallow clone ends.
    """
    known = [tip]
    for commit in known:
        found = reader.read(commit)
        _, parents, message = split_commit(found[2] if found else b"")
        parents = parents if message_trailer(message, records.TRAILER) else []
        known += [parent for parent in parents if parent not in known]
        yield commit, parents


def join(repo: Repo, ours: str, theirs: str, *, agreed: str | None = None, prefer: Side | None = None) -> Joined:
    """`Joining.join` of one run, durable."""
    with repo.reader() as reader:
        joining = Joining(repo, reader)
        joined = joining.join(ours, theirs, agreed=agreed, prefer=prefer)
        joining.flush()
    return joined


class Joining:
    """Joins runs, one after the other; what it makes is on disk after `flush`."""

    def __init__(self, repo: Repo, reader: Reader) -> None:
        self._repo, self._reader, self._writer = repo, reader, repo.writer()

    def flush(self) -> None:
        """Make the commits durable. Raises `GitError`."""
        self._writer.flush()

    def join(self, ours: str, theirs: str, *, agreed: str | None = None, prefer: Side | None = None) -> Joined:
        """What becomes of the tips *ours* and *theirs*; no ref moves. *agreed*: the one both had when they last met.

        It counts where they share no commit of the run any more, because theirs was rewritten: then our edits come on
        top of theirs, and what was taken out there does not go back. What *prefer* is for, see `core.merging`.
        """
        base = self._base(ours, theirs)
        if base in (ours, theirs):
            return Joined(tip=theirs if base == ours else ours)
        here, there = self._read(ours), self._read(theirs)
        if here is None or there is None:
            return Joined()  # a branch that somebody has put there by hand
        common = self._as_it_was(here, base)
        is_rewritten = common is None
        common = common or self._as_it_was(here, agreed)
        if there.id != here.id:
            return Joined(apart=replace(here, commit=ours))
        if common is None or merging.life(common) not in (merging.life(here), merging.life(there)):
            return Joined(apart=parted.renamed(self._repo, here, ours))
        if is_rewritten and agreed == ours:
            return Joined(tip=theirs)
        about = self._about(there if merging.life(here) == merging.life(common) else here)
        merged, clashes = merging.merge(common, here, there, prefer)
        documents = files.documents(merged, about)
        known = documents.keys() | {path for run in (common, here, there) for path in files.documents(run, about)}
        changes: dict[str, bytes | Entry | None] = {
            runs.place_of(merged, path): documents[path].encode("utf-8", "replace") if path in documents else None
            for path in known
        }
        tree, conflicts = (theirs, []) if is_rewritten else self._tree(base, ours, theirs, changes)
        for path in (path for path in conflicts if path not in changes):
            mine, other = (self._entry(tip, path) for tip in (ours, theirs))
            clashes += (Clash(field=path, ours=mine and mine.oid[:10], theirs=other and other.oid[:10]),)
            changes[path] = mine if prefer is Side.OURS else other
        if clashes and prefer is None:
            return Joined(clashes=clashes)
        tree = self._writer.edit(self._entries(f"{tree}^{{tree}}"), changes, self._entries)
        parents = (theirs,) if is_rewritten else (ours, theirs)
        message = edit.message(merged, "edited on two machines")
        return Joined(tip=self._repo.write_commit(self._writer, tree, parents, message))

    def _base(self, ours: str, theirs: str) -> str | None:
        """The newest commit that both hold, or None: git is asked where the commits next to them do not tell."""
        mine, others = (dict(islice(_history(self._reader, tip), _MANY)) for tip in (ours, theirs))
        if max(len(mine), len(others)) < _MANY:
            common = {commit for commit in mine.keys() & others.keys() if mine[commit] or commit in (ours, theirs)}
            newest = common - {parent for commit in common for parent in mine[commit]}
            if len(newest) == 1:
                return newest.pop()
        for older, newer in ((theirs, ours), (ours, theirs)):
            if self._repo.is_ancestor(older, newer):
                return older
        return self._repo.merge_base(ours, theirs)

    def _tree(
        self, base: str | None, ours: str, theirs: str, changes: dict[str, bytes | Entry | None]
    ) -> tuple[str, list[str]]:
        """A tree with the files of both, and those in it that hold a conflict; *changes* are made to it yet.

        Mostly each has changed files of its own, and theirs join the *changes* then; git is asked where both have
        changed one that no record settles.
        """
        was, mine, other = (self._entries(f"{tip}^{{tree}}") for tip in (base, ours, theirs))
        found = [*self._changed(was, mine, other)]
        if base is None or any(is_ours_too and path not in changes for path, _, is_ours_too in found):
            return merge.try_tree(self._repo, ours, theirs)
        changes |= {path: entry for path, entry, _ in found if path not in changes}
        return ours, []

    def _changed(
        self, base: Mapping[str, Entry], ours: Mapping[str, Entry], theirs: Mapping[str, Entry], folder: str = ""
    ) -> Iterator[tuple[str, Entry | None, bool]]:
        """What *theirs* has otherwise than *base* and *ours*, by path, and whether *ours* has changed it too."""
        for name in base.keys() | theirs.keys():
            was, mine, other = (side.get(name) for side in (base, ours, theirs))
            if other in (was, mine):
                continue
            if was and mine and other and was.is_tree and mine.is_tree and other.is_tree:
                inside = [self._entries(entry.oid) for entry in (was, mine, other)]
                yield from self._changed(inside[0], inside[1], inside[2], f"{folder}{name}/")
            else:
                yield f"{folder}{name}", other, mine != was

    def _read(self, commit: str) -> Run | None:
        return next(iter(runs.read_whole(self._reader, [("", commit)])), None)

    def _as_it_was(self, run: Run, commit: str | None) -> Run | None:
        """The record of *run* at *commit*; None where that tells of another, or of none."""
        found = self._read(commit) if commit else None
        return found if found and found.id == run.id else None

    def _about(self, run: Run) -> Mapping[str, Any]:
        """What else `run.yaml` says of *run*."""
        try:
            return records.run_of_document(runs.provenance_in(self._reader, run))[1]
        except NotFoundError:
            return EMPTY

    def _entries(self, name: str) -> Mapping[str, Entry]:
        return self._reader.tree(name) or {}

    def _entry(self, tip: str, path: str) -> Entry | None:
        folder, _, name = path.rpartition("/")
        return self._entries(f"{tip}:{folder}").get(name)
