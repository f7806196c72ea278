"""What keeps stages where they are, or brings them back: rollbacks, holds, freezes and emergencies, and who says so."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from mlgit.core import figures
from mlgit.core.model import Emergency, Hold
from mlgit.errors import UsageError
from mlgit.wiring import judging, opening, remote

if TYPE_CHECKING:
    from mlgit.core.model import Stage
    from mlgit.forge.base import PullRequest
    from mlgit.git.remote import Remote
    from mlgit.registry.filing import Edit
    from mlgit.registry.moving.propose import Plan
    from mlgit.registry.policy.freezes import Freeze
    from mlgit.store.place import Place


def way_back(
    place: Place, model: str, stage: str, *, to: str | None, why: str, base: str | None = None, at: str | None = None,
    by: str = "", remote: Remote | None = None,
) -> Plan | Stage:  # fmt: skip
    """What rolling *stage* back takes; or the stage as it stands, where it has come back already.

    *at*: the commit of the base branch that counts, else the one that is here. *by*: who does it, else who works here.
    What gates need and this clone lacks is brought from *remote*.
    """
    from mlgit.registry.moving import back
    from mlgit.store import registry

    name = registry.base_name(place.repo, base)
    sources = judging.sources(place, remote=remote)
    return back.plan(place.repo, model, stage, hold=_hold(place, why, by), base=name, sources=sources, to=to, at=at)


def earlier(place: Place, model: str, stage: str) -> list[str]:
    """The versions that *stage* served before the present one, the latest first."""
    from mlgit.registry import ledger
    from mlgit.registry.moving import back
    from mlgit.store import registry

    known = ledger.of(registry.tags(place.repo, model), model)
    return [version for version in back.served(known, stage) if version != known.stages.get(stage)]


def again(place: Place, wanted: Stage, *, base: str | None, at: str) -> Plan:
    """What it takes *at* another commit of the base branch that a stage goes back as is *wanted*."""
    from mlgit.registry.moving import back
    from mlgit.store import registry

    return back.again(
        place.repo, wanted, base=registry.base_name(place.repo, base), sources=judging.sources(place), at=at
    )


def emergency(place: Place, why: str) -> Emergency:
    """An emergency that whoever works here declares. Raises `UsageError` without a reason, and for a job of CI."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        raise UsageError(
            "A job of CI declares no emergency: somebody has to answer for it.",
            fix="mlgit promote … --emergency --reason WHY from your own machine",
        )
    if not why.strip():
        raise UsageError(
            "An emergency has a reason, which the stage's history keeps for ever.", fix="--reason 'production is down'"
        )
    return Emergency(by=_me(place), why=why.strip(), since=figures.moment(time.time()))


def hold(
    place: Place, model: str, stage: str, *, why: str, base: str, at: str | None, by: str = ""
) -> tuple[Edit, Stage]:  # fmt: skip
    """The change that holds *stage* on *base*, and how it stands there now, or *at* a commit of it.

    *by*: who does it, else who works here.
    """
    from mlgit.registry.moving import holding

    change = holding.edit(model, stage, _hold(place, why, by))
    return change, holding.standing(place.repo, model, stage, base=base, at=at)


def lift(place: Place, model: str, stage: str, *, base: str, at: str | None) -> tuple[Edit, Stage]:
    """The change that lifts the hold of *stage* on *base*, and how it stands there now, or *at* a commit of it."""
    from mlgit.registry.moving import holding

    return holding.edit(model, stage, None), holding.standing(place.repo, model, stage, base=base, at=at)


def freeze(place: Place, models: str, stages: str, *, until: float | None, why: str) -> Freeze:
    """A freeze that begins now. Raises `UsageError` where it would be over already."""
    from mlgit.registry.policy.freezes import Freeze

    now = float(int(time.time()))
    if until is not None and until <= now:
        raise UsageError(f"{figures.moment(until)} is over already.", fix="--until a moment to come, or 2d")
    return Freeze(models=models, stages=stages, since=now, until=until, why=why.strip(), by=_me(place))


def by_pull(
    place: Place, base: str, change: Edit, *, branch: str, title: str, body: str, at: str | None,
    message: str = "",
) -> PullRequest | None:  # fmt: skip
    """The pull request that does what *change* says, or the open one, brought up to date; None: all is so already.

    *at*: the commit of *base* that counts, else the one that is here. *message*: of its commit, where that is more than
    *title*.
    """
    from mlgit.registry import filing

    return filing.by_pull(
        place.repo, opening(place), base, branch, change, title=title, body=body, message=message, at=at
    )  # fmt: skip


def at_once(place: Place, base: str, change: Edit, message: str) -> str | None:
    """The commit on *base* that does what *change* says; None where all is so already."""
    from mlgit.registry import filing

    origin = remote(place)
    return filing.at_once(place.repo, base, change, message, remote=origin if origin.is_known else None)


def _hold(place: Place, why: str, by: str = "") -> Hold:
    return Hold(by=by or _me(place), since=figures.moment(time.time()), why=why.strip())


def _me(place: Place) -> str:
    return place.repo.identity.rpartition(" <")[0]
