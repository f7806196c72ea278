from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mlgit.core.model import Hold, ModelVersion
from mlgit.core.verdict import Wait
from mlgit.errors import ConfigError, GateFailedError, MlgitError, UsageError
from mlgit.forge.folder import FolderForge
from mlgit.git.repo import Move, Repo
from mlgit.registry import deliver, ledger
from mlgit.registry.evidence.gathering import Sources
from mlgit.registry.moving import back, propose, settle
from mlgit.registry.versions import registering, shelf
from mlgit.store import registry as store

NOW = 1_800_000_000.0


def promoted(repo: Repo, version: str, stage: str) -> str:
    """The merge commit of a promotion."""
    plan = propose.plan(repo, "digits", version, stage, base="main", sources=Sources())
    forge = FolderForge(repo)
    merged = forge.merge(propose.promote(repo, forge, plan, sources=Sources()).pull.number)
    assert merged.merge_commit
    return merged.merge_commit


def gto(repo: Repo, *args: str) -> str:
    code = "import sys; from gto.cli import app; sys.exit(app())"
    done = subprocess.run([sys.executable, "-c", code, *args], cwd=repo.work_tree, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def edited(repo: Repo, **files: bytes) -> str:
    """A merge of a branch with these files, which no promotion made."""
    head = repo.resolve("main")
    assert head
    branch = repo.commit(head, {path.replace("__", "/"): text for path, text in files.items()}, "by hand")
    with repo.reader() as reader:
        tree = reader.tree(f"{branch}^{{tree}}") or {}
    merge = repo.commit(None, dict(tree), "merge", parents=(head, branch))
    repo.move([Move("refs/heads/main", head, merge)], why="test")
    return merge


def test_a_merged_promotion_moves_the_stage_and_stock_gto_sees_it(repo: Repo, trained):
    for name in ("a", "b"):
        registering.register(repo, trained(name, accuracy=0.9), model="digits", now=NOW)
    for version, stage in (("v1.0.0", "production"), ("v1.1.0", "staging"), ("v1.1.0", "production")):
        settle.settle(repo, promoted(repo, version, stage), sources=Sources(), now=NOW)

    shown = [line.split() for line in gto(repo, "show", "digits", "--plain").splitlines()][1:]

    assert ledger.of(store.tags(repo), "digits").stages == {"production": "v1.1.0", "staging": "v1.1.0"}
    assert [row[1] for row in shown] == ["v1.1.0", "v1.0.0"]
    assert "production" in " ".join(shown[0])
    assert "staging" in " ".join(shown[0])
    assert "production" not in " ".join(shown[1])
    assert {"digits#production#1", "digits#staging#2", "digits#production#3"} <= {tag.name for tag in store.tags(repo)}


def test_tags_in_one_second_are_dated_apart(repo: Repo, trained):
    registering.register(repo, trained("a"), model="digits", now=NOW)
    settle.settle(repo, promoted(repo, "v1.0.0", "staging"), sources=Sources(), now=NOW)
    registering.register(repo, trained("b"), model="digits", now=NOW)

    assert sorted(tag.when for tag in store.tags(repo)) == [NOW, NOW + 1, NOW + 2]


def test_a_clock_that_lags_behind_the_one_that_tagged_before_does_not_turn_a_stage_back(repo: Repo, trained):
    for name in ("a", "b"):
        registering.register(repo, trained(name), model="digits", now=NOW)
    ahead, behind = NOW + 10_000_000, NOW - 10_000_000
    settle.settle(repo, promoted(repo, "v1.0.0", "staging"), sources=Sources(), now=ahead)

    settle.settle(repo, promoted(repo, "v1.1.0", "staging"), sources=Sources(), now=behind)

    assert ledger.of(store.tags(repo), "digits").stages == {"staging": "v1.1.0"}
    assert "staging" in shown_by_gto(repo)["v1.1.0"]


def test_settling_twice_changes_nothing(repo: Repo, trained):
    registering.register(repo, trained("a"), model="digits")
    merge = promoted(repo, "v1.0.0", "staging")

    one, two = (settle.settle(repo, merge, sources=Sources()) for _ in range(2))

    assert one == two
    assert [item.tag for item in one] == ["digits#staging#1"]
    assert settle.sentence(one[0]) == "staging serves digits v1.0.0 (tag digits#staging#1)."


def test_a_merge_without_promotions_settles_nothing(repo: Repo):
    assert settle.settle(repo, edited(repo, train=b"new"), sources=Sources()) == []


def test_a_gate_that_was_raised_before_the_merge_keeps_the_stage_where_it_is(repo: Repo, trained):
    registering.register(repo, trained("a", accuracy=0.9), model="digits")
    plan = propose.plan(repo, "digits", "v1.0.0", "production", base="main", sources=Sources())
    forge = FolderForge(repo)
    pull = propose.promote(repo, forge, plan, sources=Sources()).pull
    strict = {"registry/policy.yaml": b"stages: {production: {gates: [{metric: accuracy, min: 0.95}]}}\n"}
    repo.git("reset", "-q", "--hard", repo.commit(repo.resolve("main"), strict, "policy"))
    merge = forge.merge(pull.number).merge_commit
    assert merge

    (settled,) = settle.settle(repo, merge, sources=Sources())

    assert isinstance(settled.refusal, GateFailedError)
    assert settled.tag is None
    assert settle.sentence(settled).endswith("it was merged, and the stage did not move.")
    assert ledger.of(store.tags(repo), "digits").stages == {}
    assert shelf.lines(repo, "digits", base="main")[0].stages == ("production (unsettled)",)


def test_a_pull_request_that_lowers_its_own_gate_moves_nothing(repo: Repo, trained):
    strict = {"registry__policy.yaml": b"stages: {production: {gates: [{metric: accuracy, min: 0.95}]}}\n"}
    edited(repo, **strict)
    made = registering.register(repo, trained("a", accuracy=0.9), model="digits")
    files = {
        "registry__policy.yaml": b"stages: {production: }\n",
        "registry__digits__production.yaml": b"version: v1.0.0\n",
        "registry__digits__versions__v1.0.0.yaml": store.version_text(made).encode(),
    }

    (settled,) = settle.settle(repo, edited(repo, **files), sources=Sources())

    assert isinstance(settled.refusal, GateFailedError)
    assert ledger.of(store.tags(repo), "digits").stages == {}


def test_a_merged_version_file_that_was_edited_moves_nothing(repo: Repo, trained):
    made = registering.register(repo, trained("a", accuracy=0.9), model="digits")
    files = {
        "registry__digits__production.yaml": b"version: v1.0.0\n",
        "registry__digits__versions__v1.0.0.yaml": store.version_text(replace(made, hash="0" * 32)).encode(),
    }

    (settled,) = settle.settle(repo, edited(repo, **files), sources=Sources())

    assert settled.tag is None
    assert "differ in hash" in str(settled.refusal)


@pytest.mark.parametrize("is_mended", [False, True])
def test_a_merge_that_lowers_its_own_gate_and_skips_ci_moves_nothing_later_either(
    repo: Repo, trained, tmp_path: Path, is_mended: bool
):
    check = "stages: {production: {gates: [{command: [sh, ./checks/bias.sh]}, {metric: accuracy, min: 0.95}]}}\n"
    edited(repo, **{"registry__policy.yaml": check.encode(), "checks__bias.sh": b"exit 1\n"})
    made = registering.register(repo, trained("a", accuracy=0.9), model="digits")
    lax = {"registry__policy.yaml": b"stages: {production: }\n", "checks__bias.sh": b"exit 0\n"}
    edited(repo, **by_hand(made), **lax)
    edited(repo, README=b"what is merged after it\n")
    if is_mended:
        edited(repo, **{"registry__policy.yaml": check.replace("0.95", "0.8").encode()})
        edited(repo, **{"checks__bias.sh": b"true\n"})

    (settled,) = settle.reconcile(repo, "main", sources=Sources())

    assert (settled.tag is not None) is is_mended
    assert [verdict.passed for verdict in settled.verdicts] == [is_mended, is_mended]


def test_a_merge_that_mends_the_policy_that_judges_it_waits_until_that_is_changed_by_itself(repo: Repo, trained):
    edited(repo, **{"registry__policy.yaml": b"stages: [\n"})
    made = registering.register(repo, trained("a", accuracy=0.9), model="digits")
    edited(repo, **by_hand(made), **{"registry__policy.yaml": b"stages: {production: }\n"})

    (waiting,) = settle.reconcile(repo, "main", sources=Sources())
    edited(repo, **{"registry__policy.yaml": b"stages: {production: {}}\n"})
    (moved,) = settle.reconcile(repo, "main", sources=Sources())

    assert "change registry/policy.yaml once more" in str(waiting.refusal)
    assert (waiting.tag, moved.tag) == (None, "digits#production#1")


def by_hand(made: ModelVersion) -> dict[str, bytes]:
    """The files of a promotion to production that mlgit did not propose."""
    return {
        "registry__digits__production.yaml": f"version: {made.version}\n".encode(),
        f"registry__digits__versions__{made.version}.yaml": store.version_text(made).encode(),
    }


def test_the_champion_is_what_the_stage_serves_whatever_became_of_its_file(repo: Repo, trained):
    asks = b"stages: {production: {gates: [{metric: accuracy, not_worse_than: champion}]}}\n"
    good, worse, bad = (
        registering.register(repo, trained(name, accuracy=accuracy), model="digits")
        for name, accuracy in (("a", 0.9), ("b", 0.5), ("c", 0.1))
    )
    edited(repo, **{"registry__policy.yaml": asks})
    settle.settle(repo, promoted(repo, good.version, "production"), sources=Sources())
    path = f"registry__digits__versions__{good.version}.yaml"
    edited(repo, **{path: store.version_text(replace(good, metrics={"accuracy": 0.2})).encode()})

    (after_an_edit,) = settle.settle(repo, edited(repo, **by_hand(worse)), sources=Sources())
    (refused,) = settle.settle(repo, edited(repo, **by_hand(bad)), sources=Sources())
    (after_a_refusal,) = settle.settle(repo, edited(repo, **by_hand(worse)), sources=Sources())

    for found in (after_an_edit, refused, after_a_refusal):
        assert isinstance(found.refusal, GateFailedError), found
        assert "champion v1.0.0: 0.9" in found.verdicts[0].observed


@pytest.mark.parametrize("version", ["v9.9.9", "latest", "../../x", "v1.0.0"])
def test_a_stage_file_by_hand_that_names_nothing_moves_nothing(repo: Repo, version: str):
    merge = edited(repo, **{"registry__digits__production.yaml": f'version: "{version}"\n'.encode()})

    (settled,) = settle.settle(repo, merge, sources=Sources())

    assert settled.refusal
    assert store.tags(repo) == []


def test_a_registry_that_cannot_be_read_moves_nothing(repo: Repo):
    with pytest.raises(ConfigError, match=r"registry/digits/production\.yaml:1: verzion: unknown key"):
        settle.settle(
            repo, edited(repo, **{"registry__digits__production.yaml": b"verzion: v1.0.0\n"}), sources=Sources()
        )


def test_a_version_is_found_by_number_stage_and_name(repo: Repo, trained):
    for name in ("a", "b"):
        registering.register(repo, trained(name), model="digits")
    settle.settle(repo, promoted(repo, "v1.0.0", "production"), sources=Sources())

    found = [shelf.find(repo, text, base="main").version for text in ("digits", "digits@1.0.0", "digits@production")]

    assert found == ["v1.0.0", "v1.0.0", "v1.0.0"]
    assert shelf.find(repo, "digits#production", base="main").version == "v1.0.0"


def test_the_bytes_of_a_version_come_back_by_the_name_they_had(repo: Repo, trained, tmp_path: Path):
    made = registering.register(repo, trained("a"), model="digits")

    assert deliver.deliver(repo, made, tmp_path / "out") == tmp_path / "out" / "model-0.pkl"
    assert (tmp_path / "out" / "model-0.pkl").read_text() == "weights of a 0"


@pytest.mark.parametrize("sha256", [{"../../x": "0"}, {"..": "0"}, {"a/b": "0"}])
def test_a_record_cannot_write_outside_its_folder(repo: Repo, trained, tmp_path: Path, sha256: dict[str, str]):
    made: ModelVersion = replace(registering.register(repo, trained("a"), model="digits"), sha256=sha256)

    with pytest.raises(MlgitError, match="no file's name"):
        deliver.deliver(repo, made, tmp_path / "out")


def test_bytes_that_are_not_what_was_registered_are_said_so(repo: Repo, trained, tmp_path: Path):
    made = replace(registering.register(repo, trained("a"), model="digits"), sha256={"model-0.pkl": "0" * 64})

    with pytest.raises(MlgitError, match="not what was registered"):
        deliver.deliver(repo, made, tmp_path / "out")


# When main says something else than the tags


def reverted(repo: Repo, merge: str) -> None:
    repo.git("-c", "user.name=t", "-c", "user.email=t@t", "revert", "--no-edit", "-m", "1", merge)


def shown_by_gto(repo: Repo) -> dict[str, str]:
    """Version → its stages, as stock GTO tells."""
    rows = [line.split() for line in gto(repo, "show", "digits", "--plain").splitlines()][1:]
    return {row[1]: " ".join(row) for row in rows}


def test_a_reverted_promotion_goes_back_to_what_was_served_before_though_that_is_worse(repo: Repo, trained):
    for name, accuracy in (("a", 0.9), ("b", 0.95)):
        registering.register(repo, trained(name, accuracy=accuracy), model="digits", now=NOW)
    strict = b"stages: {production: {gates: [{metric: accuracy, not_worse_than: champion}]}}\n"
    repo.git("reset", "-q", "--hard", repo.commit(repo.resolve("main"), {"registry/policy.yaml": strict}, "policy"))
    settle.settle(repo, promoted(repo, "v1.0.0", "production"), sources=Sources(), now=NOW)
    merge = promoted(repo, "v1.1.0", "production")
    settle.settle(repo, merge, sources=Sources(), now=NOW)
    reverted(repo, merge)

    (late,) = settle.settle(repo, merge, sources=Sources(), tip=repo.resolve("main"))
    tried = settle.reconcile(repo, "main", sources=Sources(), dry_run=True)
    (done,) = settle.reconcile(repo, "main", sources=Sources())

    assert late.overtaken
    assert [(one.version, one.tag) for one in tried] == [("v1.0.0", None)]
    assert settle.sentence(done) == "production serves digits v1.0.0 (tag digits#production#3)."
    assert settle.reconcile(repo, "main", sources=Sources()) == []
    assert "production" in shown_by_gto(repo)["v1.0.0"]
    assert "production" not in shown_by_gto(repo)["v1.1.0"]


def test_a_stage_whose_file_is_gone_is_empty_for_stock_gto_too(repo: Repo, trained):
    for name in ("a", "b"):
        registering.register(repo, trained(name), model="digits", now=NOW)
    merges = [promoted(repo, "v1.0.0", "production")]
    settle.settle(repo, merges[0], sources=Sources(), now=NOW)
    merges.append(promoted(repo, "v1.1.0", "production"))
    settle.settle(repo, merges[1], sources=Sources(), now=NOW)
    for merge in reversed(merges):
        reverted(repo, merge)

    (done,) = settle.reconcile(repo, "main", sources=Sources())

    assert settle.sentence(done) == "production serves no digits (tag digits#production!#4)."
    assert ledger.of(store.tags(repo), "digits").stages == {}
    assert not any("production" in row for row in shown_by_gto(repo).values())
    assert settle.reconcile(repo, "main", sources=Sources()) == []


def test_a_stage_that_stock_gto_assigned_is_left_alone(repo: Repo, trained):
    made = registering.register(repo, trained("a"), model="digits")
    repo.git("tag", "-a", "-m", "by gto", "digits#dev#1", made.commit)

    assert settle.reconcile(repo, "main", sources=Sources()) == []


def test_settling_from_a_branch_that_lags_behind_its_remote_is_refused(repo: Repo):
    ahead = repo.commit(repo.resolve("main"), {"x": b""}, "theirs")
    repo.git("update-ref", "refs/remotes/origin/main", ahead)

    with pytest.raises(UsageError, match="lacks what is on origin/main"):
        settle.reconcile(repo, "main", sources=Sources())


def test_what_a_merge_would_do_is_judged_by_the_policy_of_the_base(repo: Repo, trained):
    registering.register(repo, trained("a", accuracy=0.9), model="digits")
    plan = propose.plan(repo, "digits", "v1.0.0", "production", base="main", sources=Sources())
    pull = propose.promote(repo, FolderForge(repo), plan, sources=Sources()).pull
    strict = b"stages: {production: {gates: [{metric: accuracy, min: 0.95}]}}\n"
    lax = repo.commit(pull.head_commit, {"registry/policy.yaml": b"stages: {production: {}}\n"}, "sly")
    before = settle.foresee(repo, "main", lax, sources=Sources())
    repo.git("reset", "-q", "--hard", repo.commit(repo.resolve("main"), {"registry/policy.yaml": strict}, "policy"))

    (after,) = settle.foresee(repo, "main", pull.head_commit, sources=Sources())

    assert [one.refusal for one in before] == [None]
    assert isinstance(after.refusal, GateFailedError)
    assert [tag.name for tag in store.tags(repo)] == ["digits@v1.0.0"]


def written(repo: Repo, **files: str) -> None:
    """Commit these files to main."""
    changed = {path.replace("__", "/"): text.encode() for path, text in files.items()}
    repo.git("reset", "-q", "--hard", repo.commit(repo.resolve("main"), changed, "by hand"))


SOAKED = "stages: {staging: , production: {after: staging, gates: [{soak: 24h}]}}\n"


def test_a_promotion_may_be_proposed_while_it_soaks_and_moves_the_stage_once_that_is_over(repo: Repo, trained):
    written(repo, **{"registry__policy.yaml": SOAKED})
    registering.register(repo, trained("a"), model="digits", now=NOW)
    with pytest.raises(GateFailedError, match="in staging it never was"):
        promoted(repo, "v1.0.0", "production")
    settle.settle(repo, promoted(repo, "v1.0.0", "staging"), sources=Sources(now=NOW), now=NOW)
    early, late = Sources(now=NOW + 3600), Sources(now=NOW + 24 * 3600 + 1)
    plan = propose.plan(repo, "digits", "v1.0.0", "production", base="main", sources=early)
    forge = FolderForge(repo)

    pull = propose.promote(repo, forge, plan, sources=early).pull

    (status,) = forge.statuses(pull.head_commit)
    assert (status.state.value, status.description) == (
        "pending", "waits for 24h in staging: staging: 59m 59s",
    )  # fmt: skip
    assert plan.unmet
    (foreseen,) = settle.foresee(repo, "main", pull.head_commit, sources=early)
    settle.tell(forge, pull.head_commit, [foreseen])
    assert forge.statuses(pull.head_commit)[0].state.value == "pending"
    merge = forge.merge(pull.number).merge_commit
    assert merge
    (refused,) = settle.settle(repo, merge, sources=early)
    assert isinstance(refused.refusal, GateFailedError)
    (settled,) = settle.reconcile(repo, "main", sources=late, now=NOW + 24 * 3600 + 1)
    assert settled.tag == "digits#production#2"


def test_a_freeze_on_the_base_branch_keeps_a_stage_still_but_no_way_back(repo: Repo, trained):
    for name in ("a", "b"):
        registering.register(repo, trained(name), model="digits", now=NOW)
    for version in ("v1.0.0", "v1.1.0"):
        settle.settle(repo, promoted(repo, version, "production"), sources=Sources(), now=NOW)
    registering.register(repo, trained("c"), model="digits", now=NOW)
    freeze = "freezes:\n  - {models: 'dig*', since: 2026-01-01, why: audit, by: ada}\n"
    written(repo, **{"registry__freezes.yaml": freeze})

    plan = propose.plan(repo, "digits", "v1.2.0", "production", base="main", sources=Sources(now=NOW))
    hold = Hold(by="ada", since="2027-01-15T08:00:00Z", why="wrong")
    way_back = back.plan(repo, "digits", "production", hold=hold, base="main", sources=Sources(now=NOW))

    (frozen,) = plan.verdicts
    assert (frozen.waits, frozen.where) == (Wait.TIME, "registry/freezes.yaml:2")
    assert "cannot be promoted to production: it is frozen until it is lifted by ada: audit" in str(plan.unmet)
    assert plan.refusal is None
    assert isinstance(way_back, propose.Plan)
    assert [(one.told, one.waits) for one in way_back.verdicts] == [(True, None)]
    assert way_back.unmet is None


def test_a_pull_request_that_lifts_a_freeze_and_brings_what_a_program_asks_for_moves_nothing(repo: Repo, trained):
    written(repo, **{
        "registry__policy.yaml": "stages: {production: {gates: [{command: [test, -e, mine]}]}}\n",
        "registry__freezes.yaml": "freezes: [{since: 2026-01-01, why: audit}]\n",
    })  # fmt: skip
    made = registering.register(repo, trained("a"), model="digits")
    files = {
        "registry__freezes.yaml": b"freezes: []\n",
        "mine": b"1",
        "registry__digits__production.yaml": b"version: v1.0.0\n",
        "registry__digits__versions__v1.0.0.yaml": store.version_text(made).encode(),
    }

    (settled,) = settle.settle(repo, edited(repo, **files), sources=Sources(now=NOW))

    assert [verdict.where for verdict in settled.verdicts if verdict.bars] == [
        "registry/policy.yaml:1", "registry/freezes.yaml:1",
    ]  # fmt: skip
    assert ledger.of(store.tags(repo), "digits").stages == {}
