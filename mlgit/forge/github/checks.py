"""Check runs: a verdict on a commit with a page of its own, and remarks beside the lines they are about.

Only Apps make them, a workflow's own token among these; a person's token is refused (https://docs.github.com/rest/checks/runs).
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mlgit.core import escape
from mlgit.forge import sections
from mlgit.forge.github.rest import Rest

_AT_ONCE = 50
"""Annotations that one request may bring."""
_SUMMARY, _MESSAGE, _TITLE = 65_535, 60_000, 255
"""Characters of a summary, of an annotation (of which GitHub says 64 KB), of a title."""


class Level(enum.Enum):
    """How grave an annotation is."""

    NOTICE = "notice"
    WARNING = "warning"
    FAILURE = "failure"


class Conclusion(enum.Enum):
    """How a check ended."""

    SUCCESS = "success"
    NEUTRAL = "neutral"
    FAILURE = "failure"
    SKIPPED = "skipped"
    ACTION_REQUIRED = "action_required"


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """A remark on lines of a file."""

    path: str
    """From the top of the repository."""
    line: int
    end_line: int | None = None
    level: Level
    message: str
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class Check:
    """What is checked of a commit, and what came out; without a conclusion it is under way."""

    name: str
    commit: str
    conclusion: Conclusion | None = None
    title: str = ""
    summary: str = ""
    """Markdown."""
    annotations: Sequence[Annotation] = ()
    url: str = ""
    """Where more of it is told."""


def publish(rest: Rest, repository: str, check: Check, *, run: int | None = None) -> int:
    """Make a check run of *check*, or have the one of number *run* say so; its number. Raises `RefusedError`.

    Annotations only ever come to those that a run has: so what is under way brings none.
    """
    at = f"repos/{repository}/check-runs"
    content = _content(check)
    first, *others = _parts(check.annotations) or [[]]
    output = _output(check)
    said = output | {"annotations": first} if output and first else output
    told = content | ({"output": said} if said else {})
    if run is None:
        run = rest.post(at, {"name": check.name, "head_sha": check.commit, **told}, lambda made: int(made["id"]))
    else:
        rest.patch_once(f"{at}/{run}", told)
    for part in others:
        rest.patch_once(f"{at}/{run}", content | {"output": output | {"annotations": part}})
    return run


def _content(check: Check) -> dict[str, Any]:
    ended = {"status": "completed", "conclusion": check.conclusion.value} if check.conclusion else {}
    return (ended or {"status": "in_progress"}) | ({"details_url": check.url} if check.url else {})


def _output(check: Check) -> dict[str, Any]:
    if not (check.title or check.summary or check.annotations):
        return {}
    title = escape.line(check.title or check.name, _TITLE)
    summary = check.summary or title
    if len(summary) > _SUMMARY:
        summary = sections.fitted(summary, _SUMMARY, whole=check.url or "#")
    return {"title": title, "summary": summary}


def _parts(annotations: Sequence[Annotation]) -> list[list[dict[str, Any]]]:
    told = [
        {
            "path": one.path, "start_line": one.line, "end_line": one.end_line or one.line,
            "annotation_level": one.level.value, "message": one.message[:_MESSAGE],
            **({"title": escape.line(one.title, _TITLE)} if one.title else {}),
        }
        for one in annotations
    ]  # fmt: skip
    return [told[at : at + _AT_ONCE] for at in range(0, len(told), _AT_ONCE)]
