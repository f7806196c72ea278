"""What the commits of a bundle may make of the code that they stand on: nothing that is more than it weighs.

A pack of some kilobytes can hold folders in folders in folders, a hundred thousand deep, or ten that each hold the next
ten twelve times over: who walks them by their paths, as git does where it packs or checks out, has no end of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlgit.core import figures
from mlgit.git.bundle import BundleError
from mlgit.git.objects import Entry, Reader
from mlgit.store import records

MOST_DEEP = 100
"""Folders in one another."""
MOST_PATHS = 100_000
"""Files that one commit may change, wherever the same content stands: twice the objects of a bundle."""
_FILES = ("100644", "100755")
_STARTERS = (".github", ".gitea", ".forgejo", ".gitlab", ".gitlab-ci.yml")
"""What a forge reads, of whatever branch is pushed, to know what it is to run with the repository's secrets."""


@dataclass(frozen=True)
class Shape:
    """The trees of commits, each folder looked at once, beside that of the commit that was *planned*."""

    reader: Reader
    planned: str
    _whole: dict[str, tuple[int, int]] = field(default_factory=dict)
    """A folder that is new → (how deep it goes, how many files it holds)."""
    _changes: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    """The same, of (a folder, what it was before): of that which differs."""

    def check(self, commit: str) -> None:
        """Raise `BundleError` where *commit* starts jobs, goes deeper than folders do, or has paths without end."""
        now, before = (self._entries(f"{one}^{{tree}}") for one in (commit, self.planned))
        # GitHub would refuse the push of all, or, where the token may change workflows, run what the job has written
        if other := [name for name in _STARTERS if now.get(name) != before.get(name)]:
            raise BundleError(f"It changes {other[0]}, by which a push starts jobs, and a trial may not.")
        _, paths = self._changed(now, before, 0)
        if paths > MOST_PATHS:
            raise BundleError(f"It changes {figures.count(paths, 'path')}, and may change {MOST_PATHS:,}.")

    def only_files(self, folder: str) -> None:
        """Raise `BundleError` where something in the folder *folder*, or in one below it, is neither a file nor one."""
        waiting, known = [folder], set[str]()
        while waiting:
            for path, entry in self._entries(waiting.pop()).items():
                if entry.is_tree and entry.oid not in known:
                    known.add(entry.oid)
                    waiting.append(entry.oid)
                elif not entry.is_tree and entry.mode not in _FILES:
                    raise BundleError(f"{records.FOLDER} holds {path[:80]!r}, which is a link and no file.")

    def _entries(self, name: str) -> Mapping[str, Entry]:
        return self.reader.tree(name) or {}

    def _changed(self, now: Mapping[str, Entry], before: Mapping[str, Entry], above: int) -> tuple[int, int]:
        """(how deep, how many files) of what *now* has otherwise than *before*, *above* folders down."""
        deep = paths = 0
        for name, entry in now.items():
            old = before.get(name)
            if entry == old:
                continue
            below, more = (0, 1) if not entry.is_tree else self._folder(entry.oid, old, above + 1)
            deep, paths = max(deep, below), paths + more
        return deep, paths

    def _folder(self, oid: str, old: Entry | None, above: int) -> tuple[int, int]:
        if above > MOST_DEEP:
            raise _too_deep()
        if old is not None and old.is_tree:
            found = self._changes.get((oid, old.oid))
            if found is None:
                deep, paths = self._changed(self._entries(oid), self._entries(old.oid), above)
                found = self._changes[oid, old.oid] = deep + 1, paths
        else:
            found = self._whole.get(oid)
            if found is None:
                deep, paths = self._changed(self._entries(oid), {}, above)
                found = self._whole[oid] = deep + 1, paths
        if above + found[0] - 1 > MOST_DEEP:
            raise _too_deep()
        return found


def _too_deep() -> BundleError:
    return BundleError(f"It holds folders more than {MOST_DEEP} deep.")
