"""What a job of GitHub's is told, and where it answers besides."""

from __future__ import annotations

import json
import os
from pathlib import Path

from mlgit.errors import MlgitError


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


def summarize(text: str) -> None:
    """Add *text* to the page that GitHub shows of the job; nothing outside of one."""
    name = os.environ.get("GITHUB_STEP_SUMMARY")
    if name and text:
        with Path(name).open("a", encoding="utf-8") as file:
            file.write(f"{text}\n\n")
