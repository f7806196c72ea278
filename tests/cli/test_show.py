"""`mlgit show`: one run."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Callable

import mlgit as door
from mlgit.git.repo import Repo

Script = Callable[..., "subprocess.CompletedProcess[str]"]
USES = """
import mlgit
open("data.csv", "w").write("1,2")
open("net.pt", "w").write("weights")
with mlgit.init(name="first") as run:
    run.log_artifact("data.csv", name="data", type="dataset")
with mlgit.init(name="second") as run:
    run.use_artifact("data:latest")
    run.log_artifact("net.pt", name="net", type="model", aliases=["best"])
"""


def test_artifacts_are_told_by_version_and_alias(repo: Repo, python: Script, mlgit: Script):
    python("-c", USES, cwd=repo.folder)
    shown = mlgit("show", "second", cwd=repo.folder).stdout
    told = json.loads(mlgit("show", "second", "--json", cwd=repo.folder).stdout)

    assert "artifacts\n  used    data:v0  dataset, 3 B, latest  " in shown
    assert "\n  logged  net:v0   model, 7 B, best, latest  " in shown
    assert [one["name"] for one in told["used"]] == ["data"]
    assert told["artifacts"][0]["aliases"] == ["best", "latest"]


def test_a_history_as_json_is_a_line_a_row(inside: Repo, mlgit: Script):
    with door.init() as run:
        run.log({"loss": math.nan, "acc": 1})
        run.log({"loss": -math.inf, "text": "é"})
        run.log({"acc": 3})
    lines = mlgit("show", "--history", "--json", cwd=inside.folder).stdout.splitlines()
    objects = mlgit("show", "--objects", "--json", cwd=inside.folder).stdout.splitlines()

    assert [json.loads(line) for line in lines] == [
        {"_step": 0, "loss": "nan", "acc": 1}, {"_step": 1, "loss": "-inf"}, {"_step": 2, "acc": 3},
    ]  # fmt: skip
    assert [json.loads(line) for line in objects] == [{"step": 1, "name": "text", "value": "é"}]
