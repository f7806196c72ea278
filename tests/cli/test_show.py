"""`mlgit show`: one run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

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
