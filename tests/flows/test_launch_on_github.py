"""A training launched on GitHub's runners from the command line, and its run brought here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contracts import launching

Script = Callable[..., "subprocess.CompletedProcess[str]"]


def test_a_run_made_on_githubs_runners_comes_here(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, mlgit: Script
):
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    with launching.actions(tmp_path_factory) as place:
        settings = {"repository": "acme/churn", "api": place.settings.api, "poll_seconds": 0.1}
        (place.folder / "mlgit.yaml").write_text(
            json.dumps({"project": "churn", "queues": {"gh": {"actions": settings}}})
        )
        (place.folder / "train.py").write_text("import mlgit\nmlgit.init().log({'loss': 0.5})\nprint('trained')\n")
        for words in (("add", "."), ("commit", "-qm", "code"), ("push", "-q", "origin", "main")):
            subprocess.run(["git", *words], cwd=place.folder, check=True)

        done = mlgit("launch", "--on", "gh", "-n", "far", "--follow", "--", "python", "train.py", cwd=place.folder)
        mlgit("sync", cwd=place.folder)

        (run,) = json.loads(mlgit("ls", "--json", cwd=place.folder).stdout)
        (job,) = json.loads(mlgit("jobs", "ls", "--json", cwd=place.folder).stdout)
    assert "trained" in done.stdout
    assert (run["name"], run["state"], run["metrics"]["loss"]) == ("far", "finished", 0.5)
    assert job["state"] == "succeeded"
