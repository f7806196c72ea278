"""What a comment asks of the registry, done as far as a pull request goes: a person merges it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mlgit.core import escape, refs
from mlgit.core.model import Stage
from mlgit.errors import UsageError
from mlgit.forge.base import BOT, PullState
from mlgit.registry.moving import asking, commanded, propose, settle
from mlgit.registry.moving.commanded import SLASH, USAGE, Request, Verb
from mlgit.registry.policy.file import gates_of
from mlgit.registry.policy.gates import approvals
from mlgit.wiring import forge, github, halting, promoting, reporting, settling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlgit.forge.base import Comment, PullRequest
    from mlgit.git.remote import Remote
    from mlgit.registry.moving.settle import Settled
    from mlgit.store.place import Place
    from mlgit.wiring.settling import Tried


@dataclass(frozen=True, kw_only=True)
class Heard:
    """A comment that a job was started for, as GitHub has it now."""

    number: int
    """Of the pull request that it stands on."""
    comment: Comment
    role: str = ""
    """What its author may do here, as far as that was asked."""
    may_write: bool = False
    passed_over: str = ""
    """Why nobody even answers it; empty where somebody does."""


def heard(place: Place, event: object) -> Heard:
    """The comment that *event* is about, asked of GitHub: of the event, which is as old as the job, its numbers count.

    Raises `UsageError` where it is about no comment's beginning.
    """
    from mlgit.forge.github import people, said
    from mlgit.forge.github.people import Role

    at = github(place)
    try:
        told: Any = event
        number, id, kind = told["issue"]["number"], told["comment"]["id"], told["comment"]["user"]["type"]
        is_new = told["action"] == "created" and isinstance(number, int) and isinstance(id, int)
    except (KeyError, TypeError):
        is_new = False
    if not is_new:
        raise UsageError("This job is about no new comment.", fix="start it by `issue_comment`, `types: [created]`")
    comment = at.rest.get(f"repos/{at.name}/issues/comments/{id}", said.written)
    one = Heard(number=number, comment=comment)
    if kind != "User" or comment.author.endswith(BOT):
        return replace(one, passed_over=f"{comment.author} is a bot")
    if comment.updated != comment.created:  # by whoever may: it need not be what its author wrote
        return replace(one, passed_over="it was edited; write a new one")
    role = people.role(at.rest, at.name, comment.author)
    if not role.allows(Role.TRIAGE):  # whoever may read can comment: an answer to each would be theirs to have
        return replace(one, passed_over=f"{comment.author} may not write here")
    return replace(one, role=role.value, may_write=role.allows(Role.WRITE))


def do(place: Place, remote: Remote, asked: Request, *, who: str, base: str, number: int) -> str:
    """Have done what *who* *asked* for on pull request *number*: what came of it, as Markdown.

    Raises what the same raises on a command line.
    """
    if asked.verb is Verb.HELP:
        return usage()
    if asked.verb is Verb.APPROVE:
        return _approved(place, remote, asked, who, base, number)
    at = promoting.brought(place, base)
    if asked.verb in (Verb.HOLD, Verb.LIFT):
        return _held(place, asked, who, base, at)
    if asked.verb is Verb.PROMOTE:
        plan = promoting.promotion(
            place, asked.model, asked.version or "", asked.stage, base=base, lift=asked.lifts, at=at, remote=remote
        )  # fmt: skip
    else:
        back = halting.way_back(
            place, asked.model, asked.stage, to=asked.version, why=asked.reason, base=base, at=at, by=who, remote=remote
        )  # fmt: skip
        if isinstance(back, Stage):
            return f"{back.stage} of {escape.code(back.model)} has come back to {back.version} already, and is held."
        plan = back
    made = promoting.promote(place, replace(plan, asked_by=who))
    reporting.report_on(place, made.pull.number)  # a job's own pull request starts no workflow that would
    return _proposed(made.pull, is_new=made.opened)


def _held(place: Place, asked: Request, who: str, base: str, at: str | None) -> str:
    lifts = asked.verb is Verb.LIFT
    if lifts:
        change, _ = halting.lift(place, asked.model, asked.stage, base=base, at=at)
    else:
        change, _ = halting.hold(place, asked.model, asked.stage, why=asked.reason, base=base, at=at, by=who)
    title = f"{'Lift the hold of' if lifts else 'Hold'} {asked.model} {asked.stage}"
    body = commanded.marked(f"{title}.\n\n{escape.markdown(asked.reason, 2_000)}", who)
    branch = refs.hold_branch(asked.model, asked.stage, lifts=lifts)
    message = commanded.signed(title, who)
    pull = halting.by_pull(place, base, change, branch=branch, title=title, body=body, message=message, at=at)
    if pull is None:
        return f"{asked.stage} of {escape.code(asked.model)} is {'not held' if lifts else 'held already'}."
    settle.tell(forge(place), place.repo.refs(f"refs/heads/{branch}")[f"refs/heads/{branch}"], [])
    return _proposed(pull, is_new=True)


def _approved(place: Place, remote: Remote, asked: Request, who: str, base: str, number: int) -> str:
    """What the gates say by now, who read the comments themselves; their status says it, too."""
    at = forge(place)
    pull = at.get(number)
    if pull.base != base or pull.state is not PullState.OPEN:
        raise UsageError(f"#{number} asks for nothing of {base} that is open: there is nothing to approve.")
    tried = settling.of_number(place, remote, pull)
    found, refused = settling.foresee(place, at, remote, tried)
    if refused:
        raise refused
    if not _takes_comments(place, tried, found):
        raise UsageError(
            "No comment approves here: a review does, which GitHub binds to the commit that was looked at.",
            why="No gate of what it moves says `approvals: …` with `comments: true`.",
            fix="Files changed, Review changes, Approve",
        )
    if not asked.commit or not pull.head_commit.startswith(asked.commit):
        other = f", which is not {asked.commit}" if asked.commit else ""
        raise UsageError(
            f"An approval names the commit that was looked at: #{number} stands at {pull.head_commit[:10]}{other}.",
            fix=f"look at that, and write {SLASH} approve {pull.head_commit}",
        )
    if who in (pull.author, *asking.askers(place.repo, pull)):
        raise UsageError(f"#{number} is yours: your own approval does not count.", fix="ask somebody else")
    told = [f"{one.stage} of {one.model}: {one.refusal.what}" for one in found if one.refusal]
    return f"You approve {pull.head_commit[:10]}. {escape.markdown(' '.join(told) or 'All gates pass.', 2_000)}"


def _takes_comments(place: Place, tried: Tried, found: Sequence[Settled]) -> bool:
    with place.repo.reader() as reader:
        policy = propose.policy_at(reader, tried.base) or propose.policy_at(reader, tried.merge)
    gates = (placed.gate for one in found for placed in gates_of(policy, one.model, one.stage))
    return any(isinstance(gate, approvals.Settings) and gate.comments for gate in gates)


def _proposed(pull: PullRequest, *, is_new: bool) -> str:
    ends = "Merging it is a person's." if is_new else "It was open already, and is up to date."
    return f"#{pull.number} does that: {escape.markdown(pull.title)}. {ends}"


def usage() -> str:
    """What a comment can ask for, as Markdown."""
    lines = [f"- `{SLASH} {USAGE[verb]}`" for verb in Verb]
    return "\n".join(["The first line of a comment can be:", "", *lines, "", "Each opens a pull request at most."])
