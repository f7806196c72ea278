"""Who asked for what was merged: a pull request and the people in it, for the record of a decision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mlgit.core import refs
from mlgit.forge.base import Forge, PullRequest, PullState, Review, ReviewVerdict
from mlgit.git.repo import Repo
from mlgit.registry import decision, ledger
from mlgit.registry.decision import Origin
from mlgit.registry.settle import Asked, Settled
from mlgit.store import registry as store

_BRANCHES = (refs.promotion_branch, refs.back_branch, refs.emergency_branch)


def asked(repo: Repo, forge: Forge, base: str, commit: str | None = None) -> Asked:
    """Tells who asked for what becomes of a stage of *base*; nobody where that came there without a pull request.

    It is what was merged as *commit*, or else the last one merged that proposed it and has not moved the stage before.
    """

    def origin(settled: Settled) -> Origin:
        pull = of_commit(forge, commit) if commit else None
        if pull is None or pull.base != base:
            pull = _proposed(repo, forge, settled, base)
        return of_pull(forge, pull) if pull else Origin()

    return origin


def of_pull(forge: Forge, pull: PullRequest) -> Origin:
    """What the record of a decision says of *pull*, which asked for it."""
    return Origin(
        pull=pull.number, author=pull.author, approvers=approvers(pull, forge.reviews(pull.number)),
        merged_by=pull.merged_by,
    )  # fmt: skip


def _proposed(repo: Repo, forge: Forge, settled: Settled, base: str) -> PullRequest | None:
    if settled.version is None:
        return None
    names = (name(settled.model, settled.version, settled.stage) for name in _BRANCHES)
    known = ledger.of(store.tags(repo, settled.model), settled.model)
    told = (decision.of_message(event.tag.message) for event in known.history if event.stage == settled.stage)
    done = {item for one in told if one for item in (one.origin.pull, one.commit)}
    pulls = (pull for head in names for pull in forge.pulls(state=None, head=head) if pull.base == base)
    return _merged(forge, (pull for pull in pulls if not {pull.number, pull.merge_commit} & done))


def of_commit(forge: Forge, commit: str) -> PullRequest | None:
    """The pull request that was merged as *commit*, or None where that came otherwise."""
    return _merged(forge, (pull for pull in forge.pulls(state=PullState.MERGED) if pull.merge_commit == commit))


def _merged(forge: Forge, pulls: Iterator[PullRequest]) -> PullRequest | None:
    found = next((pull for pull in pulls if pull.state is PullState.MERGED), None)
    return forge.get(found.number) if found else None  # a list does not say who merged


def approvers(pull: PullRequest, reviews: Sequence[Review]) -> tuple[str, ...]:
    """Who approves the head of *pull* as it stands, by name.

    Of each person the last verdict counts, a remark is none, and what was approved before the head moved is another
    thing. Nobody approves their own.
    """
    last = {one.author: one for one in reviews if one.verdict is not ReviewVerdict.COMMENT}
    return tuple(
        sorted(
            who
            for who, one in last.items()
            if one.verdict is ReviewVerdict.APPROVE and one.commit == pull.head_commit and who != pull.author
        )
    )
