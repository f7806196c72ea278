"""Folders of event files, brought in."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import runs
from tests.conftest import need

Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """Two runs: one with parts, hyperparameters and a picture, one plain."""
    need("tensorboardX", importlib.util.find_spec("tensorboardX") is not None)
    import numpy
    from tensorboardX import SummaryWriter

    top = tmp_path / "runs"
    for part in ("train", "validation"):
        with SummaryWriter(str(top / "resnet" / part)) as writer:
            for step in range(0, 1000, 10):
                writer.add_scalar("loss", step / 10, step)
    with SummaryWriter(str(top / "plain")) as writer:
        writer.add_scalar("accuracy", 0.5, 1)
        writer.add_image("picture", numpy.zeros((3, 4, 4), dtype=numpy.uint8), 1)
        writer.add_hparams({"lr": 0.1}, {}, name="hp")
    (top / "resnet" / "hparams.yaml").write_text("depth: 50\n")
    return top


def test_each_run_folder_becomes_a_run_with_every_value(board: Path, inside: Repo, mlgit: Call) -> None:
    done = mlgit("import", "tensorboard", str(board), "--project", "vision", "--group", "old", "--json")

    found = {run.name: run for run in query.runs(inside)}
    series = runs.history(inside, found["resnet"])
    assert {told["name"]: told["rows"] for told in json.loads(done.stdout)} == {"resnet": 200, "plain": 2}
    assert {run.project for run in found.values()} == {"vision"}
    assert {run.group for run in found.values()} == {"old"}
    assert list(series["train/loss"].steps) == list(range(0, 1000, 10))
    assert list(series["validation/loss"].values) == list(range(100))
    assert found["resnet"].params == {"depth": 50}
    assert found["plain"].params == {"lr": 0.1}
    assert found["plain"].metrics["picture"]["_type"] == "image-file"


def test_importing_again_changes_nothing(board: Path, inside: Repo, mlgit: Call) -> None:
    mlgit("import", "tensorboard", str(board))
    before = inside.refs("refs/")

    done = mlgit("import", "tensorboard", str(board / "resnet"), str(board))

    assert "2 already here" in done.stdout
    assert inside.refs("refs/") == before


def test_a_run_that_has_grown_since_is_said_and_left_alone(board: Path, inside: Repo, mlgit: Call) -> None:
    from tensorboardX import SummaryWriter

    mlgit("import", "tensorboard", str(board / "plain"))
    with SummaryWriter(str(board / "plain"), filename_suffix=".z") as writer:
        writer.add_scalar("accuracy", 0.75, 2, walltime=9e9)

    done = mlgit("import", "tensorboard", str(board / "plain"))

    assert "it has changed since it came here" in done.stderr
    assert query.runs(inside)[0].metrics["accuracy"] == 0.5


def test_damage_is_said_and_what_comes_before_it_kept(board: Path, inside: Repo, mlgit: Call) -> None:
    (path,) = (board / "resnet" / "train").iterdir()
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = b"\0" * 50
    path.write_bytes(content)

    done = mlgit("import", "tensorboard", str(board / "resnet"), "--json")

    (told,) = json.loads(done.stdout)
    assert 100 < told["rows"] < 200
    assert "damaged" in told["problems"][0]


@pytest.mark.parametrize("moment", [1e300, 1e15, float("nan"), -1.0])
def test_a_time_that_no_calendar_has_is_not_the_time_of_a_run(
    board: Path, inside: Repo, mlgit: Call, moment: float
) -> None:
    from tensorboardX import SummaryWriter

    with SummaryWriter(str(board / "plain"), filename_suffix=".z") as writer:
        writer.add_scalar("accuracy", 0.75, 2, walltime=moment)

    done = mlgit("import", "tensorboard", str(board / "plain"))

    (run,) = query.runs(inside)
    assert "1 time that no calendar has left out" in done.stderr
    assert run.metrics["accuracy"] == 0.75
    assert run.duration is not None
    assert run.duration < 600


def test_a_file_that_says_nothing_is_said(inside: Repo, mlgit: Call, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "events.out.tfevents.1").touch()

    done = mlgit("import", "tensorboard", str(tmp_path / "run"), check=False)
    asked = mlgit("import", "tensorboard", str(tmp_path / "run" / "events.out.tfevents.1"), check=False)

    assert "run: nothing was logged in it" in done.stderr
    assert f"give the folder that holds it: {tmp_path / 'run'}" in asked.stderr


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_a_folder_without_event_files_is_refused(name: str, inside: Repo, mlgit: Call, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    done = mlgit("import", "tensorboard", str(tmp_path / name), check=False)

    assert done.returncode == 1
    assert "There is no" in done.stderr or "holds no event files" in done.stderr


def test_a_link_that_leads_elsewhere_is_not_followed(board: Path, inside: Repo, mlgit: Call, tmp_path: Path) -> None:
    (path,) = (board / "plain").glob("*tfevents*")
    elsewhere = tmp_path / "elsewhere.tfevents.1"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)

    done = mlgit("import", "tensorboard", str(board / "plain"), "--json")

    (told,) = json.loads(done.stdout)
    assert told["rows"] == 0


def test_a_folder_of_links_into_another_run_is_said(board: Path, inside: Repo, mlgit: Call) -> None:
    (board / "links").mkdir()
    (board / "links" / "a.tfevents.1").symlink_to(next((board / "plain").glob("*tfevents*")))

    done = mlgit("import", "tensorboard", str(board), check=False)

    assert "2 imported, 1 failed" in done.stdout
    assert "links: it cannot be read: its event files are links that lead out of it" in done.stderr
