"""One run as two machines have it: one of them has it further, or both edits in one commit, or it is two runs by now.

A merge is a commit with both tips as parents, so that either side comes to it by going forward.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
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
    near = [tip]
    for commit in near:
        if commit == below:
            return True
        if len(near) < _NEAR and (found := reader.read(commit)):
            _, parents, message = split_commit(found[2])
            if message_trailer(message, records.TRAILER):  # not below its code: that may be where a shallow clone ends
                near += [parent for parent in parents if parent not in near]
    return False


def join(repo: Repo, ours: str, theirs: str, *, agreed: str | None = None, prefer: Side | None = None) -> Joined:
    """What becomes of the tips *ours* and *theirs*; no ref moves. *agreed*: the one both sides had when they last met.

    It counts where they share no commit of the run any more, because theirs was rewritten: then our edits come on top
    of theirs, and what was taken out there does not go back. What *prefer* is for, see `core.merging`.
    """
    if repo.is_ancestor(theirs, ours):
        return Joined(tip=ours)
    if repo.is_ancestor(ours, theirs):
        return Joined(tip=theirs)
    here, there = runs.read(repo, ours), runs.read(repo, theirs)
    if here is None or there is None:
        return Joined()  # a branch that somebody has put there by hand
    common = _as_it_was(repo, here, repo.merge_base(ours, theirs))
    is_rewritten = common is None
    common = common or _as_it_was(repo, here, agreed)
    if there.id != here.id:
        return Joined(apart=replace(here, commit=ours))
    if common is None or merging.life(common) not in (merging.life(here), merging.life(there)):
        return Joined(apart=parted.renamed(repo, here, ours))
    if is_rewritten and agreed == ours:
        return Joined(tip=theirs)
    about = _about(repo, there if merging.life(here) == merging.life(common) else here)
    merged, clashes = merging.merge(common, here, there, prefer)
    documents = files.documents(merged, about)
    known = documents.keys() | {path for run in (common, here, there) for path in files.documents(run, about)}
    changes: dict[str, bytes | Entry | None] = {
        runs.place_of(merged, path): documents[path].encode("utf-8", "replace") if path in documents else None
        for path in known
    }
    tree, conflicts = (theirs, []) if is_rewritten else merge.try_tree(repo, ours, theirs)
    writer = repo.writer()
    with repo.reader() as reader:
        for path in (path for path in conflicts if path not in changes):
            mine, other = (_entry(reader, tip, path) for tip in (ours, theirs))
            clashes += (Clash(field=path, ours=mine and mine.oid[:10], theirs=other and other.oid[:10]),)
            changes[path] = mine if prefer is Side.OURS else other
        if clashes and prefer is None:
            return Joined(clashes=clashes)
        tree = writer.edit(reader.tree(f"{tree}^{{tree}}") or {}, changes, lambda oid: reader.tree(oid) or {})
        parents = (theirs,) if is_rewritten else (ours, theirs)
        tip = repo.write_commit(writer, tree, parents, edit.message(merged, "edited on two machines"))
        writer.flush()
    return Joined(tip=tip)


def _as_it_was(repo: Repo, run: Run, commit: str | None) -> Run | None:
    """The record of *run* at *commit*; None where that tells of another, or of none."""
    found = runs.read(repo, commit) if commit else None
    return found if found and found.id == run.id else None


def _about(repo: Repo, run: Run) -> Mapping[str, Any]:
    """What else `run.yaml` says of *run*."""
    try:
        return records.run_of_document(runs.provenance(repo, run))[1]
    except NotFoundError:
        return EMPTY


def _entry(reader: Reader, tip: str, path: str) -> Entry | None:
    folder, _, name = path.rpartition("/")
    return (reader.tree(f"{tip}:{folder}") or {}).get(name)
