"""Where the gates' evidence comes from: other rooms, and the forge, handed to the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlgit.core.compare import Goal
    from mlgit.registry.gathering import Sources
    from mlgit.store.place import Place


def sources(place: Place, *, goals: Mapping[str, Goal] | None = None) -> Sources:
    """The sources of *place*; *goals*: those of another commit than what lies here."""
    from mlgit.registry.gathering import Sources

    return Sources(goals=place.settings.goals if goals is None else goals)
