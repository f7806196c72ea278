"""A model that was stored, as an object again: by the loader of its format, and no other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlgit.core.model_card import ModelCard
from mlgit.errors import MlgitError, UsageError
from mlgit.formats import frameworks, keeping
from mlgit.formats.frameworks import PICKLE, Trust


def load(place: Path, card: ModelCard, trust: Trust) -> Any:
    """The model at *place*, a file or a folder, as its *card* tells of it.

    Raises `UsageError` for an unsafe one unless that is allowed, and for a format that nobody here loads; `MlgitError`
    where the library of its format cannot load it.
    """
    if card.unsafe and not trust.pickle:
        raise UsageError(
            f"The model is unsafe: {card.unsafe}.", why="Loading it can run code that came with it.",
            fix="allow_pickle=True, if you trust who made it",
        )  # fmt: skip
    name = PICKLE if card.format == PICKLE else card.framework
    if not name:
        raise UsageError("Nobody knows the format of this model.", fix="use_model() brings its files")
    try:
        return frameworks.named(name).load(files_of(place), card, trust)
    except MlgitError:
        raise
    except Exception as exc:  # a library meets bytes of anybody's, and raises what it likes
        told = f"{type(exc).__name__}: {str(exc)[:1000]}"
        raise MlgitError(
            f"{name} cannot load this model.", why=told, fix="use_model() brings its files, to be looked at"
        ) from exc


def verify(place: Path, sha256: Mapping[str, str]) -> None:
    """Raise `MlgitError` where what lies at *place* is not exactly the files of the manifest *sha256*."""
    if wrong := differing(files_of(place), sha256):
        raise MlgitError(
            f"{place} is not what was logged: {wrong}.", fix="do not use it; delete it, and bring it again"
        )


def differing(files: Mapping[str, Path], sha256: Mapping[str, str]) -> str:
    """What of *files*, by path, is not as the manifest *sha256* says, in words; empty where all is."""
    there = {path: keeping.sha256_of(file) for path, file in files.items()}
    wrong = sorted(path for path in there.keys() | sha256.keys() if there.get(path) != sha256.get(path))
    return f"{wrong[0][:200]} {_what(wrong[0], there, sha256)}" if wrong else ""


def _what(path: str, there: Mapping[str, str], wanted: Mapping[str, str]) -> str:
    if path not in there:
        return "is missing"
    return "has another sha256 than its record says" if path in wanted else "is none of its files"


def files_of(place: Path) -> dict[str, Path]:
    """The files at *place* by path, one alone by its name."""
    if not place.is_dir():
        return {place.name: place}
    return {path.relative_to(place).as_posix(): path for path in sorted(place.rglob("*")) if path.is_file()}
