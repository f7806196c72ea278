"""Models by pull request: proposed, and settled once they are merged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlgit.core import refs
from mlgit.store.place import Place
from mlgit.wiring import forge, judging, on_github, opening

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlgit.core.model import Emergency
    from mlgit.core.registered import Registered
    from mlgit.forge.base import PullRequest
    from mlgit.git.remote import Remote
    from mlgit.registry.propose import Plan, Promotion
    from mlgit.registry.settle import Settled


def before_merge(place: Place, pull: PullRequest) -> list[Settled]:
    """What the merge of *pull* would do to the stages; the status of its gates says so too.

    Raises `MlgitError` for a conflict, `ConfigError` where what would be merged cannot be read.
    """
    from mlgit.registry import settle

    if not _moves_stages(place, pull):
        return []
    found = settle.foresee(place.repo, pull.base, pull.head_commit, sources=judging.sources(place))
    if found:
        settle.tell(forge(place), pull.head_commit, found)
    return found


def after_merge(place: Place, pull: PullRequest) -> list[Settled]:
    """Do what the merge of *pull* asks for: what became of each stage that it changed.

    Raises `ConfigError` where what was merged cannot be read; then no stage moved.
    """
    from mlgit.registry import asking, settle

    if pull.merge_commit is None or not _moves_stages(place, pull):
        return []
    repo, commit, sources = place.repo, pull.merge_commit, judging.sources(place)
    asked = asking.asked(repo, forge(place), pull.base, commit)
    return _shared(
        place, pull.base, lambda tip: settle.settle(repo, commit, sources=sources, tip=tip, asked=asked)
    )  # fmt: skip


def _shared(place: Place, base: str, act: Callable[[str | None], list[Settled]]) -> list[Settled]:
    """What *act* makes of stages, given where *base* stands; on GitHub, where a job may do the same, in its sight."""
    there = on_github(place)
    if there and there[0].clone:
        from mlgit.registry import sending

        return sending.settled(there[0].clone.remote, base, act)
    return act(place.repo.resolve(f"refs/heads/{base}"))


def _moves_stages(place: Place, pull: PullRequest) -> bool:
    """Stages move where promotions go, not wherever a branch takes in another."""
    from mlgit.store import registry

    return pull.base == registry.base_name(place.repo) or pull.head.startswith(("promote/", "revert/"))


def settle_stages(
    place: Place, *, base: str | None = None, dry_run: bool = False, remote: Remote | None = None
) -> list[Settled]:  # fmt: skip
    """Let the tags say what the branch of promotions says now: what becomes of each stage where they differ.

    What gates need and this clone lacks is brought from *remote*.

    Raises `ConfigError` for a registry that cannot be read, `UsageError` where the branch lags behind its remote.
    """
    from mlgit.registry import asking, settle
    from mlgit.store import registry

    repo, name = place.repo, registry.base_name(place.repo, base)
    sources = judging.sources(place, remote=remote)
    if dry_run:
        return settle.reconcile(repo, name, sources=sources, dry_run=True)
    asked = asking.asked(repo, forge(place), name)
    return _shared(place, name, lambda _tip: settle.reconcile(repo, name, sources=sources, asked=asked))


def undo(place: Place, pull: PullRequest, settled: Settled) -> PullRequest | None:
    """The pull request that takes back what *pull* merged for a stage that did not move; None if it was closed."""
    from mlgit.registry import undo as taking_back

    return taking_back.propose(place.repo, forge(place), pull, settled)


def promotion(
    place: Place, model: str, version: str, stage: str, *, base: str | None = None, lift: bool = False,
    emergency: Emergency | None = None,
) -> Plan:  # fmt: skip
    """What promoting *version* of *model* to *stage* would do, and what the gates say of it.

    *version* may be one of its stages or aliases, too. *lift* takes the hold from the stage; in an *emergency* gates
    are told and not asked.
    """
    from mlgit.registry import propose, shelf
    from mlgit.store import registry

    name = registry.base_name(place.repo, base)
    number = shelf.find(place.repo, f"{model}@{version}", base=name).version
    return propose.plan(
        place.repo, model, number, stage, base=name, sources=judging.sources(place), lift=lift, emergency=emergency
    )  # fmt: skip


def promote(place: Place, plan: Plan) -> Promotion:
    """The pull request of *plan*, opened or brought up to date; on GitHub, the version's tag is there before.

    Raises `GateFailedError`.
    """
    from mlgit.registry import propose, shared

    at = opening(place)
    there = on_github(place)
    if there and there[0].clone and plan.refusal is None:
        shared.share(there[0].clone.remote, [refs.version_tag(plan.candidate.model, plan.candidate.version)])
    return propose.promote(place.repo, at, plan, sources=judging.sources(place))


def registered(place: Place, *, base: str | None = None) -> list[Registered]:
    """All registered versions in brief, with the stages that serve them."""
    from mlgit.registry import registered as versions
    from mlgit.store import registry

    return versions.every(place.repo, base=registry.base_name(place.repo, base))
