"""What gates are shown (pure): gathered before, only as far as a gate needs it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from mlgit.core.compare import Goal
from mlgit.core.model import ModelVersion
from mlgit.core.run import EMPTY


class Need(enum.Enum):
    """What takes some gathering, and is gathered only where a gate asks for it."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All that is known of a version that is to serve a stage."""

    stage: str
    candidate: ModelVersion
    champion: ModelVersion | None = None
    """What the stage serves now."""
    goals: Mapping[str, Goal] = field(default_factory=lambda: EMPTY)
    """Which way metrics are better, where the gate does not say."""
    is_return: bool = False
    """Whether the stage served the candidate before: going back is no contest with what serves now."""
    now: float = 0.0
    """When the gates are asked, in seconds since the epoch."""
    lacking: Mapping[Need, str] = field(default_factory=dict)
    """Why something that was needed could not be had: the gate fails that needs it, or is an error, and says so."""
