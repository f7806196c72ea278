"""Who we are on GitHub, and what we may do in one repository there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from mlgit.forge.github import rights
from mlgit.forge.github.answers import RefusedError
from mlgit.forge.github.rest import Rest

_ROLES = (("admin", "admin"), ("maintain", "maintain"), ("push", "write"), ("triage", "triage"), ("pull", "read"))
"""What REST calls the permissions of a repository, the highest first, and what GitHub's pages call them."""
_RATE = ("remaining", "limit", "reset")


@dataclass(frozen=True, kw_only=True)
class Rate:
    """Requests that are left, until *reset*, in seconds since the epoch."""

    remaining: int
    limit: int
    reset: float


@dataclass(frozen=True, kw_only=True)
class Account:
    """What `mlgit login` tells."""

    me: str
    source: str
    """Where the token was found."""
    role: str
    """`read`, `write`, `admin`, … in the repository; nothing where GitHub does not say, as of an App's token."""
    scopes: tuple[str, ...]
    """What a token of the classic kind may do at all; of the others GitHub says it only where they are refused."""
    writable: bool
    """Whether it may write, as far as that is known before it is tried."""
    rate: Rate | None
    """None where nothing is counted, as an Enterprise server does unless told to."""


def look(rest: Rest, repository: str, *, me: str, source: str) -> Account:
    """Ask GitHub who we are. Raises `RefusedError` for a token that it does not know, or a repository we don't see."""
    rate = _rate(rest)
    return rest.whole(f"repos/{repository}", partial(_account, me=me, source=source, rate=rate))


def _account(
    told: Mapping[str, Any], headers: Mapping[str, str], *, me: str, source: str, rate: Rate | None
) -> Account:  # fmt: skip
    may = told.get("permissions") or {}
    role = next((name for key, name in _ROLES if may.get(key)), "")
    scopes = tuple(filter(None, (scope.strip() for scope in headers.get("x-oauth-scopes", "").split(","))))
    wanted = {"repo"} if told.get("private") else {"repo", "public_repo"}
    is_classic = "x-oauth-scopes" in headers
    return Account(
        me=me, source=source, role=role, scopes=scopes, rate=rate,
        writable=role not in ("read", "triage")
        and not told.get("archived")
        and not (is_classic and wanted.isdisjoint(scopes))
        and not rights.is_read_only(os.environ),
    )  # fmt: skip


def _rate(rest: Rest) -> Rate | None:
    try:
        return rest.get("rate_limit", lambda told: Rate(**{key: told["rate"][key] for key in _RATE}))
    except RefusedError as exc:
        if exc.status != 404:
            raise
        return None
