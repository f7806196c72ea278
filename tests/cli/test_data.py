"""`mlgit data`: what is kept in versions, on the command line."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from mlgit.dvc import project as dvc_project
from mlgit.git.repo import Repo

LOGGING = """
import mlgit
with mlgit.init(name="first") as run:
    for content in "ab":
        open("digits.csv", "w").write(content)
        data = mlgit.Artifact("digits", type="dataset")
        data.add_file("digits.csv")
        run.log_artifact(data, aliases=["gold"])
    run.log_artifact("digits.csv", name="churn", type="model")
"""


def test_verbs_are_completed_and_one_that_is_mistyped_is_suggested(mlgit):
    env = os.environ | {"_MLGIT_COMPLETE": "bash_complete", "COMP_WORDS": "mlgit data l", "COMP_CWORD": "2"}
    wrong = mlgit("data", "lss", check=False)

    assert "plain,ls" in mlgit(env=env).stdout.split()
    assert (wrong.returncode, "Did you mean 'ls'?" in wrong.stderr) == (2, True)


def test_artifacts_are_listed_with_their_newest_versions(inside, python, mlgit):
    python("-c", LOGGING)

    listed = {one["name"]: one for one in json.loads(mlgit("data", "ls", "--json").stdout)}
    assert (listed["digits"]["version"], listed["digits"]["aliases"]) == ("v1", ["gold", "latest"])
    assert listed["churn"]["type"] == "model"
    assert "churn" not in mlgit("data", "ls", "--type", "dataset").stdout


def test_where_there_is_nothing_yet_that_is_said(inside, mlgit):
    assert "Nothing is kept" in mlgit("data", "ls").stderr


@pytest.fixture
def digits(inside: Repo) -> Path:
    folder = Path("data/digits")
    for name in ("train/1", "test/2"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def test_a_folder_is_added_and_what_to_commit_is_said(inside, digits, mlgit):
    first = mlgit("data", "add", "data/digits", "--split", "train=train/,test=test/", "--meta", "rows=2")
    again = mlgit("data", "add", "data/digits")

    said, _, commit = first.stdout.strip().partition("; ")
    assert said == "digits:v0, 2 files, 13 B"
    subprocess.run(["bash", "-c", commit], check=True)
    assert inside.git("status", "--porcelain", "-uall").splitlines() == [
        "A  .dvc/.gitignore", "A  .dvc/config", "A  .dvcignore", "A  data/.gitignore", "A  data/digits.dvc",
    ]  # fmt: skip
    assert again.stdout == "digits:v0 already\n"
    (told,) = json.loads(mlgit("data", "ls", "--json").stdout)
    assert (told["splits"], told["metadata"]) == ({"train": ["train/"], "test": ["test/"]}, {"rows": 2})
    assert (told["by"], told["run"]) == ("Ada <ada@example.com>", None)


def test_a_file_that_is_a_link_to_the_cache_is_called_what_it_is(inside, digits, mlgit, python):
    dvc_project.setup(inside)
    (inside.folder / ".dvc/config").write_text("[cache]\n    type = symlink\n")
    (inside.folder / "rows.csv").write_text("1")
    mlgit("data", "add", "rows.csv")
    again = mlgit("data", "add", "rows.csv")
    python("-c", "import mlgit\nwith mlgit.init() as run: run.log_artifact('rows.csv', name='logged', type='dataset')")

    assert (inside.folder / "rows.csv").is_symlink()
    assert again.stdout == "rows:v0 already\n"
    told = json.loads(mlgit("data", "ls", "--json").stdout)
    assert {one["name"]: one["path"] for one in told} == {"logged": "rows.csv", "rows": "rows.csv"}


def test_what_to_commit_is_named_from_where_one_stands(inside, digits, mlgit):
    said = mlgit("data", "add", "digits", cwd=inside.folder / "data").stdout

    _, _, commit = said.strip().partition("; ")
    subprocess.run(["bash", "-c", commit], cwd=inside.folder / "data", check=True)
    assert "A  data/digits.dvc" in inside.git("status", "--porcelain", "-uall").splitlines()


def test_what_would_be_added_is_said_and_nothing_is_done(inside, digits, mlgit):
    done = mlgit("data", "add", "-n", "data/digits", "--split", "all=*,test=test/")

    assert done.stdout == "data/digits would be added to digits, a dataset: 2 files, 13 B, split into all, test\n"
    assert "1 file is in all and in test: test/2" in done.stderr
    assert (inside.git("status", "--porcelain").splitlines(), inside.refs("refs/mlgit/")) == (["?? data/"], {})


def test_one_name_is_for_one_path(digits, mlgit):
    done = mlgit("data", "add", "data/digits", "data", "--name", "both", check=False)

    assert (done.returncode, "cannot all be called both" in done.stderr) == (2, True)


def test_names_versions_and_aliases_are_completed(digits, mlgit):
    mlgit("data", "add", "data/digits", "--alias", "gold")

    def completed(word: str) -> list[str]:
        env = os.environ | {
            "_MLGIT_COMPLETE": "fish_complete", "COMP_WORDS": "mlgit data add x --name", "COMP_CWORD": word,
        }  # fmt: skip
        return [line.partition("\t")[0].removeprefix("plain,") for line in mlgit(env=env).stdout.splitlines()]

    assert completed("di") == ["digits"]
    assert completed("digits:") == ["digits:gold", "digits:latest", "digits:v0"]


def test_nobody_takes_away_the_bytes_of_what_a_person_added(inside, digits, mlgit, python):
    mlgit("data", "add", "data/digits/train/1", "--name", "one")
    python(
        "-c", "import mlgit; mlgit.init(name='same').log_artifact('data/digits/train/1', name='one', type='dataset')"
    )
    (digits / "train/1").unlink()
    Path("data/digits/train/1.dvc").unlink()
    mlgit("purge", "same", "--yes")

    mlgit("gc", "--yes")

    assert mlgit("fsck", check=False).returncode == 0
    python("-c", "import mlgit; mlgit.Api().artifact('one:v0').download('there')")
    assert Path("there/1").read_text() == "train/1"


def test_bytes_that_are_nowhere_are_found(inside, digits, mlgit):
    mlgit("data", "add", "data/digits")
    shutil.rmtree(".dvc/cache")

    done = mlgit("fsck", check=False)

    assert done.returncode == 1
    assert "refs/mlgit/artifacts/repo/digits" in done.stdout
    assert "are nowhere" in done.stdout


@pytest.fixture
def versions(digits, mlgit) -> None:
    """digits:v0 (gold) and digits:v1 (latest)."""
    mlgit("data", "add", "data/digits", "--alias", "gold", "--description", "of March")
    (digits / "train/1").write_text("another")
    mlgit("data", "add", "data/digits")


def test_the_history_of_a_dataset_tells_who_made_and_who_used_it(versions, python, mlgit):
    python("-c", "import mlgit; mlgit.init(name='reader').use_artifact('digits:gold')")

    newest, first = json.loads(mlgit("data", "history", "digits", "--json").stdout)
    lines = mlgit("data", "history", "digits").stdout.splitlines()
    assert (newest["version"], first["version"], len(first["used_by"]), newest["used_by"]) == ("v1", "v0", 1, [])
    assert [cell for cell in lines[2].split("\t") if cell not in ("now", "0 min")][:5] == [
        "v0", "gold", "13 B", "2", "Ada",
    ]  # fmt: skip
    assert "reader-" in lines[2]
    assert lines[2].endswith("of March")


def test_who_asks_for_the_history_of_nothing_hears_what_there_is(versions, mlgit):
    done = mlgit("data", "history", "digts", check=False)

    assert (done.returncode, "there are: digits" in done.stderr) == (1, True)


def test_an_alias_moves_and_what_is_printed_undoes_it(versions, mlgit):
    before = mlgit("data", "history", "digits", "--json").stdout
    done = mlgit("data", "tag", "digits:latest", "+gold", "+paper")

    assert done.stdout == "digits:v1: +gold +paper  (now latest, gold, paper)\n"
    assert json.loads(mlgit("data", "history", "digits", "--json").stdout)[1]["aliases"] == []
    for line in done.stderr.splitlines():
        mlgit(*line.removeprefix("undo: mlgit ").split())
    assert mlgit("data", "history", "digits", "--json").stdout == before


def test_an_alias_of_what_a_run_logged_moves_as_well(inside, python, mlgit):
    python("-c", LOGGING)

    mlgit("data", "tag", "digits:v0", "+gold", "+first")
    taken = mlgit("data", "tag", "digits:v0", "-first", "--json")

    assert json.loads(taken.stdout)["after"] == ["gold"]
    assert json.loads(mlgit("data", "history", "digits", "--json").stdout)[0]["aliases"] == ["latest"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["digits:v0"], "One version"), (["+gold"], "One version"), (["digits:v0", "-nix"], "not called nix"),
        (["digits:v0", "+v3"], "cannot be an alias"), (["digits:v7", "+a"], "no version"),
    ],
)  # fmt: skip
def test_what_no_alias_can_come_of_is_refused(versions, inside, mlgit, words, said):
    before = inside.refs()
    done = mlgit("data", "tag", *words, check=False)

    assert done.returncode
    assert said in done.stderr
    assert inside.refs() == before


def test_a_version_is_hidden_and_comes_back_as_it_was(versions, mlgit, inside):
    before = mlgit("data", "history", "digits", "--json").stdout
    done = mlgit("data", "rm", "digits:v1", "digits:gold")

    assert done.stdout.splitlines() == ["digits:v1 (latest) is hidden", "digits:v0 (gold) is hidden"]
    assert "Nothing is kept" in mlgit("data", "ls").stderr
    assert mlgit("data", "tag", "digits:v1", "+a", check=False).returncode == 1
    assert mlgit(*done.stderr.strip().removeprefix("undo: mlgit ").split()).stdout.splitlines() == [
        "digits:v1 (latest) is back", "digits:v0 (gold) is back",
    ]  # fmt: skip
    assert mlgit("data", "history", "digits", "--json").stdout == before
    assert inside.git("log", "--format=%s", "-2", "refs/mlgit/artifacts/repo/digits").splitlines() == [
        "digits:v0 is back", "digits:v1 is back",
    ]  # fmt: skip


def test_the_number_of_a_hidden_version_is_given_to_no_other(versions, digits, mlgit):
    mlgit("data", "rm", "digits:v1")
    (digits / "train/1").write_text("a third")

    assert mlgit("data", "add", "data/digits").stdout.startswith("digits:v2, ")


def test_of_a_name_whose_versions_are_all_hidden_the_newest_comes_back(versions, mlgit):
    mlgit("data", "rm", "digits:v0", "digits:v1")

    assert mlgit("data", "restore", "digits").stdout.startswith("digits:v1")


def test_to_hide_all_of_a_name_its_versions_have_to_be_named(versions, mlgit):
    done = mlgit("data", "rm", "digits", check=False)

    assert (done.returncode, "Which version" in done.stderr) == (2, True)


def test_projects_that_call_two_things_alike_are_told_apart(inside, python, mlgit):
    for project in ("p", "q"):
        Path("x.csv").write_text(project)
        log = f"mlgit.init(project='{project}').log_artifact('x.csv', name='digits', type='dataset')"
        python("-c", f"import mlgit; {log}")

    assert {line.partition("\t")[0] for line in mlgit("data", "ls").stdout.splitlines()[1:]} == {"p/digits", "q/digits"}
    assert len(json.loads(mlgit("data", "history", "q/digits", "--json").stdout)) == 1
    several = mlgit("data", "history", "digits", check=False)
    assert (several.returncode, "one of p/digits, q/digits" in several.stderr) == (2, True)


def test_a_table_that_a_run_logged_is_found_by_its_name_and_said_where_there_is_none(inside, python, mlgit, tmp_path):
    python("-c", "import mlgit\nmlgit.init(id='told').log({'answers': mlgit.Table(columns=['a'], data=[[1]])})")

    mlgit("data", "checkout", "run-told-answers:latest", tmp_path / "here")
    missing = mlgit("data", "checkout", "run-told-nothing:latest", tmp_path / "there", check=False)

    assert json.loads((tmp_path / "here/answers.table.json").read_text())["data"] == [[1]]
    assert (missing.returncode, "There is no artifact 'run-told-nothing'" in missing.stderr) == (1, True)


def test_what_would_come_back_is_said_and_nothing_is_done(inside, digits, mlgit):
    mlgit("data", "add", "data/digits", "--alias", "gold")
    mlgit("data", "rm", "-n", "digits:v0")
    mlgit("data", "rm", "digits:v0")

    assert mlgit("data", "restore", "-n", "digits:v0").stdout == "digits:v0 would come back\n"
    assert mlgit("data", "rm", "digits:v0").stdout == "digits:v0 is hidden already\n"
    assert "is back" in mlgit("data", "restore", "digits:v0").stdout


def test_versions_are_listed_by_the_page(inside, digits, mlgit):
    for text in "abc":
        (digits / "train/1").write_text(text)
        mlgit("data", "add", "data/digits")

    first = mlgit("data", "history", "digits", "--limit", "2")
    last = json.loads(mlgit("data", "history", "digits", "-n", "2", "-p", "2", "--json").stdout)

    assert first.stderr == "1 more version: --page 2, or --limit 0 for all\n"
    assert [one["version"] for one in last] == ["v0"]
