"""`mlgit ci comment`: what somebody asks for in a comment on GitHub, in a shallow clone as a job has it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlgit.core import refs
from mlgit.forge.base import ReviewVerdict
from mlgit.registry import decision, ledger
from mlgit.registry.moving import commanded
from mlgit.store import registry as store
from tests.ci import test_settling
from tests.ci.test_settling import Place

BOT = "github-actions[bot]"
PEOPLE = "stages: {production: {gates: [{approvals: 1}]}}\n"
place = test_settling.place


@pytest.fixture
def said(place: Place, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have somebody comment, and the job done that this starts, whose token is its own."""
    monkeypatch.setenv("GH_TOKEN", f"token-of-{BOT}")
    place.there.bots.add(BOT)
    place.there.permissions |= {"ada": "write", "grace": "write", "eve": "read", "tom": "triage"}
    idea = place.here.commit("main", {"idea.txt": b"x"}, "idea")
    place.here.git("push", "-q", "origin", f"{idea}:refs/heads/idea")
    assert place.forge.open(head="idea", base="main", title="An idea").number == 1

    def comment(who: str, body: str, *, number: int = 1, **changes: Any) -> subprocess.CompletedProcess[str]:
        id = place.there.say(who, number, body)
        user = {"login": who, "type": "Bot" if who in place.there.bots else "User"}
        place.there.comments[id].update(changes)
        about = {"action": "created", "issue": {"number": number}, "comment": {"id": id, "body": "old", "user": user}}
        return place.job("comment", "main", about)

    return comment


@pytest.fixture
def approve(place: Place, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], None]:
    """Have somebody approve a pull request."""

    def give(who: str, number: int) -> None:
        with monkeypatch.context() as patch:
            patch.setenv("GH_TOKEN", f"token-of-{who}")
            place.forge.review(number, ReviewVerdict.APPROVE)

    return give


def answers(place: Place) -> list[str]:
    told = [one["body"] for one in place.there.comments.values()]
    return [body.partition("\n")[2] for body in told if body.startswith("<!-- mlgit:comment")]


def registered(place: Place, accuracy: float) -> str:
    made = place.register(accuracy)
    place.here.git("push", "-q", "origin", refs.version_tag("digits", made.version))
    return made.version


def ask_for_people(place: Place, policy: str = PEOPLE) -> None:
    place.here.git("fetch", "-q", "origin")
    commit = place.here.commit(place.far.resolve("main"), {store.POLICY: policy.encode()}, "people")
    place.here.git("push", "-q", "origin", f"{commit}:refs/heads/main")


def test_a_comment_opens_a_promotion_that_others_approve_and_its_asker_does_not(place: Place, said: Any, approve: Any):
    ask_for_people(place)
    version = registered(place, 0.96)

    done = said("ada", f"/mlgit promote digits@{version} production\nplease")

    number = max(place.there.pulls)
    pull = place.forge.get(number)
    assert (done.returncode, number > 1, pull.author) == (0, True, BOT), done.stderr
    told = f"@ada #{number} does that: Promote digits {version} to production. Merging it is a person's."
    assert answers(place) == [told]
    assert commanded.askers(pull.body, "") == ("ada",)
    assert place.says(number) == ["pending"]
    approve("ada", number)
    assert (place.gates(number).returncode, place.says(number)) == (0, ["pending"])
    approve("grace", number)
    assert (place.gates(number).returncode, place.says(number)) == (0, ["success"])
    assert place.merge(number).returncode == 0
    known = ledger.of(store.tags(place.far), "digits")
    told = decision.of_message(known.history[-1].tag.message)
    assert told
    assert (told.origin.author, told.origin.approvers) == ("ada", ("grace",))


def test_a_comment_approves_what_it_names_for_a_gate_that_takes_comments(place: Place, said: Any):
    ask_for_people(place)
    version = registered(place, 0.96)
    said("ada", f"/mlgit promote digits@{version} production")
    number = max(place.there.pulls)
    head = place.there.pulls[number]["sha"]
    place.try_merge(number)
    review = said("grace", "/mlgit approve", number=number)
    assert (review.returncode, place.says(number)) == (2, ["pending"])
    assert "No comment approves here: a review does" in answers(place)[-1]

    ask_for_people(place, PEOPLE.replace("1}", "1, comments: true}"))
    place.try_merge(number)
    own = said("ada", f"/mlgit approve {head[:16]}", number=number)
    other = said("grace", "/mlgit approve", number=number)
    assert (own.returncode, other.returncode, place.says(number)) == (2, 2, ["pending"]), own.stderr + other.stderr
    assert "your own approval does not count" in answers(place)[-2]
    assert f"`look at that, and write /mlgit approve {head}`" in answers(place)[-1]
    elsewhere = said("grace", f"/mlgit approve {head}")
    assert (elsewhere.returncode, place.says(number)) == (2, ["pending"])

    done = said("grace", f"/mlgit approve {head[:16]}", number=number)

    assert (done.returncode, place.says(number)) == (0, ["success"]), done.stderr
    assert answers(place)[-1] == f"@grace You approve {head[:10]}. All gates pass."
    assert place.merge(number).returncode == 0
    told = decision.of_message(ledger.of(store.tags(place.far), "digits").history[-1].tag.message)
    assert told
    assert (told.origin.author, told.origin.approvers) == ("ada", ("grace",))


def test_a_stage_is_held_lifted_and_brought_back_by_pull_requests_alone(place: Place, said: Any, tmp_path: Path):
    config = f"[core]\n    remote = store\n['remote \"store\"']\n    url = {tmp_path / 'store'}\n"
    (place.here.folder / ".dvc").mkdir(exist_ok=True)
    (place.here.folder / ".dvc/config").write_text(config)
    place.here.git("add", "-f", ".dvc/config")
    place.here.git("commit", "-qm", "a store")
    place.here.git("push", "-q", "origin", "main")
    for accuracy in (0.95, 0.96):
        assert place.merge(place.propose(accuracy)).returncode == 0
    place.mlgit("push", cwd=place.here.folder)
    before = place.far.resolve("main")

    back = said("ada", "/mlgit rollback digits production --reason <b>it</b> doesn't @answer")
    undone = place.forge.get(max(place.there.pulls))
    again = said("grace", "/mlgit rollback digits production")
    held = said("ada", "/mlgit hold digits production --reason the fair")
    hold = place.forge.get(max(place.there.pulls))

    assert [one.returncode for one in (back, again, held)] == [0, 0, 0], back.stderr + again.stderr + held.stderr
    assert (place.far.resolve("main"), undone.title) == (before, "Roll production back to digits v1.0.0")
    assert [text.partition(": ")[0] for text in answers(place)] == [
        f"@ada #{undone.number} does that", f"@grace #{undone.number} does that", f"@ada #{hold.number} does that",
    ]  # fmt: skip
    assert "It was open already" in answers(place)[1]
    assert (place.says(undone.number), place.says(hold.number)) == (["success"], ["success"])
    assert "<b>" not in undone.body
    assert place.merge(hold.number).returncode == 0
    stage = place.far.read("main", store.stage_path("digits", "production")) or b""
    assert b"by: ada" in stage
    assert b"why: the fair" in stage

    registered(place, 0.97)
    refused = said("ada", "/mlgit promote digits@v1.2.0 production")
    lifted = said("ada", "/mlgit lift digits production")
    assert (refused.returncode, lifted.returncode) == (2, 0), refused.stderr + lifted.stderr
    assert "is held by ada" in answers(place)[-2]
    assert place.merge(max(place.there.pulls)).returncode == 0
    assert b"hold" not in (place.far.read("main", store.stage_path("digits", "production")) or b"")


def test_what_no_gate_lets_through_is_answered_and_opens_nothing(place: Place, said: Any):
    registered(place, 0.5)

    done = said("ada", "/mlgit promote digits@v1.0.0 production")

    assert (done.returncode, [*place.there.pulls]) == (4, [1])
    assert "accuracy 0.5" in answers(place)[0]


def test_only_who_may_write_is_obeyed_and_only_who_belongs_here_is_answered(place: Place, said: Any):
    registered(place, 0.95)
    asked = "/mlgit promote digits@v1.0.0 production"

    passed = [
        said("eve", asked), said("nobody", asked), said(BOT, asked), said("ada", f"thanks\n{asked}"),
        said("ada", asked, at="2020-01-01T00:00:00Z", edited="2020-01-01T00:00:01Z"),
    ]  # fmt: skip
    before = answers(place)
    refused = said("tom", asked)

    assert [(one.returncode, one.stdout.startswith("The comment is passed over: ")) for one in passed] == [
        (0, True)
    ] * 5
    assert (before, refused.returncode, [*place.there.pulls]) == ([], 2, [1])
    assert answers(place) == [
        "@tom tom has the role triage here: this takes write.\n\nTo fix: `ask somebody who has it`"
    ]


def test_a_job_that_is_done_again_leaves_one_answer_and_one_pull_request(place: Place, said: Any):
    registered(place, 0.95)
    said("ada", "/mlgit promote digits@v1.0.0 production")
    number = max(place.there.pulls)

    again = place.mlgit("ci", "comment", cwd=place.jobs[-1], check=False)

    assert (again.returncode, [*place.there.pulls], len(answers(place))) == (0, [1, number], 1), again.stderr


def test_whoever_asks_how_is_told_each_verb(place: Place, said: Any):
    assert said("ada", "/mlgit help").returncode == 0

    assert all(f"`/mlgit {usage}`" in answers(place)[0] for usage in commanded.USAGE.values())
