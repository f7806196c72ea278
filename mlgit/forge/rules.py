"""What a forge asks of what it is given, the same on each of them (pure). GitHub's limits are the measure."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterable
from dataclasses import replace

from mlgit.core import escape
from mlgit.core.verdict import Verdict
from mlgit.errors import UsageError
from mlgit.forge.base import BODY_CHARACTERS, PullRequest, Remark, ReviewVerdict, Status

TITLE_CHARACTERS = 256
STATUS_CHARACTERS = 140
LABEL_CHARACTERS = 50
IMAGES = (".png", ".svg", ".jpg", ".jpeg", ".gif", ".webp")
"""The kinds of picture that a comment can show, by the end of their names."""


def remarks(verdicts: Iterable[Verdict]) -> list[Remark]:
    """What the *verdicts* of gates that did not pass say, where each gate is written."""
    found = []
    for one in verdicts:
        path, _, line = one.where.rpartition(":")
        if not one.passed and path and line.isdecimal():
            message = f"{one.gate}: {one.observed}"
            found.append(Remark(path=path, line=int(line), message=escape.line(message), is_failure=True))
    return found


def merge_message(pull: PullRequest) -> tuple[str, str]:
    """Subject and body of the merge commit, in GitHub's words. A title that poses as one of our trailers is quoted."""
    title = f'"{pull.title}"' if pull.title.lower().startswith("mlgit-") else pull.title
    return f"Merge pull request #{pull.number} from {pull.head}", title


def checked_title(text: str) -> str:
    """*text* as a title: one line, no control characters, at most 256 characters. Raises `UsageError`."""
    title = escape.line(text, TITLE_CHARACTERS)
    if not title:
        raise UsageError("A pull request needs a title.", fix="give one with --title")
    return title


def checked_labels(labels: Iterable[str]) -> tuple[str, ...]:
    """*labels*, each once and on one line. Raises `UsageError` for one that is empty or has over 50 characters."""
    found = tuple(dict.fromkeys(escape.line(label, LABEL_CHARACTERS + 1) for label in labels))
    for label in found:
        if not 0 < len(label) <= LABEL_CHARACTERS:
            raise UsageError(f"{label!r} cannot be a label.", fix=f"give it 1 to {LABEL_CHARACTERS} characters")
    return found


def asset(content: bytes, kind: str) -> str:
    """Where *content* of a *kind*, as names end, lies on the branch of pictures: by nothing but its content."""
    digest = hashlib.sha256(content).hexdigest()
    return f"{digest[:2]}/{digest}{kind}"


def checked_picture(name: str) -> str:
    """How the *name* of a picture ends: `.png`. Raises `UsageError` for what no comment can show."""
    kind = posixpath.splitext(name)[1].lower()
    if kind not in IMAGES:
        raise UsageError(f"{name[:80]!r} is no picture that a comment can show.", fix=f"use {', '.join(IMAGES)}")
    return kind


def checked_body(text: str, what: str, *, empty: bool = False) -> str:
    """*text*, if a forge takes it as the body of *what*. Raises `UsageError` for one too long, or (unless) *empty*."""
    if len(text) > BODY_CHARACTERS:
        raise UsageError(f"{what} of {len(text):,} characters is too long; {BODY_CHARACTERS:,} is the most.")
    if not empty and not text.strip():
        raise UsageError(f"{what} needs words.", fix="give them with -m")
    return text


def checked_status(status: Status) -> Status:
    """*status* as a forge takes it: its description cut to 140 characters. Raises `UsageError`."""
    if not escape.line(status.context):
        raise UsageError("A status needs a context: who says so.")
    if status.url and not status.url.startswith(("https://", "http://")):
        raise UsageError(f"{status.url[:80]!r} cannot be the address of a status.", fix="begin it with https://")
    return replace(
        status, context=escape.line(status.context), description=escape.line(status.description, STATUS_CHARACTERS)
    )


def checked_review(verdict: ReviewVerdict, body: str, *, own: bool) -> str:
    """*body*, if it can go with *verdict*; *own*: on one's own pull request. Raises `UsageError`."""
    if verdict is ReviewVerdict.DISMISSED:
        raise UsageError("A review is dismissed by the forge, not given so.")
    if own and verdict is not ReviewVerdict.COMMENT:
        raise UsageError(
            f"Nobody can {verdict.value} their own pull request.", fix="ask somebody else, or leave a comment"
        )
    return checked_body(body, "A review", empty=verdict is ReviewVerdict.APPROVE)
