from __future__ import annotations

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlgit.core import refs
from mlgit.core.model import ModelVersion
from mlgit.core.model_card import ModelCard
from mlgit.core.run import Run, State
from mlgit.dvc import project
from mlgit.errors import ConfigError, GateFailedError, MlgitError, NotFoundError, UsageError
from mlgit.forge.base import PullRequest, PullState
from mlgit.forge.folder import FolderForge
from mlgit.git.repo import Move, Repo
from mlgit.registry import ledger
from mlgit.registry.evidence.gathering import Sources
from mlgit.registry.moving import propose, settle
from mlgit.registry.moving.propose import Promotion
from mlgit.registry.versions import registering
from mlgit.store import registry as store

POLICY = b"""\
stages:
  staging: {}
  production:
    gates:
      - metric: accuracy
        min: 0.95
      - metric: accuracy
        not_worse_than: champion
"""


def on_main(repo: Repo, **files: bytes | None) -> None:
    changes = {path.replace("__", "/").replace("_yaml", ".yaml"): text for path, text in files.items()}
    head = repo.resolve("refs/heads/main")
    repo.git("reset", "-q", "--hard", repo.commit(head, changes, "by hand"))


def promote(repo: Repo, version: str, stage: str, model: str = "digits") -> Promotion:
    plan = propose.plan(repo, model, version, stage, base="main", sources=Sources())
    return propose.promote(repo, FolderForge(repo), plan, sources=Sources())


def merge(repo: Repo, promotion: Promotion) -> list[settle.Settled]:
    merged = FolderForge(repo).merge(promotion.pull.number)
    assert merged.merge_commit
    return settle.settle(repo, merged.merge_commit, sources=Sources())


def live(repo: Repo, version: ModelVersion, stage: str) -> None:
    assert [item.refusal for item in merge(repo, promote(repo, version.version, stage))] == [None]


def gto(repo: Repo, *args: str) -> str:
    code = "import sys; from gto.cli import app; sys.exit(app())"
    done = subprocess.run([sys.executable, "-c", code, *args], cwd=repo.work_tree, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


# Registering


def test_a_version_is_a_tag_on_the_runs_result(repo: Repo, trained):
    run = trained("a", accuracy=0.9)

    made = registering.register(repo, run, model="digits", description="first")

    known = ledger.of(store.tags(repo), "digits")
    assert (made.version, made.run, made.commit, dict(made.metrics)) == (
        "v1.0.0",
        run.id,
        run.commit,
        {"accuracy": 0.9},
    )
    assert list(made.sha256) == ["model-0.pkl"]
    assert known.versions["v1.0.0"].commit == run.commit
    assert registering.record_of(known, "v1.0.0") == made


def test_metrics_that_are_no_numbers_survive_in_the_tag(repo: Repo, trained):
    registering.register(repo, trained("a", accuracy=float("nan"), loss=float("inf")), model="digits")

    record = registering.record_of(ledger.of(store.tags(repo), "digits"), "v1.0.0")

    assert str(dict(record.metrics)) == "{'accuracy': nan, 'loss': inf}"


def test_a_second_version_from_one_run_gets_a_commit_of_its_own(repo: Repo, trained):
    run = trained("a", accuracy=0.9)
    registering.register(repo, run, model="digits")

    with pytest.raises(UsageError, match=r"is digits v1\.0\.0 already"):
        registering.register(repo, run, model="digits")
    registering.register(repo, run, model="digits", version="2.0.0")

    versions = ledger.of(store.tags(repo), "digits").versions
    assert repo.resolve(f"{versions['v2.0.0'].commit}^1") == run.commit
    assert "v2.0.0" in gto(repo, "show", "digits")


def test_a_tag_that_is_no_version_is_in_the_way_and_is_named(repo: Repo, trained):
    repo.git("tag", "digits@v1.0.0")

    with pytest.raises(UsageError, match=r"There is a tag digits@v1\.0\.0 already, and it is no version"):
        registering.register(repo, trained("a", accuracy=0.9), model="digits")


def test_versions_that_are_registered_at_once_get_a_number_each(repo: Repo, trained):
    trained_runs = [trained(name, accuracy=0.9) for name in "abcdef"]
    start = threading.Barrier(len(trained_runs))

    def register(run: Run) -> str:
        start.wait()
        return registering.register(repo, run, model="digits").version

    with ThreadPoolExecutor(len(trained_runs)) as pool:
        numbers = list(pool.map(register, trained_runs))

    assert sorted(numbers, key=refs.version_key) == [f"v1.{minor}.0" for minor in range(len(trained_runs))]
    assert list(ledger.of(store.tags(repo), "digits").versions) == sorted(numbers, key=refs.version_key)


@pytest.mark.parametrize("state", [State.CRASHED, State.FAILED, State.PREEMPTED])
def test_a_run_that_did_not_finish_needs_force(repo: Repo, trained, state: State):
    run = trained("a", state=state, accuracy=0.9)

    with pytest.raises(UsageError, match=state.value):
        registering.register(repo, run, model="digits")
    assert registering.register(repo, run, model="digits", force=True).version == "v1.0.0"


def test_a_run_that_still_runs_is_not_registered(repo: Repo, trained):
    with pytest.raises(UsageError, match="still running"):
        registering.register(repo, replace(trained("a"), state=State.RUNNING), model="digits", force=True)


def test_a_run_without_a_model_says_how_to_log_one(repo: Repo, trained):
    with pytest.raises(UsageError, match="log_artifact"):
        registering.register(repo, trained("a", models=0), model="digits")


def test_of_several_models_one_has_to_be_named(repo: Repo, trained):
    run = trained("a", models=2)

    with pytest.raises(UsageError, match="net, net1"):
        registering.register(repo, run, model="digits")
    with pytest.raises(UsageError, match="no model 'x'"):
        registering.register(repo, run, model="digits", artifact="x")
    assert registering.register(repo, run, model="digits", artifact="net1").artifact == "net1"


def test_a_version_is_given_once(repo: Repo, trained):
    registering.register(repo, trained("a"), model="digits", version="v1.2.0")

    with pytest.raises(UsageError, match=r"v1\.2\.0 exists already"):
        registering.register(repo, trained("b"), model="digits", version="1.2.0")
    assert registering.register(repo, trained("c"), model="digits", bump="patch").version == "v1.2.1"


@pytest.mark.parametrize("name", ["a..b", "a@b", "a#b", "a b", "-x", "../registry", "versions"])
def test_a_model_cannot_have_every_name(repo: Repo, trained, name: str):
    with pytest.raises(UsageError, match="cannot be the name"):
        registering.register(repo, trained("a"), model=name)
    assert store.tags(repo) == []


def test_bytes_that_are_gone_are_not_registered(repo: Repo, trained):
    run = trained("a")
    for path in (repo.own / "cache").rglob("*"):
        if path.is_file():
            path.unlink()

    with pytest.raises(NotFoundError, match="not in this repository's cache"):
        registering.register(repo, run, model="digits")


# Promoting


def test_a_promotion_is_one_commit_and_one_comment(repo: Repo, trained):
    on_main(repo, registry__policy_yaml=POLICY)
    made = registering.register(repo, trained("a", accuracy=0.96), model="digits")
    before = repo.git("status", "--porcelain")

    promotion = promote(repo, "v1.0.0", "production")

    changed = repo.git("diff", "--name-only", "main", promotion.pull.head).splitlines()
    assert promotion.pull.head == "promote/digits/v1.0.0/production"
    assert changed == [
        "registry/digits/model.yaml", "registry/digits/production.yaml", "registry/digits/versions/v1.0.0.yaml",
    ]  # fmt: skip
    assert repo.git("rev-list", "--count", f"main..{promotion.pull.head}") == "1"
    with repo.reader() as reader:
        assert store.version_at(reader, promotion.pull.head, "digits", "v1.0.0") == made
    (comment,) = FolderForge(repo).comments(promotion.pull.number)
    assert "| ✅ passed | accuracy ≥ 0.95 | 0.96 | `registry/policy.yaml:5` |" in comment.body
    assert [check.state.value for check in FolderForge(repo).statuses(promotion.pull.head_commit)] == ["success"]
    assert repo.git("status", "--porcelain") == before


def test_the_comment_compares_with_the_champion(repo: Repo, trained):
    one = registering.register(repo, trained("a", accuracy=0.96, loss=0.2), model="digits")
    registering.register(repo, trained("b", accuracy=0.97, loss=0.3), model="digits")
    live(repo, one, "production")

    (comment,) = FolderForge(repo).comments(promote(repo, "v1.1.0", "production").pull.number)

    assert "| `accuracy` | 0.96 | 0.97 | +0.01 | better |" in comment.body
    assert "| `loss` | 0.2 | 0.3 | +0.1 | worse |" in comment.body
    assert "No gate was asked" in comment.body


def test_promoting_twice_is_one_pull_request(repo: Repo, trained):
    registering.register(repo, trained("a", accuracy=0.96), model="digits")

    one, two = promote(repo, "v1.0.0", "staging"), promote(repo, "v1.0.0", "staging")

    assert (one.opened, two.opened, one.pull.number) == (True, False, two.pull.number)
    assert len(FolderForge(repo).comments(one.pull.number)) == 1


def test_of_two_that_promote_the_same_at_once_one_opens_the_pull_request_and_the_other_finds_it(repo: Repo, trained):
    registering.register(repo, trained("a", accuracy=0.9), model="digits")
    made = propose.plan(repo, "digits", "v1.0.0", "staging", base="main", sources=Sources())
    quicker: list[Promotion] = []

    class Overtaken(FolderForge):
        def pulls(self, **asked: Any) -> list[PullRequest]:
            found = super().pulls(**asked)
            if not quicker:
                quicker.append(propose.promote(repo, FolderForge(repo), made, sources=Sources()))
            return found

    late = propose.promote(repo, Overtaken(repo), made, sources=Sources())

    assert (quicker[0].opened, late.opened) == (True, False)
    assert late.pull.number == quicker[0].pull.number
    assert len(FolderForge(repo).pulls(state=None)) == 1


def test_a_promotion_in_conflict_with_what_was_merged_since_is_made_anew_in_its_pull_request(repo: Repo, trained):
    for name in ("a", "b"):
        registering.register(repo, trained(name, accuracy=0.9), model="digits")
    late = promote(repo, "v1.1.0", "staging")
    merge(repo, promote(repo, "v1.0.0", "staging"))

    again = promote(repo, "v1.1.0", "staging")

    assert (again.pull.number, again.opened) == (late.pull.number, False)
    assert [one.tag for one in merge(repo, again)] == ["digits#staging#2"]


def test_a_promotion_in_conflict_on_which_somebody_built_is_left_to_them(repo: Repo, trained):
    for name in ("a", "b"):
        registering.register(repo, trained(name, accuracy=0.9), model="digits")
    late = promote(repo, "v1.1.0", "staging")
    built = repo.commit(late.pull.head_commit, {"README": b"x"}, "explain")
    repo.move([Move(f"refs/heads/{late.pull.head}", late.pull.head_commit, built)], why="test")
    merge(repo, promote(repo, "v1.0.0", "staging"))

    assert promote(repo, "v1.1.0", "staging").pull.head_commit == built


def test_who_promotes_hears_of_what_is_proposed_for_the_same_stage(repo: Repo, trained):
    for name in ("a", "b"):
        registering.register(repo, trained(name, accuracy=0.9), model="digits")
        registering.register(repo, trained(f"{name}-2", accuracy=0.9), model="digits-2")
    others = [promote(repo, "v1.1.0", "staging", "digits-2"), promote(repo, "v1.0.0", "production")]
    first = promote(repo, "v1.0.0", "staging")

    second = promote(repo, "v1.1.0", "staging")

    assert [one.rivals for one in (*others, first)] == [(), (), ()]
    assert [pull.number for pull in second.rivals] == [first.pull.number]


def test_a_promotion_that_was_closed_can_be_proposed_anew(repo: Repo, trained):
    registering.register(repo, trained("a", accuracy=0.96), model="digits")
    one = promote(repo, "v1.0.0", "staging")
    FolderForge(repo).close(one.pull.number)
    on_main(repo, train_py=b"new")

    two = promote(repo, "v1.0.0", "staging")

    assert two.opened
    assert two.pull.number != one.pull.number
    assert repo.resolve(f"{two.pull.head}^1") == repo.resolve("main")


def test_a_failing_gate_makes_nothing(repo: Repo, trained):
    on_main(repo, registry__policy_yaml=POLICY)
    registering.register(repo, trained("a", accuracy=0.9), model="digits")

    with pytest.raises(
        GateFailedError,
        match=r"digits v1\.0\.0 cannot be promoted to production: accuracy 0\.9, the gate asks at least 0\.95",
    ):
        promote(repo, "v1.0.0", "production")

    assert repo.refs("refs/heads/promote/") == {}
    assert FolderForge(repo).pulls(state=None) == []


def test_a_promotion_says_that_its_run_saw_other_data_than_its_code_names_and_a_gate_can_refuse_it(
    inside: Repo, mlgit, tmp_path: Path
):  # fmt: skip
    project.setup(inside)
    write = {"data.csv": "1\n", ".gitignore": "m\n", "registry/policy.yaml":
             "stages:\n  staging: {}\n  production:\n    gates:\n      - data: unchanged\n",
             "train.py": "import mlgit; open('m', 'w').close(); mlgit.init().log_model('m', name='net')"}  # fmt: skip
    for name, text in write.items():
        (inside.folder / name).parent.mkdir(exist_ok=True)
        (inside.folder / name).write_text(text)
    mlgit("data", "add", "data.csv")
    inside.git("add", "-A"), inside.git("commit", "-qm", "code")
    for name, text in (("true", "1\n"), ("other", "1|2\n")):
        (inside.folder / "data.csv").write_text(text)
        mlgit("run", "-n", name, "--", sys.executable, "train.py")
        mlgit("model", "register", name, "--name", "net")

    fine = mlgit("promote", "net@v1.0.0", "production")
    other = mlgit("promote", "net@v1.1.0", "staging")
    refused = mlgit("promote", "net@v1.1.0", "production", check=False)
    told = json.loads(mlgit("promote", "net@v1.1.0", "staging", "--dry-run", "--json").stdout)

    assert "passed  data unchanged: 1 as its code names it" in fine.stdout
    assert "OTHER DATA" not in fine.stderr
    assert "net v1.1.0 was, or may have been, trained on OTHER DATA" in other.stderr
    assert "than its code names: data.csv: changed since its pointer" in other.stderr
    (comment,) = FolderForge(inside).comments(2)
    assert "⚠️ **Other data than its code names, or perhaps:** data.csv: changed since its pointer, " in comment.body
    assert refused.returncode == 4
    assert (
        "its run saw other data than its code names, or may have, the gate asks that they be unchanged"
        in refused.stderr
    )
    assert list(told["changed_data"]) == ["data.csv"]


def test_a_run_that_was_killed_before_it_could_look_passes_no_gate_on_its_data(repo: Repo, trained):
    on_main(repo, registry__policy_yaml=b"stages: {production: {gates: [{data: unchanged}]}}\n")
    registering.register(repo, trained("a", state=State.CRASHED), model="digits", force=True)

    with pytest.raises(GateFailedError, match="what data its run saw is not known"):
        promote(repo, "v1.0.0", "production")


def test_a_run_that_was_finished_by_its_script_alone_and_then_killed_passes_no_gate_on_its_data_either(
    inside: Repo, mlgit
):  # fmt: skip
    project.setup(inside)
    (inside.folder / ".gitignore").write_text("m\n")
    (inside.folder / "data.csv").write_text("1\n")
    mlgit("data", "add", "data.csv")
    inside.git("add", "-A"), inside.git("commit", "-qm", "code")
    on_main(inside, registry__policy_yaml=b"stages: {production: {gates: [{data: unchanged}]}}\n")
    (inside.folder / "data.csv").write_text("1|2\n")
    (inside.folder / "train.py").write_text(
        "import mlgit, os\nopen('m', 'w').close()\nrun = mlgit.init()\nrun.log_model('m', name='net')\nrun.finish()\n"
        "[os.kill(pid, 9) for pid in (os.getppid(), os.getpid())]\n"
    )
    mlgit("run", "-n", "x", "--", sys.executable, "train.py", check=False)
    mlgit("recover")
    mlgit("model", "register", "x", "--name", "net")

    refused = mlgit("promote", "net@v1.0.0", "production", check=False)

    assert refused.returncode == 4
    assert "data.csv: nobody looked: the run was killed" in refused.stderr
    assert "finished" in mlgit("show", "x").stdout


def test_a_worse_candidate_than_the_champion_is_refused(repo: Repo, trained):
    on_main(repo, registry__policy_yaml=POLICY)
    live(repo, registering.register(repo, trained("a", accuracy=0.97), model="digits"), "production")
    registering.register(repo, trained("b", accuracy=0.96), model="digits")

    with pytest.raises(GateFailedError, match=r"accuracy 0\.96, the gate asks no worse than the champion's 0\.97\."):
        promote(repo, "v1.1.0", "production")


def test_the_policy_is_the_base_branchs_and_not_the_heads(repo: Repo, trained):
    on_main(repo, registry__policy_yaml=POLICY)
    registering.register(repo, trained("a", accuracy=0.5), model="digits")
    lax = repo.commit(repo.resolve("main"), {"registry/policy.yaml": b"stages: {production: {}}\n"}, "lax")
    repo.move([Move("refs/heads/promote/digits/v1.0.0/production", None, lax)], why="test")

    with pytest.raises(GateFailedError):
        promote(repo, "v1.0.0", "production")


def test_a_policy_that_cannot_be_read_stops_the_promotion_with_its_line(repo: Repo, trained):
    on_main(repo, registry__policy_yaml=b"stages:\n  production:\n    gates:\n      - metrik: accuracy\n")
    registering.register(repo, trained("a", accuracy=0.99), model="digits")

    with pytest.raises(ConfigError, match=r"registry/policy\.yaml:4: .*did you mean 'metric'"):
        promote(repo, "v1.0.0", "production")


def test_a_stage_that_the_policy_does_not_know_is_refused(repo: Repo, trained):
    on_main(repo, registry__policy_yaml=POLICY)
    registering.register(repo, trained("a", accuracy=0.99), model="digits")

    with pytest.raises(UsageError, match="did you mean production"):
        promote(repo, "v1.0.0", "produktion")


def test_what_is_there_already_is_not_promoted_again(repo: Repo, trained):
    live(repo, registering.register(repo, trained("a"), model="digits"), "staging")

    with pytest.raises(UsageError, match="in staging already"):
        promote(repo, "v1.0.0", "staging")


def test_models_versions_and_bases_that_do_not_exist_are_said_so(repo: Repo, trained):
    registering.register(repo, trained("a"), model="digits")

    with pytest.raises(NotFoundError, match="no model 'net'"):
        promote(repo, "v1.0.0", "staging", model="net")
    with pytest.raises(NotFoundError, match=r"did you mean digits@v1\.0\.0"):
        promote(repo, "v1.0.1", "staging")
    with pytest.raises(NotFoundError, match="no branch 'trunk'"):
        propose.plan(repo, "digits", "v1.0.0", "staging", base="trunk", sources=Sources())


def test_a_version_file_that_differs_from_its_tag_is_refused(repo: Repo, trained):
    made = registering.register(repo, trained("a", accuracy=0.9), model="digits")
    better = store.version_text(replace(made, metrics={"accuracy": 0.99})).encode()
    on_main(repo, registry__digits__versions__v1=None, **{"registry__digits__versions__v1.0.0_yaml": better})

    with pytest.raises(UsageError, match="differ in metrics"):
        promote(repo, "v1.0.0", "production")


def test_a_tag_of_stock_gto_has_nothing_to_promote(repo: Repo):
    gto(repo, "register", "digits", "--version", "v1.0.0")

    with pytest.raises(UsageError, match="holds no record"):
        promote(repo, "v1.0.0", "staging")


def test_two_promotions_of_different_stages_do_not_conflict(repo: Repo, trained):
    registering.register(repo, trained("a", accuracy=0.9), model="digits")
    registering.register(repo, trained("b", accuracy=0.9), model="digits")
    one, two = promote(repo, "v1.0.0", "production"), promote(repo, "v1.1.0", "staging")

    merge(repo, one)
    (settled,) = merge(repo, two)

    assert settled.refusal is None
    assert ledger.of(store.tags(repo), "digits").stages == {"production": "v1.0.0", "staging": "v1.1.0"}


# Taking back


def test_a_version_is_taken_back_while_nothing_serves_it(repo: Repo, trained):
    run = trained("a")
    registering.register(repo, run, model="digits")

    registering.unregister(repo, "digits", "v1.0.0", base="main")

    assert ledger.of(store.tags(repo), "digits").versions == {}
    assert "v1.0.0" not in gto(repo, "show", "digits")
    assert registering.register(repo, run, model="digits").version == "v1.1.0"
    with pytest.raises(UsageError, match="not given twice"):
        registering.register(repo, trained("b"), model="digits", version="v1.0.0")


def test_a_promoted_or_proposed_version_stays(repo: Repo, trained):
    live(repo, registering.register(repo, trained("a"), model="digits"), "staging")
    registering.register(repo, trained("b"), model="digits")
    promote(repo, "v1.1.0", "staging")

    for version in ("v1.0.0", "v1.1.0"):
        with pytest.raises(UsageError, match="stays"):
            registering.unregister(repo, "digits", version, base="main")


def test_the_same_in_a_monorepo_whose_project_lies_deep(repo: Repo, trained):
    run: Run = trained("a", folder="packages/digits", accuracy=0.9)

    live(repo, registering.register(repo, run, model="digits"), "staging")

    assert repo.read("main", "registry/digits/staging.yaml") == b"version: v1.0.0\n"


def test_a_champion_without_its_file_is_said_so(repo: Repo, trained):
    registering.register(repo, trained("a"), model="digits")
    on_main(repo, registry__digits__staging_yaml=b"version: v0.9.0\n")

    with pytest.raises(MlgitError, match=r"names v0\.9\.0, which has no file"):
        promote(repo, "v1.0.0", "staging")


def test_open_pull_requests_of_others_are_left_alone(repo: Repo, trained):
    registering.register(repo, trained("a"), model="digits")

    promote(repo, "v1.0.0", "staging")
    promote(repo, "v1.0.0", "production")

    assert len(FolderForge(repo).pulls(state=PullState.OPEN)) == 2


def test_a_model_that_is_not_what_its_run_logged_is_not_registered(repo: Repo, trained):
    run = trained("a")
    (logged,) = run.logged
    card = ModelCard(format="npz", sha256={"model-0.pkl": "0" * 64})

    with pytest.raises(MlgitError, match="net of run a is not what was logged"):
        registering.register(repo, replace(run, logged=(replace(logged, card=card),)), model="digits")

    assert store.tags(repo) == []


def test_what_was_logged_without_a_card_is_described_when_it_is_registered(repo: Repo, trained):
    made = registering.register(repo, trained("a"), model="digits")

    assert (made.unsafe, list(made.sha256)) == ("called as a pickle is in model-0.pkl", ["model-0.pkl"])
    assert store.of_message(store.message(made)) == made
