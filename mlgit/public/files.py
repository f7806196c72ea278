"""The files of a run: what it saved, its media, its records; from its branch, DVC's cache or its live folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from mlgit import whole
from mlgit.artifacts import manifest
from mlgit.artifacts.files import File
from mlgit.core import figures
from mlgit.core.run import Run
from mlgit.dvc import cache, pointers
from mlgit.dvc.caches import databases
from mlgit.errors import MlgitError, NotFoundError, UsageError
from mlgit.git.objects import Reader
from mlgit.git.repo import Repo
from mlgit.store import live, runs

Read = Callable[[], bytes]
_MADE = ("files", "media")
"""The folders of what a script saves and logs."""


class RunFile(File):
    """One file of a run, by the name that it was saved under.

    *read*: how its bytes are had, None for no such file; *remove*: how it is taken away, None where it stays.
    """

    def __init__(
        self, name: str, *, run: Run, read: Read | None, size: int | None = None,
        remove: Callable[[], None] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(name)
        self._run, self._read, self._size, self._remove = run, read, size, remove

    @property
    def size(self) -> int:
        """Bytes."""
        if self._size is None:
            self._size = len(self.content())
        return self._size

    @property
    def md5(self) -> str:
        """Of its content, as hex digits."""
        return databases.md5(self.content()).hexdigest()

    @property
    def path_uri(self) -> str:
        """Where it is: an address that names the run's branch."""
        return f"mlgit://{self._run.branch or self._run.id}/{self.name}"

    @property
    def updated_at(self) -> str:
        """When its run was last heard of."""
        return figures.moment(self._run.heard)

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

    def bring_below(self, root: Path) -> None:
        """Write it below *root* by its name, whole or not at all. Raises `NotFoundError`, `MlgitError`."""
        self.bring(root / manifest.inside(self.name))

    def delete(self) -> None:
        """Take a file that the script saved or logged out of the run; the commits below still hold it.

        Raises `UsageError` for one of the run's record, and for what DVC holds for it.
        """
        if self._remove is None:
            raise UsageError(
                f"{self.name[:120]} cannot be deleted by itself.", why="It is of the run's record, or DVC holds it.",
                fix="run.delete() takes the whole run away",
            )  # fmt: skip
        self._remove()

    def __repr__(self) -> str:
        return f"<mlgit file {self.name} of {self._run.name}>"


Remove = Callable[[str], None]
"""Takes a path away that lies below `experiment/`."""


def of_run(repo: Repo, run: Run, remove: Remove | None = None) -> dict[str, RunFile]:
    """Every file of *run* by name: what it saved by its own, all else by its path in the run's folder.

    *remove* is asked where one of them is to be deleted.
    """
    found = _of_branch(repo, run, remove) if run.commit else _of_folder(live.folder_of(repo, run.id), run, remove)
    return dict(sorted((file.name, file) for file in found))


def contents(repo: Repo, run: Run, reader: Reader) -> Iterator[tuple[str, bytes]]:
    """Every file of *run* by name, and its content: what its branch has is read by *reader*, many at a time."""
    if not run.commit:
        yield from ((name, file.content()) for name, file in of_run(repo, run).items())
        return
    top = runs.place_of(run, "").rstrip("/")
    paths = [(path, oid) for path, oid in _walk(reader, f"{run.commit}:{top}") if not path.startswith("artifacts/")]
    answers = list(reader.read_all(oid for _, oid in paths))  # all, for one of them may be no pointer
    for (path, _), found in zip(paths, answers, strict=True):
        content = found[2] if found else b""
        if path.endswith(".dvc") and "/" not in path:
            yield from ((file.name, file.content()) for file in _held(repo, run, path, content))
        else:
            yield _name(path), content


def _name(path: str) -> str:
    return path.removeprefix("files/")


def _removed(path: str, remove: Remove | None) -> Callable[[], None] | None:
    """How *path* is taken away, which only what the script itself has made can be."""
    return partial(remove, path) if remove and path.startswith(tuple(f"{part}/" for part in _MADE)) else None


def _of_folder(folder: Path, run: Run, remove: Remove | None) -> Iterator[RunFile]:
    for part in _MADE:
        for path in sorted((folder / part).rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                place = path.relative_to(folder).as_posix()
                size, gone = path.stat().st_size, _removed(place, remove)
                yield RunFile(_name(place), size=size, read=path.read_bytes, run=run, remove=gone)
    for name in ("run.yaml", "output.log"):
        if (folder / name).is_file():
            yield RunFile(name, size=(folder / name).stat().st_size, read=(folder / name).read_bytes, run=run)


def _of_branch(repo: Repo, run: Run, remove: Remove | None) -> Iterator[RunFile]:
    top = runs.place_of(run, "").rstrip("/")
    with repo.reader() as reader:
        paths = list(_walk(reader, f"{run.commit}:{top}"))
        sizes = list(reader.sizes(oid for _, oid in paths))
    for (path, _), size in zip(paths, sizes, strict=True):
        if path.endswith(".dvc") and path.count("/") == 0:
            yield from _held(repo, run, path, repo.read(run.commit, f"{top}/{path}") or b"")
        elif not path.startswith("artifacts/"):
            read, gone = partial(_blob, repo, run, f"{top}/{path}"), _removed(path, remove)
            yield RunFile(_name(path), size=size or 0, read=read, run=run, remove=gone)


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


def _held(repo: Repo, run: Run, path: str, pointer: bytes) -> Iterator[RunFile]:
    """What DVC holds in the place of *path*, a folder file by file; nothing where its bytes are elsewhere."""
    for out in pointers.parse(pointer, source=path):
        try:
            inside = cache.listing(repo, out.hash, folder=run.folder)
        except NotFoundError:
            continue
        for name, (_, source) in inside.items():
            inner = out.path if name == "." else f"{out.path}/{name}"
            yield RunFile(_name(inner), size=source.stat().st_size, read=source.read_bytes, run=run)
