"""The Python door to what is kept: artifacts and the API. Here they get what they ask of this room."""

from __future__ import annotations

from typing import Any

from mlgit.artifacts.artifact import Artifact
from mlgit.artifacts.version import ArtifactTTL
from mlgit.public.api import NO_KEY, Api
from mlgit.public.lookup import ENTITY
from mlgit.public.selection import runs
from mlgit.tracking import session as _session  # noqa: F401  (by being loaded it hands over what is asked for)

__all__ = ["Api", "Artifact", "ArtifactTTL", "api", "runs"]


class _OlderApi:
    """W&B's older `Api()`, of which scripts ask whether they are logged in."""

    api_key, default_entity = NO_KEY, ENTITY

    def viewer(self) -> dict[str, Any]:
        """Whoever works here, as git knows them."""
        found = Api().viewer
        return {name: getattr(found, name) for name in ("name", "username", "email", "entity", "teams")}


api = _OlderApi()
