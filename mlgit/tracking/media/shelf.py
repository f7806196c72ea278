"""Where the files of logged objects go: below the run's live folder, by content, so that nothing is stored twice."""

from __future__ import annotations

import abc
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, Self
from urllib.parse import quote

from mlgit import whole

_PIECE = 1 << 20


class UnreadableError(FileNotFoundError):
    """The file behind what a script logs cannot be read: that is the script's to know, and no full disk."""


@dataclass(frozen=True)
class Shelf:
    """The place of one logged object: the run's *folder*, the *key* and the *step* that it is logged under."""

    folder: Path
    key: str
    step: int
    takes_whole_tables: bool = False
    """Whether a table with too many rows is refused, not cut off."""

    def named(self, key: str) -> Shelf:
        """The same place under another key."""
        return replace(self, key=key)

    def put(self, kind: str, content: bytes, ending: str) -> dict[str, Any]:
        """Store *content* as `media/<kind>/<key>_<step>_<hash>.<ending>`; return path, sha256 and size.

        The file is whole or not there. Raises `OSError` where the disk refuses.
        """
        digest = hashlib.sha256(content).hexdigest()
        path = self._path(kind, digest, ending)
        target = self.folder / path
        if not target.exists():
            _write(target, lambda file: file.write(content))
        return {"path": path, "sha256": digest, "size": len(content)}

    def text(self, content: str) -> dict[str, Any]:
        """Store a text that is too long to stand in a history; return what stands there for it."""
        return {"_type": "text-file", **self.put("text", content.encode("utf-8", "replace"), "txt")}

    def copy(self, kind: str, source: Path, ending: str) -> dict[str, Any]:
        """Store the file *source* likewise, however large it is.

        Raises `UnreadableError` where there is none to read, `OSError` where the disk refuses.
        """
        import shutil

        with _opened(source, self.key) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
            path = self._path(kind, digest, ending)
            target = self.folder / path
            if not target.exists():
                file.seek(0)
                _write(target, lambda copy: shutil.copyfileobj(file, copy, _PIECE))
        return {"path": path, "sha256": digest, "size": size}

    def _path(self, kind: str, digest: str, ending: str) -> str:
        safe = "".join(char for char in ending if char.isascii() and (char.isalnum() or char == "."))[:20]
        return f"media/{kind}/{file_name(self.key)}_{self.step}_{digest[:20]}.{safe}"


def _opened(source: Path, key: str) -> BufferedReader:
    try:
        return source.open("rb")
    except OSError as exc:
        raise UnreadableError(exc.errno, f"log(): {key}: {exc.strerror}", str(source)) from None


def _write(target: Path, fill: Callable[[BinaryIO], object]) -> None:
    with whole.at(target) as scratch, scratch.open("xb") as file:
        fill(file)


def file_name(key: str) -> str:
    """*key* as a path that git takes and that leads nowhere else: `val/img` nests, the rest is quoted and cut."""
    parts = [quote(part, safe=" +=@,()[]{}!$&'", errors="replace").replace("~", "%7E") for part in key.split("/")]
    safe = [part[:60].strip() for part in parts[:3] + parts[3:][-1:]]
    return "/".join(f"%2E{part[1:]}" if part[0] == "." else part for part in safe if part) or "object"


def below(folder: Path, path: str) -> Path:
    """The file *path* in *folder*. Raises `ValueError` where it leads out of it."""
    if path.startswith("/") or "\0" in path or ".." in path.split("/"):
        raise ValueError(f"{path[:200]!r} leads out of the folder")
    return folder / path


class Media(abc.ABC):
    """Something to log that is more than a number or a text."""

    @abc.abstractmethod
    def store(self, shelf: Shelf) -> dict[str, Any]:
        """Put its files onto *shelf*; return what history keeps: plain data whose `_type` says what it is."""

    def whole(self, shelf: Shelf) -> dict[str, Any]:
        """The same where the document itself is a file of its own, in an artifact."""
        return self.store(shelf)

    @classmethod
    @abc.abstractmethod
    def load(cls, folder: Path, document: Mapping[str, Any], /) -> Self:
        """The object that was stored below *folder* as *document*."""


class BatchableMedia(Media):
    """Media of which several of one class, logged as a list, are one thing: a gallery."""

    @classmethod
    @abc.abstractmethod
    def gallery(cls, items: Sequence[Any], documents: list[dict[str, Any]], /) -> dict[str, Any]:
        """What history keeps of *items*, from them and their documents."""


def captioned(caption: object) -> dict[str, str]:
    """What a document says of a caption."""
    return {} if caption is None else {"caption": str(caption)}


def stated(**fields: object) -> dict[str, Any]:
    """What a document says of *fields*: nothing of one that is None."""
    return {name: value for name, value in fields.items() if value is not None}


def source_path(value: str | os.PathLike[str], what: str, endings: Sequence[str] = ()) -> Path:
    """The file that *value* names, which has one of the *endings* where there are such.

    Raises `ValueError` for another one and for an address, `FileNotFoundError` where there is no such file.
    """
    text = os.fspath(value)
    if "://" in text:
        raise ValueError(f"{what}: {text[:200]} is an address; give a file, or log a reference in an artifact")
    path = Path(text)
    if endings and not path.name.lower().endswith(tuple(f".{ending}" for ending in endings)):
        raise ValueError(f"{what}: {path.name[:200]} is none of {', '.join(endings)}")
    if "\0" in text or not path.is_file():
        raise FileNotFoundError(f"{what}: there is no file {text[:200]!r}")
    return path.absolute()


def read_all(stream: Any) -> bytes:
    """Everything that an open file or a buffer holds, from its beginning where it can be wound back."""
    if callable(getattr(stream, "seek", None)):
        stream.seek(0)
    content = stream.read()
    return content.encode() if isinstance(content, str) else bytes(content)
