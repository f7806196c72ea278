"""What `mlgit data` says of names and places that are not what they should be."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.git.repo import Repo

Script = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def here(inside: Repo, mlgit: Script, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project `a`, which has `digits` at `data`; another one, `b`, has `cats`."""
    for project, name in (("b", "cats"), ("a", "digits")):
        folder = inside.folder / project
        (folder / "data").mkdir(parents=True)
        (folder / "mlgit.yaml").write_text(f"project: {project}\n")
        (folder / "data/x.csv").write_text(f"{name}\n")
        monkeypatch.chdir(folder)
        mlgit("data", "add", "data", "--name", name)
    return inside.folder / "a"


def told(mlgit: Script, *words: str) -> tuple[int, str]:
    done = mlgit("data", *words, check=False)
    return done.returncode, done.stderr


def test_a_version_that_was_hidden_is_told_with_the_way_back(here: Path, mlgit: Script):
    (here / "data/y.csv").write_text("more\n")
    mlgit("data", "add", "data", "--name", "digits")
    first = mlgit("data", "rm", "digits:v0")
    again = mlgit("data", "rm", "digits:v0")
    asked = told(mlgit, "checkout", "digits:v0")
    mlgit("data", "rm", "digits:v1")
    all_of_it = told(mlgit, "checkout", "digits")
    back = mlgit("data", "restore", "digits:v1")

    assert first.stdout == "digits:v0 is hidden\n"
    assert (again.stdout, again.stderr) == ("digits:v0 is hidden already\n", "")
    assert asked[0] == 1
    assert "digits:v0 was deleted, and is hidden" in asked[1]
    assert "mlgit data restore digits:v0 brings it back; digits:latest is the newest that is left" in asked[1]
    assert "Every version of the artifact 'digits' was deleted" in all_of_it[1]
    assert "To fix: mlgit data restore digits:v1\n" in all_of_it[1]
    assert back.stdout == "digits:v1 (latest) is back\n"


def test_what_another_project_has_is_found_and_named_with_it(here: Path, mlgit: Script):
    history = mlgit("data", "history", "cats")
    tagged = mlgit("data", "tag", "cats:v0", "+gold")
    hidden = mlgit("data", "rm", "cats:v0")
    back = mlgit("data", "restore", "cats:v0")

    assert history.stdout == mlgit("data", "history", "b/cats").stdout.replace("latest, gold", "latest")
    assert tagged.stdout.startswith("b/cats:v0: +gold")
    assert tagged.stderr == "undo: mlgit data tag b/cats:v0 -gold\n"
    assert hidden.stdout == "b/cats:v0 (latest, gold) is hidden\n"
    assert hidden.stderr == "undo: mlgit data restore b/cats:v0\n"
    assert back.stdout == "b/cats:v0 (latest, gold) is back\n"


@pytest.mark.parametrize(
    ("words", "code", "what", "fix"),
    [
        ("history digits:v9", 2, "digits:v9 is one version", "mlgit data history digits"),
        ("history nope", 1, "There is no artifact 'nope'", "there are: digits"),
        ("checkout data", 1, "data is a path", "mlgit data pull data brings"),
        ("push nope", 1, "nope is neither data that lies here nor an artifact", "there are: digits"),
        ("push data/x.csv", 1, "/a/data, which DVC holds as a whole", "name /"),
        ("verify nope", 1, "nope is neither data that lies here nor an artifact", "there are: digits"),
        ("status nope", 1, "There is nothing at /", "mlgit data status lists"),
        ("status mlgit.yaml", 1, "mlgit.yaml is not in DVC's hands", "mlgit data add"),
        ("push", 2, "There is no default DVC remote", "dvc remote add -d"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(here: Path, mlgit: Script, words: str, code: int, what: str, fix: str):
    said = told(mlgit, *words.split())

    assert said[0] == code
    assert what in said[1]
    assert f"To fix: {fix}" in said[1] or fix in said[1].partition("To fix: ")[2]


def test_data_that_is_to_be_added_and_that_only_its_pointer_tells_of_is_pulled_first(here: Path, mlgit: Script):
    (here / "data").rename(here / "away")

    said = told(mlgit, "add", "data")

    assert said[0] == 2
    assert "To fix: mlgit data pull data brings what data.dvc names" in said[1]


def test_paths_are_verified_as_versions_are(here: Path, mlgit: Script):
    assert mlgit("data", "verify", "data").stdout == mlgit("data", "verify", "digits:v0").stdout


@pytest.mark.parametrize("words", ["status", "pull", "verify"])
def test_a_bare_repository_says_that_no_data_lies_there(
    here: Path, mlgit: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
):
    subprocess.run(["git", "clone", "-q", "--mirror", str(here.parent), str(tmp_path / "bare.git")], check=True)
    monkeypatch.chdir(tmp_path / "bare.git")

    said = told(mlgit, words)
    named = told(mlgit, "diff", "a/digits:v0", "a/digits:v0")

    assert said[0] == 1
    assert "is bare: no data lies here" in said[1]
    assert "The bytes of digits:v0, which" in named[1]
