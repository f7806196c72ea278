"""A registry with a history: promoted by pull requests of the folder forge, settled, and then tampered with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from mlgit.git.repo import Move, Repo
from mlgit.registry import ledger
from mlgit.registry.audit import changes, happened, verifying
from mlgit.registry.audit.happened import Entry
from mlgit.registry.audit.room import Finding, Ways
from mlgit.registry.decision import Origin
from mlgit.registry.evidence.gathering import Sources
from mlgit.registry.moving import propose, settle
from mlgit.registry.versions import registering
from mlgit.store import registry as store
from tests.registry.conftest import Trained

NOW = 1_800_000_000.0
POLICY = b"stages:\n  staging:\n  production:\n    gates:\n      - metric: accuracy\n        min: 0.5\n"


@dataclass
class History:
    """What a team has done, a minute after the other."""

    repo: Repo
    trained: Trained
    now: float = NOW
    versions: list[str] = field(default_factory=list)
    evidence: dict[str, Any] = field(default_factory=dict)
    """What gates are shown (`Sources`)."""

    def later(self) -> float:
        self.now += 60
        return self.now

    def register(self, **metrics: float) -> str:
        run = self.trained(f"run{len(self.versions)}", **metrics)
        self.versions.append(registering.register(self.repo, run, model="digits", now=self.later()).version)
        return self.versions[-1]

    def edit(self, subject: str, **files: bytes | None) -> str:
        """A commit on main by hand; `a__b` is `a/b`, and `_yaml` an ending."""
        paths = {name.replace("__", "/").replace("_yaml", ".yaml"): text for name, text in files.items()}
        head = self.repo.resolve("main")
        made = self.repo.commit(head, paths, subject, when=self.later())
        self.repo.move([Move("refs/heads/main", head, made)], why="test")
        return made

    def merge(self, version: str, stage: str) -> str:
        """A promotion's pull request, merged; whatever its gates say."""
        sources = Sources(now=self.now, **self.evidence)
        plan = propose.plan(self.repo, "digits", version, stage, base="main", sources=sources)
        files = {path: text.encode() for path, text in plan.files.items()}
        head = self.repo.commit(plan.base_commit, files, "promote", when=self.later())
        merged = self.repo.commit(
            plan.base_commit, files, "Merge", parents=(plan.base_commit, head), when=self.later()
        )  # fmt: skip
        self.repo.move([Move("refs/heads/main", plan.base_commit, merged)], why="test")
        return merged

    def settle(self, commit: str, origin: Origin | None = None, before: str | None = None) -> list[settle.Settled]:
        return settle.settle(
            self.repo,
            commit,
            sources=Sources(now=self.now, **self.evidence),
            before=before,
            now=self.later(),
            asked=(lambda _: origin) if origin else None,
        )

    def reconcile(self) -> list[settle.Settled]:
        return settle.reconcile(
            self.repo, "main", sources=Sources(now=self.now, **self.evidence), now=self.later()
        )  # fmt: skip

    def promote(self, version: str, stage: str = "production") -> str:
        """A promotion, merged and settled; its merge commit."""
        commit = self.merge(version, stage)
        (settled,) = self.settle(commit, Origin(pull=7, author="ann", approvers=("bob",), merged_by="eve"))
        assert settled.tag, settled.refusal
        return commit

    def account(self) -> list[Entry]:
        known = ledger.read(store.tags(self.repo))
        return happened.account(known.values(), changes.of(self.repo, store.base_commit(self.repo, "main")))

    def told(self) -> list[tuple[str, str, str]]:
        """(what, stage, version) of all that happened."""
        return [(one.what.value, one.stage, one.version) for one in self.account()]

    def verify(self, model: str | None = None) -> list[Finding]:
        ways = Ways(now=self.now, goals=lambda _: {})
        return verifying.verify(self.repo, "main", ways, model)[0]

    def broken(self) -> list[str]:
        return [one.what for one in self.verify() if not one.holds]

    def tag(self, stage: str = "production") -> str:
        return next(
            event.tag.name for event in reversed(ledger.of(store.tags(self.repo), "digits").history)
            if event.stage == stage
        )  # fmt: skip


@pytest.fixture
def history(repo: Repo, trained: Callable[..., object]) -> History:
    """A policy on main that asks production for an accuracy."""
    made = History(repo=repo, trained=trained)
    made.edit("Ask production for an accuracy", registry__policy_yaml=POLICY)
    return made
