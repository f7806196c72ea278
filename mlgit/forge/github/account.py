"""Who we are on GitHub, and what we may do in one repository there."""

from __future__ import annotations

import os
from dataclasses import dataclass

from mlgit.forge.github import rights
from mlgit.forge.github.rest import Rest

_ROLES = (("admin", "admin"), ("maintain", "maintain"), ("push", "write"), ("triage", "triage"), ("pull", "read"))
"""What REST calls the permissions of a repository, the highest first, and what GitHub's pages call them."""


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
    remaining: int
    """Requests that are left of *limit*, until *reset*, in seconds since the epoch."""
    limit: int
    reset: float


def look(rest: Rest, repository: str, *, me: str, source: str) -> Account:
    """Ask GitHub who we are. Raises `RefusedError` for a token that it does not know, or a repository we don't see."""
    told, headers = rest.whole(f"repos/{repository}")
    rate = rest.get("rate_limit")["rate"]
    may = told.get("permissions") or {}
    role = next((name for key, name in _ROLES if may.get(key)), "")
    return Account(
        me=me, source=source, role=role,
        scopes=tuple(filter(None, (scope.strip() for scope in headers.get("x-oauth-scopes", "").split(",")))),
        writable=role not in ("read", "triage") and not rights.is_read_only(os.environ),
        remaining=rate["remaining"], limit=rate["limit"], reset=rate["reset"],
    )  # fmt: skip
