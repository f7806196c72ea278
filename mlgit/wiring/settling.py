"""What a job of CI does about stages that a pull request moves: before its merge, and after; from a shallow clone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlgit.ci import code
from mlgit.errors import GitError, MlgitError, UsageError
from mlgit.forge.base import PullState
from mlgit.git.repo import split_commit
from mlgit.registry import asking, sending, settle, shared
from mlgit.registry.served import posting
from mlgit.store import registry as store
from mlgit.wiring import judging, promoting

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlgit.forge.base import Forge, PullRequest
    from mlgit.git.remote import Remote
    from mlgit.git.repo import Repo
    from mlgit.registry.gathering import Case, Sources
    from mlgit.registry.settle import Settled
    from mlgit.store.place import Place


@dataclass(frozen=True, kw_only=True)
class Push:
    """What a push has done to a branch."""

    branch: str
    before: str
    """Where it stood, or empty: nowhere."""
    after: str


def foresee(
    place: Place, forge: Forge, remote: Remote, *, head: str, into: str
) -> tuple[list[Settled], MlgitError | None]:  # fmt: skip
    """What merging *head* into the branch *into*, as GitHub tried it, does to the stages; a status of *head* says so.

    That merge is checked out. Policy and goals are those of what it goes into. Besides: what GitHub said of the status,
    where that alone tells that we may only read. Raises `UsageError` where something else is checked out.
    """
    repo = place.repo
    merge = repo.resolve("HEAD") or ""
    base, *others = _parents(repo, merge) or ("",)
    if others != [head]:
        raise UsageError(
            f"What is checked out is not the merge of {head[:10]}.",
            fix="check out what the event pull_request is about, as actions/checkout does by itself",
        )
    shared.bring_commits(remote, [base])
    with repo.reader() as reader:
        is_changed = reader.tree(f"{base}:{store.FOLDER}") != reader.tree(f"{merge}:{store.FOLDER}")
    found = []
    if is_changed:
        shared.bring(remote, into)
        found = settle.foresee_in(
            repo, base, merge, sources=_sources(place, base, remote, asks=lambda _case: _of_head(forge, head))
        )
    try:
        if forge.capabilities.writable:
            settle.tell(forge, head, found)
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
    _bring_before(remote, push)
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
    return found, [back for one in found if (back := _taken_back(place, forge, push, one))]


def reconciled(place: Place, remote: Remote, branch: str) -> list[Settled]:
    """What became of the stages of which the tags said something else than *branch* does; the tags are on *remote*."""
    shared.bring(remote, branch)
    found = promoting.settle_stages(place, base=branch, remote=remote)
    sending.send(remote, store.models(place.repo))  # of others, too: a job may have died before it did so
    posting.post(place.repo, branch, remote=remote)
    return found


def _bring_before(remote: Remote, push: Push) -> None:
    """Have where the branch stood. Raises `GitError` where nobody has that any more: its policy could not be asked."""
    try:
        shared.bring_commits(remote, [push.before] if push.before else [])
    except GitError as exc:
        raise GitError(
            f"{push.branch} stood at {push.before[:10]} before, which {remote.name} does not give: no stage moved.",
            why=f"The policy that stood there would be asked. {exc.why}".strip(),
            fix="`mlgit ci settle` by a dispatch asks the one that stands now: look at how it differs, then "
            "gh workflow run mlgit-settle.yml",
        ) from None


def _taken_back(place: Place, forge: Forge, push: Push, one: Settled) -> PullRequest | MlgitError | None:
    if not settle.is_refused(one):
        return None
    try:
        merged = (pull for pull in forge.pulls(state=PullState.MERGED) if pull.merge_commit == push.after)
        return promoting.undo(place, pull, one) if (pull := next(merged, None)) else None
    except MlgitError as exc:  # that the stage did not move is what has to be heard
        return exc


def _parents(repo: Repo, commit: str) -> list[str]:
    """Those that *commit* names, whether they are here or not."""
    with repo.reader() as reader:
        found = reader.read(commit) if commit else None
    return split_commit(found[2])[1] if found else []


def _of_head(forge: Forge, head: str) -> PullRequest | None:
    return next((pull for pull in forge.pulls() if pull.head_commit == head), None)


def _sources(place: Place, commit: str, remote: Remote, *, asks: Callable[[Case], PullRequest | None]) -> Sources:
    return judging.sources(place, goals=code.of(place, commit).settings(place).goals, remote=remote, asks=asks)
