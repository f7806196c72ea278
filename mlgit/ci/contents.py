"""The bytes that DVC holds of a run, beside its bundle: where there is no DVC remote by which they could go.

They lie by their hashes, so what several runs share lies there once, and what is not what its name says is seen.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlgit import whole
from mlgit.artifacts import carrying
from mlgit.artifacts.carrying import Carrier, Piece
from mlgit.core.run import Run
from mlgit.dvc import cache, pointers
from mlgit.dvc.caches import databases
from mlgit.dvc.remotes import remote
from mlgit.errors import MlgitError
from mlgit.git.bundle import sync
from mlgit.git.repo import Repo

FOLDER = "dvc"
"""Where they lie in the folder of a job."""


def hand_over(repo: Repo, run: Run, folder: Path) -> list[str]:
    """Let what *run* made go to the DVC remote, and lie in *folder* where it does not get there; what is nowhere.

    Raises `MlgitError` where the disk refuses.
    """
    pieces = list(carrying.of_run(run))
    carrier = Carrier(repo)
    carrier.send(pieces)
    stays = carrier.stays.keys() | set(carrier.homeless)
    lost = []
    for piece in pieces:
        if piece.content not in stays:
            continue
        found = _found(repo, piece)
        if found is None:
            lost.append(piece.label)
            continue
        for oid, path in found.items():
            _put(path, folder / FOLDER, oid, mode=0o644)
    return lost


def _found(repo: Repo, piece: Piece) -> dict[str, Path] | None:
    """Hash → file of all that *piece* consists of; None where some of it is not here."""
    for database in databases.of(repo, piece.folder):
        if databases.has(database, piece.content):
            found = {oid: databases.place(database, oid) for oid in databases.objects(database, piece.content)}
            if all(path.is_file() for path in found.values()):
                return found
    return None


@dataclass
class Brought:
    """What has become of the bytes of runs that were collected."""

    new: int = 0
    """Files that the cache has got."""
    wrong: dict[str, str] = field(default_factory=dict)
    """A content, as people call it → why it did not come."""


def bring(repo: Repo, runs: Iterable[Run], folders: Sequence[Path]) -> Brought:
    """Let the cache have what *runs* made, as far as it lies in the *folders* of jobs and is what its name says.

    What lies there in no run's name is left there. Raises `MlgitError` where the disk refuses.
    """
    told = Brought()
    there = [place for folder in folders for place in _places(folder)]
    for piece in {piece.content: piece for run in runs for piece in carrying.of_run(run)}.values():
        try:
            told.new += _bring(repo, piece, there)
        except MlgitError as exc:
            told.wrong[piece.label] = exc.what
    return told


def _places(folder: Path) -> Iterator[Path]:
    for place in (folder, *sorted(folder.iterdir())):
        if (place / FOLDER).is_dir() and not place.is_symlink() and not (place / FOLDER).is_symlink():
            yield place / FOLDER


def _bring(repo: Repo, piece: Piece, there: Sequence[Path]) -> int:
    """How many files of *piece* are new to the cache. Raises `MlgitError` where one is damaged, or its listing is."""
    if _found(repo, piece):
        return 0
    home = databases.home(repo, piece.folder)
    count = _bring_one(piece.content, home, there)
    if not count or not pointers.is_folder(piece.content):
        return count  # what lies nowhere here went to the DVC remote, if there is one: who is to push it will say so
    inside = databases.listed(databases.place(home, piece.content))
    missing = [name for name, oid in inside.items() if not _has_or_brings(oid, home, there)]
    if missing:
        raise MlgitError(f"{missing[0]} of it was not handed over.")
    return count + len(inside)


def _has_or_brings(oid: str, home: Path, there: Sequence[Path]) -> bool:
    return databases.has(home, oid) or bool(_bring_one(oid, home, there))


def _bring_one(oid: str, home: Path, there: Sequence[Path]) -> int:
    for place in there:
        path = databases.place(place, oid)
        if path.is_file() and not path.is_symlink() and not path.parent.is_symlink():
            if pointers.is_folder(oid):
                databases.listed(path)  # raises for one that leads out, before it is in the cache
            _put(path, home, oid, mode=0o444)  # as DVC leaves what it has
            return 1
    return 0


def _put(source: Path, database: Path, oid: str, *, mode: int) -> None:
    """Let *database* have *source*, by its hash *oid*, whole and synced. Raises `MlgitError`."""
    target = databases.place(database, oid)
    if target.exists():
        return
    try:
        database.mkdir(parents=True, exist_ok=True)
        databases.make_folder(database, target.parent)
        with whole.at(target) as scratch:
            cache.copy(source, scratch, oid.removesuffix(".dir"))
            sync(scratch)
            scratch.chmod(mode)
    except OSError as exc:
        raise MlgitError(f"{target} cannot be written.", why=str(exc), fix="make room, or give the right") from exc


def lacking(repo: Repo, runs: Iterable[Run]) -> Mapping[str, str]:
    """What *runs* made and neither the cache nor the DVC remote has: a content, as people call it → its hash."""
    pieces = {piece.content: piece for run in runs for piece in carrying.of_run(run)}
    found = dict[str, str]()
    for folder in sorted({piece.folder for piece in pieces.values()}):
        here = [one for one in pieces.values() if one.folder == folder and not _found(repo, one)]
        contents = [one.content for one in here]
        with contextlib.suppress(MlgitError):  # a remote that cannot be asked may well have them
            gone = contents if remote.unsent(repo, (), folder=folder) is None else remote.nowhere(
                repo, contents, folder=folder
            )  # fmt: skip
            found |= {one.label: one.content for one in here if one.content in set(gone)}
    return found
