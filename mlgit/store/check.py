"""Whether all that mlgit keeps in git is whole and says the same everywhere; where not, what repairs it.

Looking changes nothing. A repair moves refs from where they stood when it was found out, and loses nothing.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

from mlgit.core import refs
from mlgit.core.run import Run
from mlgit.errors import GitError
from mlgit.git import erase, process
from mlgit.git.objects import Reader, parse_tree
from mlgit.git.remote import Remote
from mlgit.git.repo import Move, Repo
from mlgit.store import archive, files, jobs, ledgers, observed, records, recover, result, runs

_AT_ONCE = 200
"""Runs whose files are asked for together."""
_STALE = 3600.0
"""Seconds after which a lock of git's counts as left behind: git holds one for less than a second."""
_TIMES, _ROUNDED = ("created", "finished", "seen", "paused"), 0.0015
"""Older runs have times rounded to the millisecond in one place, and cut off after it, or whole, in the other."""
_STILL_HERE = "it was purged on another machine, and is still here: no sync sends it"
_ELSEWHERE = "git fetch it from a clone that has it; mlgit sync there"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is not as it should be."""

    where: str
    """A branch, an entry of the archive, a ref, a file."""
    what: str
    fix: str = ""
    """What a person can do."""
    repair: Callable[[], object] | None = None
    """What mlgit can do; None: nothing."""


@dataclass(frozen=True)
class _Place:
    """Where a run stands: *ref*, or the entry *name* of the archive's month *ref*."""

    ref: str
    tip: str
    name: str = ""

    @property
    def label(self) -> str:
        return f"{self.ref}:{self.name}" if self.name else self.ref

    def move(self, repo: Repo, new: str) -> None:
        """Let the run stand at *new*, which goes on from its tip."""
        if self.name:
            archive.put(repo, {self.ref: {self.name: (self.tip, new)}}, why="fsck")
        else:
            repo.move([Move(self.ref, self.tip, new)], why="fsck")


def everything(repo: Repo, done: Callable[[int], None] = lambda _: None) -> Iterator[Finding]:
    """All that is wrong with what is in git. *done* hears how many runs more have been read."""
    yield from _objects(repo)
    yield from _left(repo)  # its repair lets refs move that others have to
    yield from _archive(repo)
    for ref in _purged(repo):
        yield Finding(where=ref, what=_STILL_HERE, fix=f"mlgit purge {ref.rpartition('/')[2]}")
    yield from _ledgers(repo)
    yield from _jobs(repo)
    yield from _observed(repo)
    yield from _records(repo, _places(repo), done)


def _ledgers(repo: Repo) -> Iterator[Finding]:
    """Whether the ledgers of artifacts read, and have a number for all that people added."""
    with repo.reader() as reader:
        for ref, tip in repo.refs(refs.ARTIFACTS).items():
            for what in ledgers.damage(reader, ref, tip):
                yield Finding(where=ref, what=what, fix=f"git log {ref} tells who wrote it")


def _jobs(repo: Repo) -> Iterator[Finding]:
    """Whether the lists of jobs read."""
    with repo.reader() as reader:
        for ref, tip in repo.refs(refs.JOBS).items():
            for what in jobs.damage(reader, tip):
                yield Finding(where=ref, what=what, fix=f"git log {ref} tells who wrote it")


def _observed(repo: Repo) -> Iterator[Finding]:
    """Whether what targets told that they run reads."""
    with repo.reader() as reader:
        for ref, tip in repo.refs(refs.OBSERVED).items():
            for what in observed.damage(reader, ref, tip):
                yield Finding(where=ref, what=what, fix=f"git log {ref} tells who wrote it")


def count(repo: Repo) -> int:
    """How many runs there are to be read."""
    return len(_places(repo))


def _places(repo: Repo) -> list[_Place]:
    found = [_Place(ref, tip) for ref, tip in repo.refs(refs.RUNS, refs.TRASH).items()]
    for entry, tip in archive.entries(repo).items():
        month, _, name = entry.partition(":")
        found.append(_Place(month, tip, name))
    return found


def _objects(repo: Repo) -> Iterator[Finding]:
    """What git itself finds missing or broken."""
    git = process.start(("fsck", "--connectivity-only", "--no-dangling", "--no-progress"), folder=repo.folder)
    out, err = git.communicate()
    for line in (out + err).decode(errors="replace").splitlines():
        if line.startswith(("missing", "broken", "error", "fatal", "bad")):
            yield Finding(where="git", what=line, fix=_ELSEWHERE)


def _archive(repo: Repo) -> Iterator[Finding]:
    """Whether each month keeps what it lists, and lists nothing that stands elsewhere."""
    known = repo.refs(refs.RUNS, refs.TRASH)
    for month, head in archive.months(repo).items():
        listed = archive.listing_of(repo, month)
        try:
            kept = erase.reached(repo, listed.values(), [head])
        except GitError as exc:
            yield Finding(where=month, what=f"its history cannot be read: {exc.why}", fix=_ELSEWHERE)
            continue
        with repo.reader() as reader:
            (kind,), kinds = reader.kinds([head]), dict(zip(listed, reader.kinds(listed.values()), strict=True))
        if kind != "commit":
            yield Finding(where=month, what=f"it is a {kind}, and no month", fix=f"git update-ref -d {month}")
            continue
        for name in (name for name, kind in kinds.items() if kind not in (None, "commit")):
            yield Finding(where=f"{month}:{name}", what=f"it is a {kinds[name]}, and no run")
        loose = {name: tip for name, tip in listed.items() if tip not in kept and kinds[name] == "commit"}
        if loose:
            what = f"{len(loose)} of its runs are listed, and git would drop them: {', '.join(sorted(loose)[:3])}"
            yield Finding(where=month, what=what, fix=_ELSEWHERE, repair=partial(archive.hold, repo, month, loose))
        for name, tip in listed.items():
            branch = refs.unfolded(month, name)
            if branch is None:
                yield Finding(where=f"{month}:{name!r}", what="no branch can be called so, and nobody sees it")
                continue
            hidden = f"{refs.TRASH}{branch.removeprefix('refs/heads/')}"
            there = known.get(branch) or known.get(hidden)
            if there and repo.is_ancestor(tip, there):
                keeps = Move(branch if branch in known else hidden, there, there)
                out = partial(archive.put, repo, {month: {name: (tip, None)}}, [keeps], why="fsck")
                yield Finding(
                    where=f"{month}:{name}", what="it is archived, and has a branch, which counts", repair=out
                )
            elif there:
                fix = f"look at both, and rename or delete {branch}"
                yield Finding(where=f"{month}:{name}", what="it is archived, and another branch has its name", fix=fix)


def _purged(repo: Repo) -> list[str]:
    """The branches of runs, hidden ones too, that lead to what was purged on another machine."""
    gone = archive.purged(repo)
    here = erase.reached(repo, gone, repo.refs(refs.RUNS, refs.TRASH).values()) if gone else ()
    contains = [f"--contains={commit}" for commit in here]
    return repo.git("for-each-ref", *contains, "--format=%(refname)", refs.RUNS, refs.TRASH).split() if here else []


def _records(repo: Repo, places: list[_Place], done: Callable[[int], None]) -> Iterator[Finding]:
    """Whether every run reads, and its message says what its YAML says."""
    by_label = {place.label: place for place in places}
    ids: dict[str, str] = {}
    with repo.reader() as reader, repo.reader() as beside:
        found = runs.contents(reader, [(place.label, place.tip) for place in places])
        while some := list(islice(found, _AT_ONCE)):
            known = {label: replace(records.run_of(told), commit=commit) for label, commit, told in some if told}
            by_files = _by_files(repo, beside, known)
            for label, _, _ in some:
                done(1)
                place, run = by_label.pop(label), known.get(label)
                if finding := _record(
                    repo, place, run, by_files[label] if run else runs.of_files(beside, place.tip, None)
                ):
                    yield finding
                if run and not label.startswith(refs.TRASH):
                    other = ids.setdefault(run.id, label)
                    if other != label and refs.RUNS in (label[: len(refs.RUNS)], other[: len(refs.RUNS)]):
                        yield from _twice(label, other)
    for label, place in by_label.items():
        yield Finding(where=label, what=f"its commit {place.tip[:10]} cannot be read", fix=_ELSEWHERE)


def _twice(label: str, other: str) -> Iterator[Finding]:
    if refs.ARCHIVE in (label[: len(refs.ARCHIVE)], other[: len(refs.ARCHIVE)]):
        return  # a branch and its entry: the archive's to tell
    yield Finding(where=label, what=f"it is the same run as {other}, and only one of both is seen", fix="delete one")


def _by_files(repo: Repo, reader: Reader, known: Mapping[str, Run]) -> dict[str, Run | None]:
    """What the YAML of each of *known* says, which are runs as their messages have them.

    A file that mlgit would make of the message itself, by its id, says the same and is not read.
    """
    writer, told, alike = repo.writer(), dict[str, Run | None](), dict[str, str]()
    places = [runs.place_of(run, "").rstrip("/") for run in known.values()]
    trees = reader.read_all(f"{run.commit}:{place}" for run, place in zip(known.values(), places, strict=True))
    for (label, run), place, tree in list(zip(known.items(), places, trees, strict=True)):
        entries = parse_tree(tree[2], len(tree[0]) // 2) if tree and tree[1] == "tree" else {}
        made = {path: writer.blob(text.encode(errors="replace")) for path, text in files.said(run).items()}
        if "run.yaml" in entries and made == {path: entries[path].oid for path in files.SAID if path in entries}:
            alike[label] = entries["run.yaml"].oid
        else:
            told[label] = runs.of_files(reader, run.commit, run.id, place)
    for label, document in zip(alike, reader.read_all(alike.values()), strict=True):
        told[label] = runs.of_document(document[2], known[label]) if document else None
    return told


def _record(repo: Repo, place: _Place, run: Run | None, told: Run | None) -> Finding | None:
    """What is wrong with what the message, *run*, and the YAML, *told*, say."""
    if run == told:
        return None  # or it is somebody's own branch
    anew = partial(_tell, repo, place, told) if told else None
    if run is None:
        return Finding(where=place.label, what="its message tells of no run, and its YAML does", repair=anew)
    if told is None:
        what = f"its commit holds no {runs.place_of(run, 'run.yaml')} that tells of it"
        return Finding(where=place.label, what=what, repair=partial(_write, repo, place, run))
    differing = sorted(_differing(_content(run), _content(told)))
    if not differing:
        return None
    what = f"its message and its YAML differ in {', '.join(differing[:5])}; the YAML counts"
    return Finding(where=place.label, what=what, repair=anew)


def _content(run: Run) -> dict[str, Any]:
    brief = replace(run, metrics={name: records.briefly(value) for name, value in run.metrics.items()})
    return records.content(brief)


def _differing(one: Mapping[str, Any], two: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The keys in which both differ, dotted."""
    for key in one.keys() | two.keys():
        a, b = one.get(key), two.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            yield from _differing(a, b, f"{prefix}{key}.")
        elif key in _TIMES and not prefix and isinstance(a, float) and isinstance(b, float):
            if abs(a - b) > _ROUNDED:
                yield key
        elif not _same(a, b):
            yield f"{prefix}{key}"


def _same(a: object, b: object) -> bool:
    if isinstance(a, float) and isinstance(b, float) and math.isnan(a):
        return math.isnan(b)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    return a == b


def _tell(repo: Repo, place: _Place, run: Run) -> None:
    """Let the message say what the YAML says."""
    place.move(repo, repo.commit(place.tip, {}, result.message(run)))


def _write(repo: Repo, place: _Place, run: Run) -> None:
    """Let the YAML say what the message says."""
    documents = {runs.place_of(run, path): text.encode() for path, text in files.documents(run, {}).items()}
    place.move(repo, repo.commit(place.tip, documents, result.message(run)))


def _left(repo: Repo) -> Iterator[Finding]:
    """What those have left who died."""
    failed, _ = recover.left(repo)
    for name in failed:
        yield Finding(
            where=f"mlgit/live/{name}", what="it has died, and is no branch yet", fix="mlgit recover says why"
        )
    if erase.is_cut_short(repo):
        yield Finding(where="git", what="a purge has not destroyed all objects yet", repair=partial(erase.finish, repo))
    locks = repo.common_dir / "packed-refs.lock", *(repo.common_dir / "refs").rglob("*.lock")
    kept = dict.fromkeys(locks, "refs from moving")
    kept[repo.common_dir / "objects/maintenance.lock"] = "objects from being packed"  # git says nothing of it
    for lock, some in kept.items():
        if lock.exists() and time.time() - lock.stat().st_mtime > _STALE:
            what = f"a lock of git's that nobody holds any more keeps {some}"
            yield Finding(where=str(lock), what=what, repair=partial(lock.unlink, missing_ok=True))


def elsewhere(remote: Remote) -> Iterator[Finding]:
    """What *remote* has otherwise. Raises `GitError` where it cannot be reached."""
    shared, purged = (refs.RUNS, refs.ARCHIVE, refs.ARTIFACTS), set(_purged(remote.repo))
    near, far = remote.repo.refs(*shared), remote.refs(*(f"{prefix}*" for prefix in shared))
    away = sorted(ref for ref in near.keys() | far.keys() if near.get(ref) != far.get(ref))
    away = [ref for ref in away if ref not in purged]
    for what, some in (
        ("{} of what is here is not there", [ref for ref in away if ref not in far]),
        ("{} of what is there is not here", [ref for ref in away if ref not in near]),
        ("{} is there otherwise than here", [ref for ref in away if ref in near and ref in far]),
    ):
        if some:
            names = ", ".join(ref.removeprefix("refs/heads/") for ref in some[:3])
            yield Finding(
                where=remote.name, what=f"{what.format(len(some))}: {names}", fix=f"mlgit sync --to {remote.name}"
            )
