"""What the refs say now, and which of them have moved since an earlier look: without asking about those that have not.

Where refs are files (gitrepository-layout(5)), `packed-refs` is only read when it has changed, by the marks that git
itself goes by, and what lies loose is few. In any other repository git is asked for all of them.
"""

from __future__ import annotations

import mmap
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlgit.git.repo import Repo

_FEW = 50
"""Refs that are looked for in packed-refs one by one; for more it is read."""
_MOST_LOOKS = 20
"""Until two are the same, should others move refs all the time."""
_COARSEST = 2.0
"""Seconds that a file's time is exact to, on the coarsest of disks."""
_FINE = 0.05
"""Seconds that it is certainly exact to on a disk that has parts of a second at all: exFAT's are hundredths."""
_OID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True)
class Look:
    """What was seen of the refs at one moment, to compare a later moment with."""

    stamp: str = ""
    """The state of packed-refs; empty where it is not known."""
    loose: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """The refs that lay loose, each with the id it pointed at and the state of its file."""


@dataclass(frozen=True)
class Moved:
    """What a look saw that an earlier one had not."""

    look: Look
    to: Mapping[str, str]
    """The refs that are new or point elsewhere, each with the id it points at."""
    gone: frozenset[str] = frozenset()
    """The refs that there are no more."""


def look(repo: Repo, prefixes: Sequence[str], before: Look, known: Callable[[], Mapping[str, str]]) -> Moved:
    """What has moved since *before* among the refs below *prefixes* (`refs/heads/exp/`, `refs/remotes/*/exp/`).

    *known* tells what the refs pointed at then; it is only asked where they have to be compared one by one. Refs whose
    names are no UTF-8 are passed over.
    """
    if "extensions.refstorage" in repo.config:
        return _asked(repo, prefixes, before, known)
    packed = repo.common_dir / "packed-refs"
    now = _seen(repo.common_dir, prefixes, before)
    for _ in range(_MOST_LOOKS):
        if now is None:
            return _asked(repo, prefixes, before, known)
        if now == before:
            break  # as it was; else refs may be moving from one folder that was read to another that was not yet
        now, last = _seen(repo.common_dir, prefixes, now), now
        if now == last:
            break
    assert now
    loose = now.loose
    tips = {ref: tip for ref, (tip, _) in loose.items()}
    if now.stamp and before.stamp == now.stamp:
        gone = before.loose.keys() - loose.keys()
        if len(gone) <= _FEW:
            moved = {ref: tip for ref, tip in tips.items() if ref not in before.loose or before.loose[ref][0] != tip}
            uncovered = _packed_among(packed, gone)
            return Moved(now, moved | uncovered, frozenset(gone - uncovered.keys()))
    return _compared(now, _packed(packed, prefixes) | tips, known())


def _seen(folder: Path, prefixes: Sequence[str], before: Look) -> Look | None:
    """What can be seen at a glance; None where it takes git to read it."""
    loose = _loose(folder, prefixes, before.loose)  # first: what is packed meanwhile is found there
    return None if loose is None else Look(_stamp(folder / "packed-refs"), loose)


def _compared(now: Look, refs: Mapping[str, str], known: Mapping[str, str]) -> Moved:
    moved = {ref: tip for ref, tip in refs.items() if known.get(ref) != tip}
    return Moved(now, moved, frozenset(known.keys() - refs.keys()))


def _asked(repo: Repo, prefixes: Sequence[str], before: Look, known: Callable[[], Mapping[str, str]]) -> Moved:
    """`look`, by `git for-each-ref`."""
    stamp = _stamp(repo.common_dir / "reftable" / "tables.list")
    if stamp not in ("", _ABSENT) and stamp == before.stamp:
        return Moved(before, {})
    listed = repo.refs(*(f"{prefix}**" if "*" in prefix else prefix for prefix in prefixes))
    return _compared(Look(stamp), {ref: tip for ref, tip in listed.items() if ref.isprintable()}, known())


_ABSENT = "absent"


def _stamp(path: Path | os.DirEntry[str]) -> str:
    """What changes when *path* is replaced; nothing where that was a moment ago, and could happen unseen again."""
    try:
        about = path.stat()
    except FileNotFoundError:
        return _ABSENT
    if time.time() - about.st_mtime < (_FINE if about.st_mtime_ns % 1_000_000_000 else _COARSEST):
        return ""
    return f"{about.st_mtime_ns} {about.st_ctime_ns} {about.st_size} {about.st_ino}"


def _loose(
    folder: Path, prefixes: Sequence[str], before: Mapping[str, tuple[str, str]]
) -> dict[str, tuple[str, str]] | None:  # fmt: skip
    """The refs that are files, as in a `Look`; None where one of them does not simply point at an object.

    A file that is as it was *before* is not read.
    """
    found: dict[str, tuple[str, str]] = {}
    for prefix in prefixes:
        for root in folder.glob(prefix) if "*" in prefix else (folder / prefix,):
            for file in _files(root):
                ref = file.path[len(str(folder)) + 1 :]
                stamp = _stamp(file)
                known = before.get(ref)
                if known and stamp and known[1] == stamp:
                    found[ref] = known[0], stamp
                    continue
                try:
                    text = Path(file).read_text(encoding="ascii").rstrip()
                except (FileNotFoundError, NotADirectoryError):
                    continue  # packed, deleted or moved at this moment
                except ValueError:
                    text = ""
                if text.startswith("ref:"):
                    return None
                if _OID.fullmatch(text) and not ref.endswith(".lock") and _is_text(ref):
                    found[ref] = text, stamp
    return found


def _files(root: Path | str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(root) as entries:
            inside = list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in inside:
        if entry.is_dir():
            yield from _files(entry.path)
        else:
            yield entry


def _is_text(ref: str) -> bool:
    try:
        ref.encode()
    except UnicodeEncodeError:
        return False
    return True


def _packed(path: Path, prefixes: Sequence[str]) -> dict[str, str]:
    """The refs below *prefixes* in packed-refs, each with its id."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return {}
    ways = "|".join(re.escape(prefix).replace(r"\*", "[^/\n]+") for prefix in prefixes)
    lines = re.findall(rb"^([0-9a-f]{40,64}) ((?:%s)[^\n]+)$" % ways.encode(), text, re.MULTILINE)
    try:
        return {ref.decode(): tip.decode() for tip, ref in lines}
    except UnicodeDecodeError:
        return {ref.decode(errors="replace"): tip.decode() for tip, ref in lines if _is_text(os.fsdecode(ref))}


def _packed_among(path: Path, refs: set[str]) -> dict[str, str]:
    """What packed-refs says of *refs*: a loose one may have lain over it."""
    found: dict[str, str] = {}
    if not refs:
        return found
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            for ref in refs:
                if (at := content.find(f" {ref}\n".encode())) >= 0:
                    found[ref] = content[content.rfind(b"\n", 0, at) + 1 : at].decode()
    except (FileNotFoundError, ValueError):  # there is none, or it is empty
        pass
    return found
