"""Jobs in containers of a real daemon: who they are there, what they see, and what docker refuses."""

from __future__ import annotations

import contextlib
import gc
import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import psutil
import pytest

from mlgit.core.job import JobSpec, JobState, Member, known_as, member
from mlgit.errors import MlgitError, NotFoundError, SilentError, UsageError
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.launch import docker
from mlgit.launch.docker import Settings, daemon
from tests import dockerd
from tests.conftest import make_repo
from tests.contracts import launching
from tests.contracts.launching import Place, until


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with launching.docker(tmp_path_factory) as found:
        yield found


def test_a_job_is_nobody_there_and_writes_only_to_its_folder(place: Place, tmp_path: Path):
    (tmp_path / "data").write_text("42")
    tmp_path.chmod(0o777)
    code = """
import os, sys
print(os.getuid(), open(sys.argv[1] + "/data").read())
try: open(sys.argv[1] + "/more", "w")
except OSError as exc: print(exc.strerror)
"""
    there = replace(place, settings=replace(place.settings, mounts=(str(tmp_path),)))

    assert there.printed(there.submit(place.spec(code, str(tmp_path)))) == ["65534 42", "Read-only file system"]
    named = replace(place, settings=replace(place.settings, user="1234:1234"))
    assert named.printed(named.submit(place.spec("import os; print(os.getuid())"))) == ["1234"]


def test_a_job_that_needs_too_much_memory_fails_with_that_reason(place: Place):
    job = place.submit(place.spec("x = bytearray(400 << 20)", memory_gb=0.0625))

    found = place.ended(job)

    assert (found.state, found.why) == (JobState.FAILED, "it was killed: out of memory, of which it had 0.0625 GB")


def test_what_somebody_else_ends_was_preempted_and_what_is_killed_has_failed(place: Place):
    with contextlib.closing(dockerd.client(place.settings.host)) as client:
        for number, expected in (("SIGTERM", JobState.PREEMPTED), ("SIGKILL", JobState.FAILED)):
            job = place.submit(place.spec("import time; print('up', flush=True); time.sleep(60)"))
            until(lambda job=job: list(place.backend.logs(job, place.settings)))
            client.containers.get(job).kill(number)

            assert place.ended(job).state is expected


def test_a_container_that_somebody_removes_meanwhile_keeps_no_other_from_being_told_or_ended(
    place: Place, monkeypatch: pytest.MonkeyPatch
):
    jobs = [place.submit(place.spec("import time; time.sleep(60)")) for _ in range(2)]
    listed = daemon.listed

    def slow(client: Any, label: str) -> list[dict[str, Any]]:
        """A listing after which somebody is quicker: one container is removed, another is about to be ended."""
        found = listed(client, label)
        for one in found:
            if one["Labels"]["mlgit.job"] == jobs[0]:
                client.api.remove_container(one["Id"], force=True)
            elif one["Labels"]["mlgit.job"] == jobs[1] and not one["Names"][0].endswith(".cancelled"):
                client.api.rename(one["Id"], f"{jobs[1]}.cancelled")
        return found

    monkeypatch.setattr(daemon, "listed", slow)
    place.cancel(*jobs)

    found = place.backend.status(jobs, place.settings)
    assert [one.state for one in found.values()] == [JobState.LOST, JobState.CANCELLED]


def test_an_image_that_does_not_exist_is_said_so(place: Place):
    with pytest.raises(NotFoundError, match=r"no image no/such:1.\n.*the queue says not to pull"):
        place.submit(place.spec("", image="no/such:1"))
    pulling = replace(place, settings=replace(place.settings, pull=True))
    with pytest.raises(NotFoundError, match=r"no image localhost:9/a.\n.*cannot pull it"):
        pulling.submit(place.spec("", image="localhost:9/a"))
    with pytest.raises(UsageError, match="names no image"):
        place.submit(replace(place.spec(""), image=None))


def test_where_docker_refuses_nothing_is_left(place: Place):
    array = (Member(command=("python3", "-c", "")), Member(command=("python3", "-c", "")))
    with pytest.raises(MlgitError, match="docker has no GPU for the job") as raised:
        place.submit(place.spec("", array=array, gpus=1, key="gpus"))
    with pytest.raises(MlgitError, match=r"docker does not start the job 'a job'\.\n.*/no/such"):
        place.submit(place.spec("", folder="/no/such", key="folder"))

    assert "nvidia-container-toolkit" in raised.value.fix
    with contextlib.closing(dockerd.client(place.settings.host)) as client:
        assert not [one for one in client.containers.list(all=True) if one.status == "created"]


WAIT = """
import os, sys, time
open(sys.argv[1] + ".up", "w")
while not os.path.exists(sys.argv[1]): time.sleep(0.02)
"""


def test_no_more_run_at_once_than_the_queue_has_slots(place: Place):
    queue = replace(place, settings=replace(place.settings, slots=2))
    tasks = [queue.spec(WAIT, f"slot-{n}").command for n in range(4)]
    first = queue.submit(queue.spec("", array=tuple(Member(command=words) for words in tasks[:3])))
    then = queue.submit(queue.spec("", command=tasks[3]))
    lines = queue.backend.logs(then, queue.settings, follow=True)
    until(lambda: all((queue.folder / f"slot-{n}.up").exists() for n in (0, 1)))

    assert queue.standing(member(first, 2)).state is JobState.QUEUED
    assert queue.standing(then).state is JobState.QUEUED
    queue.backend.forget([first, then], queue.settings)
    queue.cancel(member(first, 2))
    assert queue.standing(member(first, 2)).state is JobState.CANCELLED
    (queue.folder / "slot-3").touch()
    (queue.folder / "slot-0").touch()
    assert list(lines) == []
    assert queue.ended(then).state is JobState.SUCCEEDED
    assert queue.standing(member(first, 1)).state is JobState.RUNNING
    (queue.folder / "slot-1").touch()
    assert queue.ended(first).why == "2 succeeded, 1 cancelled"
    assert not (queue.folder / "slot-2.up").exists()


def test_where_turns_cannot_be_taken_nothing_is_left(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").touch()
    with monkeypatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
        with pytest.raises(MlgitError, match=r"cannot take turns.\n.*Not a directory"):
            place.submit(place.spec("", key="turns"))

    assert place.standing(known_as(place.spec("", key="turns"), "")).state is JobState.LOST


def test_what_waits_is_begun_though_the_process_that_was_to_begin_it_is_killed(place: Place):
    queue = replace(place, settings=replace(place.settings, slots=1))
    first, then = queue.submit(queue.spec(WAIT, "kill")), queue.submit(queue.spec(""))
    told = {"mlgit.launch.docker.slots", queue.settings.host}
    (keeper,) = [one for one in psutil.process_iter(["cmdline"]) if told <= {*(one.info["cmdline"] or ())}]
    keeper.kill()
    psutil.wait_procs([keeper])
    (queue.folder / "kill").touch()

    assert queue.ended(first).state is JobState.SUCCEEDED
    assert queue.ended(then).state is JobState.SUCCEEDED


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # docker's library leaves a socket open
def test_a_daemon_that_is_away_or_silent_is_said_so(tmp_path: Path):
    spec = JobSpec(name="x", command=("true",), image="a")
    with pytest.raises(SilentError, match="No docker daemon answers"):
        docker.submit(spec, Settings(host=f"unix://{tmp_path}/none"))
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(f"{tmp_path}/mute")
        mute.listen()
        with pytest.raises(SilentError, match=r"timed out|timeout"):
            docker.status(["x"], Settings(host=f"unix://{tmp_path}/mute", answer_seconds=0.2))
    gc.collect()


def test_render_shows_what_is_sent_and_of_secrets_the_names(place: Place):
    spec = JobSpec(
        name="x", command=("python", "a b"), folder="/work", env={"A": "1"}, secrets=("TOKEN",), cpus=2, memory_gb=4,
        gpus=1, minutes=90,
    )  # fmt: skip

    (sent,) = json.loads(docker.render(spec, Settings(image="python:3", mounts=("/data",))))

    assert (sent["Image"], sent["Entrypoint"], sent["User"]) == ("python:3", [], "65534:65534")
    assert sent["Cmd"] == ["timeout", "-k", "10", "5400", "python", "a b"]
    assert sorted(sent["Env"]) == ["A=1", "HOME=/tmp", "TOKEN"]  # nobody has no home
    host = sent["HostConfig"]
    assert (host["NanoCpus"], host["Memory"], host["MemorySwap"]) == (2 * 10**9, 4 * 2**30, 4 * 2**30)
    assert host["DeviceRequests"][0]["Count"] == 1
    assert [(mount["Source"], mount["ReadOnly"]) for mount in host["Mounts"]] == [("/work", False), ("/data", True)]


def queue(place: Place, folder: Path, **settings: object) -> dict[str, Any]:
    """A queue of containers that have mlgit as it stands here, its program in *folder*."""
    checkout, packages = Path(__file__).parents[2], Path(click.__file__).parents[1]
    (folder / "bin").mkdir()
    (folder / "bin" / "mlgit").write_text('#!/bin/sh\nexec python3 -m mlgit "$@"\n')
    (folder / "bin" / "mlgit").chmod(0o755)
    mounts = [str(folder / "bin"), str(packages), str(checkout / "mlgit")]
    docker = {"host": place.settings.host, "pull": False, "image": place.image, "user": "0:0", "mounts": mounts}
    env = {"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "PYTHONPATH": f"{checkout}:{packages}"}
    return {"docker": docker | settings, "defaults": {"env": env}}


def test_a_run_in_a_container_is_recorded_in_the_repository(
    place: Place, inside: Repo, mlgit: Callable[..., Any], tmp_path: Path
):
    (inside.folder / "train.py").write_text(
        "import mlgit\nmlgit.init().log({'loss': 0.5})\nprint(open('note').read())\n"
    )
    (inside.folder / "note").write_text("as it was")
    box = queue(place, tmp_path, network="none")
    (inside.folder / "mlgit.yaml").write_text(json.dumps({"project": "p", "queues": {"box": box}}))

    job = json.loads(mlgit("launch", "--wait", "--json", "--", "python3", "train.py", check=False).stdout)

    lines = mlgit("jobs", "logs", job["id"]).stdout
    assert "as it was" in lines, lines
    (run,) = query.runs(inside)
    assert (run.id, run.state.value, run.metrics["loss"], job["state"]) == (job["run"], "finished", 0.5, "succeeded")


def test_an_agent_in_a_container_that_sees_no_disk_of_ours_brings_its_code_and_its_runs_go_to_the_remote(
    place: Place, inside: Repo, mlgit: Callable[..., Any], tmp_path: Path
):
    hub = make_repo(tmp_path / "hub.git", commit=False, bare=True)
    box = queue(place, tmp_path, network="host", away=True)
    (inside.folder / "sub").mkdir()
    (inside.folder / "sub" / "mlgit.yaml").write_text(json.dumps({"project": "p", "queues": {"box": box}}))
    (inside.folder / "sub" / "sweep.yaml").write_text(
        "method: grid\nparameters: {x: {values: [1, 2]}}\ncommand: [python3, train.py]\n"
    )
    (inside.folder / "sub" / "train.py").write_text("import mlgit\nmlgit.init().log({'loss': 0.5})\n")
    with git_daemon(hub.folder) as url:
        inside.git("remote", "add", "origin", url)
        inside.git("add", ".")
        inside.git("commit", "-qm", "code")
        words = ("sweep", "run", "sweep.yaml", "--on", "box", "--through", "origin", "--json")
        early = mlgit(*words, cwd=inside.folder / "sub", check=False)
        inside.git("push", "--quiet", "origin", "HEAD:main")
        told = json.loads(mlgit(*words, cwd=inside.folder / "sub").stdout)

        (job,) = told["jobs"]
        mlgit("jobs", "logs", "-f", job["id"], cwd=inside.folder / "sub")
        mlgit("pull", cwd=inside.folder)
    assert "is on no branch of origin" in early.stderr
    runs = query.runs(inside, sweep=told["id"])
    assert sorted((run.params["x"], run.metrics["loss"], run.state.value) for run in runs) == [
        (1, 0.5, "finished"), (2, 0.5, "finished"),
    ]  # fmt: skip


@contextlib.contextmanager
def git_daemon(hub: Path) -> Iterator[str]:
    """The address under which the repository *hub* can be read and pushed to: by git alone, without any helper."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ("git", "daemon", "--reuseaddr", "--listen=127.0.0.1", f"--port={port}", "--export-all",
             "--enable=receive-pack", f"--base-path={hub.parent}")  # fmt: skip
    with subprocess.Popen(words) as process:
        try:
            until(lambda: _listens(port))
            yield f"git://127.0.0.1:{port}/{hub.name}"
        finally:
            process.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0
