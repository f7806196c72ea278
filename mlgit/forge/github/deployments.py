"""Deployments: which commit serves in which environment, and environments: who has to approve before it does."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from mlgit.core import escape
from mlgit.forge.github.answers import RefusedError
from mlgit.forge.github.rest import Rest
from mlgit.forge.rules import STATUS_CHARACTERS


class DeploymentState(enum.Enum):
    """How a deployment stands."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"
    INACTIVE = "inactive"


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A commit that was sent to an environment."""

    id: int
    environment: str
    commit: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    """What was said of it: which version of which model."""
    created: float
    """Seconds since the epoch."""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What has to happen before a job, or a deployment, gets to an environment."""

    name: str
    reviewers: tuple[str, ...] = ()
    """People and teams, of whom one has to approve."""
    wait_minutes: int = 0
    is_restricted: bool = False
    """Whether only some branches get there."""


def deploy(
    rest: Rest, repository: str, commit: str, *, environment: str, description: str = "",
    payload: Mapping[str, Any] | None = None, is_production: bool = False,
) -> Deployment:  # fmt: skip
    """Say that *commit* goes to *environment*. Raises `RefusedError` for a commit that GitHub lacks.

    As it is: left alone, GitHub would merge main into it, and wait for every status to be green.
    """
    return rest.post(
        f"repos/{repository}/deployments",
        {
            "ref": commit, "environment": environment, "auto_merge": False, "required_contexts": [],
            "description": escape.line(description, STATUS_CHARACTERS), "payload": dict(payload or {}),
            "production_environment": is_production,
        },
        _deployment,
    )  # fmt: skip


def set_state(
    rest: Rest, repository: str, deployment: int, state: DeploymentState, *, description: str = "", url: str = ""
) -> None:
    """Say how a deployment stands; one that succeeds makes the environment's earlier ones inactive."""
    content = {"state": state.value, "description": escape.line(description, STATUS_CHARACTERS)}
    rest.post(f"repos/{repository}/deployments/{deployment}/statuses", content | ({"log_url": url} if url else {}))


def deployments(rest: Rest, repository: str, *, environment: str) -> list[Deployment]:
    """All deployments to *environment*, newest first."""
    return rest.everything(f"repos/{repository}/deployments", into=_deployment, environment=environment)


def state(rest: Rest, repository: str, deployment: int) -> DeploymentState | None:
    """How it stands; None for one of which nothing was said yet."""
    return rest.get(f"repos/{repository}/deployments/{deployment}/statuses", _state, per_page=1)


def environment(rest: Rest, repository: str, name: str) -> Environment | None:
    """The environment of that *name*, if there is one."""
    try:
        return rest.get(_at(repository, name), _environment)
    except RefusedError as exc:
        if exc.status != 404:
            raise
        return None


def set_environment(
    rest: Rest, repository: str, name: str, *, reviewers: Sequence[int] = (), wait_minutes: int = 0
) -> Environment:
    """Have an environment of that *name*, in which one of *reviewers*, people by their ids, has to approve.

    Whoever began it does not approve it. Needs the right to administrate the repository, and, on private ones, a plan
    that has it: GitHub refuses with 422.
    """
    content: dict[str, Any] = {"wait_timer": wait_minutes}
    if reviewers:
        people = [{"type": "User", "id": one} for one in reviewers]
        content |= {"reviewers": people, "prevent_self_review": True}
    return rest.put(_at(repository, name), content, _environment)


def _at(repository: str, name: str) -> str:
    return f"repos/{repository}/environments/{quote(name, safe='')}"


def _state(told: Sequence[Mapping[str, Any]]) -> DeploymentState | None:
    if not told:
        return None
    newest = told[0]["state"]
    return DeploymentState({"pending": "queued"}.get(newest, newest))


def _deployment(told: Mapping[str, Any]) -> Deployment:
    payload = told["payload"]
    return Deployment(
        id=told["id"], environment=told["environment"], commit=told["sha"],
        payload=payload if isinstance(payload, dict) else {},
        created=datetime.fromisoformat(told["created_at"]).timestamp(),
    )  # fmt: skip


def _environment(told: Mapping[str, Any]) -> Environment:
    rules = told.get("protection_rules") or []
    reviewers = [one["reviewer"] for rule in rules for one in rule.get("reviewers") or ()]
    return Environment(
        name=told["name"], reviewers=tuple(one.get("login") or one.get("slug") or "" for one in reviewers),
        wait_minutes=sum(rule.get("wait_timer") or 0 for rule in rules),
        is_restricted=told.get("deployment_branch_policy") is not None,
    )  # fmt: skip
