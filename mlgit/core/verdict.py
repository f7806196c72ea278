"""What a gate found."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlgit.core.run import EMPTY


class Outcome(enum.Enum):
    """How a gate answers. Only `PASSED` lets a version through."""

    PASSED = "pass"
    FAILED = "fail"
    """What it asks is not so, or nobody showed that it is."""
    INCONCLUSIVE = "inconclusive"
    """What was measured decides neither way: too few seeds, too much spread."""
    ERROR = "error"
    """It could not be asked: a command that hung, a forge that did not answer."""


class Wait(enum.Enum):
    """What may still let a version through that does not pass yet."""

    PEOPLE = "people"
    TIME = "time"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One gate's answer, in words that a comment, a terminal and a status can all use."""

    gate: str
    """What the gate asks: `accuracy ≥ 0.95`."""
    outcome: Outcome
    observed: str
    """What it saw: `0.944 (champion v1.0.0: 0.961)`."""
    where: str
    """Where the gate is written: `registry/policy.yaml:7`."""
    refused: str = ""
    """Why a version may not pass, after its name and a colon; empty where it may."""
    fix: str = ""
    """What would make it pass."""
    inputs: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    """What it was judged by, as plain JSON: enough to judge it again."""
    told: bool = False
    """Whether it is only told, and not asked: in an emergency, and on the way back."""
    waits: Wait | None = None
    """What may still let it pass, where that is not another version: a pull request may be opened meanwhile."""

    @property
    def passed(self) -> bool:
        """Whether it lets the version through."""
        return self.outcome is Outcome.PASSED

    @property
    def bars(self) -> bool:
        """Whether it stands in the way."""
        return not self.passed and not self.told

    @property
    def plain(self) -> dict[str, Any]:
        """The verdict for a script, and for the record of a promotion."""
        return {
            "gate": self.gate, "passed": self.passed, "outcome": self.outcome.value, "observed": self.observed,
            "where": self.where, "inputs": dict(self.inputs), "told": self.told,
            "waits": self.waits.value if self.waits else None,
        }  # fmt: skip
