"""Which objects of a cache are whole: their bytes are what their names say.

DVC leaves it to the system when bytes reach the disk, so a crash can leave a torn object under a good name, and DVC
would trust it for ever. Here an object is whole if it is as it was when it was last hashed, and is hashed once if
nobody knows: that costs one look at the disk for what is known, and one reading for what another program brought.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from mlgit.dvc.caches import databases, memory
from mlgit.dvc.caches.memory import Memory, Row

_DAY = 86_400


class Objects:
    """Those of *database*, as *known* remembers them."""

    def __init__(self, database: Path, known: Memory) -> None:
        self.database = database
        self._memory = known
        self._pages: dict[str, dict[str, Row]] = {}
        self._changed: set[str] = set()
        self.damaged: set[str] = set()
        """Those of which something else has been found under their name."""
        self._answers: dict[str, bool] = {}
        self._aged: set[str] = set()
        """Those that have been looked at and seem to be nobody's of today."""
        self._yesterday = time.time() - _DAY

    def is_whole(self, oid: str) -> bool:
        """Whether the bytes of *oid* are there and are those, as this object first saw it. Raises `OSError`."""
        if oid not in self._answers:
            self._answers[oid] = self._looked(oid)
        return self._answers[oid]

    def _looked(self, oid: str) -> bool:
        path = f"{self.database}/{oid[:2]}/{oid[2:]}"
        try:
            found = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        if found.st_ctime < self._yesterday and found.st_nlink == 1:
            self._aged.add(oid)
        known = memory.told(self._page(oid[:2]), oid[2:], found)
        if known is None:
            known = databases.md5_of(Path(path))
            if known == oid.removesuffix(".dir"):
                self._note(oid, found)
            else:
                self.damaged.add(oid)
        return known == oid.removesuffix(".dir")

    def freshen(self, oid: str) -> None:
        """Let *oid*, which is whole, count as of today: somebody is about to name it, and `gc` spares what is young.

        So does git with its objects. A link of the work tree keeps its times, and is spared for being one.
        """
        if oid in self._aged:
            self._aged.discard(oid)
            with suppress(PermissionError):  # another user's, in a cache that is shared
                os.utime(databases.place(self.database, oid))
                self.remember(oid)

    def remember(self, oid: str) -> None:
        """*oid* has just been written here, and is whole."""
        self._note(oid, databases.place(self.database, oid).stat())
        self._answers[oid] = True

    def forget(self, oid: str) -> None:
        """*oid* is damaged, whatever the disk says of it."""
        self._page(oid[:2]).pop(oid[2:], None)
        self._changed.add(oid[:2])
        self._answers[oid] = False

    def save(self) -> None:
        """Keep what has been found out for other processes."""
        for shard in self._changed:
            self._memory.keep(f"{self.database}/{shard}", self._pages[shard])
        self._changed.clear()

    def _note(self, oid: str, found: os.stat_result) -> None:
        self._page(oid[:2])[oid[2:]] = memory.row(found, oid.removesuffix(".dir"))
        self._changed.add(oid[:2])

    def _page(self, shard: str) -> dict[str, Row]:
        if shard not in self._pages:
            self._pages[shard] = self._memory.page(f"{self.database}/{shard}")
        return self._pages[shard]
