"""What a job of GitHub's is about (pure): the pull request, or the branch, that its event tells of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlgit.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A pull request by its number, else the branch whose open ones are meant."""

    number: int | None = None
    branch: str = ""


def read(event: object, environ: Mapping[str, str]) -> Subject:
    """What *event*, the document at `GITHUB_EVENT_PATH`, and the job's environment tell.

    Raises `UsageError` where that is neither.
    """
    told: dict[str, Any] = event if isinstance(event, dict) else {}
    pull, inputs = told.get("pull_request"), told.get("inputs")
    number = pull.get("number") if isinstance(pull, dict) else None
    if number is None and isinstance(inputs, dict):
        number = inputs.get("number")
    if number not in (None, ""):
        if isinstance(number, bool) or not str(number).isdecimal() or not int(number):
            raise UsageError(f"{str(number)[:40]!r} is no number of a pull request.", fix="give one like 7")
        return Subject(number=int(number))
    if environ.get("GITHUB_REF_TYPE", "branch") == "branch" and (branch := environ.get("GITHUB_REF_NAME")):
        return Subject(branch=branch)
    raise UsageError("Neither a pull request nor a branch is what this job is about.", fix="mlgit report N")
