"""What GitHub says of pull requests, as mlgit's own records (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from mlgit.forge.base import Comment, PullRequest, PullState, Review, ReviewVerdict, Status, StatusState

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
GHOST = "ghost"
"""Whose account is gone, in GitHub's words."""


def is_branch(name: str) -> bool:
    """Whether GitHub could have a branch of that short *name*."""
    return bool(_BRANCH.fullmatch(name)) and name.isprintable()


def pull(told: Mapping[str, Any]) -> PullRequest:
    """A pull request; one whose fork is gone bears the name that GitHub still knows its head by."""
    head, base = told["head"], told["base"]
    is_here = head["repo"] is not None and head["repo"]["full_name"] == base["repo"]["full_name"]
    merged = told["merged_at"] is not None
    state = PullState.MERGED if merged else PullState.OPEN if told["state"] == "open" else PullState.CLOSED
    return PullRequest(
        number=told["number"], title=told["title"], body=told["body"] or "",
        head=head["ref"] if is_here else head["label"] or head["ref"], head_commit=head["sha"], base=base["ref"],
        base_commit=base["sha"],
        state=state, author=_who(told["user"]), created=_seconds(told["created_at"]),
        merge_commit=told["merge_commit_sha"] if merged else None, draft=bool(told.get("draft")),
        labels=tuple(label["name"] for label in told["labels"]), url=told["html_url"],
    )  # fmt: skip


def written(told: Mapping[str, Any]) -> Comment:
    """A comment as REST tells it."""
    return Comment(
        id=told["id"], author=_who(told["user"]), body=told.get("body") or "", created=_seconds(told["created_at"]),
        updated=_seconds(told["updated_at"]), minimised=bool(told.get("minimized")),
    )  # fmt: skip


def comment(node: Mapping[str, Any], me: str) -> Comment:
    """A comment as GraphQL tells it, which calls an App by its bare name, and says which are ours."""
    author = node["author"] or {"login": GHOST, "__typename": "User"}
    bot = "[bot]" if author["__typename"] == "Bot" and not author["login"].endswith("[bot]") else ""
    return Comment(
        id=int(node["fullDatabaseId"]), author=me if node["viewerDidAuthor"] else f"{author['login']}{bot}",
        body=node["body"], created=_seconds(node["createdAt"]), updated=_seconds(node["updatedAt"]),
        minimised=node["isMinimized"],
    )  # fmt: skip


def reviews(told: Sequence[Mapping[str, Any]]) -> list[Review]:
    """The reviews that were given; one that is still being written is its author's alone."""
    return [review(one) for one in told if one["state"] in _VERDICTS]


def review(told: Mapping[str, Any]) -> Review:
    """A review that was given."""
    return Review(
        author=_who(told["user"]), verdict=_VERDICTS[told["state"]], body=told["body"] or "",
        commit=told["commit_id"] or "", created=_seconds(told["submitted_at"]),
    )  # fmt: skip


def statuses(told: Sequence[Mapping[str, Any]], runs: Sequence[Mapping[str, Any]], commit: str) -> list[Status]:
    """What statuses and check runs say of *commit*, one a context, by context."""
    found = [
        Status(
            context=one["context"], state=StatusState(one["state"]), description=one["description"] or "",
            url=one["target_url"] or "", commit=commit,
        )
        for one in told
    ]  # fmt: skip
    found += [
        Status(
            context=run["name"], state=_ended(run), description=(run["output"]["title"] or "")[:140],
            url=run["details_url"] or run["html_url"] or "", commit=commit,
        )
        for run in runs
    ]  # fmt: skip
    latest = {one.context.lower(): one for one in reversed(found)}  # GitHub tells the newest first
    return [latest[name] for name in sorted(latest)]


def _ended(run: Mapping[str, Any]) -> StatusState:
    if run["status"] != "completed":
        return StatusState.PENDING
    return StatusState.SUCCESS if run["conclusion"] in _PASSED else StatusState.FAILURE


def _who(user: Mapping[str, Any] | None) -> str:
    return user["login"] if user else GHOST


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
