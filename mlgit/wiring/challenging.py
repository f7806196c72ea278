"""A run that has just been made, against what a stage serves: it is proposed where it is better."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlgit import wiring
from mlgit.artifacts.carrying import Carrier
from mlgit.core import refs
from mlgit.errors import RefMovedError, UsageError
from mlgit.git.repo import Move, Repo
from mlgit.registry import shared
from mlgit.registry.moving import challenge as challenges
from mlgit.registry.moving import propose
from mlgit.registry.versions import registering

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlgit.core.run import Run
    from mlgit.registry.moving.challenge import Challenge, Wish
    from mlgit.registry.moving.propose import Promotion
    from mlgit.store.place import Place

_TRIES = 5


def challenge(place: Place, found: Sequence[Run], wish: Wish) -> tuple[Challenge, Promotion | None]:
    """The best of the runs *found* against what a stage serves, and the pull request where it wins.

    Its version is on the remote by then, and its bytes where others find them. Raises `UsageError` where they have no
    such place, `NotFoundError`, `ConfigError`, `GitError`.
    """
    repo, remote = place.repo, wiring.remote(place)
    if remote.is_known:
        shared.bring(remote, wish.base)
    run = challenges.best(found, repo, wish)
    for attempt in range(_TRIES):
        seen = challenges.look(repo, wiring.forge(place), run, wish)
        if not seen.is_won:
            return seen, None
        if remote.is_known and not attempt:
            _carry(repo, run)
        version = seen.candidate.version
        if not seen.is_registered:
            registering.register(repo, run, model=wish.model, version=version, artifact=wish.artifact)
        try:
            if remote.is_known:
                shared.share_version(remote, wish.model, version)
            break
        except RefMovedError:
            if seen.is_registered or attempt == _TRIES - 1:
                raise
            tag = refs.version_tag(wish.model, version)  # ours is nobody's yet: it gets the next number
            repo.move([Move(tag, repo.refs(tag)[tag], None)], why=f"{remote.name} has another {version}")
            shared.bring(remote, wish.base)
    made = propose.plan(repo, wish.model, version, wish.stage, base=wish.base, sources=wish.sources)
    return seen, propose.promote(repo, wiring.opening(place), made, sources=wish.sources)


def _carry(repo: Repo, run: Run) -> None:
    """Have the bytes of *run* where others find them. Raises `UsageError` where they stay here."""
    carrier = Carrier(repo)
    stuck = carrier([Move(run.ref, None, repo.refs(run.ref)[run.ref])])
    if carrier.homeless or stuck:
        raise UsageError(
            f"The model of run {run.name} is on this machine alone, and nobody else could serve it.",
            why=next(iter(stuck.values()), "No DVC remote is configured."),
            fix="dvc remote add -d NAME URL, and commit .dvc/config",
        )
