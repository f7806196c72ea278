from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from mlgit.core.model import Emergency, Hold, Stage
from mlgit.core.run import Run
from mlgit.dvc import cache
from mlgit.errors import GateFailedError, HeldError, MlgitError, NotFoundError, UsageError
from mlgit.forge.base import PullRequest
from mlgit.forge.folder import FolderForge
from mlgit.git.repo import Repo
from mlgit.registry import card, decision, ledger
from mlgit.registry.evidence.gathering import Sources
from mlgit.registry.moving import back, challenge, direct, propose, settle
from mlgit.registry.moving.propose import Plan
from mlgit.registry.moving.settle import Settled
from mlgit.registry.policy import freezes
from mlgit.registry.policy.freezes import Freeze
from mlgit.registry.versions import deprecating, registering, shelf  # fmt: skip
from mlgit.store import registry as store
from tests.dying import last_moment

NOW = 1_800_000_000.0
HOLD = Hold(by="ada", since="2027-01-15T08:00:00Z", why="it answers nonsense")
FIRE = Emergency(by="ada", why="the old one is down", since="2027-01-15T08:00:00Z")
STRICT = "stages: {production: {gates: [{metric: accuracy, min: 0.8}, {metric: accuracy, not_worse_than: champion}]}}\n"


def write(repo: Repo, path: str, text: str) -> None:
    repo.git("reset", "-q", "--hard", repo.commit(repo.resolve("main"), {path: text.encode()}, "by hand"))


def plan(repo: Repo, version: str, **how: object) -> Plan:
    return propose.plan(repo, "digits", version, "production", base="main", sources=Sources(now=NOW), **how)  # type: ignore[arg-type]


def opened(repo: Repo, made: Plan) -> PullRequest:
    return propose.promote(repo, FolderForge(repo), made, sources=Sources(now=NOW)).pull


def merged(repo: Repo, pull: PullRequest) -> Settled:
    commit = FolderForge(repo).merge(pull.number).merge_commit
    assert commit
    (found,) = settle.settle(repo, commit, sources=Sources(now=NOW), now=NOW)
    return found


def live(repo: Repo, *versions: str, **how: object) -> None:
    for version in versions:
        found = merged(repo, opened(repo, plan(repo, version, **how)))
        assert found.refusal is None


def return_of(repo: Repo, to: str | None = None, hold: Hold = HOLD) -> Plan:
    found = back.plan(repo, "digits", "production", hold=hold, base="main", sources=Sources(now=NOW), to=to)
    assert isinstance(found, Plan)
    return found


def stage_file(repo: Repo) -> Stage | None:
    with repo.reader() as reader:
        return store.stage_at(reader, "main", "digits", "production")


def served(repo: Repo) -> str | None:
    return ledger.of(store.tags(repo), "digits").stages.get("production")


def last_decision(repo: Repo) -> decision.Decision:
    made = decision.of_message(ledger.of(store.tags(repo), "digits").history[-1].tag.message)
    assert made
    return made


@pytest.fixture
def three(repo: Repo, trained: Callable[..., object]) -> Repo:
    """v1.0.0 to v1.2.0 of digits, each better than the one before."""
    for name, accuracy in (("a", 0.9), ("b", 0.92), ("c", 0.94)):
        registering.register(repo, trained(name, accuracy=accuracy), model="digits", now=NOW)  # type: ignore[arg-type]
    return repo


# The way back


def test_the_stage_serves_what_it_served_before_and_is_held_though_that_is_worse(three: Repo):
    write(three, store.POLICY, STRICT)
    live(three, "v1.0.0", "v1.1.0")

    pull = opened(three, return_of(three))
    found = merged(three, pull)

    assert pull.title == "Roll production back to digits v1.0.0"
    assert stage_file(three) == Stage(
        model="digits", stage="production", version="v1.0.0",
        hold=replace(HOLD, instead="v1.1.0", version="v1.0.0"),
    )  # fmt: skip
    assert served(three) == "v1.0.0"
    assert settle.sentence(found) == (
        "production serves digits v1.0.0 again (tag digits#production#3), in place of v1.1.0, and is held: "
        "mlgit hold digits production --lift"
    )
    assert last_decision(three).hold == stage_file(three).hold  # type: ignore[union-attr]


def test_a_gate_that_was_raised_since_is_told_and_not_asked_on_the_way_back(three: Repo):
    live(three, "v1.0.0", "v1.1.0")
    write(three, store.POLICY, STRICT.replace("0.8", "0.91"))

    made = return_of(three)
    found = merged(three, opened(three, made))

    assert [(one.passed, one.told, one.bars) for one in made.verdicts] == [(False, True, False)]
    assert found.refusal is None
    assert served(three) == "v1.0.0"
    assert [gate["outcome"] for gate in last_decision(three).gates] == ["fail"]


def test_going_back_a_second_time_says_that_it_is_done_and_to_goes_further(three: Repo):
    live(three, "v1.0.0", "v1.1.0", "v1.2.0")
    merged(three, opened(three, return_of(three)))

    done = back.plan(three, "digits", "production", hold=HOLD, base="main", sources=Sources())
    further = return_of(three, to="v1.0.0")

    assert isinstance(done, Stage)
    assert done.version == "v1.1.0"
    assert further.wanted.version == "v1.0.0"
    assert further.wanted.hold
    assert further.wanted.hold.instead == "v1.1.0"


def test_what_was_taken_back_is_not_gone_back_to(three: Repo):
    live(three, "v1.0.0", "v1.1.0")
    merged(three, opened(three, return_of(three)))
    live(three, "v1.2.0", lift=True)

    assert return_of(three).wanted.version == "v1.0.0"


def test_what_is_deprecated_or_came_in_an_emergency_is_passed_over_and_said(three: Repo):
    live(three, "v1.0.0")
    live(three, "v1.1.0", emergency=FIRE)
    live(three, "v1.2.0")

    assert return_of(three).wanted.version == "v1.0.0"
    assert return_of(three, to="v1.1.0").wanted.version == "v1.1.0"
    deprecating.deprecate(three, "digits", "v1.0.0", why="leaks the label")
    with pytest.raises(
        NotFoundError,
        match=r"nothing to go back to: it serves v1\.2\.0(?s:.*)v1\.1\.0 came in an emergency: the old one is down; "
        r"v1\.0\.0 is deprecated: leaks the label",
    ):
        return_of(three)


def test_a_deprecated_version_comes_back_where_it_is_named_and_the_tag_says_so(three: Repo):
    live(three, "v1.0.0", "v1.2.0")
    deprecating.deprecate(three, "digits", "v1.0.0", why="leaks the label", now=NOW)

    made = return_of(three, to="v1.0.0")
    settled = merged(three, opened(three, made))

    (told,) = [one for one in made.verdicts if one.gate == "no deprecation"]
    assert (told.bars, told.observed) == (False, "digits v1.0.0 is deprecated by Ada: leaks the label")
    assert settled.refusal is None
    recorded = decision.of_message(three.git("cat-file", "tag", settled.tag or ""))
    assert recorded
    assert "no deprecation" in [gate["gate"] for gate in recorded.gates]


def test_where_the_whole_model_is_deprecated_there_is_a_way_back_as_before(three: Repo):
    live(three, "v1.0.0", "v1.2.0")
    deprecating.deprecate(three, "digits", why="digits-v2 takes its place", now=NOW)

    made = return_of(three)

    assert made.wanted.version == "v1.0.0"
    assert "digits-v2 takes its place" in made.verdicts[-1].observed


def test_an_emergency_lets_a_deprecated_version_through_and_nothing_else_does(three: Repo):
    deprecating.deprecate(three, "digits", "v1.0.0", why="leaks the label", now=NOW)

    with pytest.raises(UsageError, match="is deprecated by Ada: leaks the label"):
        plan(three, "v1.0.0")
    assert "leaks the label" in plan(three, "v1.0.0", emergency=FIRE).verdicts[-1].observed


def test_a_version_that_somebody_wrote_beside_the_mark_of_another_came_in_no_emergency(three: Repo):
    live(three, "v1.0.0", emergency=FIRE)
    now, record = stage_file(three), registering.record_of(ledger.of(store.tags(three), "digits"), "v1.1.0")
    assert now
    write(three, store.version_path("digits", "v1.1.0"), store.version_text(record))
    write(three, store.stage_path("digits", "production"), store.stage_text(replace(now, version="v1.1.0")))
    settle.reconcile(three, "main", sources=Sources(now=NOW), now=NOW)

    (line,) = [one for one in shelf.lines(three, "digits", base="main") if one.version == "v1.1.0"]
    live(three, "v1.2.0")

    assert (line.stages, line.marked) == (("production",), ())
    first, second = (shelf.find(three, f"digits@{one}", base="main") for one in ("v1.0.0", "v1.1.0"))
    assert shelf.emergencies(three, first) == [("production", replace(FIRE, version="v1.0.0"))]
    assert shelf.emergencies(three, second) == []
    assert return_of(three).wanted.version == "v1.1.0"


@pytest.mark.parametrize(
    ("to", "error", "message"),
    [
        (None, NotFoundError, "nothing to go back to: it serves v1.0.0"),
        ("v1.1.0", UsageError, "never served digits v1.1.0"),
        ("v1.0.0", UsageError, "is in production already"),
        ("v9.9.9", UsageError, "never served digits v9.9.9"),
    ],
)
def test_there_is_no_way_back_to_what_was_never_served(
    three: Repo, to: str | None, error: type[MlgitError], message: str
):
    live(three, "v1.0.0")

    with pytest.raises(error, match=message.replace(".", r"\.")):
        return_of(three, to=to)


def test_a_stage_that_serves_nothing_has_no_way_back(three: Repo):
    with pytest.raises(NotFoundError, match="production serves no digits on main"):
        return_of(three)


def test_there_is_no_way_back_to_bytes_that_nobody_has(three: Repo):
    live(three, "v1.0.0", "v1.1.0")
    first = registering.record_of(ledger.of(store.tags(three), "digits"), "v1.0.0")
    cache.destroy(three, [first.hash])

    with pytest.raises(NotFoundError, match=r"The bytes of digits v1\.0\.0 are not here"):
        return_of(three)


def test_two_who_go_back_at_once_find_one_pull_request(three: Repo):
    live(three, "v1.0.0", "v1.1.0")
    both = return_of(three), return_of(three, hold=Hold(by="bob", since="2027-01-15T08:00:01Z"))

    first, second = (opened(three, made) for made in both)

    assert first.number == second.number


def test_a_promotion_that_was_open_while_the_stage_went_back_is_not_merged_over_it(three: Repo):
    live(three, "v1.0.0", "v1.1.0")
    older = opened(three, plan(three, "v1.2.0"))
    merged(three, opened(three, return_of(three)))

    with pytest.raises(MlgitError, match=r"both changed registry/digits/production\.yaml"):
        FolderForge(three).merge(older.number)
    assert settle.reconcile(three, "main", sources=Sources()) == []
    assert served(three) == "v1.0.0"


def test_the_mark_of_the_way_back_lets_no_later_version_pass(three: Repo):
    write(three, store.POLICY, STRICT.replace("0.8", "0.93"))
    live(three, "v1.2.0")
    live(three, "v1.0.0", emergency=FIRE)
    hold = Hold(by="eve", since="2027", instead="v1.0.0")
    merged_back = return_of(three, to="v1.2.0", hold=hold)
    merged(three, opened(three, merged_back))
    text = store.stage_text(Stage(model="digits", stage="production", version="v1.0.0", hold=merged_back.wanted.hold))
    before = three.resolve("main")
    write(three, "registry/digits/production.yaml", text)

    (found,) = settle.settle(three, three.resolve("main") or "", sources=Sources(), before=before)

    assert isinstance(found.refusal, GateFailedError)


# Held


def test_nobody_promotes_to_a_held_stage_without_lifting_the_hold(three: Repo):
    live(three, "v1.0.0", "v1.1.0")
    merged(three, opened(three, return_of(three)))

    with pytest.raises(HeldError, match=r"held by ada since 2027-01-15T08:00:00Z: it answers nonsense(?s:.*)--lift"):
        plan(three, "v1.2.0")
    pull = opened(three, plan(three, "v1.2.0", lift=True))
    merged(three, pull)

    assert "It lifts the hold of ada: it answers nonsense." in pull.body
    assert stage_file(three) == Stage(model="digits", stage="production", version="v1.2.0")


# Emergency


def test_an_emergency_goes_past_the_gates_and_is_said_everywhere(three: Repo):
    write(three, store.POLICY, STRICT.replace("0.8", "0.91"))

    with pytest.raises(GateFailedError):
        opened(three, plan(three, "v1.0.0"))
    pull = opened(three, plan(three, "v1.0.0", emergency=FIRE))
    found = merged(three, pull)

    forge = FolderForge(three)
    assert pull.title == "EMERGENCY: promote digits v1.0.0 to production"
    for text in (pull.body, forge.comments(pull.number)[0].body):
        assert "🚨 **EMERGENCY**, declared by ada: the old one is down." in text
    assert "❌ failed, passed over" in forge.comments(pull.number)[0].body
    assert [status.description for status in forge.statuses(pull.head_commit)] == [
        "EMERGENCY: passes over accuracy ≥ 0.91; 1 gate passed"
    ]
    assert settle.sentence(found) == (
        "EMERGENCY: production serves digits v1.0.0 (tag digits#production#1), declared by ada: the old one is down. "
        "Passed over: accuracy ≥ 0.91."
    )
    assert last_decision(three).emergency == replace(FIRE, version="v1.0.0")


def test_the_next_promotion_takes_the_mark_from_the_file_and_not_from_the_history(three: Repo):
    live(three, "v1.0.0", emergency=FIRE)
    live(three, "v1.1.0")

    marks = [
        made.emergency
        for event in ledger.of(store.tags(three), "digits").history
        if (made := decision.of_message(event.tag.message))
    ]
    assert stage_file(three) == Stage(model="digits", stage="production", version="v1.1.0")
    assert marks == [replace(FIRE, version="v1.0.0"), None]


@pytest.mark.parametrize(
    ("version", "since", "passes"),
    [("v1.1.0", FIRE.since, True), ("v1.0.0", "2027-01-16T08:00:00Z", True), ("v1.0.0", FIRE.since, False)],
)
def test_a_mark_lets_pass_the_version_that_it_names_and_that_once(three: Repo, version: str, since: str, passes: bool):
    write(three, store.POLICY, STRICT.replace("0.8", "0.93"))
    live(three, "v1.0.0", emergency=FIRE)
    live(three, "v1.2.0")
    before = three.resolve("main")
    made = registering.record_of(ledger.of(store.tags(three), "digits"), version)
    write(three, store.version_path("digits", version), store.version_text(made))
    mark = replace(FIRE, version=version, since=since)
    for marked in (mark, replace(mark, version="v1.2.0")):
        said = Stage(model="digits", stage="production", version=version, emergency=marked)
        write(three, "registry/digits/production.yaml", store.stage_text(said))
        (found,) = settle.settle(three, three.resolve("main") or "", sources=Sources(), before=before)

        assert (found.refusal is None) is (passes and marked is mark)
        if found.tag:
            three.git("tag", "-d", found.tag)


def test_who_came_past_the_gates_alone_is_compared_with_what_serves_when_promoted_again(three: Repo):
    write(three, store.POLICY, STRICT)
    live(three, "v1.1.0", "v1.2.0")
    live(three, "v1.0.0", emergency=FIRE)
    live(three, "v1.2.0")
    pull = opened(three, return_of(three, to="v1.0.0"))
    merged(three, pull)
    live(three, "v1.2.0", lift=True)

    assert plan(three, "v1.1.0").unmet is None
    assert "no worse than the champion's 0.94" in str(plan(three, "v1.0.0").unmet)


def test_a_policy_may_forbid_emergencies_before_and_after_the_merge(three: Repo):
    pull = opened(three, plan(three, "v1.0.0", emergency=FIRE))
    write(three, store.POLICY, "stages:\n  production:\n    emergency: false\n")

    with pytest.raises(GateFailedError, match=r"by an emergency: registry/policy\.yaml:3 allows none"):
        plan(three, "v1.0.0", emergency=FIRE)
    found = merged(three, pull)

    assert isinstance(found.refusal, GateFailedError)
    assert served(three) is None


def test_an_emergency_takes_no_bytes_that_nobody_has_no_version_that_was_edited_and_no_stage_that_is_none(three: Repo):
    first = registering.record_of(ledger.of(store.tags(three), "digits"), "v1.0.0")
    write(three, store.version_path("digits", "v1.0.0"), store.version_text(first).replace("0.9", "0.99"))

    with pytest.raises(UsageError, match="differ in metrics"):
        plan(three, "v1.0.0", emergency=FIRE)
    opened(three, plan(three, "v1.2.0", emergency=FIRE))
    with pytest.raises(UsageError, match=r"v1\.2\.0 was promoted; a promoted version stays"):
        registering.unregister(three, "digits", "v1.2.0", base="main")
    write(three, store.POLICY, "stages: {staging: {}}\n")
    with pytest.raises(UsageError, match="There is no stage 'production'"):
        plan(three, "v1.2.0", emergency=FIRE)
    write(three, store.POLICY, "stages: {production: {}}\n")
    cache.destroy(three, [registering.record_of(ledger.of(store.tags(three), "digits"), "v1.1.0").hash])
    with pytest.raises(NotFoundError, match=r"bytes of digits v1\.1\.0"):
        plan(three, "v1.1.0", emergency=FIRE)


# Whoever dies in the midst of it

PROGRAM = """
import shutil, sys
from pathlib import Path
from mlgit.git.repo import Repo
from mlgit.registry import ledger
from mlgit.store import registry as store
from tests.dying import dies_at, unlock
from tests.registry.moving.test_back import rolled_back

whole, place, step = Path("."), Path("../dying"), int(sys.argv[1])

def fresh():
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(whole, place, symlinks=True)
    return Repo.find(place)

moment = 1
while True:
    repo = fresh()
    died = dies_at(moment, rolled_back, repo)
    unlock(repo.common_dir)
    rolled_back(repo)
    known = ledger.of(store.tags(repo), "digits")
    if known.stages != {"production": "v1.0.0"} or len(known.history) != 6:
        sys.exit(f"{moment}: {known.stages}, {[event.tag.name for event in known.history]}")
    if not died: break
    moment += step
print(moment)
"""


def rolled_back(repo: Repo) -> None:
    """production goes back at once, or is found to have come back; its tag is there."""

    def think(at: str) -> Plan:
        return back.again(repo, wanted, base="main", sources=Sources(now=NOW), at=at)

    found = back.plan(repo, "digits", "production", hold=HOLD, base="main", sources=Sources(now=NOW))
    if isinstance(found, Stage):
        settle.reconcile(repo, "main", sources=Sources(now=NOW))
        return
    wanted = found.wanted
    direct.promote(
        repo, wanted, base="main", think=think, title=card.title(wanted), sources=Sources(now=NOW), remote=None
    )  # fmt: skip


def test_whoever_dies_on_the_way_back_is_followed_by_one_who_ends_it(three: Repo):
    live(three, "v1.0.0", "v1.1.0")

    assert last_moment(PROGRAM, "11", folder=three.folder) > 20


# Freezes, and marks where versions are listed


def test_a_freeze_keeps_a_promotion_back_and_is_told_where_the_stage_goes_back_or_burns(three: Repo):
    live(three, "v1.0.0", "v1.1.0")
    write(three, freezes.SOURCE, freezes.text([Freeze(models="*", stages="prod*", since=0, why="Christmas")]))

    kept_back = merged(three, opened(three, plan(three, "v1.2.0")))
    write(three, "registry/digits/production.yaml", "version: v1.1.0\n")
    found = merged(three, opened(three, return_of(three)))

    assert isinstance(kept_back.refusal, GateFailedError)
    assert "Christmas" in str(kept_back.refusal)
    assert found.refusal is None
    assert ["Christmas" in f"{one.gate} {one.observed}" for one in found.verdicts] == [True]
    assert served(three) == "v1.0.0"


def test_a_run_is_not_proposed_for_a_held_stage(three: Repo, trained: Callable[..., Run]):
    write(three, store.POLICY, STRICT)
    live(three, "v1.0.0", "v1.1.0")
    merged(three, opened(three, return_of(three)))
    wish = challenge.Wish(model="digits", stage="production", base="main", sources=Sources(goals={}, now=NOW))

    found = challenge.look(three, FolderForge(three), trained("d", accuracy=0.99), wish)

    assert not found.is_won
    assert found.why == "production is held by ada since 2027-01-15T08:00:00Z: it answers nonsense"
