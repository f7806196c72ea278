"""What a command does when it has done its work: old runs fold by themselves, where somebody has said yes to it once.

It never fails the command, and takes a moment at most: a few runs each time.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from mlgit.cli import output
from mlgit.errors import MlgitError

if TYPE_CHECKING:
    from mlgit.git.repo import Repo
    from mlgit.store.place import Place

_ANSWER = "mlgit.archive"
"""The setting of git's that holds what a person has said: `auto` or `never`."""
_AT_ONCE = 200
"""Runs that are folded after one command."""
_ROOM = 10
"""A part of the limit that is made room for, so that not every new run means one to fold."""


def remember(repo: Repo, *, auto: bool) -> None:
    """Whether mlgit may fold old runs by itself in this repository."""
    repo.git("config", _ANSWER, "auto" if auto else "never")


def tidy() -> None:
    """Fold some of the oldest runs, if there are more branches than `archive.limit` says and it may; ask that once."""
    from mlgit.store import place as places

    try:
        if here := places.of_reader(places.here()):
            _tidy(here, can_ask=all(map(output.is_terminal, (sys.stdin, sys.stdout, sys.stderr))))
    except (MlgitError, OSError) as exc:
        output.note(f"old runs were not archived: {exc}")


def _tidy(place: Place, *, can_ask: bool) -> None:
    from mlgit.core import refs
    from mlgit.store.archive import ArchiveOptions

    answer = place.repo.config.get(_ANSWER)
    limit = place.settings.section("archive", ArchiveOptions).limit
    if answer == "never" or limit <= 0 or not (answer or can_ask):
        return
    over = len(place.repo.refs(refs.RUNS)) - limit
    if over > 0 and (answer == "auto" or _is_allowed(place.repo, limit + over)):
        _fold(place, over, over + limit // _ROOM, limit)


def _is_allowed(repo: Repo, count: int) -> bool:
    """What the person at the terminal says; Ctrl-C is no answer, and it is asked again another time."""
    import click

    output.note(
        f"There are {count:,} run branches here, and git gets slow with many. mlgit can fold the oldest after ls and "
        "sync: every command finds them as before, and mlgit unarchive gives branches back."
    )
    try:
        auto = click.confirm("Fold old runs by itself from now on?", default=True, err=True)
    except click.Abort:
        return False
    remember(repo, auto=auto)
    return auto


def _fold(place: Place, over: int, wanted: int, limit: int) -> None:
    from mlgit.index import query
    from mlgit.wiring import upkeep

    can, _ = upkeep.archivable(place, query.oldest(place.repo, 2 * _AT_ONCE))
    done = upkeep.fold(place, can[: min(wanted, _AT_ONCE)])
    if done and over > len(done):
        output.note(f"{len(done):,} old runs were archived; {over - len(done):,} branches are still too many, "
                    f"which mlgit archive --keep {limit} folds at once")  # fmt: skip
    elif done:
        output.note(f"{len(done):,} old run{'s were' if len(done) > 1 else ' was'} archived")
