"""One sweep whose agents are jobs, on two backends at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import jobs
from mlgit.sweeps import record
from tests.contracts import launching
from tests.contracts.launching import Place, until

Script = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with launching.slurm(tmp_path_factory) as found:
        yield found


@pytest.fixture
def project(inside: Repo, monkeypatch: pytest.MonkeyPatch) -> Repo:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    (inside.folder / "mlgit.yaml").write_text("project: p\nqueues:\n  desk:\n    local: {slots: 2, gpus: []}\n")
    (inside.folder / "sweep.yaml").write_text(
        "program: train.py\nmethod: grid\nmetric: {name: loss, goal: minimize}\n"
        "parameters: {lr: {values: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}}\n"
        "command: [python, '${program}', '${args}']\n"
    )
    return inside


def test_each_point_of_a_sweep_on_two_backends_is_tried_once(project: Repo, cluster: Place, mlgit: Script):
    met = project.folder.parent / "met"
    met.mkdir()
    (project.folder / "train.py").write_text(  # nobody ends a trial before agents of both backends have begun one
        "import mlgit, os, pathlib, time\n"
        f"met = pathlib.Path({str(met)!r})\n"
        "(met / os.environ['MLGIT_JOB']).touch()\n"
        "while len(list(met.iterdir())) < 2: time.sleep(0.02)\n"
        "run = mlgit.init()\n"
        "run.log({'loss': run.config['lr'], 'slurm': int('SLURM_JOB_ID' in os.environ)})\n"
    )
    with (project.folder / "mlgit.yaml").open("a") as file:
        file.write(f"  big:\n    slurm: {{folder: {cluster.settings.folder}}}\n")

    told = json.loads(mlgit("sweep", "run", "sweep.yaml", "--on", "desk=2", "--on", "big=2", "--json").stdout)
    (project.folder / "train.py").write_text("raise SystemExit(1)")  # what was launched does not see it

    def ended() -> list[dict[str, str]]:
        listed = json.loads(mlgit("jobs", "ls", "--json").stdout)
        return listed if all(job["state"] not in ("queued", "starting", "running") for job in listed) else []

    assert [(job["state"], job["queue"]) for job in until(ended)] == [("succeeded", "big"), ("succeeded", "desk")]
    runs = query.runs(project, sweep=told["id"])
    assert Counter(run.params["lr"] for run in runs) == Counter(range(1, 11))
    assert {run.state.value for run in runs} == {"finished"}
    assert {run.metrics["slurm"] for run in runs} == {0, 1}
    assert len({run.name for run in runs}) == 10
    assert {job["agents"] for job in told["jobs"]} == {2}


def test_agents_that_one_queue_refuses_are_launched_on_none(project: Repo, mlgit: Script):
    for queue, what in (("desk=0", "names no agents"), ("cloud=2", "no queue"), ("kubernetes", "cannot be jobs")):
        done = mlgit("sweep", "run", "sweep.yaml", "--on", "desk", "--on", queue, check=False)

        assert done.returncode
        assert what in done.stderr
    assert jobs.known(project, "p") == []
    assert mlgit("sweep", "run", "sweep.yaml", "--on", "desk", "--agents", "2", check=False).returncode
    assert record.known(project, "p") == []
