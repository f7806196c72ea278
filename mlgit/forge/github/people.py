"""Who may do what in a repository, and the labels that people and mlgit put on pull requests."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from mlgit.errors import UsageError
from mlgit.forge.github.answers import RefusedError
from mlgit.forge.github.rest import Rest

_COLOUR = re.compile(r"[0-9a-f]{6}")


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


def _role(told: Mapping[str, Any]) -> Role:
    known = {one.value for one in Role}
    return Role(told["role_name"] if told["role_name"] in known else told["permission"])


def have_label(rest: Rest, repository: str, name: str, *, colour: str, description: str = "") -> None:
    """Have a label of that *name*; one that is there stays as people made it. Raises `UsageError`, `RefusedError`."""
    if not _COLOUR.fullmatch(colour):
        raise UsageError(f"{colour[:20]!r} is no colour of a label.", fix="write it like 0e8a16")
    try:
        rest.get(f"repos/{repository}/labels/{quote(name, safe='')}")
    except RefusedError as exc:
        if exc.status != 404:
            raise
    else:
        return
    try:
        rest.post(f"repos/{repository}/labels", {"name": name, "color": colour, "description": description[:100]})
    except RefusedError as exc:
        if "already_exists" not in exc.said:  # somebody else was as quick
            raise
