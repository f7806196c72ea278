from __future__ import annotations

from mlgit.git.repo import Move
from mlgit.registry.decision import TRAILER
from mlgit.store import registry as store
from tests.registry.audit.conftest import POLICY, History


def test_what_went_the_usual_way_holds(history: History):
    one, two = history.register(accuracy=0.8), history.register(accuracy=0.9)
    for version, stage in ((one, "staging"), (one, "production"), (two, "production"), (one, "production")):
        history.promote(version, stage)

    assert history.verify() == []


def test_an_edit_of_a_stage_by_hand_is_told(history: History):
    one, two = history.register(accuracy=0.8), history.register(accuracy=0.9)
    history.promote(two)
    history.edit("by hand", registry__digits__production_yaml=f"version: {one}\n".encode())

    assert history.broken() == ["registry/digits/production.yaml says v1.0.0, and the tag lets it serve v1.1.0"]


def test_a_stages_file_that_is_gone_is_told(history: History):
    history.promote(history.register(accuracy=0.8))
    history.edit("by hand", registry__digits__production_yaml=None)

    assert history.broken() == ["registry/digits/production.yaml is gone, and the stage serves v1.0.0 still"]


def test_a_stages_tag_that_was_moved_is_told(history: History):
    one, two = history.register(accuracy=0.8), history.register(accuracy=0.9)
    history.promote(one)
    name = history.tag()
    there = next(tag for tag in store.tags(history.repo) if tag.name == name)
    history.repo.git("tag", "-d", name)
    history.repo.tag(
        f"refs/tags/{name}", history.repo.resolve(f"digits@{two}") or "", there.message, when=there.when
    )  # fmt: skip

    assert f"the tag {name} was moved: it says v1.0.0, and it lies on v1.1.0" in history.broken()


def test_a_versions_tag_that_was_moved_is_told(history: History):
    one = history.register(accuracy=0.8)
    history.promote(one)
    there = next(tag for tag in store.tags(history.repo) if tag.name == f"digits@{one}")
    elsewhere = history.repo.commit(None, {"x": b"y"}, "elsewhere")
    stage = next(tag for tag in store.tags(history.repo) if tag.name == history.tag())
    for tag in (there, stage):
        history.repo.git("tag", "-d", tag.name)
        history.repo.tag(f"refs/tags/{tag.name}", elsewhere, tag.message, when=tag.when)

    made, lies = there.commit[:10], elsewhere[:10]
    assert history.broken() == [f"the tag digits@{one} was moved: it was made for {made}, and lies on {lies}"]


def test_a_second_version_of_one_run_lies_on_an_empty_commit_and_holds(history: History):
    from mlgit.registry.versions import registering

    run = history.trained("twice", accuracy=0.8)
    registering.register(history.repo, run, model="digits", now=history.later())
    registering.register(history.repo, run, model="digits", version="v2.0.0", now=history.later())
    history.promote("v2.0.0")

    assert history.verify() == []


def test_a_tag_that_was_deleted_is_told_by_its_number(history: History):
    one, two = history.register(accuracy=0.8), history.register(accuracy=0.9)
    history.promote(one)
    name = history.tag()
    history.promote(two)
    history.repo.git("tag", "-d", name)

    assert history.broken() == ["tags were deleted: of the numbers of digits there is no #1"]


def test_the_last_tag_that_was_deleted_is_told_by_the_file(history: History):
    history.promote(history.register(accuracy=0.8))
    history.repo.git("tag", "-d", history.tag())

    assert history.broken() == ["registry/digits/production.yaml says v1.0.0, and no tag lets it serve anything"]


def test_a_merge_past_its_gates_with_a_tag_by_hand_is_told(history: History):
    bad = history.register(accuracy=0.1)
    merge = history.merge(bad, "production")
    commit = history.repo.resolve(f"digits@{bad}") or ""
    said = f'digits {bad} is production\n\nMerged by {merge}\n{TRAILER}: {{"commit": "{merge}"}}'
    history.repo.tag("refs/tags/digits#production#1", commit, said, when=history.later())

    assert history.broken() == [
        "no policy was asked, though there was one",
        "the gate registry/policy.yaml:5 was skipped: its tag does not say what it saw",
    ]


def test_a_verdict_that_was_made_up_is_told(history: History):
    bad = history.register(accuracy=0.1)
    merge = history.merge(bad, "production")
    blob = history.repo.git("rev-parse", f"main:{store.POLICY}").strip()
    gate = '{"gate": "accuracy ≥ 0.5", "where": "registry/policy.yaml:5", "outcome": "pass", "inputs": {"value": 0.9}}'
    said = f'{TRAILER}: {{"commit": "{merge}", "policy": "{blob}", "gates": [{gate}]}}'
    history.repo.tag(
        "refs/tags/digits#production#1", history.repo.resolve(f"digits@{bad}") or "",
        f"digits {bad} is production\n\nMerged by {merge}\n{said}", when=history.later(),
    )  # fmt: skip

    assert history.broken() == [
        "the gate accuracy ≥ 0.5 (registry/policy.yaml:5) is recorded to have passed, and does not: 0.1"
    ]


def test_a_tag_that_stock_gto_made_beside_a_file_is_told(history: History):
    version = history.register(accuracy=0.1)
    history.merge(version, "production")
    history.repo.tag(
        "refs/tags/digits#production#1", history.repo.resolve(f"digits@{version}") or "", "gto", when=history.later()
    )  # fmt: skip

    assert history.broken() == ["the tag digits#production#1 was not made by mlgit: no gate asked"]


def test_a_policy_that_was_lowered_by_the_commit_that_needs_it_is_told(history: History):
    bad = history.register(accuracy=0.1)
    record = history.promote(bad, "staging")
    assert record
    merge = history.edit(
        "both at once", registry__policy_yaml=POLICY.replace(b"0.5", b"0.05"),
        registry__digits__production_yaml=f"version: {bad}\n".encode(),
    )  # fmt: skip
    history.settle(merge, before="")  # as a settling that asks by the policy as it stands would do

    assert history.broken() == [
        "the commit that asked for it changed the policy too, and the old one was not asked",
        "the gate accuracy ≥ 0.05 (registry/policy.yaml:5) is recorded to have passed, and does not: 0.1",
    ]


def test_a_policy_that_the_pull_request_brought_itself_is_told(history: History):
    bad, main = history.register(accuracy=0.1), history.repo.resolve("main") or ""
    planned = history.merge(bad, "staging")  # its version's file
    history.settle(planned)
    main, low = planned, POLICY.replace(b"0.5", b"0.05")
    lowered = history.repo.commit(main, {store.POLICY: low}, "lower", when=history.later())
    files = {"registry/digits/production.yaml": f"version: {bad}\n".encode()}
    asked = history.repo.commit(lowered, files, "promote", when=history.later())
    merged = history.repo.commit(
        main, files | {store.POLICY: low}, "Merge", parents=(main, asked), when=history.later()
    )  # fmt: skip
    history.repo.move([Move("refs/heads/main", main, merged)], why="test")
    blob = history.repo.git("rev-parse", f"main:{store.POLICY}").strip()
    gate = '{"gate": "accuracy ≥ 0.05", "where": "registry/policy.yaml:5", "outcome": "pass"}'
    said = f'{TRAILER}: {{"commit": "{asked}", "policy": "{blob}", "gates": [{gate}]}}'
    history.repo.tag(
        "refs/tags/digits#production#2", history.repo.resolve(f"digits@{bad}") or "",
        f"digits {bad} is production\n\nMerged by {asked}\n{said}", when=history.later(),
    )  # fmt: skip

    assert history.broken() == [
        f"its tag names {asked[:10]}, which {merged[:10]} brought together with its own policy, and the branch's was "
        "not asked",
        "the gate accuracy ≥ 0.05 (registry/policy.yaml:5) is recorded to have passed, and does not: 0.1",
    ]


def test_a_promotion_that_a_merge_of_main_into_ones_own_commits_put_aside_holds(history: History):
    start = history.repo.resolve("main") or ""
    history.promote(history.register(accuracy=0.8))
    main = history.repo.resolve("main") or ""
    mine = history.repo.commit(start, {"train.py": b"x"}, "mine", when=history.later())
    with history.repo.reader() as reader:
        files = dict(reader.tree(f"{main}^{{tree}}") or {})
    pulled = history.repo.commit(None, {**files, "train.py": b"x"}, "Merge", parents=(mine, main), when=history.later())
    history.repo.move([Move("refs/heads/main", main, pulled)], why="git pull, git push")

    assert history.verify() == []


def test_a_policy_that_was_changed_before_is_the_one_that_counts(history: History):
    version = history.register(accuracy=0.1)
    history.edit("Ask less", registry__policy_yaml=POLICY.replace(b"0.5", b"0.05"))
    history.promote(version)
    history.edit("Ask more again", registry__policy_yaml=POLICY)

    assert history.verify() == []


def test_a_branch_that_was_rewritten_is_told(history: History):
    before = history.repo.resolve("main")
    merge = history.promote(history.register(accuracy=0.8))
    tip = history.repo.resolve("main")
    with history.repo.reader() as reader:
        files = dict(reader.tree(f"{tip}^{{tree}}") or {})
    again = history.repo.commit(None, files, "squashed", parents=(before or "",))
    history.repo.move([Move("refs/heads/main", tip, again)], why="force push")

    assert history.broken() == [f"it was let serve v1.0.0 by {merge[:10]}, which is not on the base branch any more"]


def test_an_edited_version_and_one_that_is_gone_are_told(history: History):
    one, two = history.register(accuracy=0.8), history.register(accuracy=0.9)
    history.promote(one, "staging")
    history.promote(two)
    path, other = store.version_path("digits", one), store.version_path("digits", two)
    head = history.repo.resolve("main")
    text = (history.repo.read("main", path) or b"").replace(b"0.8", b"0.99")
    made = history.repo.commit(head, {path: text, other: None}, "by hand", when=history.later())
    history.repo.move([Move("refs/heads/main", head, made)], why="test")

    assert history.broken() == [
        f"{other} is gone", f"{path} was edited: metrics is not as the tag digits@{one} has it",
    ]  # fmt: skip
    edits = [one.why for one in history.account() if one.what.value == "edited"]
    assert sorted(edits) == [f"{path}: by hand", f"{other}: by hand"]


def test_an_emergency_is_told_for_ever_and_is_no_fault(history: History):
    bad = history.register(accuracy=0.1)
    history.merge(bad, "staging")
    text = f"version: {bad}\nemergency:\n  by: ann\n  why: the last one leaks\n  version: {bad}\n"
    history.settle(history.edit("Emergency", registry__digits__production_yaml=text.encode()))

    found = history.verify()

    assert [one.what for one in found if one.stage == "production"] == [
        "EMERGENCY by ann, past its gates: the last one leaks"
    ]
    assert all(one.holds for one in found if one.stage == "production")
    (entry,) = [one for one in history.account() if one.what.value == "promoted"]
    assert entry.reason == "EMERGENCY: the last one leaks (ann)"


def test_an_emergency_that_the_policy_forbids_is_told(history: History):
    history.edit("Firm", registry__policy_yaml=POLICY + b"    emergency: false\n")
    bad = history.register(accuracy=0.1)
    history.promote(bad, "staging")
    text = f"version: {bad}\nemergency:\n  by: ann\n  why: the last one leaks\n  version: {bad}\n"
    merge = history.edit("Emergency", registry__digits__production_yaml=text.encode())
    blob = history.repo.git("rev-parse", f"main:{store.POLICY}").strip()
    declared = f'{{"by": "ann", "why": "the last one leaks", "version": "{bad}"}}'
    gate = '{"gate": "accuracy ≥ 0.5", "where": "registry/policy.yaml:5", "outcome": "fail"}'
    made = f'{{"commit": "{merge}", "policy": "{blob}", "gates": [{gate}], "emergency": {declared}}}'
    said = f"digits {bad} is production\n\nMerged by {merge}\n{TRAILER}: {made}"
    commit = history.repo.resolve(f"digits@{bad}") or ""
    history.repo.tag("refs/tags/digits#production#2", commit, said, when=history.later())

    assert history.broken() == [
        f"digits {bad} is not promoted to production by an emergency: registry/policy.yaml:7 allows none."
    ]


def test_clocks_that_differ_are_told_and_are_no_fault(history: History):
    history.promote(history.register(accuracy=0.8))
    history.now -= 1_000_000

    assert [(one.what, one.holds) for one in history.verify()] == [
        ("clocks differ: its tag is dated in the future", True)
    ]


def test_of_a_registry_that_cannot_be_read_the_rest_is_verified(history: History):
    history.promote(history.register(accuracy=0.8))
    history.edit("Oh", registry__other__production_yaml=b"version: [")

    (found,) = history.verify()

    assert (found.model, found.stage) == ("other", "production")
    assert found.what.startswith("its file cannot be read: registry/other/production.yaml:")
    assert history.verify("digits") == []


def test_a_stage_that_is_listed_no_more_while_it_serves_is_told_and_can_be_emptied(history: History):
    history.promote(history.register(accuracy=0.8))
    history.edit("Only staging from now on", registry__policy_yaml=b"stages:\n  staging:\n")

    (found,) = history.verify()
    history.settle(history.edit("Take it away", registry__digits__production_yaml=None))

    assert found.holds
    assert found.what.startswith("registry/policy.yaml lists no such stage: it serves v1.0.0 still")
    assert history.verify() == []
    assert history.told()[-1] == ("emptied", "production", "v1.0.0")


def test_all_rules_of_a_policy_that_match_count(history: History):
    more = b"models:\n- models: dig*\n  stages:\n    production:\n      gates:\n      - {metric: accuracy, max: 0.85}\n"
    history.edit("Ask more of digits", registry__policy_yaml=POLICY + more)
    history.promote(history.register(accuracy=0.8))
    there = next(tag for tag in store.tags(history.repo) if tag.name == history.tag())
    one_less = there.message.replace('"registry/policy.yaml:12"', '"registry/policy.yaml:1"')

    assert history.verify() == []

    history.repo.git("tag", "-d", there.name)
    history.repo.tag(f"refs/tags/{there.name}", there.commit, one_less, when=there.when)
    assert history.broken() == ["the gate registry/policy.yaml:12 was skipped: its tag does not say what it saw"]
