"""W&B's macros, as the words of a command."""

from __future__ import annotations

import json

import pytest

from mlgit.errors import UsageError
from mlgit.sweeps import command as commands
from mlgit.sweeps import file as files
from tests.sweeps.given import FILE, PARAMS


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("${env} ${interpreter} ${program}", ["/usr/bin/env", "python", "train.py"]),
        ("${args}", ["--lr=1e-05", "--model.depth=3", "--fast=True"]),
        ("${args_no_equals}", ["--lr", "1e-05", "--model.depth", "3", "--fast", "True"]),
        ("${args_no_hyphens}", ["lr=1e-05", "model.depth=3", "fast=True"]),
        ("${args_no_boolean_flags}", ["--lr=1e-05", "--model.depth=3", "--fast"]),
        ("${args_append_hydra}", ["+lr=1e-05", "+model.depth=3", "+fast=True"]),
        ("${args_override_hydra}", ["++lr=1e-05", "++model.depth=3", "++fast=True"]),
        ("${args_json}", ['{"lr": 1e-05, "model": {"depth": 3}, "fast": true}']),
        (
            "--file=${args_json_file} --data=${envvar:DATA}/x ${HOME}",
            ["--file=/tmp/1.json", "--data=/data/x", "${HOME}"],
        ),
    ],
)
def test_macros_become_words(command: str, words: list[str]) -> None:
    env = {"DATA": "/data"}

    assert list(commands.fill(command.split(), PARAMS, file=FILE, json_file="/tmp/1.json", env=env)) == words


def test_a_flag_that_is_false_is_left_out() -> None:
    assert commands.fill(["${args_no_boolean_flags}"], {"fast": False}, file=FILE, json_file="", env={}) == ()


def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(UsageError, match="asks for the environment variable DATA, which is not set"):
        commands.fill(["${envvar:DATA}"], {}, file=FILE, json_file="", env={})


def test_a_sweep_without_a_command_says_how_to_give_one() -> None:
    file = files.read("method: grid\nparameters: {a: {value: 1}}", source="x")

    with pytest.raises(UsageError, match="Neither the sweep file nor the command line"):
        commands.chosen(file, ())
    with pytest.raises(UsageError, match="there is no macro"):
        commands.chosen(file, ("./t", "${arg}"))
    assert commands.chosen(file, ("./t", "${args}")) == ("./t", "${args}")


def test_params_as_json_are_nested_as_the_file_nests_them() -> None:
    assert json.loads(commands.json_args({"lr": 1, "model.depth": 2, "a.b": 3}, FILE)) == {
        "lr": 1, "model": {"depth": 2}, "a.b": 3,
    }  # fmt: skip
