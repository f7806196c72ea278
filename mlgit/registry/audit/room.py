"""What the verification of all stages has in common: what it finds, what it asks others, and the branch it looks at."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from mlgit.core.compare import Goal
from mlgit.core.model import ModelVersion, Stage
from mlgit.errors import ConfigError, MlgitError
from mlgit.git.objects import Reader
from mlgit.git.repo import Repo
from mlgit.registry.policy import file
from mlgit.store import registry as store


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something about a stage that does not hold, or that whoever audits should know."""

    model: str
    stage: str
    version: str
    what: str
    fix: str = ""
    holds: bool = False
    """Whether it is only to be known: everything holds."""


@dataclass(frozen=True, kw_only=True)
class Ways:
    """What the registry cannot look up by itself."""

    now: float
    goals: Callable[[str], Mapping[str, Goal]]
    """Commit → which way metrics are better there."""
    content: Callable[[ModelVersion], None] | None = None
    """Checks the bytes of a version and its signatures; raises `MlgitError`."""


@dataclass(frozen=True, kw_only=True)
class Room:
    """What all stages are looked up in."""

    repo: Repo
    reader: Reader
    tip: str
    ways: Ways

    def files(self, model: str | None) -> dict[tuple[str, str], Stage | ConfigError]:
        """(model, stage) → what its file says at the tip, or why it cannot be read."""
        found: dict[tuple[str, str], Stage | ConfigError] = {}
        for name, entry in (self.reader.tree(f"{self.tip}:{store.FOLDER}") or {}).items():
            if not entry.is_tree or model not in (None, name):
                continue
            for file_name, blob in (self.reader.tree(entry.oid) or {}).items():
                if not blob.is_tree and file_name.endswith(".yaml") and file_name != "model.yaml":
                    stage = file_name.removesuffix(".yaml")
                    try:
                        found[name, stage] = store.stage_of(self.reader.blob(blob.oid) or b"", name, stage)
                    except ConfigError as exc:
                        found[name, stage] = exc
        return found

    @cached_property
    def history(self) -> frozenset[str]:
        """Every commit of the base branch."""
        return frozenset(self.repo.git("rev-list", "--end-of-options", self.tip).split())

    @cached_property
    def policies(self) -> frozenset[str]:
        """Every policy that the base branch ever had, by blob."""
        listed = self.repo.git("log", "--first-parent", "--diff-merges=first-parent", "--raw", "--no-abbrev",
                               "--no-show-signature", "--no-color", "--no-renames", "--format=", "--end-of-options",
                               self.tip, "--", f":(top,literal){store.POLICY}")  # fmt: skip
        return frozenset(oid for line in listed.split("\n") if line for oid in line.split(" ")[2:4] if oid.strip("0"))

    @cached_property
    def stands(self) -> file.Policy | None:
        """The policy at the tip; None where there is none, or none that can be read."""
        text = self.reader.blob(f"{self.tip}:{store.POLICY}")
        with suppress(MlgitError):
            return file.read(text, source=store.POLICY) if text is not None else None
        return None

    def brought(self, commit: str) -> str | None:
        """The first of the branch's own commits that has *commit* behind it; None where it is one of these itself."""
        if commit in self._own:
            return None
        own = list(self._own)
        return own[bisect_left(own, True, key=lambda one: self.repo.is_ancestor(commit, one))]

    @cached_property
    def _own(self) -> dict[str, None]:
        walked = self.repo.git("rev-list", "--first-parent", "--reverse", "--end-of-options", self.tip).split()
        return dict.fromkeys(walked)

    def policy(self, commit: str) -> str | None:
        """The blob of the policy at *commit*."""
        found = self.reader.read(f"{commit}:{store.POLICY}")
        return found[0] if found else None
