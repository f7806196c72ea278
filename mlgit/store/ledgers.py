"""Artifacts' ledgers in git: `refs/mlgit/artifacts/<project>/<name>`, each change a commit by who made it.

`versions` has a content hash a line, the first is v0; `added/<hash>.yaml` is what a person said of one; `linked` has
the names of artifacts whose ledgers tell of versions that people linked here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from mlgit.core import escape, refs
from mlgit.core.artifact import ArtifactVersion, is_hash
from mlgit.core.ledger import Ledger
from mlgit.errors import GitError, MlgitError, UsageError
from mlgit.git.objects import Reader
from mlgit.git.repo import Repo, is_passing
from mlgit.store import records
from mlgit.store.stands import Spellings

_TRIES = 20
_LISTED = "versions"
_ADDED = "added"
_LINKED = "linked"

Change = Callable[[Ledger], Ledger]


def of(repo: Repo, *names: str, project: str | None = None) -> list[Ledger]:
    """The ledgers of *repo*, those of the artifacts called *names* if some are named; of one project, if that is."""
    spelled = [ref for name in names or ("*",) if (ref := _pattern(project, name))]
    found = repo.refs(*spelled) if spelled else {}
    if not found:
        return []
    with repo.reader() as reader:
        return [read(reader, ref, tip) for ref, tip in found.items() if refs.of_ledger(ref)]


def names(repo: Repo, *, project: str | None = None) -> set[str]:
    """The names of the artifacts that have a ledger."""
    known = (refs.of_ledger(ref) for ref in repo.refs(f"{refs.ARTIFACTS}{project}/" if project else refs.ARTIFACTS))
    return {one[1] for one in known if one}


def _pattern(project: str | None, name: str) -> str | None:
    whose = project or "*"
    if name == "*":
        return f"{refs.ARTIFACTS}{whose}/*"
    ref = refs.ledger(project or "any", name)
    return ref and f"{refs.ARTIFACTS}{whose}/{ref.rpartition('/')[2]}"


def read(reader: Reader, ref: str, commit: str | None) -> Ledger:
    """What the ledger *ref* says at *commit*; an empty one for None. Records that cannot be read are passed over."""
    project, name = refs.of_ledger(ref) or ("", "")
    empty = Ledger(project=project, name=name)
    if commit is None:
        return empty
    listed = (reader.blob(f"{commit}:{_LISTED}") or b"").decode(errors="replace").split()
    entries = reader.tree(f"{commit}:{_ADDED}") or {}
    blobs = reader.read_all(entry.oid for entry in entries.values())
    told = (parse(blob[2], name, file) for file, blob in zip(entries, blobs, strict=True) if blob)
    sources = (reader.blob(f"{commit}:{_LINKED}") or b"").decode(errors="replace").split()
    added = tuple(one for one in told if one)
    return Ledger(project=project, name=name, added=added, sources=tuple(sources)).listing(listed)


def parse(text: bytes, name: str, file: str) -> ArtifactVersion | None:
    """The version of the artifact *name* that the *file* of a ledger tells of; None for what is none."""
    with suppress(ValueError, KeyError, TypeError, AttributeError):
        document = records.told(text)
        found = ArtifactVersion.of(document)
        is_sound = all(
            isinstance(getattr(found, key), kinds) and not isinstance(getattr(found, key), bool)
            for key, kinds in _KINDS.items()
        )
        if is_sound and found.name == name and f"{found.hash}.yaml" == file and records.is_inside(found.folder):
            return found
    return None


_KINDS: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("name", "type", "path", "description", "by", "folder"), (str,)),
    **dict.fromkeys(("size", "files"), (int,)),
    **dict.fromkeys(("created", "claimed"), (int, float)),
    **dict.fromkeys(("metadata", "edited"), (Mapping,)),
}


def damage(reader: Reader, ref: str, tip: str) -> Iterator[str]:
    """What is wrong with the ledger *ref*: it is read as if it was not there."""
    if refs.of_ledger(ref) is None:
        yield "no artifact can be called so"
        return
    lines = (reader.blob(f"{tip}:{_LISTED}") or b"").decode(errors="replace").split()
    if odd := [line for line in lines if not is_hash(line)]:
        yield f"{odd[0][:40]!r} in its list is no content hash"
    if len(set(lines)) < len(lines):
        yield "its list has a content twice"
    known = read(reader, ref, tip)
    if lacking := [one.hash for one in known.added if one.hash not in known.listed]:
        yield f"{lacking[0]} was added, and has no number"
    files = {f"{one.hash}.yaml" for one in known.added}
    yield from (f"{_ADDED}/{name} cannot be read" for name in reader.tree(f"{tip}:{_ADDED}") or {} if name not in files)


def written(before: Ledger, after: Ledger) -> dict[str, bytes]:
    """The files in which *after* differs from *before*, by path. They are JSON, which is YAML: no reader to load."""
    was = {one.hash: one for one in before.added}
    told = {one.hash: one for one in after.added if was.get(one.hash) != one}
    found = {
        f"{_ADDED}/{content}.yaml": text
        for content, one in told.items()
        if (text := _text(one)) != (_text(was[content]) if content in was else None)  # nan is not nan
    }
    if after.listed != before.listed:
        found[_LISTED] = "".join(f"{content}\n" for content in after.listed).encode()
    if after.sources != before.sources:
        found[_LINKED] = "".join(f"{name}\n" for name in after.sources).encode()
    return found


def _text(version: ArtifactVersion) -> bytes:
    return json.dumps(json.loads(records.encode(version.document())), indent=2, ensure_ascii=False).encode() + b"\n"


def change(repo: Repo, project: str, name: str, change: Change, *, why: Callable[[Ledger], str]) -> Ledger:
    """Record what *change* makes of an artifact's ledger, as it is by now; return it. *why* is the commit's subject.

    Somebody else may change it at the same moment: then *change* is asked again, about what they made of it. Raises
    `UsageError` for a name that cannot have one, `GitError` where git refuses.
    """
    ref = refs.ledger(project, name)
    if ref is None:
        raise UsageError(f"{name[:80]!r} is too long for a ledger.", fix="call it something shorter")
    for tries in range(_TRIES):
        tip = repo.refs(ref).get(ref)
        with repo.reader() as reader:
            before = read(reader, ref, tip)
        after = change(before)
        files = written(before, after)
        if not files:
            return before
        if tip is None and (conflict := Spellings(repo, repo.refs(refs.ARTIFACTS)).conflict(ref)):
            raise UsageError(f"There can be no ledger of {name} here: {conflict}.", fix="spell it like the other one")
        try:
            repo.commit_on(ref, files, escape.line(why(after)), expect=tip)
        except GitError as exc:
            if not is_passing(exc, again=tries < _TRIES - 1):
                raise
        else:
            return after
    raise MlgitError(f"The ledger of {name} is being changed by others all the time.", fix="try again")


def added(repo: Repo) -> list[tuple[str, ArtifactVersion]]:
    """What people added: each version, and the ref of the ledger that tells of it."""
    return [(refs.ledger(one.project, one.name) or "", version) for one in of(repo) for version in one.added]
