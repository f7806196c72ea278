"""The section `run` of mlgit.yaml."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from mlgit.core import figures
from mlgit.git.changes import Limits
from mlgit.tracking import wish as wishes
from mlgit.tracking.wish import Wish


@dataclass(frozen=True, kw_only=True)
class SnapshotOptions:
    """How much uncommitted code a run takes along."""

    max_file_mb: float = field(default=10, metadata={"help": "larger changed files are left out of a run's snapshot"})
    max_total_mb: float = field(default=100, metadata={"help": "all of a snapshot's changed files together"})
    max_binary_mb: float = field(
        default=1, metadata={"help": "the same of a binary file that git knows nothing of yet"}
    )
    max_binaries_mb: float = field(default=10, metadata={"help": "all of these together; data belongs in an artifact"})

    @property
    def limits(self) -> Limits:
        """The same in bytes."""
        return Limits(
            file_bytes=int(self.max_file_mb * 2**20), total_bytes=int(self.max_total_mb * 2**20),
            binary_bytes=int(self.max_binary_mb * 2**20), binaries_bytes=int(self.max_binaries_mb * 2**20),
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What `mlgit run` and `mlgit.init()` need to know of a project."""

    params: str | None = field(
        default=None, metadata={"help": "the project's params file (YAML or JSON); `-p` puts values into it for a run"}
    )
    metrics: tuple[str, ...] = field(
        default=(), metadata={"help": "metrics files that the program writes (YAML, JSON, CSV), read when it has ended"}
    )
    alert_webhook: str | None = field(
        default=None, metadata={"help": 'where `alert()` is posted to, as `{"text": …}`; MLGIT_ALERT_WEBHOOK before it'}
    )
    snapshot: SnapshotOptions = field(default_factory=SnapshotOptions)
    console: Literal["auto", "redirect", "wrap", "off"] = field(
        default="auto",
        metadata={"help": "what of a script's output is kept: all of it (redirect), what Python prints (wrap), none"},
    )
    checkpoint: str | None = field(
        default=None,
        metadata={
            "help": "how often a run that is under way is committed for others to see: 30s, 5m, 1h",
            "pattern": figures.SECONDS,
            "like": "30s, 5m or 1h",
        },
    )
    push: bool = field(default=False, metadata={"help": "push these commits, and the last one, to the remote origin"})
    system_seconds: float = field(default=15, metadata={"help": "between two looks at the machine; 0: none"})
    environment: tuple[str, ...] = field(
        default=(), metadata={"help": "more environment variables to record, by name or as PREFIX_*"}
    )

    def under(self, wish: Wish) -> Wish:
        """*wish*, with what the project states where the script and its environment say nothing."""
        every = wishes.seconds(self.checkpoint) if self.checkpoint else 0
        return replace(
            wish, console=wish.console or self.console,
            system_seconds=self.system_seconds if wish.system_seconds is None else wish.system_seconds,
            checkpoint_seconds=every if wish.checkpoint_seconds is None else wish.checkpoint_seconds,
            push=self.push if wish.push is None else wish.push,
        )  # fmt: skip
