"""Two versions of data, or a version and what lies in the work tree: which files differ, and what tables became."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlgit.artifacts import log, shapes
from mlgit.artifacts.shapes import Shape
from mlgit.dvc import cache, standing, tree
from mlgit.errors import NotFoundError
from mlgit.git.repo import Repo
from mlgit.store.place import Place


@dataclass(frozen=True, kw_only=True)
class Side:
    """One content: its files by path, each with its hash and where its bytes lie, if they are here."""

    name: str
    hashes: Mapping[str, str]
    places: Mapping[str, Path]

    def size(self, path: str) -> int | None:
        """Bytes of the file at *path*, where they are here."""
        try:
            return self.places[path].stat().st_size if path in self.places else None
        except OSError:
            return None

    @property
    def total(self) -> int:
        """Bytes of all that are here."""
        return sum(self.size(path) or 0 for path in self.hashes)


def version(place: Place, text: str) -> Side:
    """The version that *text* names, its bytes fetched where need be. Raises `NotFoundError`."""
    held = log.find(place.repo, text, project=place.meant)
    name = Path(held.version.path).name or held.version.name
    return _held(place.repo, held.version.hash, held.folder, name, held.name)


def pointed(repo: Repo, path: Path) -> Side:
    """What the pointer to *path*, in the work tree, names. Raises `NotFoundError`."""
    (one, *_) = standing.tracked(repo, [path])
    pointer = one.pointer.relative_to(repo.folder).as_posix()
    return _held(repo, one.out.hash, standing.folder(repo, one), one.place.name, pointer)


def _held(repo: Repo, content: str, folder: str, name: str, title: str) -> Side:
    found = cache.listing(repo, content, folder=folder)
    return Side(
        name=title, hashes={_called(path, name): md5 for path, (md5, _) in found.items()},
        places={_called(path, name): file for path, (_, file) in found.items()},
    )  # fmt: skip


def added_at(place: Place, text: str) -> Path:
    """Where the version that *text* names was added, in the work tree."""
    held = log.find(place.repo, text, project=place.meant)
    return place.repo.folder / held.folder / held.version.path


def here(repo: Repo, path: Path) -> Side:
    """What lies at *path* in the work tree. Raises `NotFoundError`."""
    place = path.parent.resolve() / path.name
    if not place.exists():
        raise NotFoundError(f"There is nothing at {path}.")
    found = standing.hashes(repo, place)
    return Side(
        name=str(path), hashes={_called(name, place.name): md5 for name, md5 in found.items()},
        places={_called(name, place.name): place if name == tree.ALONE else place / name for name in found},
    )  # fmt: skip


def _called(path: str, name: str) -> str:
    return name if path == tree.ALONE else path


def table(before: Side, after: Side, path: str, now: str | None = None) -> tuple[Shape | None, Shape | None]:
    """The shapes of the table at *path*, where it is one, before and after; *now*: its path after."""
    old, new = before.places.get(path), after.places.get(now or path)
    return (
        shapes.of(old, path) if old is not None else None,
        shapes.of(new, now or path) if new is not None else None,
    )
