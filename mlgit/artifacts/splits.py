"""Splits of a dataset: groups of its files by name, each told by patterns of their paths (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import combinations

from mlgit.errors import UsageError

Splits = Mapping[str, tuple[str, ...]]


def parse(texts: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """What `train=train/*,test=test/*` says; a name that comes again has one more pattern. Raises `UsageError`."""
    found: dict[str, tuple[str, ...]] = {}
    for text in (one for several in texts for one in several.split(",")):
        name, _, pattern = (part.strip() for part in text.partition("="))
        if not name or not pattern or not name.isprintable():
            raise UsageError(f"{text[:80]!r} is no split.", fix="--split train=train/,test=test/")
        found[name] = (*found.get(name, ()), pattern)
    return found


def files_of(patterns: Iterable[str], paths: Iterable[str]) -> list[str]:
    """Those of *paths* that a pattern means: a file, a folder and all in it, or a glob, also across folders."""
    wanted = [pattern.removeprefix("./").rstrip("/") for pattern in patterns]
    return [path for path in paths if any(_fits(path, one) for one in wanted)]


def seen_from(top: str, splits: Splits, paths: Sequence[str]) -> Splits:
    """*splits* told from inside of the folder *top*, also where somebody wrote its own path before theirs.

    A pattern that fits some of *paths* as it stands is taken at its word.
    """
    before = f"{top.removeprefix('./').rstrip('/')}/"

    def inside(pattern: str) -> str:
        return pattern if files_of([pattern], paths) else pattern.removeprefix("./").removeprefix(before)

    return {name: tuple(map(inside, patterns)) for name, patterns in splits.items()}


def _fits(path: str, pattern: str) -> bool:
    return path == pattern or path.startswith(f"{pattern}/") or fnmatchcase(path, pattern)


def check(splits: Splits, paths: Sequence[str]) -> list[str]:
    """What a person should know of *splits* of a dataset of these *paths*, in sentences.

    Raises `UsageError` for a split without a file.
    """
    files = {name: set(files_of(patterns, paths)) for name, patterns in splits.items()}
    for name, inside in files.items():
        if not inside:
            some = ", ".join(sorted({path.partition("/")[0] for path in paths})[:5])
            raise UsageError(f"No file is in the split {name} ({', '.join(splits[name])}).", fix=f"there are: {some}")
    told = []
    for one, other in combinations(files, 2):
        if both := files[one] & files[other]:
            number = "1 file is" if len(both) == 1 else f"{len(both):,} files are"
            told.append(f"{number} in {one} and in {other}: {', '.join(sorted(both)[:3])}.")
    return told
