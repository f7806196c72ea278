"""Why a stage moved: the record of a decision, a line in the message of the stage's tag (pure).

Who promoted what, when and on what evidence is told from git alone by these, and by the history of `registry/`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlgit.core.model import Emergency, Hold
from mlgit.core.verdict import Verdict
from mlgit.documents.reader import load
from mlgit.documents.writer import as_data, dump
from mlgit.errors import ConfigError
from mlgit.git.repo import message_trailer
from mlgit.store import records

TRAILER = "Mlgit-Promotion"


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The pull request that asked for it, as far as there was one, and people in it."""

    pull: int | None = None
    author: str = ""
    approvers: tuple[str, ...] = ()
    """Who approved what was merged, its author not among them."""
    merged_by: str = ""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What was decided, and by what."""

    commit: str
    """The merge, or the commit on the base branch, that asked for it."""
    digest: str = ""
    """The content hash of what the stage serves since."""
    instead: str | None = None
    """The version that it served before."""
    policy: str | None = None
    """The blob of the policy that was asked; None where there was none."""
    gates: tuple[Mapping[str, Any], ...] = ()
    """Each gate's verdict, as `Verdict.plain` has it."""
    origin: Origin = field(default_factory=Origin)
    hold: Hold | None = None
    emergency: Emergency | None = None

    def emergency_of(self, version: str | None) -> Emergency | None:
        """Why the gates of *version*, which it is about, were told and not asked; a mark may be another version's."""
        return self.emergency if self.emergency and self.emergency.version == version else None


def told(verdicts: Sequence[Verdict]) -> tuple[Mapping[str, Any], ...]:
    """*verdicts*, for a decision."""
    return tuple(verdict.plain for verdict in verdicts)


def line(decision: Decision) -> str:
    """The trailer of a tag's message."""
    return f"{TRAILER}: {records.encode(as_data(decision)).decode()}"


def of_message(text: str) -> Decision | None:
    """What the message of a stage's tag says; None where it says nothing that can be read: GTO's tags do not."""
    value = message_trailer(text, TRAILER)
    try:
        data = records.decode(value) if value else None
        return None if data is None else load(dump(data), Decision, source="tag")
    except (ValueError, TypeError, ConfigError, RecursionError, OverflowError):
        return None
