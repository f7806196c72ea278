"""Very many new branches or tags at once, put where `git pack-refs` puts them: a file each costs a sync and a lock.

As in `refs`, only the plain case is done here, and every doubt is left to `git update-ref`, which says what is wrong.
Like those of a fresh clone, such refs have no reflog until they move.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from mlgit import whole
from mlgit.git import process
from mlgit.git.objects import Reader
from mlgit.git.refs import is_plain

_FEW = 20
_BRANCHES = ("refs/heads/", "refs/remotes/")
_TAGS = "refs/tags/"
_A_FILE = 100_000
"""Bytes of packed refs that are read and written as quickly as one ref becomes a file."""
_HEAD = b"# pack-refs with: peeled fully-peeled sorted \n"


def create(folder: Path, common_dir: Path, new: Mapping[str, str]) -> bool:
    """Make the branches *new* (full names), each at a commit, all or none, synced; False where that is git's to do.

    Tags may be among them, also annotated ones.

    Nothing has changed then. *folder* is where git is run.
    """
    packed = common_dir / "packed-refs"
    if len(new) < _FEW or _size(packed) > len(new) * _A_FILE or packed.is_symlink():
        return False
    if not all(ref.startswith((*_BRANCHES, _TAGS)) and is_plain(ref) for ref in new):
        return False
    peeled = _peeled(folder, new)
    if peeled is None:
        return False
    with _locked(folder) as is_locked:
        before = packed.read_bytes() if packed.exists() else _HEAD
        if not is_locked or _is_loose(common_dir, new) or (after := _with(before, new, peeled)) is None:
            return False
        _write(packed, after)
        if _is_loose(common_dir, new):  # made by somebody who had looked before we wrote
            _write(packed, before)
            return False
    return True


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Whether nobody else packs refs, or deletes packed ones, until the block ends.

    A git that is about to delete a ref has them locked, and lets go of them also where this process dies.
    """
    git = process.start(("update-ref", "--stdin"), folder=folder, stdin=subprocess.PIPE)
    assert git.stdin
    assert git.stdout
    git.stdin.write(f"start\ndelete refs/mlgit/packing-{os.urandom(8).hex()}\nprepare\n".encode())
    git.stdin.flush()
    try:
        yield [git.stdout.readline() for _ in range(2)] == [b"start: ok\n", b"prepare: ok\n"]
    finally:
        git.communicate(b"abort\n")


def _peeled(folder: Path, new: Mapping[str, str]) -> dict[str, str] | None:
    """Of the annotated tags among *new*, what each is of; None where something else is no commit, or not here."""
    with Reader(folder) as reader:
        kinds = dict(zip(new, reader.kinds(new.values()), strict=True))
        if any(kind != "commit" and (kind, ref.startswith(_TAGS)) != ("tag", True) for ref, kind in kinds.items()):
            return None
        tags = [ref for ref, kind in kinds.items() if kind == "tag"]
        found = dict(zip(tags, reader.ids(f"{new[ref]}^{{}}" for ref in tags), strict=True))
    known = {ref: oid for ref, oid in found.items() if oid}
    return known if len(known) == len(found) else None


def _with(content: bytes, new: Mapping[str, str], peeled: Mapping[str, str]) -> bytes | None:
    """Packed refs with *new* among them, sorted as git sorts; None where one of the names is taken, or a folder's.

    *peeled*: what annotated tags among *new* are of.
    """
    entries: dict[bytes, bytes] = {}
    head, name = b"", b""
    for line in content.splitlines(keepends=True):
        if line.startswith(b"^"):  # what the tag before it is of
            entries[name] += line
        elif line.startswith(b"#"):
            head += line
        else:
            name = line.rstrip(b"\n").partition(b" ")[2]
            entries[name] = line
    of = {ref: f"^{oid}\n" for ref, oid in peeled.items()}
    added = {ref.encode(): f"{oid} {ref}\n{of.get(ref, '')}".encode() for ref, oid in new.items()}
    every = entries | added
    if len(every) < len(entries) + len(added) or not _folders(every).isdisjoint(every):
        return None
    return head + b"".join(every[name] for name in sorted(every))


def _folders(names: Iterable[bytes]) -> set[bytes]:
    """What can't be a ref beside *names*."""
    found: set[bytes] = set()
    for name in names:
        above = name.rpartition(b"/")[0]
        while above and above not in found:
            found.add(above)
            above = above.rpartition(b"/")[0]
    return found


def _is_loose(common_dir: Path, new: Mapping[str, str]) -> bool:
    """Whether a file or folder, or git's lock of one, stands where one of *new* would, or in the way to it.

    Also on a disk that does not tell upper from lower case: git would read that file in the place of the packed ref.
    """
    names: dict[Path, set[str]] = {}
    for ref in new:
        place = common_dir / ref
        names.setdefault(place.parent, set()).update((place.name.casefold(), f"{place.name.casefold()}.lock"))
    for folder, taken in names.items():
        try:
            if not taken.isdisjoint(there.name.casefold() for there in folder.iterdir()):
                return True
        except FileNotFoundError:
            continue
        except OSError:
            return True
    return False


def _write(packed: Path, content: bytes) -> None:
    with whole.at(packed) as scratch, scratch.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
