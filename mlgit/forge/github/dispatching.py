"""Workflows that are started by hand, as it were."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

from mlgit.errors import NotFoundError
from mlgit.forge.github.answers import RefusedError
from mlgit.forge.github.rest import Rest

T = TypeVar("T")


def dispatch(rest: Rest, repository: str, workflow: str, *, ref: str, inputs: Mapping[str, str]) -> str:
    """Start *workflow* (a file's name) as the branch *ref* has it; the run's page, where GitHub tells it.

    Raises `NotFoundError` where there is no such workflow to be started, `RefusedError`.
    """
    path = f"repos/{repository}/actions/workflows/{quote(workflow, safe='')}/dispatches"
    try:
        content = {"ref": ref, "inputs": dict(inputs), "return_run_details": True}
        return post(rest, path, content, lambda made: str(made["html_url"])) or ""
    except RefusedError as exc:
        if exc.status not in (404, 422):
            raise
        fix = f"mlgit ci init, and have what it writes on the default branch and on {ref}"
        raise NotFoundError(f"{workflow} of {repository} cannot be started for {ref}.", why=exc.said, fix=fix) from None


def has(rest: Rest, repository: str, commit: str) -> bool:
    """Whether *repository* has *commit*, and shows it to us. Raises `RefusedError`, `SilentError`."""
    try:
        rest.get(f"repos/{repository}/git/commits/{commit}")
    except RefusedError as exc:
        if exc.status != 404:
            raise
        return False
    return True


def post(rest: Rest, path: str, content: Mapping[str, Any], into: Callable[[Any], T]) -> T | None:
    """What *into* reads of a dispatch of *content* to *path*; None from a server that tells nothing of the run."""

    def read(told: Any) -> T | None:
        return into(told) if told else None

    try:
        return rest.post(path, content, read)
    except RefusedError as exc:
        if exc.status != 422 or "return_run_details" not in exc.said:
            raise
        older = {name: value for name, value in content.items() if name != "return_run_details"}
        return rest.post(path, older, read)
