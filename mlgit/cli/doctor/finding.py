"""One line of what `mlgit doctor` has found."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Health(enum.Enum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One line of the diagnosis."""

    what: str
    health: Health
    says: str
    fix: str = ""
