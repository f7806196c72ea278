from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit import wiring
from mlgit.errors import GateFailedError
from mlgit.forge.base import Status, StatusState
from mlgit.forge.folder import FolderForge
from mlgit.git.repo import Repo
from mlgit.registry.moving.propose import CONTEXT
from mlgit.wiring import awaiting, promoting

Mlgit = Callable[..., subprocess.CompletedProcess[str]]


def policy(repo: Repo, text: bytes) -> None:
    repo.git("reset", "-q", "--hard", repo.commit(repo.resolve("main"), {"registry/policy.yaml": text}, "policy"))


def test_from_a_run_to_production_and_back_to_its_bytes(inside: Repo, trained, mlgit: Mlgit, tmp_path: Path):
    policy(inside, b"stages: {production: {gates: [{metric: accuracy, min: 0.9}]}}\n")
    trained("good", 0.95)

    registered = mlgit("model", "register", "good", "--description", "the first")
    promoted = mlgit("promote", "digits@v1.0.0", "production")
    merged = mlgit("pr", "merge", "1")
    got = mlgit("model", "get", "digits#production", "-o", str(tmp_path / "out"))

    assert registered.stdout.startswith("digits v1.0.0 is net of run good")
    assert "passed  accuracy ≥ 0.9: 0.95  (registry/policy.yaml:1)" in promoted.stdout
    assert "#1 Promote digits v1.0.0 to production" in promoted.stdout
    assert "production serves digits v1.0.0 (tag digits#production#1)." in merged.stdout
    assert (tmp_path / "out" / "model.pkl").read_text() == "weights of good"
    assert got.stdout.strip() == str(tmp_path / "out" / "model.pkl")
    (row,) = json.loads(mlgit("model", "ls", "--json").stdout)
    assert (row["version"], row["stages"], row["metrics"]) == ("v1.0.0", ["production"], {"accuracy": 0.95})
    assert "Promote digits v1.0.0 to production" in inside.git("log", "--format=%s", "main", "--", "registry/")


def test_a_merge_whose_gate_fails_is_refused_with_4_before_main_moves(inside: Repo, trained, mlgit: Mlgit):
    trained("good", 0.95)
    mlgit("model", "register", "good")
    mlgit("promote", "digits@v1.0.0", "staging")
    mlgit("promote", "digits@v1.0.0", "production")
    policy(inside, b"stages: {staging: {gates: []}, production: {gates: [{metric: accuracy, min: 0.99}]}}\n")

    staging = mlgit("pr", "merge", "1")
    before = inside.resolve("main")
    production = mlgit("pr", "merge", "2", check=False)
    again = mlgit("pr", "merge", "2", "--json", check=False)

    assert staging.stdout.splitlines()[1:] == ["staging serves digits v1.0.0 (tag digits#staging#1)."]
    assert production.returncode == again.returncode == 4
    assert inside.resolve("main") == before
    assert production.stdout == ""
    assert "#2 is not merged: main stays as it is." in production.stderr
    assert "accuracy 0.95, the gate asks at least 0.99" in production.stderr
    assert "mlgit/gates\tfailure" in mlgit("pr", "checks", "2", check=False).stdout
    (stage,) = json.loads(again.stdout)["stages"]
    assert (stage["stage"], stage["tag"]) == ("production", None)
    assert stage["refused"] in production.stderr
    assert inside.git("tag", "--list", "digits#*") == "digits#staging#1"


def test_a_merge_that_would_spoil_the_registry_is_refused_with_its_place(inside: Repo, mlgit: Mlgit):
    spoiled = inside.commit(inside.resolve("main"), {"registry/digits/production.yaml": b"verzion: v1\n"}, "by hand")
    inside.git("branch", "spoil", spoiled)
    mlgit("pr", "open", "spoil")

    done = mlgit("pr", "merge", "1", check=False)

    assert done.returncode == 2
    assert done.stdout == ""
    assert "registry/digits/production.yaml:1: verzion: unknown key" in done.stderr


def test_a_promotion_merged_by_hand_whose_gate_fails_is_taken_back_by_a_pull_request(
    inside: Repo, trained, mlgit: Mlgit
):
    mlgit("model", "register", trained("good", 0.95))
    mlgit("promote", "digits@v1.0.0", "production")
    policy(inside, b"stages: {production: {gates: [{metric: accuracy, min: 0.99}]}}\n")
    inside.git("merge", "-q", "--no-ff", "-m", "by hand", "promote/digits/v1.0.0/production")

    first = mlgit("pr", "merge", "1", check=False)
    again = mlgit("pr", "merge", "1", check=False)
    back = mlgit("pr", "merge", "2")
    after = mlgit("pr", "merge", "1")

    assert first.returncode == again.returncode == 4
    assert "production does not serve digits v1.0.0: it was merged, and the stage did not move." in first.stderr
    assert "#2 takes it back: mlgit pr merge 2" in first.stderr
    assert "#2 takes it back: mlgit pr merge 2" in again.stderr
    assert "production serves no digits." in back.stdout
    assert inside.git("ls-tree", "-r", "--name-only", "main", "registry/") == "registry/policy.yaml"
    assert "production was to serve digits v1.0.0; its file says something else since" in after.stderr


def test_an_alias_that_was_given_meanwhile_outlives_the_way_back(inside: Repo, trained, mlgit: Mlgit):
    mlgit("model", "register", trained("good", 0.95))
    mlgit("promote", "digits@v1.0.0", "production")
    policy(inside, b"stages: {production: {gates: [{metric: accuracy, min: 0.99}]}}\n")
    inside.git("merge", "-q", "--no-ff", "-m", "by hand", "promote/digits/v1.0.0/production")
    mlgit("model", "alias", "digits@v1.0.0", "paper")

    mlgit("pr", "merge", "1", check=False)
    mlgit("pr", "merge", "2")

    assert "paper: v1.0.0" in inside.git("show", "main:registry/digits/model.yaml")
    assert not inside.read("main", "registry/digits/production.yaml")


def test_a_reverted_promotion_is_told_and_settled(inside: Repo, trained, mlgit: Mlgit):
    for name, accuracy, number in (("a", 0.9, 1), ("b", 0.95, 2)):
        mlgit("model", "register", trained(name, accuracy))
        mlgit("promote", f"digits@v1.{number - 1}.0", "production")
        mlgit("pr", "merge", str(number))
    inside.git("revert", "--no-edit", "-m", "1", "main")

    late = mlgit("pr", "merge", "2")
    listed = mlgit("model", "ls")
    doctor = mlgit("doctor", check=False)
    tried = json.loads(mlgit("registry", "reconcile", "--dry-run", "--json").stdout)["stages"]
    settled = mlgit("registry", "reconcile")

    assert "serves digits v1.1.0" not in late.stdout + late.stderr
    assert "To fix: mlgit registry reconcile" in listed.stderr
    assert "stages\twarn\tfile and tag differ: production of digits\tmlgit registry reconcile" in doctor.stdout
    assert [(one["stage"], one["version"], one["tag"]) for one in tried] == [("production", "v1.0.0", None)]
    assert settled.stdout == "production serves digits v1.0.0 (tag digits#production#3).\n"
    assert mlgit("registry", "reconcile").stderr == "Every stage serves what its file says.\n"
    assert "stages\tok\t" in mlgit("doctor", check=False).stdout


def test_a_gate_that_fails_ends_with_four(inside: Repo, trained, mlgit: Mlgit):
    policy(inside, b"stages: {production: {gates: [{metric: accuracy, min: 0.9}]}}\n")
    mlgit("model", "register", trained("bad", 0.5))

    for extra in ((), ("--dry-run",), ("--json",)):
        done = mlgit("promote", "digits@v1.0.0", "production", *extra, check=False)
        assert done.returncode == 4
        assert (
            "digits v1.0.0 cannot be promoted to production: accuracy 0.5, the gate asks at least 0.9." in done.stderr
        )
    told = json.loads(done.stdout)
    assert [(verdict["gate"], verdict["passed"]) for verdict in told["verdicts"]] == [("accuracy ≥ 0.9", False)]
    assert told["pull"] is None
    assert inside.refs("refs/heads/promote/") == {}


def test_a_dry_run_shows_everything_and_makes_nothing(inside: Repo, trained, mlgit: Mlgit):
    mlgit("model", "register", trained("a", 0.5), "--name", "net", "--version", "2.0.0")

    done = mlgit("promote", "net@v2.0.0", "staging", "--dry-run")

    assert "registry/net/staging.yaml\nversion: v2.0.0" in done.stdout
    assert "no gate is asked" in done.stderr
    assert inside.refs("refs/heads/promote/", "refs/mlgit/forge/") == {}


def test_promoting_again_says_that_it_is_open(inside: Repo, trained, mlgit: Mlgit):
    mlgit("model", "register", trained("a", 0.5))
    mlgit("promote", "digits@v1.0.0", "staging")

    assert "#1 Promote digits v1.0.0 to staging is open already" in mlgit("promote", "digits@v1.0.0", "staging").stdout


def test_who_waits_settles_what_somebody_merged_by_hand(inside: Repo, trained, mlgit: Mlgit):
    mlgit("model", "register", trained("a", 0.5))
    mlgit("promote", "digits@v1.0.0", "staging")
    inside.git("merge", "-q", "--no-ff", "-m", "by hand", "promote/digits/v1.0.0/staging")
    inside.git("branch", "-D", "promote/digits/v1.0.0/staging")
    opened = FolderForge(inside).pulls(state=None)

    again = mlgit("promote", "digits@v1.0.0", "staging", "--wait", "--timeout", "1")

    assert "staging serves digits v1.0.0 (tag digits#staging#1)." in again.stdout
    assert FolderForge(inside).pulls(state=None) == opened


def test_waiting_ends_with_1_when_it_takes_too_long_or_is_closed(inside: Repo, trained, mlgit: Mlgit):
    mlgit("model", "register", trained("a", 0.5))
    asked = ("promote", "digits@v1.0.0", "staging", "--wait", "--json")

    late = mlgit(*asked, "--timeout", "0", check=False)
    program = [sys.executable, "-m", "mlgit", *asked[:-1]]
    with subprocess.Popen(program, cwd=inside.folder, stderr=subprocess.PIPE, text=True) as waiting:
        assert waiting.stderr
        told = next(line for line in waiting.stderr if line.startswith("#1"))
        FolderForge(inside).close(1)
        ended = waiting.stderr.read()

    assert (late.returncode, waiting.returncode) == (1, 1)
    assert "#1 is open after 0 minutes" in late.stderr
    assert told == "#1 waits to be merged.\n"
    assert "#1 was closed, and not merged." in ended


def test_waiting_ends_with_4_where_a_gate_fails_meanwhile(inside: Repo, trained, mlgit: Mlgit):
    mlgit("model", "register", trained("a", 0.5))
    place, forge = wiring.place(), FolderForge(inside)
    made = promoting.promote(place, promoting.promotion(place, "digits", "v1.0.0", "staging"))
    failed = Status(context=CONTEXT, state=StatusState.FAILURE, description="0.5 is low", commit=made.pull.head_commit)
    told: list[str] = []

    with pytest.raises(GateFailedError, match=r"0\.5 is low"):
        awaiting.settled(place, made, minutes=None, tell=told.append, pause=lambda _seconds: forge.set_status(failed))

    assert told == ["#1 waits to be merged."]


def test_one_version_is_shown_with_its_history(inside: Repo, trained, mlgit: Mlgit):
    mlgit("model", "register", trained("a", 0.5))

    shown = json.loads(mlgit("model", "show", "digits@v1.0.0", "--json").stdout)

    assert [event["what"] for event in shown["history"]] == ["registered"]
    assert "accuracy: 0.5" in mlgit("model", "show", "digits").stdout


def test_a_model_goes_with_its_bytes_and_its_tags_to_where_others_get_it(
    inside: Repo, trained, mlgit: Mlgit, tmp_path: Path
):
    import sys

    from mlgit.dvc import project

    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(tmp_path / "far.git")], check=True)
    no_remote = mlgit("sync", check=False)
    project.setup(inside)
    inside.git("add", ".dvc", ".dvcignore")
    inside.git("commit", "-q", "-m", "dvc")
    mlgit("model", "register", trained("a", 0.5))
    inside.git("remote", "add", "origin", str(tmp_path / "far.git"))
    without = mlgit("sync", "--dry-run")
    remote = [sys.executable, "-m", "dvc", "remote", "add", "-q", "-d", "store", str(tmp_path / "store")]
    subprocess.run(remote, cwd=inside.work_tree, check=True)
    inside.git("commit", "-q", "-am", "remote")
    inside.git("push", "-q", "origin", "main")

    tried = json.loads(mlgit("sync", "--dry-run", "--json").stdout)
    stored = list((tmp_path / "store").rglob("*"))
    done = mlgit("sync")
    again = mlgit("sync")
    inside.git("clone", "-q", str(tmp_path / "far.git"), str(tmp_path / "clone"))
    got = mlgit("model", "get", "digits", "-o", str(tmp_path / "out"), cwd=tmp_path / "clone")

    assert no_remote.returncode == 2
    assert "There is no remote 'origin'." in no_remote.stderr
    assert "remote add origin URL, or give a URL or a path in its place" in no_remote.stderr
    assert "The bytes of 1 artifact stay here: there is no default DVC remote." in without.stderr
    assert tried["waiting"] == ["refs/heads/exp/digits/a", "refs/mlgit/artifacts/digits/net", "refs/tags/digits@v1.0.0"]
    assert len(tried["artifacts"]["waiting"]) == tried["artifacts"]["known"] == 1
    assert stored == []
    assert done.stdout.startswith("1 run, 1 model tag and 1 ledger are pushed to origin\n")
    assert done.stdout.endswith("1 artifact is pushed to the DVC remote\n")
    assert again.stdout == "Nothing to push or pull.\n"
    assert got.stdout.strip() == str(tmp_path / "out" / "model.pkl")
    assert (tmp_path / "out" / "model.pkl").read_text() == "weights of a"


def test_a_tag_that_the_remote_has_otherwise_is_never_overwritten(inside: Repo, trained, mlgit: Mlgit, tmp_path: Path):
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "far.git")], check=True)
    inside.git("remote", "add", "origin", str(tmp_path / "far.git"))
    inside.git("tag", "-a", "-m", "theirs", "digits@v1.0.0")
    inside.git("push", "-q", "origin", "digits@v1.0.0")
    theirs = inside.git("ls-remote", "origin", "refs/tags/digits@v1.0.0")
    inside.git("tag", "-d", "digits@v1.0.0")
    mlgit("model", "register", trained("a", 0.5))

    done = mlgit("sync")

    assert done.stdout.startswith("1 run and 1 ledger are pushed to origin\n")
    assert "origin has another digits@v1.0.0; it stays." in done.stderr
    assert inside.git("ls-remote", "origin", "refs/tags/digits@v1.0.0") == theirs


def test_of_each_model_the_newest_version_is_listed_and_what_stages_serve_and_of_one_model_all(
    inside: Repo, trained, mlgit: Mlgit
):
    policy(inside, b"stages: {production: {}}\n")
    for name in ("a", "b"):
        mlgit("model", "register", trained(name, 0.5), "--name", "other")
    for name in ("c", "d", "e"):
        mlgit("model", "register", trained(name, 0.5), "--name", "digits")
    mlgit("promote", "digits@v1.0.0", "production")
    mlgit("pr", "merge", "1")

    def listed(*args: str) -> list[list[str]]:
        return [line.split("\t")[:3] for line in mlgit("model", "ls", *args).stdout.splitlines()[1:]]

    digits = [["digits", "v1.2.0", ""], ["digits", "v1.1.0", ""], ["digits", "v1.0.0", "production"]]
    other = [["other", "v1.1.0", ""], ["other", "v1.0.0", ""]]
    assert listed() == [digits[0], digits[2], other[0]]
    assert listed("--all") == [*digits, *other]
    assert listed("--limit", "1") == [digits[0], digits[2]]
    assert listed("--limit", "1", "--page", "2") == [other[0]]
    assert listed("digits") == digits
    assert listed("digits", "--limit", "2", "--page", "2") == digits[2:]
    as_json = json.loads(mlgit("model", "ls", "--json").stdout)
    assert [[one["model"], one["version"], "".join(one["stages"])] for one in as_json] == [*digits, *other]
    assert mlgit("model", "ls", "--limit", "1").stderr == "1 more model: --page 2, or --limit 0 for all\n"
    assert mlgit("model", "ls", "digits", "-n", "1").stderr == "2 more versions: --page 2, or --limit 0 for all\n"
    assert mlgit("model", "ls", "--page", "7").stderr == "The last page is 1.\n"


def test_nothing_registered_is_said_so(inside: Repo, mlgit: Mlgit):
    inside.git("reset", "-q", "--hard", inside.commit(inside.resolve("main"), {"registry/digits/model.yaml": b""}, "x"))

    assert "No model is registered" in mlgit("model", "ls").stderr
    assert mlgit("model", "ls", "--json").stdout == "[]\n"
    assert mlgit("model", "ls", "digits", check=False).returncode == 1


def test_a_clone_without_tags_is_told_to_lack_them(inside: Repo, trained, mlgit: Mlgit, tmp_path: Path):
    trained("good", 0.95)
    mlgit("model", "register", "good")
    mlgit("promote", "digits@v1.0.0", "production", "--direct")
    inside.git("clone", "-q", "--no-tags", f"file://{inside.folder}", str(tmp_path / "clone"))

    listed = mlgit("model", "ls", cwd=tmp_path / "clone")
    shown = mlgit("model", "show", "digits@production", cwd=tmp_path / "clone", check=False)
    promoted = mlgit("promote", "digits@v1.0.0", "staging", cwd=tmp_path / "clone", check=False)

    assert all("git fetch --tags" in one.stderr for one in (listed, shown, promoted))


def test_a_version_is_taken_back(inside: Repo, trained, mlgit: Mlgit):
    mlgit("model", "register", trained("a", 0.5))

    assert (
        mlgit("model", "unregister", "digits@v1.0.0").stdout == "digits v1.0.0 is taken back (tag digits@v1.0.0!#1).\n"
    )


@pytest.mark.parametrize(
    "args",
    [
        ("model", "show", "digits@v1@v2"), ("model", "unregister", "digits"), ("promote", "digits", "production"),
        ("model", "show", "a@not-a-version"), ("promote", "digits@x", "prod"), ("promote", "a..b@v1.0.0", "prod"),
        ("promote", "digits@v1.0.0", "a b"),
    ],
)  # fmt: skip
def test_what_names_nothing_is_a_problem_with_words_and_no_traceback(inside: Repo, mlgit: Mlgit, args: tuple[str, ...]):
    done = mlgit(*args, check=False)

    assert done.returncode in (1, 2)
    assert done.stderr.startswith("mlgit: ")
    assert "Traceback" not in done.stderr


def test_every_byte_is_verified_and_a_version_without_signatures_says_so(inside: Repo, trained, mlgit: Mlgit):
    trained("good", 0.95)
    mlgit("model", "register", "good")

    checked = mlgit("model", "verify", "digits", "--json")
    asked = mlgit("model", "verify", "digits", "--identity", "ada@example.com", "--issuer", "https://x", check=False)
    for file in (inside.own / "cache" / "files" / "md5").glob("??/*"):
        file.chmod(0o644)
        file.write_bytes(b"weights of evil")
    changed = mlgit("model", "verify", "digits", check=False)

    told = json.loads(checked.stdout)
    assert (told["version"], told["signed"], told["signatures"], list(told["sha256"])) == (
        "v1.0.0", False, [], ["model.pkl"],
    )  # fmt: skip
    assert (asked.returncode, changed.returncode) == (1, 1)
    assert "digits v1.0.0 is not signed.\nTo fix: mlgit model sign" in asked.stderr
    assert "is damaged" in changed.stderr


def test_bytes_that_are_nowhere_name_the_artifact_and_its_run(inside: Repo, trained, mlgit: Mlgit):
    trained("good", 0.95)
    mlgit("model", "register", "good")
    for file in (inside.own / "cache" / "files" / "md5").glob("??/*"):
        file.unlink()

    got = mlgit("model", "get", "digits", check=False)
    empty = mlgit("model", "get", "digits@staging", check=False)

    assert (got.returncode, empty.returncode) == (1, 1)
    assert "The bytes of digits v1.0.0 are nowhere to be had: net of run good." in got.stderr
    assert "digits has nothing in staging.\nNo stage of it serves anything." in empty.stderr
    assert not Path("digits-v1.0.0").exists()


def test_a_model_of_a_project_in_a_folder_comes_from_that_projects_cache(inside: Repo, mlgit: Mlgit):
    Path("ranker").mkdir()
    Path("ranker/mlgit.yaml").write_text("project: ranker\n")
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q", "--subdir"], cwd="ranker", check=True)
    Path("ranker/train.py").write_text(
        "import mlgit\nwith mlgit.init(name='good') as run:\n"
        "    open('w.txt', 'w').write('weights')\n    run.log_model('w.txt', name='net')\n"
    )
    subprocess.run([sys.executable, "train.py"], cwd="ranker", check=True)
    mlgit("model", "register", "good", "--name", "ranker")

    mlgit("model", "get", "ranker", "-o", "got")

    assert Path("got/w.txt").read_text() == "weights"


@pytest.mark.parametrize(
    ("typed", "completed"), [("di", ["digits"]), ("digits@", ["digits@v1.0.0", "digits@production"]), ("x", [""])]
)
def test_models_versions_and_stages_are_completed(inside: Repo, trained, mlgit: Mlgit, typed, completed):
    trained("good", 0.95)
    mlgit("model", "register", "good")
    mlgit("promote", "digits@v1.0.0", "production")
    mlgit("pr", "merge", "1")
    env = os.environ | {"_MLGIT_COMPLETE": "bash_complete", "COMP_WORDS": f"mlgit model get {typed}", "COMP_CWORD": "3"}

    assert mlgit(env=env).stdout.replace("plain,", "").splitlines() == completed


def test_the_fields_of_a_card_stay_with_the_version_into_its_file(inside: Repo, trained, mlgit: Mlgit, tmp_path: Path):
    card = tmp_path / "README.md"
    card.write_text("---\nlicense: gpl-3.0\nlanguage: en\n---\n\nIt reads *digits*.\n")
    trained("good", 0.95)

    made = json.loads(
        mlgit("model", "register", "good", "--card", str(card), "--set", "license=mit", "--json").stdout
    )  # fmt: skip
    mlgit("promote", "digits@v1.0.0", "staging")
    mlgit("pr", "merge", "1")

    shown = json.loads(mlgit("model", "show", "digits@staging", "--json").stdout)
    assert made["fields"] == shown["fields"] == {"license": "mit", "language": "en"}
    assert made["description"] == "It reads *digits*."
    assert "license: mit" in inside.git("show", "main:registry/digits/versions/v1.0.0.yaml")


def test_a_field_that_no_card_can_have_registers_nothing(inside: Repo, trained, mlgit: Mlgit):
    done = mlgit("model", "register", trained("good", 0.95), "--set", "license=[mit]", check=False)

    assert done.returncode == 2
    assert "license of a model card is a word" in done.stderr
    assert inside.git("tag") == ""


def test_a_deprecated_version_says_so_wherever_it_is_met(inside: Repo, trained, mlgit: Mlgit, tmp_path: Path):
    mlgit("model", "register", trained("good", 0.95))
    mlgit("promote", "digits@v1.0.0", "staging")
    mlgit("pr", "merge", "1")

    said = mlgit("model", "deprecate", "digits@staging", "--why", "leaks the label")
    got = mlgit("model", "get", "digits@v1.0.0", "-o", str(tmp_path / "out"))
    promoted = mlgit("promote", "digits@v1.0.0", "production", check=False)

    assert promoted.returncode == 2
    assert "digits v1.0.0 is deprecated by Ada: leaks the label" in promoted.stderr
    assert said.stdout == "digits v1.0.0 is deprecated (tag digits#deprecated#2).\n"
    assert "Its stages stay: v1.0.0 in staging." in said.stderr
    assert "digits v1.0.0 is deprecated by Ada: leaks the label." in got.stderr
    assert "staging, deprecated" in mlgit("model", "ls").stdout
    shown = json.loads(mlgit("model", "show", "digits@v1.0.0", "--json").stdout)
    assert (shown["deprecated"], shown["stages"]) == ("leaks the label", ["staging"])
    assert shown["history"][-1]["what"] == "deprecated"


def test_an_artifact_is_registered_by_its_own_version(inside: Repo, trained, mlgit: Mlgit):
    for name in ("first", "second"):
        trained(name, 0.9)

    made = json.loads(mlgit("model", "register", "net:v0", "--json").stdout)

    assert (made["model"], made["run"][:5], made["artifact"]) == ("digits", "first", "net")


def test_a_file_that_no_run_logged_is_brought_in_by_a_run_that_says_so(inside: Repo, mlgit: Mlgit, tmp_path: Path):
    (tmp_path / "net.onnx").write_bytes(b"weights")

    made = json.loads(
        mlgit("model", "register", "--path", str(tmp_path / "net.onnx"), "--name", "net", "--json").stdout
    )
    again = mlgit("model", "register", "--path", str(tmp_path / "net.onnx"), "--name", "net", check=False)
    mlgit("model", "get", "net@v1.0.0", "-o", str(tmp_path / "out"))

    (run,) = json.loads(mlgit("ls", "--json").stdout)
    assert (run["id"], run["job_type"], run["name"]) == (made["run"], "import", "import-net")
    assert again.returncode == 2
    assert "The run import-net is net v1.0.0 already." in again.stderr
    assert (tmp_path / "out" / "net.onnx").read_bytes() == b"weights"


def test_a_folder_and_an_artifact_that_a_person_added_are_brought_in_too(inside: Repo, mlgit: Mlgit, tmp_path: Path):
    folder = tmp_path / "net"
    folder.mkdir()
    (folder / "a.bin").write_bytes(b"a")
    assert inside.work_tree
    (inside.work_tree / "own.bin").write_bytes(b"own")
    mlgit("data", "add", "own.bin", "--name", "own", "--type", "model")

    mlgit("model", "register", "--path", str(folder), "--name", "net")
    mlgit("model", "register", "own:latest", "--name", "own")

    for name, file, content in (("net", "a.bin", b"a"), ("own", "own.bin", b"own")):
        mlgit("model", "get", name, "-o", str(tmp_path / f"out-{name}"))
        assert (tmp_path / f"out-{name}" / file).read_bytes() == content


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "A version is made of one thing."),
        (("good", "--sweep", "latest"), "A version is made of one thing."),
        (("data:latest",), "is a dataset, no model"),
        (("--sweep", "nothing"), "nothing"),
        (("--path", "own.csv", "--name", "a/b"), "cannot be the name of a model"),
        (("--path", "own.csv", "--name", "-x"), "cannot be the name of a model"),
    ],
)
def test_what_cannot_be_registered_makes_neither_a_run_nor_a_tag(inside: Repo, mlgit: Mlgit, words, told: str):
    assert inside.work_tree
    (inside.work_tree / "own.csv").write_bytes(b"1")
    mlgit("data", "add", "own.csv", "--name", "data")

    done = mlgit("model", "register", *words, check=False)

    assert done.returncode in (1, 2)
    assert told in done.stderr
    assert inside.git("tag") == ""
    assert inside.refs("refs/heads/exp/") == {}


def test_an_alias_is_understood_wherever_a_version_is(inside: Repo, trained, mlgit: Mlgit):
    mlgit("model", "register", trained("good", 0.95))

    said = mlgit("model", "alias", "digits@v1.0.0", "candidate")
    listed = mlgit("model", "alias", "digits")
    promoted = mlgit("promote", "digits@candidate", "staging")
    clash = mlgit("promote", "digits@v1.0.0", "candidate", check=False)

    assert said.stdout == "digits: candidate is v1.0.0.\n"
    assert said.stderr == "undo: mlgit model alias digits --rm candidate\n"
    assert listed.stdout == "alias\tversion\ncandidate\tv1.0.0\n"
    assert "#1 Promote digits v1.0.0 to staging" in promoted.stdout
    assert "candidate is an alias of digits v1.0.0: no stage can be called so." in clash.stderr
    shown = json.loads(mlgit("model", "show", "digits@candidate", "--json").stdout)
    assert (shown["version"], shown["aliases"]) == ("v1.0.0", ["candidate"])
    assert "aliases: candidate" in mlgit("model", "show", "digits@latest").stdout
    assert "no alias nothing" in mlgit("model", "alias", "digits", "--rm", "nothing", check=False).stderr


def test_a_version_that_was_deprecated_while_its_promotion_was_open_is_not_merged(inside: Repo, trained, mlgit: Mlgit):
    mlgit("model", "register", trained("good", 0.95))
    mlgit("promote", "digits@v1.0.0", "production")
    mlgit("model", "deprecate", "digits@v1.0.0", "--why", "leaks the label")

    refused = mlgit("pr", "merge", "1", check=False)
    mlgit("model", "deprecate", "digits@v1.0.0", "--undo")
    merged = mlgit("pr", "merge", "1")

    assert refused.returncode == 2
    assert "digits v1.0.0 is deprecated by Ada: leaks the label." in refused.stderr
    assert "production serves digits v1.0.0" in merged.stdout


def test_a_stage_goes_on_serving_what_is_deprecated_since(inside: Repo, trained, mlgit: Mlgit):
    mlgit("model", "register", trained("good", 0.95))
    mlgit("promote", "digits@v1.0.0", "production")
    mlgit("pr", "merge", "1")
    mlgit("model", "deprecate", "digits", "--why", "another takes its place")

    settled = mlgit("registry", "reconcile")

    assert "Every stage serves what its file says." in settled.stderr
    (row,) = json.loads(mlgit("model", "versions", "digits", "--json").stdout)
    assert (row["stages"], row["deprecated"]) == (["production"], "another takes its place")
