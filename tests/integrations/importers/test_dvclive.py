"""Folders and experiments that the real DVCLive left, brought in."""

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.core.run import Run
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import runs
from tests.conftest import need

Call = Callable[..., subprocess.CompletedProcess[str]]

RECORD = """
import numpy
from dvclive import Live
with Live(save_dvc_exp=SAVE, exp_name="bright", dvcyaml="dvc.yaml") as live:
    live.log_params({"lr": 0.1, "model": {"depth": 3}})
    for step in range(20):
        live.log_metric("loss", 1 / (step + 1), timestamp=True)
        live.log_metric("val/acc", step)
        live.log_metric("odd", float("nan"))
        live.log_image("photo.png", numpy.zeros((4, 4, 3), dtype=numpy.uint8))
        live.next_step()
    live.log_sklearn_plot("confusion_matrix", [0, 1], [0, 1])
    with open("weights.txt", "w") as file:
        file.write("weights")
    live.log_artifact("weights.txt", type="model", name="net")
"""


@pytest.fixture
def recorded(inside: Repo, python: Call) -> Callable[[bool], Path]:
    """Record with DVCLive in a repository that DVC knows; return the folder."""
    need("dvclive", importlib.util.find_spec("dvclive") is not None)

    def call(save: bool) -> Path:
        python("-m", "dvc", "init", "-q", cwd=inside.folder)
        subprocess.run(["git", "add", ".dvc", ".dvcignore"], cwd=inside.folder, check=True)
        subprocess.run(["git", "commit", "-qm", "dvc"], cwd=inside.folder, check=True)
        python("-W", "ignore", "-c", RECORD.replace("SAVE", str(save)), cwd=inside.folder)
        return inside.folder / "dvclive"

    return call


def the_run(repo: Repo) -> Run:
    (run,) = query.runs(repo)
    return run


def test_a_folder_becomes_a_run_with_every_value(recorded: Callable[[bool], Path], inside: Repo, mlgit: Call) -> None:
    folder = recorded(False)

    done = mlgit("import", "dvclive", str(folder), "--json")

    run = the_run(inside)
    series = runs.history(inside, run)
    assert json.loads(done.stdout)[0]["problems"] == []
    assert run.params == {"lr": 0.1, "model": {"depth": 3}}
    assert list(series["loss"].values) == [1 / (step + 1) for step in range(20)]
    assert list(series["val/acc"].steps) == list(range(20))
    assert all(math.isnan(value) for value in series["odd"].values)
    assert run.metrics["images/photo"]["_type"] == "image-file"
    assert [(version.name, version.type) for version in run.logged] == [("net", "model")]
    assert inside.read(run.commit, "experiment/files/plots/sklearn/confusion_matrix.json")


def test_the_same_folder_is_the_same_run_and_a_new_training_in_it_another(
    recorded: Callable[[bool], Path], inside: Repo, mlgit: Call
) -> None:
    folder = recorded(False)
    mlgit("import", "dvclive", str(folder))
    again = mlgit("import", "dvclive", str(folder.parent))
    (folder / "params.yaml").write_text("lr: 0.2\n")

    mlgit("import", "dvclive", str(folder))

    assert "1 already here" in again.stdout
    assert [run.params["lr"] for run in query.runs(inside)] in ([0.2, 0.1], [0.1, 0.2])


def test_an_experiment_of_dvcs_comes_with_its_code(recorded: Callable[[bool], Path], inside: Repo, mlgit: Call) -> None:
    recorded(True)

    mlgit("import", "dvclive", "--experiments")

    run = the_run(inside)
    assert run.name == "bright"
    assert run.source
    assert "bright" in inside.git("for-each-ref", "--format=%(refname)", "--points-at", run.source)
    assert list(runs.history(inside, run)["val/acc"].values) == list(range(20))


def test_damage_and_paths_out_of_the_folder_are_said(inside: Repo, mlgit: Call, tmp_path: Path) -> None:
    folder = tmp_path / "dvclive"
    (folder / "plots" / "metrics").mkdir(parents=True)
    (folder / "plots" / "metrics" / "loss.tsv").write_text("step\tloss\n0\t1.0\n1\t0.5\n2")
    (folder / "metrics.json").write_text("{torn")
    (folder / "params.yaml").write_text("a: 1\na: 2\n")
    (folder / "dvc.yaml").write_text("artifacts:\n  key: {path: ../../../etc/passwd}\n  far: {path: /etc/passwd}\n")
    (folder / "plots" / "metrics" / "out.tsv").symlink_to("/etc/passwd")

    done = mlgit("import", "dvclive", str(folder), "--json")

    problems = "\n".join(json.loads(done.stdout)[0]["problems"])
    assert "loss: 1 torn line" in problems
    assert "metrics.json cannot be read" in problems
    assert "params.yaml cannot be read" in problems
    assert "the artifact key: ../../../etc/passwd leads out" in problems
    assert "the artifact far: /etc/passwd leads out" in problems
    assert "plots/metrics/out.tsv was left out: a link out of" in problems
    assert the_run(inside).metrics == {"loss": 0.5}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("metrics.json", "[" * 9000, "metrics.json cannot be read: it is nested too deeply"),
        ("metrics.json", '{"a":' * 9000 + "1" + "}" * 9000, "metrics.json cannot be read: it is nested too deeply"),
        ("metrics.json", "[1]", "metrics.json cannot be read: it gives nothing a name"),
        ("params.yaml", "just words", "params.yaml cannot be read: it gives nothing a name"),
        ("plots/metrics/loss.tsv", "timestamp\tloss\n1e300\t1\nnan\t2\n", "loss: 2 timestamps that no calendar has"),
        ("plots/metrics/loss.tsv", f"timestamp\tloss\n1{'0' * 400}\t1\n", "loss: 1 timestamp that no calendar has"),
    ],
)
def test_what_means_nothing_is_said_and_the_rest_comes(
    inside: Repo, mlgit: Call, tmp_path: Path, name: str, text: str, said: str
) -> None:
    folder = tmp_path / "dvclive"
    (folder / "plots" / "metrics").mkdir(parents=True)
    (folder / "plots" / "metrics" / "acc.tsv").write_text("step\tacc\n0\t0.5\n")
    (folder / name).write_text(text)

    done = mlgit("import", "dvclive", str(folder), "--json")

    assert said in "\n".join(json.loads(done.stdout)[0]["problems"])
    assert the_run(inside).metrics["acc"] == 0.5


@pytest.mark.parametrize("tool", ["wandb", "tensorboard", "mlflow", "dvclive"])
def test_a_name_that_the_disk_refuses_is_said(inside: Repo, mlgit: Call, tool: str) -> None:
    done = mlgit("import", tool, "x" * 300, check=False)

    assert done.returncode == 1
    assert "cannot be read.\nFile name too long" in done.stderr


def test_what_is_no_such_folder_is_refused(inside: Repo, mlgit: Call, tmp_path: Path) -> None:
    refused = mlgit("import", "dvclive", str(tmp_path), check=False)
    asked = mlgit("import", "dvclive", check=False)

    assert "is no folder of DVCLive's" in refused.stderr
    assert "Which folder?" in asked.stderr
