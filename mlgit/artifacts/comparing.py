"""Two versions of data, or a version and what lies in the work tree: which files differ, and what tables became."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from mlgit.artifacts import log, logged, manifest, shapes
from mlgit.artifacts.shapes import Shape
from mlgit.dvc import cache
from mlgit.dvc.caches import tree
from mlgit.dvc.worktree import standing
from mlgit.errors import NotFoundError, UsageError
from mlgit.git.repo import Repo
from mlgit.store.place import Place


@dataclass(frozen=True, kw_only=True)
class Side:
    """One content: its files by path, each with its hash and where its bytes lie, if they are here."""

    name: str
    hashes: Mapping[str, str]
    places: Mapping[str, Path]
    far: Mapping[str, int | None] = field(default_factory=lambda: MappingProxyType({}))
    """Of what it references elsewhere, its bytes, where they are known."""

    def size(self, path: str) -> int | None:
        """Bytes of the file at *path*, where they are known."""
        try:
            return self.places[path].stat().st_size if path in self.places else self.far.get(path)
        except OSError:
            return None

    @property
    def total(self) -> int:
        """Bytes of all of which they are known."""
        return sum(self.size(path) or 0 for path in self.hashes)


def version(place: Place, text: str) -> Side:
    """The version that *text* names, its bytes fetched where need be. Raises `NotFoundError`."""
    held = log.find(place.repo, text, project=place.meant)
    name = Path(held.version.path).name or held.version.name
    return _held(place.repo, held.version.hash, held.folder, name, held.name, what=lambda: logged.called(held))


def pointed(repo: Repo, path: Path) -> Side:
    """What the pointer to *path*, in the work tree, names. Raises `NotFoundError`."""
    (one, *_) = standing.tracked(repo, [path])
    pointer = one.pointer.relative_to(repo.folder).as_posix()
    return _held(repo, one.out.hash, standing.folder(repo, one), one.place.name, pointer)


def _held(
    repo: Repo, content: str, folder: str, name: str, title: str, what: Callable[[], str] = str
) -> Side:  # fmt: skip
    found = cache.listing(repo, content, folder=folder, what=what)
    return _side(title, {_called(path, name): one for path, one in found.items()})


def _side(title: str, found: Mapping[str, tuple[str, Path]]) -> Side:
    """What was *found*, path → (md5, where it lies); the list of what lies elsewhere stands for that."""
    near = dict(found)
    _, listed = near.pop(manifest.REFERENCES, ("", None))
    far = manifest.read_references(listed) if listed else {}
    return Side(
        name=title, places={path: file for path, (_, file) in near.items()},
        hashes={path: md5 for path, (md5, _) in near.items()} | {path: one.digest for path, one in far.items()},
        far={path: one.size for path, one in far.items()},
    )  # fmt: skip


def added_at(place: Place, text: str) -> Path:
    """Where the version that *text* names was added, in the work tree. Raises `UsageError` for a reference."""
    held = log.find(place.repo, text, project=place.meant)
    if manifest.is_address(held.version.path):
        raise UsageError(
            f"{held.name} references {held.version.path}: nothing of it lies here.",
            fix=f"mlgit data add {held.version.path} --name {held.collection} tells whether it has changed",
        )
    return place.repo.folder / held.folder / held.version.path


def here(repo: Repo, path: Path) -> Side:
    """What lies at *path* in the work tree. Raises `NotFoundError`."""
    place = tree.named(path)
    if not place.exists():
        raise NotFoundError(f"There is nothing at {path}.")
    found = standing.hashes(repo, place)
    files = {name: place if name == tree.ALONE else place / name for name in found}
    return _side(str(path), {_called(name, place.name): (md5, files[name]) for name, md5 in found.items()})


def _called(path: str, name: str) -> str:
    return name if path == tree.ALONE else path


def table(before: Side, after: Side, path: str, now: str | None = None) -> tuple[Shape | None, Shape | None]:
    """The shapes of the table at *path*, where it is one, before and after; *now*: its path after."""
    old, new = before.places.get(path), after.places.get(now or path)
    return (
        shapes.of(old, path) if old is not None else None,
        shapes.of(new, now or path) if new is not None else None,
    )
