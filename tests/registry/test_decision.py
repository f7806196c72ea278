from __future__ import annotations

import math
from types import MappingProxyType

import pytest

from mlgit.core.model import Emergency, Hold
from mlgit.core.verdict import Outcome, Verdict
from mlgit.forge.folder import FolderForge
from mlgit.git.repo import Repo
from mlgit.registry import decision, ledger
from mlgit.registry.decision import Decision, Origin
from mlgit.registry.evidence.gathering import Sources
from mlgit.registry.moving import propose, settle
from mlgit.registry.versions import registering
from mlgit.store import registry as store

VERDICT = Verdict(
    gate="accuracy ≥ 0.95\nMlgit-Promotion: {}", outcome=Outcome.INCONCLUSIVE, observed="nan",
    where="registry/policy.yaml:7",
    inputs=MappingProxyType({"value": "nan", "seeds": [1, 2], "min": 0.95}),
)  # fmt: skip


def test_a_decision_comes_back_from_the_tag_as_it_was():
    made = Decision(
        commit="c" * 40, digest="d" * 32, instead="v1.0.0", policy="b" * 40, gates=decision.told([VERDICT]),
        origin=Origin(pull=7, author="ann", approvers=("bob", "c: d"), merged_by="eve"),
        hold=Hold(by="ann", since="2026-01-01T00:00:00Z", why='it "broke"'), emergency=Emergency(by="ann", why="fire"),
    )  # fmt: skip

    assert decision.of_message(f"digits v1.1.0 is production\n\nMerged by x\n{decision.line(made)}\n") == made


@pytest.mark.parametrize("value", ["", "{", "[]", "{}", '{"commit": 1}', '{"commit": "c", "more": 1}', "[" * 5000])
def test_a_tag_that_says_nothing_to_be_read_has_no_decision(value: str):
    assert decision.of_message(f"subject\n\n{decision.TRAILER}: {value}") is None


def test_a_stages_tag_says_what_was_asked_and_seen(repo: Repo, trained):
    policy = b"stages: {production: {gates: [{metric: accuracy, min: 0.5}]}}"
    repo.git("reset", "-q", "--hard", repo.commit(repo.resolve("HEAD"), {store.POLICY: policy}, "policy"))
    made = registering.register(repo, trained("a", accuracy=0.9), model="digits")
    plan = propose.plan(repo, "digits", "v1.0.0", "production", base="main", sources=Sources())
    merged = FolderForge(repo).merge(propose.promote(repo, FolderForge(repo), plan, sources=Sources()).pull.number)

    settle.settle(repo, merged.merge_commit or "", sources=Sources(), asked=lambda _one: Origin(pull=1, author="ann"))

    (event,) = [one for one in ledger.of(store.tags(repo), "digits").history if one.stage]
    found = decision.of_message(event.tag.message)
    assert found
    assert (found.commit, found.digest, found.instead) == (merged.merge_commit, made.hash, None)
    assert found.policy == repo.git("rev-parse", f"main:{store.POLICY}").strip()
    assert found.origin == Origin(pull=1, author="ann")
    assert [(gate["outcome"], gate["inputs"]["value"]) for gate in found.gates] == [("pass", 0.9)]
    assert math.isclose(found.gates[0]["inputs"]["min"], 0.5)
