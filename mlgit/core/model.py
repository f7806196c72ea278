"""A registered model: its immutable versions, and the stages that point at them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mlgit.core.model_card import ModelCard
from mlgit.core.run import EMPTY


@dataclass(frozen=True, kw_only=True)
class ModelVersion:
    """One immutable version of a model: `registry/<model>/versions/v1.2.0.yaml`."""

    model: str
    version: str
    """SemVer with its `v`."""
    project: str
    run: str
    """The id of the run that made it."""
    commit: str
    """That run's result commit."""
    artifact: str
    """The name under which the run logged it."""
    hash: str
    """DVC's content hash."""
    sha256: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    """Path inside the artifact → sha256, what deployments and attestations ask for."""
    size: int = 0
    """Bytes."""
    registered: float = 0.0
    """Seconds since the epoch."""
    description: str = ""
    metrics: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    params: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    data: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    changed_data: Mapping[str, str] | None = None
    """What of its run's data was not what the code names: path → what had become of it; None where nobody looked."""
    card: ModelCard | None = None
    """What is known of its bytes; None in what an mlgit without cards registered."""
    fields: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    """What people say of it, by the names of Hugging Face's model cards: license, tags, language, …."""

    @property
    def drifted(self) -> str:
        """`changed_data` in a line; empty where there is nothing, or where nobody looked."""
        return "; ".join(f"{path}: {became}" for path, became in sorted((self.changed_data or {}).items()))

    @property
    def unsafe(self) -> str:
        """Why loading it may run code; empty where it may not, or where nobody has looked."""
        return self.card.unsafe if self.card else ""


@dataclass(frozen=True, kw_only=True)
class Hold:
    """A stage that automation leaves alone until the hold is lifted."""

    by: str
    since: str
    """The moment, as ISO 8601 in UTC."""
    why: str = ""
    instead: str = ""
    """The version that was taken back by what holds the stage; empty where it is only held."""
    version: str = ""
    """The one that took its place, and the only one that the hold lets come back past its gates."""


@dataclass(frozen=True, kw_only=True)
class Emergency:
    """A promotion that went past its gates."""

    by: str
    why: str
    since: str = ""
    """The moment, as ISO 8601 in UTC: it lets one promotion pass, and no later one."""
    version: str = ""
    """The version that it lets pass, and no other."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Desired state: which version *stage* should serve. `registry/<model>/<stage>.yaml`."""

    model: str
    stage: str
    version: str
    hold: Hold | None = None
    """Why no automation may move the stage; None where one may."""
    emergency: Emergency | None = None
    """Why the gates were told and not asked; None where they were asked."""

    @property
    def own(self) -> Stage:
        """The same without the mark of an emergency that let another version pass."""
        is_of_another = self.emergency is not None and self.emergency.version != self.version
        return replace(self, emergency=None) if is_of_another else self
