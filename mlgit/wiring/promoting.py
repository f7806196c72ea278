"""Models by pull request: proposed, and settled once they are merged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlgit.errors import UsageError
from mlgit.store.place import Place
from mlgit.wiring import forge, judging, on_github, opening, remote

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from mlgit.core.model import Emergency, Stage
    from mlgit.core.registered import Registered
    from mlgit.forge.base import PullRequest
    from mlgit.git.remote import Remote
    from mlgit.registry.moving.direct import Direct
    from mlgit.registry.moving.propose import Plan, Promotion
    from mlgit.registry.moving.settle import Settled


def before_merge(place: Place, pull: PullRequest) -> list[Settled]:
    """What the merge of *pull* would do to the stages; the status of its gates says so too.

    Raises `MlgitError` for a conflict, `ConfigError` where what would be merged cannot be read.
    """
    from mlgit.registry.moving import settle

    if not _moves_stages(place, pull):
        return []
    at, sources = brought(place, pull.base), judging.sources(place, asks=lambda _case: pull)
    found = settle.foresee(place.repo, pull.base, pull.head_commit, sources=sources, at=at)
    if found:
        settle.tell(forge(place), pull.head_commit, found)
    return found


def after_merge(place: Place, pull: PullRequest) -> list[Settled]:
    """Do what the merge of *pull* asks for: what became of each stage that it changed.

    Raises `ConfigError` where what was merged cannot be read; then no stage moved.
    """
    from mlgit.registry.moving import asking, settle

    if pull.merge_commit is None or not _moves_stages(place, pull):
        return []
    repo, commit, sources = place.repo, pull.merge_commit, judging.sources(place, asks=lambda _case: pull)
    asked = asking.asked(repo, forge(place), pull.base, commit)
    return _shared(
        place, pull.base, lambda tip: settle.settle(repo, commit, sources=sources, tip=tip, asked=asked)
    )  # fmt: skip


def _shared(
    place: Place, base: str, act: Callable[[str | None], list[Settled]], *, models: Collection[str] = ()
) -> list[Settled]:  # fmt: skip
    """What *act* makes of stages, given where *base* stands; on GitHub, where a job may do the same, in its sight.

    *models*: whose tags are had there besides.
    """
    if there := _on_github(place):
        from mlgit.registry.moving import sending

        return sending.settled(there, base, act, models=models)
    found = act(place.repo.resolve(f"refs/heads/{base}"))
    post(place, base, {one.model for one in found if one.tag})
    return found


def post(place: Place, base: str | None, models: Collection[str] = (), *, begin: bool = False) -> None:
    """Bring the pages of the stages of *models* up to date, where there are pages; or *begin* them, those of all."""
    from mlgit.registry.served import posting
    from mlgit.store import registry

    if begin or (models and posting.is_kept(place.repo)):
        posting.post(place.repo, registry.base_name(place.repo, base), models)


def _moves_stages(place: Place, pull: PullRequest) -> bool:
    """Stages move where promotions go, not wherever a branch takes in another."""
    from mlgit.store import registry

    return pull.base == registry.base_name(place.repo) or pull.head.startswith(("promote/", "revert/"))


def settle_stages(
    place: Place, *, base: str | None = None, dry_run: bool = False, remote: Remote | None = None,
    only: tuple[str, str] | None = None,
) -> list[Settled]:  # fmt: skip
    """Let the tags say what the branch of promotions says now: what becomes of each stage where they differ.

    What gates need and this clone lacks is brought from *remote*. *only*: of that model and stage.

    Raises `ConfigError` for a registry that cannot be read, `UsageError` where the branch lags behind its remote.
    """
    from mlgit.registry.moving import asking, settle
    from mlgit.store import registry

    repo, name = place.repo, registry.base_name(place.repo, base)
    sources = judging.sources(place, remote=remote, asks=judging.merged(place, name, remote=remote))
    if dry_run:
        return settle.reconcile(repo, name, sources=sources, dry_run=True, only=only)
    asked = asking.asked(repo, forge(place), name)
    models = [only[0]] if only else registry.models(repo)  # who settled one may have died before the end
    found = _shared(
        place, name, lambda _tip: settle.reconcile(repo, name, sources=sources, asked=asked, only=only), models=models
    )  # fmt: skip
    if on_github(place) is None:
        post(place, name, models)
    return found


def undo(place: Place, pull: PullRequest, settled: Settled) -> PullRequest | None:
    """The pull request that takes back what *pull* merged for a stage that did not move; None if it was closed."""
    from mlgit.registry.moving import undo as taking_back

    return taking_back.propose(place.repo, forge(place), pull, settled)


def version_of(place: Place, text: str, *, base: str | None = None) -> tuple[str, str]:
    """(model, version) that *text* names: `MODEL@VERSION`, or by another name. Raises as `shelf.find` does."""
    from mlgit.registry.versions import shelf
    from mlgit.store import registry

    if "@" not in text:
        fix = "write MODEL@VERSION, as mlgit model ls lists them, or MODEL@latest"
        raise UsageError(f"{text[:120]!r} names no version.", fix=fix)
    found = shelf.find(place.repo, text, base=registry.base_name(place.repo, base))
    return found.model, found.version


def promotion(
    place: Place, model: str, version: str, stage: str, *, base: str | None = None, lift: bool = False,
    emergency: Emergency | None = None, at: str | None = None, only_looks: bool = False,
    remote: Remote | None = None,
) -> Plan:  # fmt: skip
    """What promoting *version* of *model* to *stage* would do, and what the gates say of it.

    *version* may be one of its stages or aliases, too. *lift* takes the hold from the stage; in an *emergency* gates
    are told and not asked. *at*: the commit of the base branch that counts, else the one that is here. What gates
    need and this clone lacks is brought from *remote*.
    """
    from mlgit.registry.moving import propose
    from mlgit.registry.versions import shelf
    from mlgit.store import registry

    name = registry.base_name(place.repo, base)
    number = shelf.find(place.repo, f"{model}@{version}", base=name).version
    return propose.plan(
        place.repo, model, number, stage, base=name, lift=lift, emergency=emergency, at=at,
        sources=judging.sources(place, asks=judging.opened(place, name), only_looks=only_looks, remote=remote),
    )  # fmt: skip


def brought(place: Place, base: str | None = None, *, direct: bool = False, follow: bool = False) -> str | None:
    """Where *base* stands, brought here with the models' tags; None where it is this clone's own that counts.

    It is GitHub's, where pull requests live there; for a commit that is to go there *direct*, the remote origin's,
    wherever that is. For that, or to *follow*, the branch here comes along, unless work is in the way.
    """
    from mlgit.git.merge import catch_up
    from mlgit.registry import shared
    from mlgit.store import registry

    there, name = remote(place) if direct else _on_github(place), registry.base_name(place.repo, base)
    if there is None or (direct and not there.is_known):
        return None
    shared.bring(there, name)
    tip = place.repo.resolve(f"refs/remotes/{there.name}/{name}")
    if tip and (direct or follow):
        catch_up(place.repo, f"refs/heads/{name}", tip)
    return tip


def served(place: Place, model: str, stage: str, version: str) -> Settled | None:
    """The stage, where its tag says that it serves *version*, on GitHub, too, where pull requests live there."""
    from mlgit.registry.moving import sending

    return sending.served(place.repo, _on_github(place), model, stage, version)


def _on_github(place: Place) -> Remote | None:
    """The repository there, where pull requests live there, as git reaches it."""
    there = on_github(place)
    return there[0].clone.remote if there and there[0].clone else None


def promote(place: Place, plan: Plan, *, remote: Remote | None = None) -> Promotion:
    """The pull request of *plan*, opened or brought up to date; on GitHub, the version's tag is there before.

    Raises `GateFailedError`.
    """
    from mlgit.registry import shared
    from mlgit.registry.moving import propose

    at = opening(place)
    if plan.refusal is None and (there := _on_github(place)):
        shared.share_version(there, plan.candidate.model, plan.candidate.version)
    return propose.promote(place.repo, at, plan, sources=judging.sources(place, remote=remote))


def direct(place: Place, wanted: Stage, think: Callable[[str], Plan], *, base: str | None = None) -> Direct:
    """Have the base branch say what is *wanted* at once, by a commit: on the remote origin, where there is one.

    *think*: what it takes at a commit of that branch. Raises what *think* and `direct.promote` raise.
    """
    from mlgit.registry import card
    from mlgit.registry.moving import direct as directly
    from mlgit.store import registry

    origin = remote(place)
    name = registry.base_name(place.repo, base)
    try:
        return directly.promote(
            place.repo, wanted, base=name, think=think, title=card.title(wanted),
            sources=judging.sources(place), remote=origin if origin.is_known else None,
        )  # fmt: skip
    finally:
        if not origin.is_known:  # also where it serves that already: who did it may have died before its page
            post(place, name, {wanted.model})


def registered(place: Place, model: str | None = None, *, base: str | None = None) -> list[Registered]:
    """The registered versions of *model*, or of all, in brief, with the stages that serve them."""
    from mlgit.registry.versions import registered as versions
    from mlgit.store import registry

    return versions.every(place.repo, model, base=registry.base_name(place.repo, base))


def stages(place: Place, model: str | None = None) -> list[str] | None:
    """The stages that the policy lists for *model*, or at all; None where there is no policy."""
    from mlgit.registry.moving import propose
    from mlgit.store import registry

    base = registry.base_commit(place.repo, registry.base_name(place.repo))
    with place.repo.reader() as reader:
        policy = propose.policy_at(reader, base)
    if policy is None:
        return None
    return policy.stages(model) if model else list(dict.fromkeys(rule.stage for rule in policy.rules))


def aliased(place: Place, model: str) -> list[str]:
    """What versions of *model* are called beside their numbers: `digits@paper`."""
    from mlgit.registry.versions import shelf
    from mlgit.store import registry

    return [f"{model}@{name}" for name in shelf.aliases(place.repo, model, base=registry.base_name(place.repo))]
