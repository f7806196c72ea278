"""The files of a run: what it saved, its media, its records; from its branch, DVC's cache or its live folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any

from mlgit import whole
from mlgit.artifacts import manifest
from mlgit.core.run import Run
from mlgit.dvc import cache, pointers
from mlgit.errors import MlgitError, NotFoundError, UsageError
from mlgit.git.objects import Reader
from mlgit.git.repo import Repo
from mlgit.store import live, runs

Read = Callable[[], bytes]


class File:
    """One file of a run, by the name that it was saved under. *read*: how its bytes are had; None for no such file."""

    def __init__(self, name: str, *, size: int, read: Read | None, run: Run) -> None:
        self.name, self.size, self._read, self._run = name, size, read, run

    @property
    def path_uri(self) -> str:
        """Where it is: an address that names the run's branch."""
        return f"mlgit://{self._run.branch or self._run.id}/{self.name}"

    url = direct_url = path_uri

    @property
    def mimetype(self) -> str | None:
        """What kind of file its name tells of."""
        import mimetypes

        return mimetypes.guess_type(self.name)[0]

    def content(self) -> bytes:
        """Its bytes. Raises `NotFoundError`."""
        if self._read is None:
            raise NotFoundError(f"The run {self._run.name} has no file {self.name[:120]!r}.", fix="files() lists them")
        return self._read()

    def bring(self, target: Path) -> None:
        """Write it to *target*, whole or not at all. Raises `NotFoundError`, `MlgitError` where the disk refuses."""
        content = self.content()
        try:
            with whole.at(target) as scratch:
                scratch.write_bytes(content)
        except OSError as exc:
            raise MlgitError(f"{target} cannot be written.", why=str(exc)) from exc

    def download(
        self, root: str | os.PathLike[str] = ".", replace: bool = False, exist_ok: bool = False, api: Any = None
    ) -> IO[str]:
        """Bring it below *root*, and open it to read. *api* is W&B's.

        What is there already is replaced with *replace*, left as it is with *exist_ok*, and else raises `UsageError`.
        """
        target = Path(root) / manifest.inside(self.name)
        if not target.exists() or replace:
            self.bring(target)
        elif not exist_ok:
            raise UsageError(f"{target} is there already.", fix="replace=True, or exist_ok=True")
        return target.open(encoding="utf-8", errors="surrogateescape")

    def __repr__(self) -> str:
        return f"<mlgit file {self.name} of {self._run.name}>"


def of_run(repo: Repo, run: Run) -> dict[str, File]:
    """Every file of *run* by name: what it saved by its own, all else by its path in the run's folder."""
    found = _of_branch(repo, run) if run.commit else _of_folder(live.folder_of(repo, run.id), run)
    return dict(sorted((file.name, file) for file in found))


def _name(path: str) -> str:
    return path.removeprefix("files/")


def _of_folder(folder: Path, run: Run) -> Iterator[File]:
    for part in ("files", "media"):
        for path in sorted((folder / part).rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                name = _name(path.relative_to(folder).as_posix())
                yield File(name, size=path.stat().st_size, read=path.read_bytes, run=run)
    for name in ("run.yaml", "output.log"):
        if (folder / name).is_file():
            yield File(name, size=(folder / name).stat().st_size, read=(folder / name).read_bytes, run=run)


def _of_branch(repo: Repo, run: Run) -> Iterator[File]:
    top = runs.place_of(run, "").rstrip("/")
    with repo.reader() as reader:
        paths = list(_walk(reader, f"{run.commit}:{top}"))
        sizes = list(reader.sizes(oid for _, oid in paths))
    for (path, _), size in zip(paths, sizes, strict=True):
        if path.endswith(".dvc") and path.count("/") == 0:
            yield from _held(repo, run, path, repo.read(run.commit, f"{top}/{path}") or b"")
        elif not path.startswith("artifacts/"):
            yield File(_name(path), size=size or 0, read=partial(_blob, repo, run, f"{top}/{path}"), run=run)


def _blob(repo: Repo, run: Run, path: str) -> bytes:
    content = repo.read(run.commit, path)
    if content is None:
        raise NotFoundError(f"{path} has gone from {run.branch}.")
    return content


def _walk(reader: Reader, name: str, prefix: str = "") -> Iterator[tuple[str, str]]:
    for entry_name, entry in (reader.tree(name) or {}).items():
        if entry.is_tree:
            yield from _walk(reader, entry.oid, f"{prefix}{entry_name}/")
        elif entry.mode.startswith("100"):
            yield f"{prefix}{entry_name}", entry.oid


def _held(repo: Repo, run: Run, path: str, pointer: bytes) -> Iterator[File]:
    """What DVC holds in the place of *path*, a folder file by file; nothing where its bytes are elsewhere."""
    for out in pointers.parse(pointer, source=path):
        try:
            inside = cache.listing(repo, out.hash, folder=run.folder)
        except NotFoundError:
            continue
        for name, (_, source) in inside.items():
            whole = out.path if name == "." else f"{out.path}/{name}"
            yield File(_name(whole), size=source.stat().st_size, read=source.read_bytes, run=run)
