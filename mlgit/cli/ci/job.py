"""What a job of GitHub's is told, and where it answers besides."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from mlgit.cli import output
from mlgit.errors import MlgitError, UsageError

if TYPE_CHECKING:
    from mlgit.ci.plan import Plan
    from mlgit.wiring.reporting import Reported

_MOST_PLAN = 64 << 20
"""Bytes: ten thousand trials have some two million."""


def event() -> object:
    """The document of the job's event; None outside of a job. Raises `MlgitError` where it cannot be read."""
    name = os.environ.get("GITHUB_EVENT_PATH")
    try:
        return json.loads(Path(name).read_bytes()) if name else None
    except (OSError, ValueError) as exc:
        raise MlgitError(f"The job's event cannot be read: {name}.", why=str(exc)) from None


def inputs() -> dict[str, str]:
    """What the job was dispatched with."""
    told = event()
    given = told.get("inputs") if isinstance(told, dict) else None
    return {name: value for name, value in given.items() if isinstance(value, str)} if isinstance(given, dict) else {}


def plan(path: Path, sha256: str | None) -> Plan:
    """The plan at *path*, which has the digest *sha256*, where one is said. Raises `UsageError`."""
    from mlgit.ci import plan as plans

    with path.open("rb") as file:
        content = file.read(_MOST_PLAN + 1)
    if len(content) > _MOST_PLAN:
        raise UsageError(f"{path} is no plan of this mlgit: it is larger than any.", fix="mlgit ci plan -o FILE")
    return plans.checked(content, source=str(path), sha256=sha256)


def has_summary() -> bool:
    """Whether we are in a job that has a page of its own."""
    return bool(os.environ.get("GITHUB_STEP_SUMMARY"))


def summarize(text: str) -> None:
    """Add *text* to the page that GitHub shows of the job; nothing outside of one. What cannot be written is said."""
    if text and has_summary():
        try:
            with Path(os.environ["GITHUB_STEP_SUMMARY"]).open("a", encoding="utf-8") as file:
                file.write(f"{text}\n\n")
        except OSError as exc:  # what it tells of is done
            output.note(f"the summary of this step cannot be written: {exc.strerror}")


def tell_unposted(one: Reported) -> None:
    """Say that a report stands in the summary alone, and why."""
    output.note("we may only read here: nothing was posted, the report is in the job's summary")
    if one.refused:
        output.note(str(one.refused))
