"""One comment of ours on a pull request, found again by its hidden marker and its author, and kept up to date."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable, Sequence

from mlgit.errors import NotFoundError, UsageError
from mlgit.forge import sections
from mlgit.forge.base import Comment, Forge, Remark, Status

_MARKER = re.compile(r"[a-z0-9][a-z0-9:/._-]*")


def upsert(
    forge: Forge, number: int, marker: str, body: str | Callable[[str], str], *, status: Status | None = None,
    remarks: Sequence[Remark] = (),
) -> Comment:  # fmt: skip
    """*body* as the one comment on *number* that goes by *marker*: new, or in the place of what it said before.

    *body* is text, or makes it of the comment that stands there; of "" where there is none. A comment is ours if it
    begins with the hidden marker AND bears our name AND nobody minimised it: a marker that somebody else wrote into
    theirs is left alone. Two who do this at once leave one comment. What is too long is cut between two sections, with
    a link to all of it. *status* goes with it, and its *remarks*: it is set where the comment changes, before.
    """
    hidden = hidden_marker(marker)
    ours = _ours(forge, number, hidden)
    head = f"{hidden}\n{_noted(status)}" if status else f"{hidden}\n"
    most = forge.capabilities.max_body
    if callable(body):
        body = body(ours[0].body if ours else "")
    is_long = len(head) + len(body) > most
    text = head + (sections.fitted(body, most - len(head), whole=forge.page(body)) if is_long else body)
    if len(ours) == 1 and ours[0].body == text:
        return ours[0]
    if status:
        forge.set_status(status, text=body, remarks=remarks)
    if not ours:
        forge.comment(number, text)
        ours = _ours(forge, number, hidden)  # somebody may have been as quick
    for spare in ours[1:]:
        with contextlib.suppress(NotFoundError):
            forge.delete_comment(number, spare.id)
    try:
        return ours[0] if ours[0].body == text else forge.edit_comment(number, ours[0].id, text)
    except (NotFoundError, IndexError):  # it was deleted under our hands
        return forge.comment(number, text)


def _ours(forge: Forge, number: int, hidden: str) -> list[Comment]:
    """Our comments that begin with that marker, oldest first."""
    return [
        comment
        for comment in forge.comments(number)
        if comment.author == forge.me and not comment.minimised and comment.body.startswith(hidden)
    ]


def _noted(status: Status) -> str:
    """What a comment hides of the *status* that was set with it, so that it tells whether that is still the same."""
    told = "\n".join((status.context, status.state.value, status.description, status.url))
    return f"<!-- {status.commit} {hashlib.sha256(told.encode(errors='replace')).hexdigest()[:16]} -->\n"


def hidden_marker(name: str) -> str:
    """The HTML comment by which a comment is found again. Raises `UsageError` for a name that could end it early."""
    if not _MARKER.fullmatch(name) or "--" in name:
        raise UsageError(f"{name[:80]!r} cannot mark a comment.", fix="use lower-case words, like mlgit:report")
    return f"<!-- {name} -->"
