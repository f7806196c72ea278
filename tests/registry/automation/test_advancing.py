from __future__ import annotations

from collections.abc import Mapping

from mlgit.errors import GateFailedError, UsageError
from mlgit.forge.base import PullRequest, PullState
from mlgit.registry import ledger
from mlgit.registry.automation import advancing
from mlgit.registry.automation.advancing import Candidate, Hands, Passed
from mlgit.registry.automation.file import Advance
from mlgit.store.registry import Tag

NET = ledger.of([Tag(name=f"net@v1.{n}.0", commit=f"{n}", when=n) for n in range(4)], "net")


class Forge:
    """Gates that let through what is *good*, and the *pulls* that there were."""

    def __init__(self, *good: str, pulls: Mapping[str, PullState] | None = None, is_closed: bool = False) -> None:
        self.good, self.pulls, self.is_closed = good, dict(pulls or {}), is_closed
        self.questions: list[str] = []
        self.promoted: list[str] = []

    def judge(self, one: Candidate) -> str:
        if one.version not in self.good:
            raise GateFailedError(f"{one.version} is no good", fix="train on")
        return one.version

    def asked(self, head: str) -> PullRequest | None:
        self.questions.append(head)
        state = self.pulls.get(head.split("/")[2])
        return state and PullRequest(number=7, title="", body="", author="ann", head=head, base="main", state=state,
                                     head_commit="", created=0.0)  # fmt: skip

    def promote(self, one: Candidate, plan: str) -> tuple[int | None, bool]:
        if self.is_closed:
            raise UsageError("main is protected", fix="by: pull request")
        self.promoted.append(plan)
        return 8, True


def advanced(forge: Forge, *rules: Advance) -> list[Passed]:
    found = advancing.candidates(rules or (Advance(stage="prod"),), [NET], {}, None)
    hands = Hands(judge=forge.judge, asked=forge.asked, promote=forge.promote)
    return [one if isinstance(one, Passed) else advancing.advanced(one, hands) for one in found]


def test_the_forge_is_asked_nothing_about_what_the_gates_refuse():
    forge = Forge()

    (found,) = advanced(forge)

    assert (found.version, found.why) == (None, "v1.3.0 is no good")
    assert forge.questions == []


def test_an_older_one_waits_while_a_newer_one_is_open_and_what_was_closed_stays_away():
    waits = Forge("v1.1.0", pulls={"v1.2.0": PullState.OPEN})
    goes_on = Forge("v1.2.0", "v1.1.0", pulls={"v1.2.0": PullState.CLOSED})

    assert [(one.version, one.why) for one in advanced(waits)] == [("v1.2.0", "proposed already")]
    assert [(one.version, one.pull) for one in advanced(goes_on)] == [("v1.1.0", 8)]
    assert (waits.promoted, goes_on.promoted) == ([], ["v1.1.0"])


def test_nothing_older_is_tried_where_the_newest_cannot_be_promoted_for_now():
    forge = Forge("v1.3.0", "v1.2.0", is_closed=True)

    assert [(one.version, one.why, one.is_stuck) for one in advanced(forge)] == [
        ("v1.3.0", "main is protected\nTo fix: by: pull request", True)
    ]
    assert len(forge.questions) == 1


def test_of_two_rules_for_one_stage_the_first_counts():
    forge = Forge("v1.3.0")

    assert len(advanced(forge, Advance(stage="prod", models="n*"), Advance(stage="prod", by="commit"))) == 1
    assert forge.promoted == ["v1.3.0"]
