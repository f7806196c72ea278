"""One sweep whose agents are jobs, on two backends at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from mlgit.git.remote import Remote
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import jobs
from mlgit.sweeps import record
from mlgit.sweeps.claims import through
from tests import git_http, kube
from tests.conftest import make_repo, need
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
    for queue, what in (("desk=0", "names no agents"), ("cloud=2", "no queue"), ("kubernetes", "--through REMOTE")):
        done = mlgit("sweep", "run", "sweep.yaml", "--on", "desk", "--on", queue, check=False)

        assert done.returncode
        assert what in done.stderr
    assert jobs.known(project, "p") == []
    assert mlgit("sweep", "run", "sweep.yaml", "--on", "desk", "--agents", "2", check=False).returncode
    assert record.known(project, "p") == []


TRIAL = """
import os, pathlib, sys, time
import mlgit

met = pathlib.Path(os.environ["MET"])
while not (met / "go").exists():
    time.sleep(0.02)
run = mlgit.init()
run.log({"loss": run.config["lr"], "here": os.environ["WHERE"] == "here"})
"""


def committed(folder: Path, **queues: object) -> None:
    """A project of these *queues* in *folder*, whose trials wait for a file, on its remote."""
    (folder / "mlgit.yaml").write_text(json.dumps({"project": "p", "queues": queues}))
    (folder / "train.py").write_text(TRIAL)
    (folder / "sweep.yaml").write_text(
        "program: train.py\nmethod: grid\nmetric: {name: loss, goal: minimize}\n"
        "parameters: {lr: {values: [1, 2, 3, 4, 5, 6]}}\ncommand: [python, '${program}', '${args}']\n"
    )
    for words in (("add", "."), ("commit", "-qm", "code"), ("push", "-q", "origin", "HEAD:main"), ("fetch", "-q")):
        subprocess.run(["git", *words], cwd=folder, check=True)


def pace(met: Path, where: str, **more: str) -> dict[str, object]:
    names = {"LOOK_SECONDS": 0.3, "BEAT_SECONDS": 1, "LEASE_SECONDS": 5, "PUSHES_PER_MINUTE": 1000}
    env = {f"MLGIT_SWEEP_{name}": str(value) for name, value in names.items()}
    return {"env": env | {"MET": str(met), "WHERE": where} | more}


def holders(repo: Repo, job: str) -> list[int]:
    """The processes of *job* that are agents with a trial, as the remote tells: a node of the tests is this machine."""
    (sweep,) = record.known(repo, "p")
    _, claims = through.Board(Remote(repo=repo, name="origin"), sweep).look()
    return [one.pid for one in claims.agents if claims.of(one.id) and of_job(one.pid) == job]


def of_job(pid: int) -> str:
    try:
        return psutil.Process(pid).environ().get("MLGIT_JOB", "")
    except psutil.NoSuchProcess:
        return ""


def jobs_ended(mlgit: Script, folder: Path) -> dict[str, str]:
    """How each queue's job ended, once all have."""

    def ended() -> dict[str, str]:
        listed = json.loads(mlgit("jobs", "ls", "--json", cwd=folder).stdout)
        is_over = all(job["state"] not in ("queued", "starting", "running") for job in listed)
        return {job["queue"]: job["state"] for job in listed} if is_over else {}

    return until(ended)


def test_agents_here_and_in_kubernetes_share_a_sweep_and_bear_that_one_is_killed(
    inside: Repo, mlgit: Script, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
):
    need("kubernetes", kube.is_here())
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    base, met = tmp_path_factory.mktemp("k"), tmp_path_factory.mktemp("met")
    hub = make_repo(base / "hub.git", commit=False, bare=True)
    hub.git("config", "http.receivepack", "true")
    with git_http.serving(base) as url, kube.running(base) as (_, config):
        inside.git("remote", "add", "origin", f"{url}/hub.git")
        committed(
            inside.folder,
            desk={"local": {"slots": 2, "gpus": []}, "defaults": pace(met, "here")},
            cluster={
                "kubernetes": {"kubeconfig": str(config), "image": kube.IMAGE, "grace_seconds": 20},
                "defaults": pace(met, "there", TMPDIR=str(base)),
            },
        )
        words = ("--on", "desk", "--on", "cluster=2", "--through", "origin", "--json")
        told = json.loads(mlgit("sweep", "run", "sweep.yaml", *words).stdout)
        desk, cluster = (one["id"] for one in told["jobs"])
        here = Repo.find(inside.folder)
        assert here
        until(lambda: holders(here, desk) and len(holders(here, cluster)) == 2)

        os.kill(holders(here, cluster)[0], signal.SIGKILL)
        (met / "go").touch()

        assert jobs_ended(mlgit, inside.folder) == {"desk": "succeeded", "cluster": "failed"}
        mlgit("pull")
    runs = [run for run in query.runs(here, sweep=told["id"]) if run.state.value == "finished"]
    assert Counter(run.params["lr"] for run in runs) == Counter(range(1, 7))
    assert {run.metrics["here"] for run in runs} == {True, False}
    (sweep,) = record.known(here, "p")
    assert sweep.state.value == "finished"
    assert len(list(base.glob("mlgit-*"))) == 1  # of the one that was killed; whoever ends leaves no clone behind


def test_agents_here_and_on_githubs_runners_share_a_sweep_by_one_dispatch(
    mlgit: Script, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    met = tmp_path_factory.mktemp("met")
    with launching.actions(tmp_path_factory) as place:
        settings = {"repository": "acme/churn", "api": place.settings.api, "poll_seconds": 0.1}
        committed(
            place.folder,
            desk={"local": {"slots": 1, "gpus": []}, "defaults": pace(met, "here")},
            gh={"actions": settings, "defaults": pace(met, "there")},
        )
        words = ("--on", "desk", "--on", "gh=2", "--through", "origin", "--json")
        told = json.loads(mlgit("sweep", "run", "sweep.yaml", *words, cwd=place.folder).stdout)
        desk, runners = (one["id"] for one in told["jobs"])
        here = Repo.find(place.folder)
        assert here
        until(lambda: holders(here, desk) and holders(here, runners))  # act begins a matrix's tasks as it likes
        (met / "go").touch()

        assert jobs_ended(mlgit, place.folder) == {"desk": "succeeded", "gh": "succeeded"}
        mlgit("pull", cwd=place.folder)
        (run,) = place.of.runs.values()
    assert set(run.jobs) == {0, 1}
    runs = query.runs(here, sweep=told["id"])
    assert Counter(run.params["lr"] for run in runs) == Counter(range(1, 7))
    assert {run.metrics["here"] for run in runs} == {True, False}
    assert {run.state.value for run in runs} == {"finished"}
