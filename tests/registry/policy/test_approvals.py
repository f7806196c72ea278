from __future__ import annotations

from typing import Any

import pytest

from mlgit.core.model import ModelVersion
from mlgit.core.verdict import Outcome, Verdict, Wait
from mlgit.errors import ConfigError
from mlgit.registry.policy import file, judging
from mlgit.registry.policy.evidence import Evidence, Need, Ran, Reviewed, Vouched
from mlgit.registry.policy.file import Placed
from mlgit.registry.policy.gates.command import Settings

VERSION = ModelVersion(model="net", version="v2.0.0", project="", run="", commit="", artifact="net", hash="")


def gate(text: str) -> list[Placed]:
    return file.read(f"stages: {{prod: {{gates: [{text}]}}}}", source="p").gates("net", "prod")


def asked(text: str, **known: Any) -> Verdict:
    """What the gate says where that is *known*."""
    (found,) = judging.judge(gate(text), Evidence(stage="prod", candidate=VERSION, **known))
    return found


def pull(*approvers: str, **known: Any) -> Reviewed:
    return Reviewed(number=3, author="ada", head="h", approvers=approvers, **known)


def test_before_its_pull_request_is_there_a_promotion_waits_for_people():
    found = asked("{approvals: 2}")

    assert (found.passed, found.waits, found.observed) == (False, Wait.PEOPLE, "nobody yet")


def test_approvals_are_counted_of_those_who_count():
    reviewed = pull("grace", "eve", "Linus", members={"acme/ml": ("grace",)})

    assert asked("{approvals: 3}", reviewed=reviewed).passed
    assert not asked("{approvals: 4}", reviewed=reviewed).passed
    assert not asked("{approvals: 2, teams: [acme/ml]}", reviewed=reviewed).passed
    found = asked("{approvals: 2, teams: [acme/ml], by: [linus]}", reviewed=reviewed)
    assert (found.passed, found.inputs["approvers"]) == (True, ["grace", "Linus"])
    assert found.gate == "2 approvals of acme/ml or linus"


def test_who_asks_for_changes_stands_in_the_way_and_old_approvals_are_told():
    found = asked("{approvals: 1}", reviewed=pull("grace", against=("eve",), outdated=("linus",)))

    assert (found.passed, found.waits) == (False, Wait.PEOPLE)
    assert found.observed == "grace; eve asks for changes; linus approved another head"
    assert asked("{approvals: 1, by: [grace]}", reviewed=pull("grace", against=("eve",))).passed


def test_only_a_gate_that_takes_comments_counts_who_approves_by_one():
    reviewed = pull(against=("grace",), with_comments=pull("grace"))

    assert asked("{approvals: 1}", reviewed=reviewed).observed == "nobody; grace asks for changes"
    assert asked("{approvals: 1, comments: false}", reviewed=reviewed).outcome is Outcome.FAILED
    found = asked("{approvals: 1, comments: true}", reviewed=reviewed)
    assert (found.passed, found.inputs["approvers"]) == (True, ["grace"])


def test_a_forge_that_does_not_answer_is_an_error_and_no_approval():
    found = asked("{approvals: 1}", reviewed=pull("grace"), lacking={Need.REVIEWS: "GitHub is away."})

    assert (found.outcome, found.waits, found.observed) == (Outcome.ERROR, None, "GitHub is away.")


def test_a_signature_counts_that_holds_and_is_of_who_is_asked_for():
    holds, other = Vouched(by="ada"), Vouched(by="eve", why="nobody here knows that key")

    assert asked("{signed: true}", signatures=(other, holds)).observed == "signed by ada"
    assert not asked("{signed: true}", signatures=(other,)).passed
    assert asked("{signed: {by: [grace, ada]}}", signatures=(holds,)).passed
    alone = asked("{signed: {by: [grace]}}", signatures=(holds,))
    assert alone.refused == "it is signed by ada alone, the gate asks grace"
    assert (asked("{signed: true}").observed, asked("{signed: true}").waits) == ("no signature", Wait.PEOPLE)
    assert asked("{signed: true}", lacking={Need.SIGNATURES: "bytes away"}).outcome is Outcome.ERROR


def test_an_emergency_does_not_go_past_a_signature():
    (found,) = judging.judge(gate("{signed: true}"), Evidence(stage="prod", candidate=VERSION), told=True)

    assert found.bars


@pytest.mark.parametrize(
    ("ran", "outcome", "seen"),
    [
        (Ran(code=0, last="all good"), Outcome.PASSED, "exit code 0: all good"),
        (Ran(code=1, last="biased"), Outcome.FAILED, "exit code 1: biased"),
        (Ran(code=2), Outcome.ERROR, "exit code 2"),
        (Ran(code=-9, last="half"), Outcome.ERROR, "exit code -9: half"),
        (Ran(code=None), Outcome.ERROR, "not at its end after 10m"),
        (Ran(problem="check cannot be started."), Outcome.ERROR, "check cannot be started."),
    ],
)
def test_only_an_exit_code_of_nought_passes_and_only_of_one_fails(ran: Ran, outcome: Outcome, seen: str):
    found = asked("{command: [check, it]}", ran={Settings(command=("check", "it")): ran})

    assert (found.outcome, found.observed) == (outcome, seen)
    assert not found.waits


def test_a_program_that_was_not_run_passes_nothing():
    assert asked("{command: [check]}").outcome is Outcome.ERROR


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{approvals: 0}", "asks nothing"),
        ("{approvals: 1.5}", "expected a whole number"),
        ("{approvals: 1, teams: [ml]}", "with their organisation: acme/ml"),
        ("{approvals: 2, by: [ada, ada]}", "of 1 people there are never 2"),
        ("{signed: false}", "asks nothing"),
        ("{signed: {by: []}}", "asks nothing"),
        ("{command: []}", "asks nothing"),
        ("{command: check.py}", "expected a list"),
        ("{command: [a], timeout: 0s}", "no time"),
        ("{command: [a], timeout: soon}", "expected something like 10m"),
    ],
)
def test_a_gate_on_people_or_programs_that_cannot_be_meant_is_an_error(text: str, said: str):
    with pytest.raises(ConfigError, match=said):
        gate(text)
