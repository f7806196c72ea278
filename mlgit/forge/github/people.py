"""Who may do what in a repository."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from mlgit.errors import UsageError
from mlgit.forge.github.answers import RefusedError
from mlgit.forge.github.rest import Rest


class Role(enum.Enum):
    """What a person may do in a repository, the least first; one of an organisation's own counts as what it extends."""

    NONE = "none"
    READ = "read"
    TRIAGE = "triage"
    WRITE = "write"
    MAINTAIN = "maintain"
    ADMIN = "admin"

    def allows(self, other: Role) -> bool:
        """Whether it holds all that *other* does."""
        order = list(Role)
        return order.index(self) >= order.index(other)


def role(rest: Rest, repository: str, login: str) -> Role:
    """What *login* may do in *repository*; `NONE` for who is nobody there. Raises `RefusedError`."""
    try:
        return rest.get(f"repos/{repository}/collaborators/{quote(login, safe='')}/permission", _role)
    except RefusedError as exc:
        if exc.status != 404:
            raise
        return Role.NONE


def belongs(rest: Rest, team: str, login: str) -> bool:
    """Whether *login* is a member of *team*, written `acme/ml`, or of a team in it.

    Raises `RefusedError`, also for a team that does not exist or that the token may not see.
    """
    organisation, _, slug = team.partition("/")
    where = f"orgs/{quote(organisation, safe='')}/teams/{quote(slug, safe='')}"
    try:
        return rest.get(f"{where}/memberships/{quote(login, safe='')}", lambda told: bool(told["state"] == "active"))
    except RefusedError as exc:
        if exc.status != 404:
            raise
    try:
        rest.get(where, lambda told: told["slug"])
    except RefusedError as exc:
        if exc.status != 404:
            raise
        raise UsageError(
            f"There is no team {team}, or this token may not see it.",
            why="The token of a workflow sees no team of an organisation.",
            fix="use a GitHub App with `Members: read`; or name people instead: by: […]",
        ) from None
    return False


def _role(told: Mapping[str, Any]) -> Role:
    known = {one.value for one in Role}
    return Role(told["role_name"] if told["role_name"] in known else told["permission"])
