"""An alias belongs to whoever named it last: nobody takes one back without naming it."""

from __future__ import annotations

from pathlib import Path

import pytest

import mlgit
from mlgit.git.repo import Repo


@pytest.fixture
def contents(inside: Repo, tmp_path: Path) -> dict[str, Path]:
    paths = {name: tmp_path / name for name in "ab"}
    for name, path in paths.items():
        path.write_text(name)
    return paths


def aliases() -> dict[str, set[str]]:
    return {one.version: set(one.aliases) for one in mlgit.Api({"project": "p"}).artifacts("model", "net")}


def test_old_content_that_a_run_logs_again_takes_only_the_names_that_are_said(contents: dict[str, Path]):
    with mlgit.init(project="p") as run:
        run.log_artifact(contents["a"], name="net", type="model", aliases=["gold", "mine"])
        run.log_artifact(contents["b"], name="net", type="model")
        chosen = mlgit.Api({"project": "p"}).artifact("net:v1")
        chosen.aliases.append("gold")
        chosen.save()

        run.log_artifact(contents["a"], name="net", type="model")
        assert aliases() == {"v0": {"mine", "latest"}, "v1": {"gold"}}
        run.log_artifact(contents["a"], name="net", type="model", aliases=["gold"])

    assert aliases() == {"v0": {"mine", "latest", "gold"}, "v1": set()}


def test_a_version_that_is_saved_takes_no_name_back_that_another_has_been_given_since(contents: dict[str, Path]):
    with mlgit.init(project="p") as run:
        run.log_artifact(contents["a"], name="net", type="model", aliases=["gold"])
        run.log_artifact(contents["b"], name="net", type="model")
    first, second = (mlgit.Api({"project": "p"}).artifact(f"net:v{number}") for number in (0, 1))
    assert first.aliases == ["gold"]

    second.aliases.append("gold")
    second.save()
    first.description = "the first one"
    first.aliases.append("old")
    first.save()

    assert aliases() == {"v0": {"old"}, "v1": {"latest", "gold"}}
