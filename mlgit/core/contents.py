"""What two contents have in common, by path and hash (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What became of one content in another; paths in their order."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...]
    """(old path, new path) of files whose bytes are the same."""
    same: int
    """How many files are in both, as they were."""


def compare(before: Mapping[str, str], after: Mapping[str, str]) -> Difference:
    """What became of *before* (path → hash) in *after*."""
    gone: dict[str, list[str]] = defaultdict(list)
    for path in sorted(before.keys() - after.keys(), reverse=True):
        gone[before[path]].append(path)
    added: list[str] = []
    renamed: list[tuple[str, str]] = []
    for path in sorted(after.keys() - before.keys()):
        if gone.get(after[path]):
            renamed.append((gone[after[path]].pop(), path))
        else:
            added.append(path)
    both = before.keys() & after.keys()
    changed = sorted(path for path in both if before[path] != after[path])
    return Difference(
        added=tuple(added), removed=tuple(sorted(path for paths in gone.values() for path in paths)),
        changed=tuple(changed), renamed=tuple(sorted(renamed)), same=len(both) - len(changed),
    )  # fmt: skip
