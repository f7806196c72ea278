"""Where the files of logged objects go: below the run's live folder, by content, so that nothing is stored twice."""

from __future__ import annotations

import abc
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote


@dataclass(frozen=True)
class Shelf:
    """The place of one logged object: the run's *folder*, the *key* and the *step* that it is logged under."""

    folder: Path
    key: str
    step: int

    def put(self, kind: str, content: bytes, ending: str) -> dict[str, Any]:
        """Store *content* as `media/<kind>/<key>_<step>_<hash>.<ending>`; return path, sha256 and size.

        The file is whole or not there. Raises `OSError` where the disk refuses.
        """
        digest = hashlib.sha256(content).hexdigest()
        name = quote(self.key, safe=" +=@,()[]{}!$&'/")[-150:].replace("..", "%2E%2E").strip("/.") or "object"
        path = f"media/{kind}/{name}_{self.step}_{digest[:20]}.{ending}"
        target = self.folder / path
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            scratch = target.with_name(f".{os.urandom(8).hex()}")
            try:
                scratch.write_bytes(content)
                scratch.rename(target)
            except BaseException:
                scratch.unlink(missing_ok=True)
                raise
        return {"path": path, "sha256": digest, "size": len(content)}


class Media(abc.ABC):
    """Something to log that is more than a number or a text."""

    @abc.abstractmethod
    def store(self, shelf: Shelf) -> dict[str, Any]:
        """Put its files onto *shelf*; return what history keeps: plain data whose `_type` says what it is."""
