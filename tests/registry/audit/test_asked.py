"""Gates whose evidence was gathered are judged again too: by git where it has that, else by what they recorded."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from mlgit.registry.decision import TRAILER
from mlgit.registry.policy.evidence import Reviewed, Seeded
from mlgit.store import registry as store
from tests.registry.audit.conftest import NOW, History


def ask(history: History, *gates: str, after: str = "") -> None:
    lines = "".join(f"      - {gate}\n" for gate in gates)
    text = f"stages:\n  staging:\n  production:\n{after}    gates:\n{lines}"
    history.edit("Ask", registry__policy_yaml=text.encode())


def forge(history: History, version: str, **changed: Any) -> None:
    """A tag by hand that says that the gate of line 5 has passed, by *inputs*; *changed* is of the decision."""
    merge, inputs, number = history.merge(version, "production"), changed.pop("inputs", {}), changed.pop("number", 1)
    blob = history.repo.git("rev-parse", f"main:{store.POLICY}").strip()
    gate = {"gate": "it", "where": "registry/policy.yaml:5", "outcome": "pass", "inputs": inputs}
    made = {"commit": merge, "policy": blob, "gates": [gate], **changed}
    said = f"digits {version} is production\n\nMerged by {merge}\n{TRAILER}: {json.dumps(made)}"
    commit = history.repo.resolve(f"digits@{version}") or ""
    history.repo.tag(f"refs/tags/digits#production#{number}", commit, said, when=history.later())


COMMAND = "{command: [python, check.py]}"
APPROVED = {"pull": 1, "author": "eve", "head": "a" * 40, "against": []}
FORGED = {
    "soak": ("{soak: 24h, stage: staging}", {"now": NOW + 120}, "staging: it never was"),
    "approvals of one person twice, and the author": (
        "{approvals: 2}", {**APPROVED, "approvers": ["ann", "Ann", "eve"]}, "Ann",
    ),
    "approvals of somebody else": ("{approvals: 1, by: [bob]}", {**APPROVED, "approvers": ["ann"]}, "nobody"),
    "approvals against which somebody is": (
        "{approvals: 1}", {**APPROVED, "approvers": ["ann"], "against": ["bob"]}, "ann; bob asks for changes",
    ),
    "command that failed": (
        COMMAND, {"command": ["python", "check.py"], "code": 1, "last": "no", "problem": None}, "exit code 1: no",
    ),
    "command that was another": (
        COMMAND, {"command": ["true"], "code": 0, "last": "", "problem": None}, "it was not run",
    ),
    "signature": ("{signed: true}", {"signatures": []}, "no signature"),
    "nothing": ("{approvals: 1}", {}, "its tag does not say by what it was judged"),
    "nonsense": ("{signed: true}", {"signatures": [7]}, "its tag does not say by what it was judged"),
}  # fmt: skip


@pytest.mark.parametrize("kind", FORGED)
def test_a_verdict_that_its_own_inputs_belie_is_told(history: History, kind: str):
    gate, inputs, seen = FORGED[kind]
    ask(history, gate)
    forge(history, history.register(accuracy=0.8), inputs=inputs)

    assert history.broken() == [
        f"the gate it (registry/policy.yaml:5) is recorded to have passed, and does not: {seen}"
    ]


def test_a_gate_that_is_recorded_to_have_been_asked_at_another_time_is_told(history: History):
    ask(history, "{freeze: {since: '2027-01-15T00:00:00Z', until: '2027-01-16T00:00:00Z'}}")
    forge(history, history.register(accuracy=0.8), inputs={"now": NOW - 86400})

    assert history.broken() == [
        "the gate it (registry/policy.yaml:5) is recorded to have been asked at 2027-01-14T08:00:00Z, when the stage "
        "did not move"
    ]


def test_a_promotion_through_a_freeze_is_told(history: History):
    freeze = b"freezes:\n- since: '2027-01-01T00:00:00Z'\n  why: holidays\n  by: eve\n"
    version = history.register(accuracy=0.8)
    history.edit("Holidays", registry__freezes_yaml=freeze)
    ask(history, "{metric: accuracy, min: 0.5}")
    forge(history, version, inputs={})

    assert history.broken() == ["it moved at 2027-01-15T08:07:00Z, and was frozen until it is lifted by eve: holidays"]


def test_a_stage_that_waited_for_the_end_of_a_freeze_holds(history: History):
    freeze = b"freezes:\n- since: '2027-01-01T00:00:00Z'\n"
    ask(history, "{metric: accuracy, min: 0.5}")
    version = history.register(accuracy=0.8)
    history.edit("Holidays", registry__freezes_yaml=freeze)
    history.settle(history.merge(version, "production"))
    history.edit("Back", registry__freezes_yaml=None)
    (settled,) = history.reconcile()

    assert settled.tag
    assert history.verify() == []


def test_who_says_that_a_stage_was_empty_to_meet_no_champion_is_told(history: History):
    ask(history, "{not_worse_than: champion, metric: accuracy}")
    good, bad = history.register(accuracy=0.9), history.register(accuracy=0.1)
    history.promote(good)
    forge(history, bad, number=2, instead=None)

    assert history.broken() == [f"its tag says that it took the place of nothing, not of {good}"]


@pytest.mark.parametrize("trailer", ["", f"{TRAILER}: {{}}", f"{TRAILER}: nonsense"])
def test_a_tag_that_keeps_silent_about_gates_that_a_policy_asked_is_told(history: History, trailer: str):
    ask(history, "{metric: accuracy, min: 0.5}")
    version = history.register(accuracy=0.1)
    merge, commit = history.merge(version, "production"), history.repo.resolve(f"digits@{version}") or ""
    said = f"digits {version} is production\n\nMerged by {merge}\n{trailer}"
    history.repo.tag("refs/tags/digits#production#1", commit, said, when=history.later())

    assert history.broken() == ["its tag does not say what the gates saw that registry/policy.yaml asked"]


def test_what_people_times_and_seeds_let_through_holds(history: History):
    ask(history, "{soak: 1h, stage: staging}", "{approvals: 1}", "{better_than: champion, metric: accuracy}",
        after="    after: staging\n")  # fmt: skip
    values = {"run0": (0.80, 0.81, 0.82), "run1": (0.90, 0.91, 0.92)}
    history.evidence = {
        "reviewed": lambda _case, _teams: Reviewed(number=7, author="ann", head="a" * 40, approvers=("bob",)),
        "repeats": lambda run: [
            Seeded(run=f"{run.id}{seed}", seed=str(seed), metrics={"accuracy": value})
            for seed, value in enumerate(values[run.name])
        ],
    }
    for version in (history.register(accuracy=0.8), history.register(accuracy=0.9)):
        history.promote(version, "staging")
        history.now += 7200
        history.promote(version)

    assert history.verify() == []
    there = next(tag for tag in store.tags(history.repo) if tag.name == history.tag())
    history.repo.git("tag", "-d", there.name)
    forged = re.sub(r"0\.9[012]?(?=[],])", "0.81", there.message)
    assert forged != there.message
    history.repo.tag(f"refs/tags/{there.name}", there.commit, forged, when=there.when)
    assert [one.rpartition(": ")[0].partition(" is recorded")[2] for one in history.broken()] == [
        " to have passed, and does not: 0.81 against 0.81 of v1.0.0"
    ]
