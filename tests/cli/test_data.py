"""`mlgit data`: what is kept in versions, on the command line."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

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
