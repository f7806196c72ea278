"""A registered version and the stages it serves, as the registry tells other rooms of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlgit.core.run import EMPTY


@dataclass(frozen=True, kw_only=True)
class Registered:
    """What a version's tag says of it, and where it serves."""

    model: str
    version: str
    commit: str
    """The result commit of the run that made it, or a child of that."""
    when: float
    """When it was registered, in seconds since the epoch."""
    who: str = ""
    run: str = ""
    """The id of that run; `""` for a tag that stock GTO made."""
    artifact: str = ""
    """The name under which the run logged it."""
    content: str = ""
    """DVC's content hash."""
    metrics: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    stages: tuple[str, ...] = ()
    """`production`; `production (unsettled)` where files and tags say different things."""

    @property
    def name(self) -> str:
        """`churn@v1.2.0`."""
        return f"{self.model}@{self.version}"

    @property
    def served(self) -> dict[str, str]:
        """The stages that it serves, `churn#production`, each with what is odd about it: mostly nothing."""
        parts = (stage.partition(" ") for stage in self.stages)
        return {f"{self.model}#{stage}": odd for stage, _, odd in parts}
