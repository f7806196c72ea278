"""`mlgit model versions`, `history` and `compare`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gto.api
import pytest

from mlgit.git.repo import Repo
from tests.conftest import make_repo

Mlgit = Callable[..., Any]


@pytest.fixture
def two(inside: Repo, trained, mlgit: Mlgit) -> Repo:
    """digits v1.0.0 in staging, and v1.1.0, which differs from it in everything."""
    mlgit("model", "register", trained("a", 0.9, code="x = 1\n", lr=0.1), "--description", "the first")
    mlgit("promote", "digits@v1.0.0", "staging")
    mlgit("pr", "merge", "1")
    mlgit("model", "register", trained("b", 0.95, code="x = 1\ny = 2\n", data="b" * 32, lr=0.2), "--set", "license=mit")
    return inside


def test_the_versions_of_a_model_tell_where_they_serve_and_what_they_are_called(two: Repo, mlgit: Mlgit):
    mlgit("model", "alias", "digits@v1.0.0", "paper", "demo")
    mlgit("model", "deprecate", "digits@v1.0.0", "--why", "leaks")

    header, newest, oldest = (line.split("\t") for line in mlgit("model", "versions", "digits").stdout.splitlines())

    old = dict(zip(header, oldest, strict=True))
    assert newest[0] == "v1.1.0"
    assert (old["version"], old["stages"], old["aliases"]) == ("v1.0.0", "staging, deprecated", "demo, paper")
    assert (old["metrics"], old["by"], old["description"]) == ("accuracy 0.9", "Ada", "the first")
    (row,) = json.loads(mlgit("model", "versions", "digits", "--json", "--limit", "1").stdout)
    assert (row["version"], row["aliases"], row["deprecated"]) == ("v1.1.0", [], None)
    (row,) = json.loads(mlgit("model", "versions", "digits", "--json", "--limit", "1", "--page", "2").stdout)
    assert (row["version"], row["aliases"], row["deprecated"]) == ("v1.0.0", ["demo", "paper"], "leaks")


def test_the_history_of_a_model_is_what_stock_gto_tells_of_it(two: Repo, mlgit: Mlgit):
    mlgit("model", "deprecate", "digits@v1.0.0", "--why", "leaks")
    mlgit("model", "deprecate", "digits@v1.0.0", "--undo")
    mlgit("model", "unregister", "digits@v1.1.0")

    ours = json.loads(mlgit("model", "history", "digits", "--json").stdout)

    theirs = gto.api.history(str(two.folder), "digits")
    assert [(row["tag"], row["version"]) for row in ours] == [(row["ref"], row["version"]) for row in theirs]
    assert [row["what"] for row in ours] == [
        "unregistered", "deprecated no more", "deprecated", "registered", "assigned", "registered",
    ]  # fmt: skip
    assert {row["by"] for row in ours} == {"Ada"}


def test_the_history_of_a_stage_is_a_part_of_it(two: Repo, mlgit: Mlgit):
    mlgit("promote", "digits@v1.1.0", "production")
    mlgit("pr", "merge", "2")

    (row,) = json.loads(mlgit("model", "history", "digits", "--stage", "production", "--json").stdout)
    none = mlgit("model", "history", "digits", "--stage", "nothing")

    assert (row["what"], row["stage"], row["version"]) == ("assigned", "production", "v1.1.0")
    assert none.stdout == ""
    assert "Nothing was done to the stage nothing of digits." in none.stderr


def test_a_model_that_is_not_there_has_no_history(two: Repo, mlgit: Mlgit):
    for verb in ("history", "versions"):
        done = mlgit("model", verb, "digit", check=False)

        assert done.returncode == 1
        assert "There is no model 'digit'.\nTo fix: did you mean digits?" in done.stderr


def test_two_versions_are_compared_in_all_that_they_are(two: Repo, mlgit: Mlgit):
    told = json.loads(mlgit("model", "compare", "digits@staging", "digits@latest", "--json").stdout)
    text = mlgit("model", "compare", "digits@staging", "digits@latest")

    (metric,) = told["metrics"]
    assert (metric["name"], metric["base"], metric["head"], metric["direction"]) == ("accuracy", 0.9, 0.95, "better")
    assert told["params"] == [{"key": "lr", "base": 0.1, "head": 0.2}]
    assert told["data"] == [{"key": "digits.csv", "base": "a" * 32, "head": "b" * 32}]
    assert told["model"] == [{"key": "license", "base": None, "head": "mit"}]
    assert told["code"] == [{"path": "train.py", "added": 1, "removed": 0}]
    assert "metric\tv1.0.0\tv1.1.0\tchange\t\naccuracy\t0.9\t0.95\t+0.05\tbetter\n" in text.stdout
    assert "train.py\t+1 −0" in text.stdout
    assert "The code differs: mlgit diff a0000000 b0000000 --code" in text.stderr


def test_a_version_is_the_same_as_itself(two: Repo, mlgit: Mlgit):
    told = mlgit("model", "compare", "digits@v1.0.0", "digits@staging")

    assert told.stdout == ""
    assert "No metric differs." in told.stderr
    assert "The bytes are the same." in told.stderr


def test_versions_of_which_the_runs_are_gone_are_compared_without_their_code(two: Repo, mlgit: Mlgit):
    for name in ("a", "b"):
        two.git("update-ref", "-d", f"refs/heads/exp/digits/{name}")

    told = json.loads(mlgit("model", "compare", "digits@v1.0.0", "digits@v1.1.0", "--json").stdout)

    assert told["code"] is None
    assert told["params"]


def test_the_card_of_a_version_is_a_readme_in_the_place_that_is_named(two: Repo, mlgit: Mlgit):
    assert two.work_tree
    shown = mlgit("model", "card", "digits@latest")
    made = mlgit("model", "card", "digits@latest", "-o", ".")
    again = mlgit("model", "card", "digits@latest", "-o", "README.md", check=False)

    assert made.stdout == "README.md\n"
    assert (two.work_tree / "README.md").read_text() == shown.stdout
    assert shown.stdout.startswith("---\nlicense: mit\n")
    assert again.returncode == 2
    assert "README.md is there already.\nTo fix: --force writes over it" in again.stderr
    assert json.loads(mlgit("model", "card", "digits@latest", "--json").stdout)["metadata"]["license"] == "mit"


def test_a_field_that_no_card_can_have_is_told_with_the_models_file_that_names_it(two: Repo, trained, mlgit: Mlgit):
    text = b"project: digits\ncard: {license: 3}\n"
    two.git("reset", "-q", "--hard", two.commit(two.resolve("main"), {"registry/digits/model.yaml": text}, "card"))

    refused = mlgit("model", "register", trained("c", 0.95), "--name", "digits", check=False)

    assert refused.returncode == 2
    assert "registry/digits/model.yaml: card: license of a model card is a word, and not 3." in refused.stderr


def test_the_models_file_says_what_its_versions_cards_say_if_they_do_not(two: Repo, trained, mlgit: Mlgit):
    text = b"project: digits\ncard: {license: apache-2.0, language: en}\n"
    two.git("reset", "-q", "--hard", two.commit(two.resolve("main"), {"registry/digits/model.yaml": text}, "card"))

    made = json.loads(mlgit("model", "register", trained("c", 0.9), "--set", "license=mit", "--json").stdout)

    assert made["fields"] == {"license": "mit", "language": "en"}
    assert "license: apache-2.0" not in mlgit("model", "card", "digits@v1.1.0").stdout


def test_a_shell_completes_aliases_behind_a_models_name(two: Repo, mlgit: Mlgit):
    mlgit("model", "alias", "digits@v1.0.0", "paper")
    typed = {"_MLGIT_COMPLETE": "bash_complete", "COMP_WORDS": "mlgit model show digits@p", "COMP_CWORD": "3"}

    assert mlgit(env=os.environ | typed).stdout == "plain,digits@paper\n"


def test_an_alias_is_on_the_remote_at_once_with_its_version(two: Repo, mlgit: Mlgit, tmp_path: Path):
    far = make_repo(tmp_path / "far.git", commit=False, bare=True)
    two.git("remote", "add", "origin", str(far.folder))
    two.git("push", "-q", "origin", "main")

    mlgit("model", "alias", "digits@v1.1.0", "paper")

    assert "paper: v1.1.0" in far.git("show", "main:registry/digits/model.yaml")
    assert far.resolve("main") == two.resolve("main")
    assert far.git("tag") == "digits@v1.1.0"


def test_what_is_taken_back_is_told_to_scripts(two: Repo, mlgit: Mlgit):
    told = json.loads(mlgit("model", "unregister", "digits@1.1.0", "--json").stdout)

    assert told == {"model": "digits", "version": "v1.1.0", "tag": "digits@v1.1.0!#2"}
