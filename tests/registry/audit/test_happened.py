from __future__ import annotations

from mlgit.registry.audit import changes, standing
from mlgit.store import registry as store
from tests.registry.audit.conftest import NOW, POLICY, History

HELD = b"version: v1.0.0\nhold:\n  by: ann\n  since: '2027-01-15T08:00:00Z'\n  why: look at the drift first\n"


def test_the_account_says_what_happened_and_who_let_it(history: History):
    one, two = history.register(accuracy=0.8), history.register(accuracy=0.9)
    merge = history.promote(one)
    history.promote(two)
    history.promote(one)

    account = history.account()

    assert history.told() == [
        ("policy changed", "", ""),
        ("registered", "", one), ("registered", "", two),
        ("promoted", "production", one), ("promoted", "production", two), ("rolled back", "production", one),
    ]  # fmt: skip
    promoted = account[3]
    assert (promoted.by, promoted.origin.approvers, promoted.origin.pull) == ("ann", ("bob",), 7)
    assert promoted.commit == merge
    assert promoted.decision
    assert [gate["outcome"] for gate in promoted.decision.gates] == ["pass"]


def test_holds_lifts_freezes_and_edits_are_told(history: History):
    history.promote(history.register(accuracy=0.8))
    history.edit("Hold it", registry__digits__production_yaml=HELD)
    history.edit("Go on", registry__digits__production_yaml=b"version: v1.0.0\n")
    freeze = b"freezes:\n- since: '2027-01-01T00:00:00Z'\n  models: dig*\n  why: holidays\n  by: eve\n"
    history.edit("Holidays", registry__freezes_yaml=freeze)
    history.edit("Back at work", registry__freezes_yaml=None)

    told = [(one.what.value, one.model, one.stage, one.why) for one in history.account()[3:]]

    assert told == [
        ("held", "digits", "production", "look at the drift first"),
        ("hold lifted", "digits", "production", "Go on"),
        ("frozen", "dig*", "*", "holidays"),
        ("unfrozen", "dig*", "*", "Back at work"),
    ]


def test_a_stage_that_served_several_versions_is_emptied_once(history: History):
    one, two = history.register(accuracy=0.8), history.register(accuracy=0.9)
    history.promote(one)
    history.promote(two)
    history.settle(history.edit("Nobody asks for it any more", registry__digits__production_yaml=None))

    assert history.told()[-2:] == [("promoted", "production", two), ("emptied", "production", two)]


def test_a_version_that_was_merged_and_refused_is_told_as_never_served(history: History):
    good, bad = history.register(accuracy=0.8), history.register(accuracy=0.1)
    history.promote(good)
    history.settle(history.merge(bad, "production"))

    assert history.told()[-1] == ("merged, never served", "production", bad)


def test_a_version_that_was_served_later_by_a_changed_policy_is_told_once(history: History):
    version = history.register(accuracy=0.1)
    history.settle(history.merge(version, "production"))
    history.edit("Ask less", registry__policy_yaml=POLICY.replace(b"0.5", b"0.05"))
    before = history.repo.resolve("main")
    history.settle(before or "", before="")

    assert history.told()[-2:] == [("policy changed", "", ""), ("promoted", "production", version)]


def test_what_stock_gto_did_is_told_as_such(history: History):
    version = history.register(accuracy=0.8)
    commit = history.repo.resolve(f"digits@{version}") or ""
    history.repo.tag("refs/tags/digits#dev#2", commit, "by hand", when=history.later())

    (entry,) = [one for one in history.account() if one.stage]

    assert (entry.what.value, entry.version, entry.decision, entry.why) == ("assigned with GTO", version, None, "")


def test_what_was_live_at_a_moment_and_held_then(history: History):
    one, two = history.register(accuracy=0.8), history.register(accuracy=0.9)
    history.promote(one)
    history.edit("Hold it", registry__digits__production_yaml=HELD)
    then = history.now
    history.edit("Go on", registry__digits__production_yaml=b"version: v1.0.0\n")
    history.promote(two)
    tags, all_changes = store.tags(history.repo), changes.of(history.repo, store.base_commit(history.repo, "main"))

    def live(moment: float) -> list[tuple[str, str, bool]]:
        found = standing.live(tags, all_changes, moment)
        return [(found.entry.stage, found.entry.version, found.hold is not None) for found in found]

    assert live(NOW + 120) == []
    assert live(then) == [("production", one, True)]
    assert live(history.now) == [("production", two, False)]


def test_a_clock_that_runs_behind_does_not_turn_the_order_of_commits_round(history: History):
    history.edit("Ask more", registry__policy_yaml=POLICY.replace(b"0.5", b"0.6"))
    history.now -= 100_000
    history.edit("Ask less", registry__policy_yaml=POLICY)

    assert [one.why for one in history.account()] == ["Ask production for an accuracy", "Ask more", "Ask less"]


def test_names_and_subjects_of_commits_cannot_pass_for_others(history: History):
    tree = history.repo.commit("main", {store.POLICY: POLICY + b"\n"}, "x")
    said = ":100644 100644 a b M\x01\x1f\x1b[31m"
    words = ("commit-tree", f"{tree}^{{tree}}", "-p", "main", "-m", said)
    made = history.repo.git(*words, env={"GIT_AUTHOR_NAME": "a" * 40}).strip()
    history.repo.git("update-ref", "refs/heads/main", made)

    (entry,) = history.account()[1:]

    assert (entry.who, entry.why) == ("a" * 40, ":100644 100644 a b M")


def test_a_files_text_that_cannot_be_read_is_told_and_ends_nothing(history: History):
    history.edit("Oh", registry__digits__production_yaml=b"version: [", registry__freezes_yaml=b"[")

    told = [(one.what.value, one.model, one.stage) for one in history.account()[1:]]

    assert sorted(told) == [("edited", "", ""), ("edited", "digits", "production")]
