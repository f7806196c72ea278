"""Who asked for what was merged: a pull request and the people in it, for the record of a decision."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from mlgit.core import refs
from mlgit.errors import UsageError
from mlgit.forge.base import BOT, Comment, Forge, PullRequest, PullState, Review, ReviewVerdict
from mlgit.git.repo import Repo, split_commit
from mlgit.registry import decision, ledger
from mlgit.registry.decision import Origin
from mlgit.registry.evidence.gathering import Case
from mlgit.registry.ledger import Ledger
from mlgit.registry.moving import commanded
from mlgit.registry.moving.settle import Asked, Settled
from mlgit.registry.policy.evidence import Reviewed
from mlgit.registry.policy.gates import approvals
from mlgit.store import registry as store

_BRANCHES = (refs.promotion_branch, refs.back_branch, refs.emergency_branch)


def asked(repo: Repo, forge: Forge, base: str, commit: str | None = None) -> Asked:
    """Tells who asked for what becomes of a stage of *base*; nobody where that came there without a pull request.

    It is what was merged as *commit*, or else the last one merged that proposed it and has not moved the stage before.
    """

    def origin(settled: Settled) -> Origin:
        pull = pull_of(repo, forge, settled, base, commit)
        if pull is None:
            return Origin()
        one = of_pull(repo, forge, pull)
        return replace(one, approvers=tuple(sorted({*one.approvers, *_counted(settled, pull)})))

    return origin


def _counted(settled: Settled, pull: PullRequest) -> Iterator[str]:
    """Those whose approval of *pull* a gate counted: by a comment, too, where the gate takes that."""
    for verdict in settled.verdicts:
        if verdict.inputs.get("pull") == pull.number:
            yield from verdict.inputs.get("approvers", ())


def pull_of(repo: Repo, forge: Forge, settled: Settled, base: str, commit: str | None) -> PullRequest | None:
    """The pull request that asked for what becomes of a stage of *base*, where there was one.

    A merge queue merges several with one push: then *commit*, where that ends, is the last one's.
    """
    last = of_commit(forge, commit) if commit else None
    if last and last.base == base and not _is_other(last, settled):
        return last
    return _proposed(repo, forge, settled, base)


def _is_other(pull: PullRequest, settled: Settled) -> bool:
    """Whether *pull* proposes another version, stage or model."""
    names = {name(settled.model, settled.version or "", settled.stage) for name in _BRANCHES}
    return pull.head.startswith("promote/") and pull.head not in names


def of_pull(repo: Repo, forge: Forge, pull: PullRequest) -> Origin:
    """What the record of a decision says of *pull*, which asked for it.

    Of what a job opened since somebody asked for it by a comment, that person is the author.
    """
    by = askers(repo, pull)
    return Origin(
        pull=pull.number, author=", ".join(by) or pull.author,
        approvers=approvers(pull, forge.reviews(pull.number), askers=by), merged_by=pull.merged_by,
    )  # fmt: skip


def _proposed(repo: Repo, forge: Forge, settled: Settled, base: str) -> PullRequest | None:
    if settled.version is None:
        return None
    names = (name(settled.model, settled.version, settled.stage) for name in _BRANCHES)
    known = ledger.of(store.tags(repo, settled.model), settled.model)
    done = _done(known, settled.stage)
    pulls = (pull for head in names for pull in forge.pulls(state=None, head=head) if pull.base == base)
    return _merged(forge, (pull for pull in pulls if not {pull.number, pull.merge_commit} & done))


def of_commit(forge: Forge, commit: str) -> PullRequest | None:
    """The pull request that was merged as *commit*, or None where that came otherwise."""
    return _merged(forge, (pull for pull in forge.pulls(state=PullState.MERGED) if pull.merge_commit == commit))


def _merged(forge: Forge, pulls: Iterator[PullRequest]) -> PullRequest | None:
    found = next((pull for pull in pulls if pull.state is PullState.MERGED), None)
    return forge.get(found.number) if found else None  # a list does not say who merged


def askers(repo: Repo, pull: PullRequest) -> tuple[str, ...]:
    """Who asked for *pull* by a comment, as far as its description and the commit of its head, if that is here, say."""
    with repo.reader() as reader:
        found = reader.read(pull.head_commit)
    return commanded.askers(pull.body, split_commit(found[2])[2] if found else "")


def approvers(pull: PullRequest, reviews: Sequence[Review], *, askers: Collection[str] = ()) -> tuple[str, ...]:
    """Who approves the head of *pull* as it stands, by name.

    Of each person the last verdict counts, a remark is none, and what was approved before the head moved is another
    thing. Nobody approves their own, nor what a job opened because they, one of *askers*, asked for it.
    """
    who = _who(pull, reviews, lambda one: one.verdict is ReviewVerdict.APPROVE and one.commit == pull.head_commit)
    own = {one.casefold() for one in askers}
    return tuple(one for one in who if one.casefold() not in own)


def _who(pull: PullRequest, reviews: Sequence[Review], says: Callable[[Review], bool]) -> tuple[str, ...]:
    """Those whose last verdict on *pull* *says* so, but for its author."""
    last = {one.author: one for one in reviews if one.verdict is not ReviewVerdict.COMMENT}
    return tuple(sorted(who for who, one in last.items() if who != pull.author and says(one)))


@dataclass(frozen=True, kw_only=True)
class People:
    """What is known of people beside what they say."""

    may_write: Callable[[str], bool] = lambda _who: True
    """Whether somebody's approval counts: anybody may review what is public."""
    belongs: Callable[[str, str], bool] | None = None
    """Whether somebody (the second) belongs to a team (the first); None where there are no teams."""


def reviewed(
    forge: Forge, people: People, pull: PullRequest, gates: Sequence[approvals.Settings], *,
    askers: Collection[str] = (),
) -> Reviewed:  # fmt: skip
    """What people say of *pull*, as *gates* look at it; those who had a job open it are *askers*.

    Raises `MlgitError` where nobody tells.
    """
    teams = sorted({team for gate in gates for team in gate.teams})
    if teams and people.belongs is None:
        fix = "name people instead: by: […]"
        raise UsageError("There are no teams here: pull requests live in a folder.", fix=fix)
    reviews = forge.reviews(pull.number)
    found = _reviewed(people, pull, reviews, teams, askers)
    if not any(gate.comments for gate in gates):
        return found
    said = [*_approvals(pull, forge.comments(pull.number)), *reviews]  # of the same second, the review is the last
    said.sort(key=lambda one: one.created)
    return replace(found, with_comments=_reviewed(people, pull, said, teams, askers))


def _reviewed(
    people: People, pull: PullRequest, reviews: Sequence[Review], teams: Sequence[str], askers: Collection[str]
) -> Reviewed:  # fmt: skip
    approve = tuple(who for who in approvers(pull, reviews, askers=askers) if people.may_write(who))
    changes = _who(pull, reviews, lambda one: one.verdict is ReviewVerdict.REQUEST_CHANGES)
    against = tuple(who for who in changes if people.may_write(who))
    old = _who(pull, reviews, lambda one: one.verdict is ReviewVerdict.APPROVE and one.commit != pull.head_commit)
    belongs = people.belongs
    members = {team: tuple(who for who in (*approve, *against) if belongs and belongs(team, who)) for team in teams}
    return Reviewed(
        number=pull.number, author=", ".join(askers) or pull.author, head=pull.head_commit, approvers=approve,
        against=against, outdated=old, members=members,
    )  # fmt: skip


def _approvals(pull: PullRequest, comments: Sequence[Comment]) -> Iterator[Review]:
    """The *comments* that approve a commit, as reviews; of another than the head, before all that anybody said.

    Only as people wrote them: what was edited may be another's words, what is folded away somebody took out of it.
    """
    for one in comments:
        said = "" if one.author.endswith(BOT) or one.minimised or one.updated != one.created else one.body
        if commit := commanded.approval(said):
            is_head = pull.head_commit.startswith(commit)
            yield Review(
                author=one.author, verdict=ReviewVerdict.APPROVE, commit=pull.head_commit if is_head else commit,
                created=one.created if is_head else 0,
            )  # fmt: skip


def opened(forge: Forge, base: str) -> Callable[[Case], PullRequest | None]:
    """Tells which open pull request into *base* asks for what a case is about."""

    def ask(case: Case) -> PullRequest | None:
        pulls = (pull for name in _names(case) for pull in forge.pulls(head=name))
        return next((pull for pull in pulls if pull.base == base), None)

    return ask


def merged(
    repo: Repo, forge: Forge, base: str, *, commit: str | None = None, fetch: Callable[[Sequence[str]], None]
) -> Callable[[Case], PullRequest | None]:  # fmt: skip
    """Tells which pull request, merged into *base*, asked for what a case is about; one is good for one move.

    *commit*: the merge that all of it came by, where there is one. *fetch*: has a commit that a shallow clone lacks.
    """

    def ask(case: Case) -> PullRequest | None:
        known = ledger.of(store.tags(repo, case.candidate.model), case.candidate.model)
        done = _done(known, case.stage)
        pulls = [of_commit(forge, commit)] if commit else []
        pulls += [pull for name in _names(case) for pull in forge.pulls(state=PullState.MERGED, head=name)]
        wanted = (pull for pull in pulls if pull and pull.base == base and not {pull.number, pull.merge_commit} & done)
        return next((pull for pull in wanted if moves(case, pull)), None)

    def moves(case: Case, pull: PullRequest) -> bool:
        """Whether its merge made the stage's file say so."""
        if pull.merge_commit is None:
            return False
        if repo.resolve(pull.merge_commit) is None:
            fetch([pull.merge_commit])
        with repo.reader() as reader:
            there = store.stage_at(reader, pull.merge_commit, case.candidate.model, case.stage)
        return there is not None and there.version == case.candidate.version

    return ask


def _names(case: Case) -> tuple[str, ...]:
    return tuple(name(case.candidate.model, case.candidate.version, case.stage) for name in _BRANCHES)


def _done(known: Ledger, stage: str) -> set[int | str | None]:
    """The pull requests, and their merges, that have moved *stage*."""
    told = (decision.of_message(event.tag.message) for event in known.history if event.stage == stage)
    return {item for one in told if one for item in (one.origin.pull, one.commit)} - {None}
