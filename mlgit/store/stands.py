"""Where the branches of runs stand on one side, in sight or hidden, and what moves to make it otherwise."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mlgit import whole
from mlgit.core import refs
from mlgit.git.repo import Move, Repo

_HIDDEN = f"{refs.TRASH}exp/"
_MEMORIES = "agreed"


@dataclass(frozen=True, slots=True)
class Stand:
    """Where the branch of a run stands."""

    tip: str
    hidden: bool = False
    """Whether `mlgit rm` has taken it out of sight."""


def stands(known: Mapping[str, str]) -> dict[str, Stand]:
    """The runs among the refs *known*, by what follows `exp/` in their branches' names; what is in sight counts."""
    hidden = {ref.removeprefix(_HIDDEN): Stand(tip, True) for ref, tip in known.items() if ref.startswith(_HIDDEN)}
    return hidden | {ref.removeprefix(refs.RUNS): Stand(tip) for ref, tip in known.items() if ref.startswith(refs.RUNS)}


def folders(known: Iterable[str]) -> set[str]:
    """The names that no run can have beside those *known*: git keeps branches as files, and these are folders."""
    return {name[:at] for name in known for at, char in enumerate(name) if char == "/"}


class Spellings:
    """Which new refs a disk that does not tell upper from lower case takes for others: they are files and folders."""

    def __init__(self, repo: Repo, known: Iterable[str]) -> None:
        is_blind = repo.config.get("core.ignorecase") == "true"
        self._is_blind = is_blind and repo.config.get("extensions.refstorage", "files") == "files"
        self._spelled: dict[str, str] = {}
        for ref in known if self._is_blind else ():
            self.conflict(ref)

    def conflict(self, ref: str) -> str | None:
        """Why the new *ref* can't be here; None where it can, and is among those known from now on."""
        ends = [at for at, char in enumerate(f"{ref}/") if char == "/"] if self._is_blind else []
        pieces = {ref[:at].casefold(): ref[:at] for at in ends}
        for piece, spelled in pieces.items():
            if (there := self._spelled.get(piece, spelled)) != spelled:
                return f"this disk cannot tell it from {there.removeprefix('refs/heads/exp/')}"
        self._spelled |= pieces
        return None


def is_hidden(agreed: Stand | None, ours: Stand, theirs: Stand) -> bool:
    """Whether a run is hidden that one side has hidden or restored since both *agreed*; hidden, if they never did."""
    if agreed is None:
        return ours.hidden or theirs.hidden
    return theirs.hidden if ours.hidden is agreed.hidden else ours.hidden


def moves(name: str, known: Mapping[str, str], wanted: Stand | None) -> list[Move]:
    """What makes the run *name* stand as *wanted*, or nowhere, where the refs are as *known*."""
    places = {False: f"{refs.RUNS}{name}", True: f"{_HIDDEN}{name}"}
    now = stands({ref: known[ref] for ref in places.values() if ref in known}).get(name)
    found: list[Move] = []
    if wanted and known.get(to := places[wanted.hidden]) != wanted.tip:
        found.append(Move(to, known.get(to), wanted.tip))
    if now and (wanted is None or now.hidden is not wanted.hidden):
        found.append(Move(places[now.hidden], now.tip, None))
    return found


def after(known: Mapping[str, str], done: Iterable[Move]) -> dict[str, str]:
    """The refs *known*, when *done* is done."""
    moved = dict(known)
    for move in done:
        if move.new is None:
            moved.pop(move.ref, None)
        else:
            moved[move.ref] = move.new
    return moved


def is_shared(repo: Repo, ref: str) -> bool:
    """Whether some other repository is known to have had the branch *ref*."""
    return bool(shared(repo, (ref,)))


def shared(repo: Repo, wanted: Iterable[str]) -> set[str]:
    """Those of the branches *wanted* that some other repository is known to have had."""
    left = set(wanted)
    pattern = f"refs/remotes/*/{refs.branch(*left)}" if len(left) == 1 else "refs/remotes/"
    there = {f"refs/heads/{ref.split('/', 3)[-1]}" for ref in repo.refs(pattern)}
    folder = repo.own / _MEMORIES
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return left & there.union(*(_read(folder / name) for name in names))


@dataclass(frozen=True, kw_only=True)
class Memory:
    """The refs that were the same here and at *address* when they last met: who lacks one later has let it go.

    Nothing breaks without it; what was deleted may then come back.
    """

    repo: Repo
    address: str

    def read(self) -> dict[str, str]:
        """Refs and the ids that they pointed at."""
        return _read(self._path)

    def write(self, before: Mapping[str, str], near: Mapping[str, str], far: Mapping[str, str]) -> None:
        """Remember what is the same in *near* and *far*, and of *before* what still is in one of them."""
        now = {ref: oid for ref, oid in before.items() if ref in near or ref in far}
        now |= {ref: oid for ref, oid in near.items() if far.get(ref) == oid}
        if now != before:
            with whole.at(self._path) as scratch:
                text = "".join(f"{oid} {ref}\n" for ref, oid in sorted(now.items()))
                scratch.write_text(text, encoding="utf-8", errors="surrogateescape")

    @property
    def _path(self) -> Path:
        return self.repo.own / _MEMORIES / hashlib.sha256(self.address.encode()).hexdigest()[:16]


def _read(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    except FileNotFoundError:
        return {}
    return {ref: oid for oid, _, ref in (line.partition(" ") for line in lines) if ref}
