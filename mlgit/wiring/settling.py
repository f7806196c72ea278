"""What a job of CI does about stages that a pull request moves: before its merge, and after; from a shallow clone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlgit.ci import code
from mlgit.errors import MlgitError, UsageError
from mlgit.git.repo import split_commit
from mlgit.registry import shared
from mlgit.registry.moving import asking, sending, settle, undo
from mlgit.registry.served import posting
from mlgit.store import registry as store
from mlgit.wiring import judging, promoting

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlgit.forge.base import Forge, PullRequest
    from mlgit.git.remote import Remote
    from mlgit.git.repo import Repo
    from mlgit.registry.evidence.gathering import Case, Sources
    from mlgit.registry.moving.settle import Settled
    from mlgit.store.place import Place


@dataclass(frozen=True, kw_only=True)
class Push:
    """What a push has done to a branch."""

    branch: str
    before: str
    """Where it stood, or empty: nowhere."""
    after: str


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A merge that GitHub has made to try it."""

    into: str
    """The branch that it goes into."""
    base: str
    """Where that stands in it; its policy and its goals count."""
    commit: str
    """The commit whose status says what the gates say."""
    asks: Callable[[Case], PullRequest | None]
    """The pull request that asks for a stage."""
    merge: str
    """The commit that the merge is."""


def of_pull(place: Place, forge: Forge, *, head: str, into: str) -> Tried:
    """The merge of a pull request. Raises `UsageError` where something else is checked out."""
    merge = place.repo.resolve("HEAD") or ""
    base, *others = _parents(place.repo, merge) or ("",)
    if others != [head]:
        raise UsageError(
            f"What is checked out is not the merge of {head[:10]}.",
            fix="check out what the event pull_request is about, as actions/checkout does by itself",
        )

    def asks(_case: Case) -> PullRequest | None:
        return next((pull for pull in forge.pulls() if pull.head_commit == head), None)

    return Tried(into=into, base=base, commit=head, asks=asks, merge=merge)


def of_number(place: Place, remote: Remote, pull: PullRequest) -> Tried:
    """The merge of the open *pull*, brought from *remote*. Raises `UsageError` where GitHub made none of its head."""
    ref = f"refs/pull/{pull.number}/merge"
    merge = remote.refs(ref).get(ref, "")
    shared.bring_commits(remote, [merge] if merge else [])
    base, *others = _parents(place.repo, merge) or ("",)
    if others != [pull.head_commit]:
        fix = "where it is in conflict, mend that; else ask again in a minute"
        raise UsageError(f"GitHub has tried no merge of #{pull.number} at {pull.head_commit[:10]}.", fix=fix)
    return Tried(into=pull.base, base=base, commit=pull.head_commit, asks=lambda _case: pull, merge=merge)


def of_group(place: Place, forge: Forge, *, head: str, base: str, into: str, branch: str = "") -> Tried:
    """What a merge queue is about to merge after *base*: one pull request, which the *branch* of the group names.

    Raises `UsageError` where something else is checked out.
    """
    if place.repo.resolve("HEAD") != head:
        raise UsageError(
            f"What is checked out is not the merge group {head[:10]}.",
            fix="check out what the event merge_group is about, as actions/checkout does by itself",
        )

    number = re.search(r"/pr-(\d+)-[0-9a-f]+$", branch)

    def asks(case: Case) -> PullRequest | None:
        return forge.get(int(number[1])) if number else asking.opened(forge, into)(case)

    return Tried(into=into, base=base, commit=head, asks=asks, merge=head)


def foresee(
    place: Place, forge: Forge, remote: Remote, tried: Tried
) -> tuple[list[Settled], MlgitError | None]:  # fmt: skip
    """What a merge that is *tried* does to the stages; a status says so, too.

    Besides: what GitHub said of the status, where that alone tells that we may only read.
    """
    repo, base, merge = place.repo, tried.base, tried.merge
    shared.bring_commits(remote, [base])
    with repo.reader() as reader:
        is_changed = reader.tree(f"{base}:{store.FOLDER}") != reader.tree(f"{merge}:{store.FOLDER}")
    found = []
    if is_changed:
        shared.bring(remote, tried.into)
        found = settle.foresee_in(repo, base, merge, sources=_sources(place, base, remote, asks=tried.asks))
    try:
        if forge.capabilities.writable:
            settle.tell(forge, tried.commit, found)
    except MlgitError as exc:
        if forge.capabilities.writable:
            raise
        return found, exc
    return found, None


def settled(
    place: Place, forge: Forge, remote: Remote, push: Push
) -> tuple[list[Settled], list[PullRequest | MlgitError]]:  # fmt: skip
    """(what became of the stages that *push* changed, what takes back what no gate lets through, or why nothing does).

    The policy and the goals that stood before are asked; the tags are on *remote* afterwards.
    """
    repo = place.repo
    shared.bring(remote, push.branch)
    shared.bring_commits(remote, [push.after], generations=2)
    shared.bring_before(remote, push.branch, push.before)
    alone = push.after if repo.resolve(f"{push.after}^1") == push.before else None  # one merge, and not several
    asks = judging.merged(place, push.branch, commit=alone, remote=remote)
    sources = _sources(place, push.before or push.after, remote, asks=asks)
    asked = asking.asked(repo, forge, push.branch, push.after)
    found = sending.settled(
        remote, push.branch,
        lambda tip: settle.settle(repo, push.after, sources=sources, before=push.before, tip=tip, asked=asked),
    )  # fmt: skip
    if moved := {one.model for one in found if one.tag}:
        posting.post(repo, push.branch, moved, remote=remote)
    return found, _backs(repo, forge, remote, found, push.branch, push.after, before=push.before)


def reconciled(
    place: Place, forge: Forge, remote: Remote, branch: str
) -> tuple[list[Settled], list[PullRequest | MlgitError]]:  # fmt: skip
    """(what became of the stages of which the tags said something else than *branch* does, what takes back …).

    The tags are on *remote* afterwards. A merge is taken back here that `settled` could not, for GitHub was away.
    """
    shared.bring(remote, branch)
    found = promoting.settle_stages(place, base=branch, remote=remote)
    posting.post(place.repo, branch, remote=remote)
    return found, _backs(place.repo, forge, remote, found, branch, None)


def _backs(
    repo: Repo, forge: Forge, remote: Remote, found: Sequence[Settled], branch: str, commit: str | None,
    *, before: str = "",
) -> list[PullRequest | MlgitError]:  # fmt: skip
    def bring(merge: str) -> None:
        shared.bring_commits(remote, [merge], generations=2)

    backs = (undo.taken_back(repo, forge, one, branch, commit, bring, before=before) for one in found)
    return [back for back in backs if back]


def _parents(repo: Repo, commit: str) -> list[str]:
    """Those that *commit* names, whether they are here or not."""
    with repo.reader() as reader:
        found = reader.read(commit) if commit else None
    return split_commit(found[2])[1] if found else []


def _sources(place: Place, commit: str, remote: Remote, *, asks: Callable[[Case], PullRequest | None]) -> Sources:
    return judging.sources(place, goals=code.of(place, commit).settings(place).goals, remote=remote, asks=asks)
