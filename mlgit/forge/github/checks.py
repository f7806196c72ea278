"""Check runs: a verdict on a commit with a page of its own, and remarks beside the lines they are about.

Only Apps make them, a workflow's own token among these; a person's token is refused (https://docs.github.com/rest/checks/runs).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlgit.core import escape
from mlgit.forge.base import Remark, Status, StatusState
from mlgit.forge.github.rest import Rest

_AT_ONCE = 50
"""Remarks that one request may bring."""
SUMMARY, _MESSAGE = 65_535, 60_000
"""Characters of a summary, of a remark (of which GitHub says 64 KB)."""


def publish(
    rest: Rest, repository: str, status: Status, *, summary: str = "", remarks: Sequence[Remark] = ()
) -> int:  # fmt: skip
    """Make a check run of *status*, with *summary* (Markdown) on its page; its number. Raises `RefusedError`.

    A summary has at most `SUMMARY` characters. GitHub shows the last of a name. What is under way brings no remarks:
    they only ever come to those that a run has.
    """
    at = f"repos/{repository}/check-runs"
    ended = {"status": "completed", "conclusion": "success" if status.state is StatusState.SUCCESS else "failure"}
    content: dict[str, Any] = {"status": "in_progress"} if status.state is StatusState.PENDING else ended
    content |= {"details_url": status.url} if status.url else {}
    title = status.description or status.context
    output = {"title": title, "summary": summary or title}
    first, *others = _parts(remarks) or [[]]
    told = {"name": status.context, "head_sha": status.commit, **content, "output": output | {"annotations": first}}
    run = rest.post(at, told, lambda made: int(made["id"]))
    for part in others:
        rest.patch_once(f"{at}/{run}", content | {"output": output | {"annotations": part}})
    return run


def _parts(remarks: Sequence[Remark]) -> list[list[dict[str, Any]]]:
    told = [
        {
            "path": one.path, "start_line": one.line, "end_line": one.line,
            "annotation_level": "failure" if one.is_failure else "notice",
            "message": escape.line(one.message, _MESSAGE),
        }
        for one in remarks
    ]  # fmt: skip
    return [told[at : at + _AT_ONCE] for at in range(0, len(told), _AT_ONCE)]
