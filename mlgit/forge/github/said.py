"""What GitHub says of pull requests, as mlgit's own records (pure).

What reads an answer raises `LookupError`, `TypeError`, `ValueError` or `AttributeError` for one of another shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar, get_origin, get_type_hints

from mlgit.forge.base import (
    BOT,
    Comment,
    PullRequest,
    PullState,
    Review,
    ReviewVerdict,
    Status,
    StatusState,
)
from mlgit.forge.rules import STATUS_CHARACTERS

T = TypeVar("T")
_BRANCH = re.compile(
    r"(?:[A-Za-z0-9][\w.-]*:)?(?!refs/|[-/.])(?:(?!\.\.|@\{|//|\.lock/)[^\x00-\x20\x7f ~^:?*\[\\])+(?<![/.])"
)
"""A branch by its short name, one of a fork behind its owner; what git takes for no name is none."""
_VERDICTS = {
    "APPROVED": ReviewVerdict.APPROVE,
    "CHANGES_REQUESTED": ReviewVerdict.REQUEST_CHANGES,
    "COMMENTED": ReviewVerdict.COMMENT,
    "DISMISSED": ReviewVerdict.DISMISSED,
}
EVENTS = {
    ReviewVerdict.APPROVE: "APPROVE",
    ReviewVerdict.REQUEST_CHANGES: "REQUEST_CHANGES",
    ReviewVerdict.COMMENT: "COMMENT",
}
"""How a verdict is given; one that is dismissed is given by nobody."""
_PASSED = ("success", "neutral", "skipped")
_TYPES: Mapping[type, Mapping[str, Any]] = {
    record: {name: tuple if get_origin(hint) is tuple else hint for name, hint in get_type_hints(record).items()}
    for record in (PullRequest, Comment, Review, Status)
}
"""What each field of a record has to be."""
GHOST = "ghost"
"""Whose account is gone, in GitHub's words."""


def is_branch(name: str) -> bool:
    """Whether GitHub could have a branch of that short *name*."""
    return bool(_BRANCH.fullmatch(name)) and name.isprintable()


@dataclass(frozen=True, kw_only=True)
class Talk:
    """A page of what was said on a pull request."""

    me: str
    comments: Sequence[Comment]
    after: str | None
    """Where the next page begins; None where there is none."""


def pull(told: Mapping[str, Any]) -> PullRequest:
    """A pull request; one whose fork is gone bears the name that GitHub still knows its head by."""
    head, base = told["head"], told["base"]
    is_here = head["repo"] is not None and head["repo"]["full_name"] == base["repo"]["full_name"]
    merged = told["merged_at"] is not None
    state = PullState.MERGED if merged else PullState.OPEN if told["state"] == "open" else PullState.CLOSED
    return _sound(PullRequest(
        number=told["number"], title=told["title"], body=told["body"] or "",
        head=head["ref"] if is_here else head["label"] or head["ref"], head_commit=head["sha"], base=base["ref"],
        base_commit=base["sha"],
        state=state, author=_who(told["user"]), created=_seconds(told["created_at"]),
        merge_commit=told["merge_commit_sha"] if merged else None,
        merged_by=_who(told["merged_by"]) if merged and told.get("merged_by") else "", draft=bool(told.get("draft")),
        labels=labels(told["labels"]), url=told["html_url"],
    ))  # fmt: skip


def labels(told: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The names of labels."""
    return tuple(str(label["name"]) for label in told)


def node(told: Mapping[str, Any]) -> str:
    """What GraphQL calls what REST tells of."""
    return _text(told["node_id"])


def me(data: Mapping[str, Any]) -> str:
    """Who we are, as GraphQL tells it."""
    return _text(data["viewer"]["login"])


def talk(data: Mapping[str, Any]) -> Talk:
    """A page of a pull request's comments, and who reads it, as GraphQL tells them."""
    who = me(data)
    found = data["repository"]["pullRequest"]["comments"]
    page = found["pageInfo"]
    return Talk(
        me=who, comments=[comment(node, who) for node in found["nodes"] if node],
        after=_text(page["endCursor"]) if page["hasNextPage"] else None,
    )  # fmt: skip


def written(told: Mapping[str, Any]) -> Comment:
    """A comment as REST tells it."""
    return _sound(Comment(
        id=told["id"], author=_who(told["user"]), body=told.get("body") or "", created=_seconds(told["created_at"]),
        updated=_seconds(told["updated_at"]), minimised=bool(told.get("minimized")),
    ))  # fmt: skip


def comment(node: Mapping[str, Any], me: str) -> Comment:
    """A comment as GraphQL tells it, which calls an App by its bare name, and says which are ours."""
    author = node["author"] or {"login": GHOST, "__typename": "User"}
    bot = BOT if author["__typename"] == "Bot" and not author["login"].endswith(BOT) else ""
    return _sound(Comment(
        id=int(node["fullDatabaseId"]), author=me if node["viewerDidAuthor"] else f"{author['login']}{bot}",
        body=node["body"], created=_seconds(node["createdAt"]), updated=_seconds(node["updatedAt"]),
        minimised=node["isMinimized"],
    ))  # fmt: skip


def given(told: Mapping[str, Any]) -> Review | None:
    """A review; None for one that is still being written: it is its author's alone."""
    return review(told) if told["state"] in _VERDICTS else None


def review(told: Mapping[str, Any]) -> Review:
    """A review that was given."""
    return _sound(Review(
        author=_who(told["user"]), verdict=_VERDICTS[told["state"]], body=told["body"] or "",
        commit=told["commit_id"] or "", created=_seconds(told["submitted_at"]),
    ))  # fmt: skip


def status(told: Mapping[str, Any], commit: str) -> Status:
    """What a status says of *commit*."""
    return _sound(Status(
        context=told["context"], state=StatusState(told["state"]), description=told["description"] or "",
        url=told["target_url"] or "", commit=commit,
    ))  # fmt: skip


def check(run: Mapping[str, Any], commit: str) -> Status:
    """What a check run says of *commit*."""
    return _sound(Status(
        context=run["name"], state=_ended(run), description=(run["output"]["title"] or "")[:STATUS_CHARACTERS],
        url=run["details_url"] or run["html_url"] or "", commit=commit,
    ))  # fmt: skip


def latest(statuses: Sequence[Status], runs: Sequence[Status]) -> list[Status]:
    """One a context, by context, of *statuses* and of check *runs*, each newest first as GitHub tells them.

    A status and a run of one context come of two, of whom each goes by itself: then the one counts that did not pass.
    """
    newest = {one.context.lower(): one for one in reversed(runs)}
    for name, one in {one.context.lower(): one for one in reversed(statuses)}.items():
        if name not in newest or newest[name].state is StatusState.SUCCESS:
            newest[name] = one
    return [newest[name] for name in sorted(newest)]


def _ended(run: Mapping[str, Any]) -> StatusState:
    if run["status"] != "completed":
        return StatusState.PENDING
    return StatusState.SUCCESS if run["conclusion"] in _PASSED else StatusState.FAILURE


def _who(user: Mapping[str, Any] | None) -> str:
    return _text(user["login"]) if user else GHOST


def _text(told: Any) -> str:
    if not isinstance(told, str):
        raise TypeError(f"{str(told)[:40]!r} is no text")
    return told


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _sound(record: T) -> T:
    """*record*, if each of its fields is of its type."""
    for name, kind in _TYPES[type(record)].items():
        if not isinstance(value := getattr(record, name), kind):
            raise TypeError(f"{name} {str(value)[:40]!r} is none")
    return record
