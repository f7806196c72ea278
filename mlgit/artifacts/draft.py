"""An artifact that is being put together: its entries, and the folder where their files wait."""

from __future__ import annotations

import abc
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from mlgit.artifacts import manifest, reference, ties
from mlgit.artifacts.manifest import Entry, Manifest
from mlgit.artifacts.staging import Staging
from mlgit.errors import FinalizedError, UsageError


class Draft(abc.ABC):
    """The part of an artifact that is filled before it is logged; nothing may be added afterwards."""

    def __init__(self) -> None:
        self._staging = Staging()
        self._entries: dict[str, Entry] = {}
        self._objects: dict[str, Any] = {}
        self._objects_of: dict[int, Entry] = {}
        self._added: dict[str, str] = {}
        self._final = False

    @property
    @abc.abstractmethod
    def _label(self) -> str:
        """What errors call it."""

    def _check_open(self) -> None:
        if self._final:
            raise FinalizedError(
                f"The artifact {self._label} is finished: nothing can be changed in it.",
                fix="new_draft() makes one that holds the same",
            )

    def add_file(
        self, local_path: str | os.PathLike[str], name: str | None = None, is_tmp: bool | None = False,
        skip_cache: bool | None = False, policy: str | None = "mutable", overwrite: bool = False,
    ) -> Entry:  # fmt: skip
        """Take the file *local_path* in, as *name* or its own name.

        With the *policy* `mutable` it is copied now, so that it may change afterwards; `immutable` promises that it
        does not, and it is read when the artifact is logged. *is_tmp* and *skip_cache* are W&B's and change nothing.
        Raises `UsageError` for what is no file, for a name that leaves the artifact, and for another content under the
        same name unless *overwrite*.
        """
        self._check_open()
        source = Path(local_path)
        if not source.is_file():
            raise UsageError(f"There is no file {source}.", fix="add_dir() takes folders" if source.is_dir() else "")
        return self._take(source, manifest.inside(name or source.name), policy=policy, overwrite=overwrite)

    def add_dir(
        self, local_path: str | os.PathLike[str], name: str | None = None, skip_cache: bool | None = False,
        policy: str | None = "mutable", merge: bool = False,
    ) -> None:  # fmt: skip
        """Take every file below *local_path* in, under its path from there, or below *name* if given.

        Links are followed; empty folders are left out. *policy* is as in `add_file`; with *merge* a file replaces
        another content under the same name. *skip_cache* is W&B's and changes nothing. Raises `UsageError` for what is
        no folder, else as `add_file` does.
        """
        self._check_open()
        top = Path(local_path)
        if not os.fspath(local_path):
            raise UsageError("An empty text names no folder.", fix='"." is the current one')
        if not top.is_dir():
            raise UsageError(f"There is no folder {top}.", fix="add_file() takes files" if top.is_file() else "")
        below = f"{manifest.inside(name)}/" if name and name.strip("./") else ""
        for folder, _, names in os.walk(top, followlinks=True):
            inner = os.path.relpath(folder, top).replace(os.sep, "/")
            prefix = below if inner == "." else f"{below}{inner}/"
            for one in sorted(names):
                source = Path(folder) / one
                if not source.is_file():
                    raise UsageError(f"{source} cannot be taken: it is no file.", fix="remove it, or name what to take")
                self._take(source, manifest.inside(prefix + one), policy=policy, overwrite=merge)

    def _take(self, source: Path, path: str, *, policy: str | None, overwrite: bool) -> Entry:
        if policy not in ("mutable", "immutable", None):
            raise UsageError(f"{policy!r} is no policy.", fix="mutable or immutable")
        entry = Entry(path, size=source.stat().st_size, source=source, parent=self._as_owner())
        self._check_new(entry, overwrite=overwrite)
        if policy != "immutable":
            entry.source = self._staging.take(source, path)
        self._added[str(source)] = path
        self._entries[path] = entry
        return entry

    def _check_new(self, entry: Entry, *, overwrite: bool = False) -> None:
        """Raise `UsageError` where something else has the path of *entry* already."""
        known = self._entries.get(entry.path)
        if known and not overwrite and (known.ref, known.digest) != (entry.ref, entry.digest):
            raise UsageError(f"{entry.path} is in the artifact already, with another content.", fix="overwrite=True")

    def _as_owner(self) -> Any:
        return self

    @contextmanager
    def new_file(
        self, name: str, mode: str = "x", encoding: str | None = None, policy: str = "mutable"
    ) -> Iterator[IO[Any]]:
        """A file of the artifact to write to; it is taken in when the block ends well.

            with artifact.new_file("labels.txt") as file:
                file.write("cat")

        *mode* is `x` or `w`, with `b` for bytes. *policy* is W&B's and changes nothing. Raises `UsageError` where there
        is one of this name, unless *mode* is `w`.
        """
        self._check_open()
        path = manifest.inside(name)
        if not set(mode) <= set("xwb") or not set(mode) & set("xw"):
            raise UsageError(f"{mode!r}: a new file is written.", fix="x, w, xb or wb")
        if path in self._entries and "x" in mode:
            raise UsageError(f"{path} is in the artifact already.", fix='mode="w" replaces it')
        target = self._staging.place(path)
        target.unlink(missing_ok=True)
        text = None if "b" in mode else encoding or "utf-8"
        with ExitStack() as undone:
            undone.callback(self._entries.pop, path, None)
            undone.callback(target.unlink, missing_ok=True)
            with target.open(mode, encoding=text) as file:
                yield file
            undone.pop_all()
        self._entries[path] = Entry(path, size=target.stat().st_size, source=target, parent=self._as_owner())

    def add_reference(
        self, uri: Entry | str, name: str | os.PathLike[str] | None = None, checksum: bool = True,
        max_objects: int | None = None,
    ) -> Sequence[Entry]:  # fmt: skip
        """Take an address in, as *name* or its last part; nothing is downloaded. A folder counts file by file.

        With *checksum* a file's md5, or a page's ETag and size, is noted. An entry of another artifact, or its
        `ref_url()`, is taken by its bytes, which are stored once whoever holds them. Raises `UsageError` for more files
        than *max_objects*.
        """
        self._check_open()
        if isinstance(uri, str) and uri.startswith(manifest.SCHEME):
            uri = self._entry_at(uri)
        if isinstance(uri, Entry):
            entry = self._taken_over(uri, manifest.inside(name or uri.path))
            return [entry]
        found = reference.described(
            str(uri), None if name is None else os.fspath(name), checksum=checksum, most=max_objects
        )
        for entry in found:
            self._check_new(entry)
        for entry in found:
            entry.parent = self._as_owner()
            self._entries[entry.path] = entry
        return found

    @abc.abstractmethod
    def _entry_at(self, address: str) -> Entry:
        """The entry of an artifact that was logged, by its `ref_url()`. Raises `NotFoundError`."""

    def _taken_over(self, other: Entry, path: str) -> Entry:
        """The entry *other* of an artifact, here as *path*."""
        source = other.source and self._staging.link(other.source, path)
        entry = Entry(
            path, size=other.size, ref=other.ref, digest=other.digest, source=source, extra=other.extra,
            parent=self._as_owner(),
        )  # fmt: skip
        self._check_new(entry)
        self._entries[path] = entry
        return entry

    def add(self, obj: Any, name: str | os.PathLike[str], overwrite: bool = False) -> Entry:
        """Take a table, a picture or the like in, as *name*; `get(name)` gives it back.

            artifact.add(mlgit.Table(columns=["id", "label"], data=rows), "labels")

        It is stored as it is now, with the files that it names. Raises `TypeError` for what is no such object,
        `UsageError` for a name that is taken unless *overwrite*, and for one that leaves the artifact.
        """
        self._check_open()
        text = manifest.inside(name)
        if (known := self._objects_of.get(id(obj))) and self._objects.get(text) is obj:
            return known
        if text in self._objects and not overwrite:
            raise UsageError(f"{text} is in the artifact already.", fix="overwrite=True replaces it")
        with Staging().alone() as folder:
            made = ties.ask("save")(obj, folder, text)
            for top, _, names in os.walk(folder):
                for one in sorted(names):
                    path = (Path(top) / one).relative_to(folder).as_posix()
                    self._take(Path(top) / one, manifest.inside(path), policy="mutable", overwrite=overwrite)
        self._objects[text] = obj
        self._objects_of[id(obj)] = self._entries[made]
        return self._entries[made]

    def remove(self, item: str | os.PathLike[str] | Entry) -> None:
        """Take an entry out again, or a folder with all that is in it. Raises `UsageError` where there is none."""
        self._check_open()
        path = item.path if isinstance(item, Entry) else manifest.inside(item)
        gone = [name for name in self._entries if name == path or name.startswith(f"{path}/")]
        if not gone:
            raise UsageError(f"There is no {path} in the artifact.")
        for name in gone:
            entry = self._entries.pop(name)
            if entry.source and entry.source.is_relative_to(self._staging.folder):
                entry.source.unlink(missing_ok=True)

    def get_added_local_path_name(self, local_path: str) -> str | None:
        """The name under which the file *local_path* was added, or None."""
        return self._added.get(str(Path(local_path)))

    def staged(self) -> Path:
        """The folder with exactly the artifact's files, and the list of its references.

        Raises `MlgitError` where the disk refuses, `UsageError` where an immutable file has gone.
        """
        for path, entry in self._entries.items():
            if entry.source and not entry.source.is_relative_to(self._staging.folder):
                if not entry.source.is_file():
                    raise UsageError(f"{entry.source} has gone, which was promised not to change.")
                entry.source = self._staging.take(entry.source, path)
        listed = self._staging.folder / manifest.REFERENCES
        listed.unlink(missing_ok=True)
        if content := manifest.references(self._entries):
            listed.write_bytes(content)
        return self._staging.folder

    def _all(self) -> dict[str, Entry]:
        return self._entries

    @property
    def manifest(self) -> Manifest:
        """The list of what is in it."""
        return Manifest(dict(self._all()))
