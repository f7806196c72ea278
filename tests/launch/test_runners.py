"""GitHub's runners as jobs of a queue: a stand-in for the program; real jobs of this machine, docker and Slurm."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from mlgit import wiring
from mlgit.core.job import JobState
from mlgit.core.posted import Posted
from mlgit.errors import MlgitError, UsageError
from mlgit.forge.github.runners import Pool, Registered
from mlgit.forge.github.workflow_runs import Job
from mlgit.git.repo import Repo
from mlgit.launch import asking, queues
from mlgit.launch.runners import keeping, program, stands
from mlgit.launch.runners.stands import Runner, Stand
from mlgit.launch.runners.watching import Watch, pause
from mlgit.store import jobs
from mlgit.store.place import Place
from mlgit.wiring import runners
from tests import dockerd, github, kube, machines, slurmd
from tests.conftest import need
from tests.contracts.launching import until
from tests.github import NAME, GitHub
from tests.machines import Machines

Script = Callable[..., "subprocess.CompletedProcess[str]"]
LABELS = ("self-hosted", "gpu")


@dataclass
class Room:
    """A project on GitHub with a queue `gpu` that has the runner's program."""

    there: GitHub
    repo: Repo
    home: Path
    mlgit: Script

    @property
    def machines(self) -> Machines:
        return self.there.machines

    def queue(self, **more: Any) -> None:
        """Let the queue `gpu` be this."""
        forge = {"kind": "github", "repository": NAME, "api": self.there.address}
        runner = {"program": str(self.home / "program/run.sh"), "labels": ["gpu"]} | more.pop("runner", {})
        queue = (more or {"local": {"slots": 4, "gpus": []}}) | {"runner": runner}
        told = {"project": "p", "forge": forge, "queues": {"gpu": queue}}
        (self.repo.folder / "mlgit.yaml").write_text(json.dumps(told))

    def start(self, *words: str, **more: Any) -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = json.loads(
            self.mlgit("runner", "start", "--on", "gpu", "--json", *words, **more).stdout
        )
        return told

    def ls(self) -> dict[str, dict[str, Any]]:
        return {one["name"]: one for one in json.loads(self.mlgit("runner", "ls", "--json").stdout)}

    def stands(self, name: str) -> str | None:
        return self.ls().get(name, {}).get("is")

    def job(self, name: str) -> Posted:
        """The job that is the runner *name*, as it stands by now."""
        place = wiring.place()
        return asking.look(place, [keeping.listed(place)[name]]).jobs[0]

    def is_online(self, name: str) -> bool:
        return any(one["name"] == name and one["online"] for one in self.machines.there.values())


@pytest.fixture
def room(inside: Repo, mlgit: Script, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Room]:
    need("github", github.is_here())
    with github.serving(inside.git_dir) as there:
        monkeypatch.setenv("GITHUB_API_URL", there.address)
        monkeypatch.setenv("GH_TOKEN", "token-of-ada")
        monkeypatch.setenv("MY_API_KEY", "of nobody's concern")
        machines.unpack(tmp_path / "program")
        room = Room(there, inside, tmp_path, mlgit)
        room.queue()
        yield room
        if there.machines.configs:
            with contextlib.suppress(MlgitError):  # of a daemon that has ended
                _end_all(wiring.place())
            until(lambda: not list(_processes(tmp_path, inside.folder)))


def _end_all(place: Place) -> None:
    pools = [_at_once(pool) for pool in runners.pools(place)]
    keeping.stop(place, pools, keeping.look(place, pools).runners, also_busy=True)


def _at_once(pool: Pool) -> Pool:
    """The same, with no second between two writes."""
    return replace(pool, rest=replace(pool.rest, sleep=lambda _: None, say=lambda _: None))


def _processes(*folders: Path) -> Iterator[psutil.Process]:
    """Those that run in, or out of, one of *folders*."""
    for one in psutil.process_iter(["cmdline", "cwd"]):
        words = " ".join(one.info["cmdline"] or ())
        if ("run.sh" in words or "Runner.Listener" in words) and any(
            str(folder) in f"{words} {one.info['cwd']}" for folder in folders
        ):
            yield one


def _files(*folders: Path) -> Iterator[Path]:
    for folder in folders:
        yield from (path for path in folder.rglob("*") if path.is_file())


def _does_one_job(room: Room) -> dict[str, Any]:
    """Start a runner, let it do a job to the end; what its program saw."""
    number = room.machines.queue(*LABELS)
    (started,) = room.start("--ephemeral")
    name = started["name"]

    until(lambda: room.machines.jobs[number]["runner"])
    told = room.ls()[name]
    assert (told["is"], told["doing"]) == ("busy", f"https://github.com/job/{number}")
    room.machines.done.add(number)
    until(lambda: room.job(name).state.ended)

    assert (room.job(name).state, room.machines.names(), room.ls()) == (JobState.SUCCEEDED, [], {})
    return room.machines.seen[name]


def test_a_runner_does_one_job_and_its_secrets_are_nowhere(room: Room):
    seen = _does_one_job(room)
    until(lambda: not Path(seen["home"]).exists())  # which goes while files are looked for

    assert seen["words"] == []
    assert not {"GH_TOKEN", "MY_API_KEY", "ACTIONS_RUNNER_INPUT_JITCONFIG"} & set(seen["env"])
    (config,) = room.machines.configs
    secret = json.loads(base64.b64decode(config))["secret"]
    files = list(_files(Path(os.environ["HOME"]), room.repo.folder))
    words = ["git", "cat-file", "--batch-all-objects", "--batch"]
    objects = subprocess.run(words, cwd=room.repo.folder, capture_output=True, check=True).stdout
    assert {"job.json", "0.log"} <= {path.name for path in files}
    assert program.CONFIG.encode() in objects
    for content in (objects, *(path.read_bytes() for path in files)):
        assert config.encode() not in content
        assert secret.encode() not in content


def test_runners_of_one_program_have_a_folder_each_and_leave_it_alone(room: Room):
    first, second = room.start("--count", "2", "--labels", "gpu,A100")
    until(lambda: room.is_online(first["name"]) and room.is_online(second["name"]))

    homes = {one["home"] for one in room.machines.seen.values()}
    assert len(homes) == 2
    assert str(room.home / "program") not in homes
    assert sorted(path.name for path in (room.home / "program").iterdir()) == ["_diag", "bin", "run.sh"]
    assert first["labels"] == ["self-hosted", "gpu", "A100"]
    assert {stand["is"] for stand in room.ls().values()} == {"idle"}


def test_a_secret_is_handed_on_where_it_is_asked_for_by_name(room: Room):
    (started,) = room.start("--secret", "MY_API_KEY")
    until(lambda: started["name"] in room.machines.seen)

    assert room.machines.seen[started["name"]]["env"]["MY_API_KEY"] == "of nobody's concern"
    lacking = room.mlgit("runner", "start", "--on", "gpu", "--secret", "OTHER", check=False)
    assert (lacking.returncode, "OTHER, which is not set here" in lacking.stderr) == (2, True)


def test_an_idle_runner_ends_by_itself_and_goes_with_the_next_start(room: Room):
    (first,) = room.start("--idle-minutes", "0.01")
    name = first["name"]
    until(lambda: room.job(name).state.ended)

    assert "no job came in 1 seconds" in room.mlgit("jobs", "logs", first["job"]["id"]).stdout
    shown = room.mlgit("runner", "ls")
    assert (room.stands(name), "mlgit runner stop --dead" in shown.stderr) == ("dead", True)
    (second,) = room.start()
    assert room.machines.names() == [second["name"]]


def test_a_killed_runner_is_dead_until_it_is_taken_away(room: Room):
    (started,) = room.start()
    name = started["name"]
    until(lambda: room.is_online(name))
    for one in _processes(room.repo.folder):
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    until(lambda: room.job(name).state.ended)

    assert room.stands(name) == "dead"
    assert room.mlgit("runner", "stop", "--dead").stdout == f"{name} had died, and GitHub has let it go\n"
    assert (room.machines.names(), room.ls()) == ([], {})
    assert not (room.repo.own / "jobs" / started["job"]["id"]).exists()


def test_an_idle_runner_is_stopped_and_a_busy_one_only_where_that_is_meant(room: Room):
    idle, busy = (one["name"] for one in room.start("--count", "2"))
    until(lambda: room.is_online(idle) and room.is_online(busy))
    number = room.machines.queue(*LABELS)
    busy = until(lambda: room.machines.jobs[number]["runner"])
    (idle,) = {*room.machines.names()} - {busy}

    stays = room.mlgit("runner", "stop", "--all", check=False)
    assert (stays.returncode, f"{busy} {keeping.STAYS}" in stays.stdout, "--yes" in stays.stderr) == (1, True, True)
    until(lambda: room.job(idle).state.ended)
    assert room.machines.names() == [busy]
    ends = room.mlgit("runner", "stop", busy, "--yes")
    assert ends.stdout == f"{busy} is being ended, and the job that it does\n"
    until(lambda: room.job(busy).state.ended)
    assert room.job(busy).state is JobState.CANCELLED


def test_a_runner_that_gets_its_job_while_it_is_looked_at_is_busy(room: Room):
    (started,) = room.start()
    name = started["name"]
    until(lambda: room.is_online(name))

    def stop(*words: str) -> subprocess.CompletedProcess[str]:
        (one,) = room.machines.there.values()
        one["job"] = None
        room.there.after[f"GET /repos/{NAME}/actions/runners"] = lambda: one.update(job=room.machines.queue())
        return room.mlgit("runner", "stop", "--all", *words, check=False)

    assert stop().stdout == f"{name} {keeping.STAYS}\n"
    assert stop("--yes").stdout == f"{name} is being ended, and the job that it does\n"
    until(lambda: room.job(name).state.ended)


def test_the_names_of_runners_are_completed(room: Room):
    (started,) = room.start()
    typed = {"_MLGIT_COMPLETE": "bash_complete", "COMP_WORDS": "mlgit runner stop mlgit-", "COMP_CWORD": "3"}

    assert room.mlgit(env=os.environ | typed).stdout == f"plain,{started['name']}\n"


def test_what_cannot_be_started_registers_nothing(room: Room):
    def refused(*words: str, queue: dict[str, Any] | None = None) -> str:
        room.queue(**(queue or {}))
        done = room.mlgit("runner", "start", *(words or ("--on", "gpu")), check=False)
        assert done.returncode in (1, 2), done.stdout
        assert not room.machines.names()
        return done.stderr

    assert "no runner program /nowhere/run.sh" in refused(queue={"runner": {"program": "/nowhere/run.sh"}})
    assert "needs its whole path" in refused(queue={"runner": {"program": "run.sh"}})
    assert "Nothing says where the runner's program lies" in refused("--on", "local")
    assert "GitHub's own runners" in refused("--on", "actions")
    assert "is no label" in refused("--on", "gpu", "--labels", "a b")
    assert "--watch, or --count N" in refused("--on", "gpu", "--max", "3")
    assert "builds its image" in refused(queue={"docker": {"build": {"python": "3.12"}}})
    room.there.is_private = False
    assert "is for private repositories" in refused()
    room.there.is_private, room.machines.administers = True, False
    assert "the right to write (repository: Administration)" in refused()


def test_a_job_that_is_not_taken_leaves_no_registration(room: Room):
    room.queue(local={"slots": 4, "gpus": []}, limits={"jobs": 1})

    told = room.mlgit("runner", "start", "--on", "gpu", "--count", "2", "--json", check=False)

    assert (told.returncode, "takes 1 at once" in told.stderr) == (2, True)
    assert room.machines.names() == [one["name"] for one in json.loads(told.stdout)]


_KILLED_AS_IT_SUBMITS = """
import os, runpy, signal, sys
from mlgit.launch import local
local.submit = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
sys.argv = ["mlgit", "runner", "start", "--on", "gpu"]
runpy.run_module("mlgit", run_name="__main__")
"""


@pytest.mark.parametrize("moment", ["registered", "listed"])
def test_a_start_that_is_killed_leaves_nothing_that_the_next_one_does_not_take_away(room: Room, moment: str):
    begun: list[subprocess.Popen[bytes]] = []
    if moment == "registered":
        room.there.after[f"POST /repos/{NAME}/actions/runners/generate-jitconfig"] = lambda: until(lambda: begun)[
            0
        ].kill()
    words = {"registered": ("-m", "mlgit", "runner", "start", "--on", "gpu"), "listed": ("-c", _KILLED_AS_IT_SUBMITS)}
    begun.append(subprocess.Popen([sys.executable, *words[moment]], stdout=subprocess.DEVNULL))
    assert begun[0].wait() == -signal.SIGKILL
    (killed,) = room.machines.names()

    assert room.stands(killed) == "dead"
    (started,) = room.start()

    assert room.machines.names() == [started["name"]]
    assert [*room.ls()] == [started["name"]]
    place = wiring.place()
    assert [job.name for job in jobs.known(place.repo, "p")] == [started["name"]]
    assert [path.name for path in (place.repo.own / "jobs").iterdir()] == [started["job"]["id"]]
    keeping.mend(place, [pool := runners.pool(place)], keeping.look(place, [pool]))
    assert not list((place.repo.own / "runners").iterdir())


def test_a_registration_that_github_could_not_be_told_to_forget_goes_with_the_next_start(room: Room):
    refused = [(401, {}, {"message": "Bad credentials"})]
    room.there.after[f"POST /repos/{NAME}/actions/runners/generate-jitconfig"] = lambda: room.there.answers.extend(
        refused
    )
    wanted, pool = _watch(room, 1).wanted, runners.pool(place := wiring.place())
    limited = replace(wanted.queue, limits=queues.Limits(cpus=1), defaults=queues.Defaults(cpus=2), lines={"cpus": 1})
    with pytest.raises(UsageError, match="2 CPUs"):
        keeping.start(place, replace(wanted, queue=limited), pool, print)
    (name,) = room.machines.names()

    assert room.stands(name) == "dead"
    assert room.mlgit("runner", "stop", "--dead").stdout == f"{name} had died, and GitHub has let it go\n"
    assert room.machines.names() == []


def test_a_public_repository_is_asked_for_by_name_and_an_organizations_group_is_looked_at(room: Room):
    room.there.is_private = False
    (started,) = room.start("--public")
    room.queue(runner={"organization": "acme"})
    (other,) = room.start()

    assert {one["at"] for one in room.machines.there.values()} == {"repos", "orgs"}
    assert {*room.ls()} == {started["name"], other["name"]}
    room.machines.allows_public = True
    refused = room.mlgit("runner", "start", "--on", "gpu", check=False)
    assert "the runner group 1 of acme is open to public repositories" in refused.stderr


def test_the_file_of_what_was_cloned_starts_no_runner_of_another_repository(room: Room):
    def refused() -> str:
        done = room.mlgit("runner", "start", "--on", "gpu", check=False)
        assert (done.returncode, room.machines.configs) == (2, [])
        return done.stderr

    room.repo.git("remote", "add", "origin", "https://github.com/mallory/churn.git")
    assert "runners of acme/churn, of which this is no clone" in refused()
    room.repo.git("remote", "add", "upstream", "git@github.com:Acme/churn.git")
    room.queue(runner={"organization": "victim"})
    assert "The runners of victim do no jobs of acme/churn" in refused()
    room.queue(runner={"organization": "acme"})

    assert room.start()


def test_a_runners_job_is_not_begun_again(room: Room):
    (room.home / "program/run.sh").write_text("#!/bin/sh\n")
    (started,) = room.start()
    until(lambda: room.job(started["name"]).state.ended)

    refused = room.mlgit("jobs", "retry", started["job"]["id"], check=False)

    assert (refused.returncode, "mlgit runner start --on gpu" in refused.stderr) == (2, True)


def test_runners_of_others_are_listed_and_left_alone(room: Room):
    room.machines.add("theirs", "self-hosted")

    told = room.ls()["theirs"]
    assert (told["is"], told["job"]) == ("elsewhere", None)
    assert room.mlgit("runner", "stop", "--all").stdout == ""
    assert room.machines.names() == ["theirs"]
    assert room.mlgit("runner", "stop", "theirs").stdout == "theirs GitHub has let it go\n"
    assert room.mlgit("runner", "stop", "nobody", check=False).returncode == 1


def test_a_list_of_jobs_from_somebody_else_takes_no_runner_of_theirs_away(room: Room):
    room.machines.add("theirs", *LABELS)
    planted = _job(JobState.FAILED, key="runner/theirs")
    jobs.keep(room.repo, planted, why="by somebody who may push")

    room.start()
    room.mlgit("runner", "stop", "--dead")

    assert "theirs" in room.machines.names()


def test_what_is_sent_holds_the_name_of_the_secret_alone(room: Room):
    image = {"image": "ghcr.io/actions/actions-runner:latest"}
    sent = {}
    for kind, settings in {"local": {}, "slurm": {}, "docker": image, "kubernetes": image}.items():
        room.queue(**{kind: settings})
        sent[kind] = room.mlgit("runner", "start", "--on", "gpu", "--dry-run").stdout

    assert not room.machines.configs
    assert all(program.CONFIG in text for text in sent.values())
    assert f': "${{{program.CONFIG}:?}}"\n' in sent["slurm"]
    (container,) = json.loads(sent["docker"])
    assert container["Cmd"][-1] == str(room.home / "program/run.sh")
    assert [mount["Source"] for mount in container["HostConfig"]["Mounts"]] == [container["WorkingDir"]]
    assert f"{room.repo.own}/jobs" in container["WorkingDir"]
    assert "secretKeyRef" in sent["kubernetes"]
    room.queue(docker=image, runner={"program": None})
    assert '"/home/runner/run.sh"' in room.mlgit("runner", "start", "--on", "gpu", "--dry-run").stdout


def test_where_no_github_is_asked_there_are_no_runners(inside: Repo, mlgit: Script):
    done = mlgit("runner", "ls", check=False)

    assert (done.returncode, "live in a folder" in done.stderr) == (2, True)


# As many as are wanted


def _watch(room: Room, most: int) -> Watch:
    place = wiring.place()
    queue = queues.find(place.settings, "gpu")
    wanted = keeping.Wanted(queue=queue, labels=program.labelled(queue, ()), idle_minutes=5)
    pool = _at_once(runners.pool(place, queue))
    return Watch(place=place, wanted=wanted, pool=pool, most=most, tell=room.there.asked.append)


def test_as_many_runners_are_started_as_jobs_wait_and_idle_ones_end_with_the_watch(room: Room):
    watch = _watch(room, 2)
    watch.look()
    assert room.machines.names() == []
    waiting = [room.machines.queue(*LABELS, name=f"train {number}") for number in range(3)]
    room.machines.queue("self-hosted", "windows")
    room.machines.queue("ubuntu-latest")
    room.machines.queue()

    watch.look()
    watch.look()
    assert len(room.machines.names()) == 2
    until(lambda: [one["status"] for one in room.machines.jobs.values()].count("in_progress") == 2)
    watch.look()
    assert len(room.machines.names()) == 2

    first, second = (id for id in waiting if room.machines.jobs[id]["runner"])
    room.machines.done.add(first)
    until(lambda: room.machines.jobs[first]["status"] == "completed")
    until(lambda: watch.look() or len(watch.started) == 3)
    (third,) = set(waiting) - {first, second}
    until(lambda: room.machines.jobs[third]["runner"])
    room.machines.jobs[third]["status"] = "completed"  # somebody cancelled it: its runner has nothing to do
    idle = next(one for one in room.machines.there.values() if one["job"] == third)
    idle["job"] = None

    watch.end()
    assert room.machines.names() == [room.machines.jobs[second]["runner"]]


def test_a_look_at_what_has_not_changed_costs_nothing_of_what_may_be_asked(room: Room):
    room.machines.queue("ubuntu-latest")
    watch = _watch(room, 2)
    watch.look()
    before = len(room.there.asked)

    room.there.answered.clear()
    watch.look()

    assert len(room.there.asked) - before == 4
    assert room.there.answered == [304] * 4


def test_a_dead_runner_is_replaced_as_long_as_its_job_waits(room: Room):
    watch = _watch(room, 1)
    room.machines.queue(*LABELS)
    (room.home / "program/run.sh").write_text("#!/bin/sh\nexit 1\n")
    watch.look()
    (first,) = watch.started
    until(lambda: room.job(first).state.ended)
    machines.unpack(room.home / "again").replace(room.home / "program/run.sh")

    watch.look()

    (second,) = watch.started - {first}
    assert room.machines.names() == [second]
    assert f"{first} had died, and GitHub has let it go" in room.there.asked


def test_runners_that_come_to_nothing_are_tried_less_and_less_often_and_one_at_a_time(room: Room):
    watch, now = _watch(room, 2), 0.0
    watch.clock = lambda: now
    for _ in range(2):
        room.machines.queue(*LABELS)
    (room.home / "program/run.sh").write_text("#!/bin/sh\nexit 1\n")

    def ended() -> bool:
        return all(job.state.ended for job in map(room.job, watch.started))

    def tried() -> int:
        before = len(room.machines.configs)
        until(ended)
        watch.look()
        return len(room.machines.configs) - before

    assert [tried() for _ in range(4)] == [2, 2, 0, 0]
    now += pause(2)
    assert [tried() for _ in range(2)] == [1, 0]
    now += pause(3) - 1
    assert tried() == 0
    now += 1
    assert tried() == 1
    assert "2 runners in a row came to nothing: the next in 30s" in room.there.asked

    until(ended)
    machines.unpack(room.home / "again").replace(room.home / "program/run.sh")
    watch.look()
    now += pause(4)
    watch.look()
    until(lambda: [job["runner"] for job in room.machines.jobs.values()].count(None) == 1)
    watch.look()
    until(lambda: all(job["runner"] for job in room.machines.jobs.values()))


def test_a_runner_is_tried_again_ever_less_often_up_to_five_minutes():
    assert [pause(failed) for failed in (0, 1, 2, 3, 9, 99)] == [0, 0, 30, 60, 300, 300]


def test_two_watches_of_a_clone_start_one_runner_for_one_job(room: Room):
    room.machines.queue(*LABELS)
    watches = [_watch(room, 4), _watch(room, 4)]

    with ThreadPoolExecutor() as both:
        list(both.map(Watch.look, watches))

    assert len(room.machines.configs) == 1


def test_a_run_that_is_deleted_while_its_jobs_are_asked_for_has_none(room: Room):
    number = room.machines.queue(*LABELS)
    room.there.after[f"GET /repos/{NAME}/actions/runs"] = lambda: room.machines.jobs.pop(number)

    assert runners.pool(wiring.place()).jobs() == []


def test_a_watch_waits_as_long_as_github_wants_it(room: Room):
    watch, told, waited = _watch(room, 1), list[str](), list[float]()
    watch.tell = told.append
    answers = [(429, {"retry-after": "900"}, {"message": "slow down"}), (401, {}, {"message": "Bad credentials"})]

    def wait(seconds: float) -> None:
        waited.append(seconds)
        room.there.answers[:] = [answers.pop(0)]

    with pytest.raises(Exception, match="does not know the token"):
        watch.follow(15, wait)

    assert waited == [15, 900]
    assert told == ["GitHub answers no more for now: too much was asked. It is asked again in 15m 00s."]


def test_a_watch_outlives_a_network_that_is_away_and_says_so_once(room: Room):
    watch = _watch(room, 1)
    told: list[str] = []
    watch.tell = told.append
    number = room.machines.queue(*LABELS)
    room.machines.jobs[number]["status"] = "completed"
    rounds = 0

    def wait(_: float) -> None:
        nonlocal rounds
        rounds += 1
        room.there.answers[:] = [(502, {}, {})] * 5 if rounds < 3 else [(401, {}, {"message": "Bad credentials"})]

    with pytest.raises(Exception, match="does not know the token"):
        watch.follow(15, wait)

    assert told == ["tried again in 15 s: GitHub is in trouble."]


def test_a_watch_ends_when_it_is_told_to_and_takes_idle_runners_along(room: Room):
    words = (sys.executable, "-m", "mlgit", "runner", "start", "--on", "gpu", "--watch", "--max", "3", "--every", "5")
    number = room.machines.queue(*LABELS)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watch:
        until(lambda: room.machines.jobs[number]["runner"] or watch.poll() is not None)
        (one,) = room.machines.there.values()
        one["job"] = None
        room.machines.jobs[number]["status"] = "completed"
        watch.send_signal(signal.SIGTERM)
        said, errors = watch.communicate(timeout=60)

    assert watch.returncode == 0, errors
    assert f"{one['name']} started" in said
    assert f"{one['name']} is being ended" in said
    assert not room.machines.names()


# How they stand


def _job(state: JobState, **more: Any) -> Posted:
    told = {"id": "a", "name": "r", "project": "p", "queue": "gpu", "backend": "local", "job": "1"}
    return Posted(state=state, **(told | more))


def _there(**more: Any) -> Registered:
    told = {"id": 1, "name": "r", "labels": LABELS, "is_online": False, "is_busy": False, "at": "acme/churn"}
    return Registered(**(told | more))


@pytest.mark.parametrize(
    ("job", "there", "stand"),
    [
        (_job(JobState.QUEUED), _there(), Stand.QUEUED),
        (_job(JobState.RUNNING, seen=990), _there(), Stand.STARTING),
        (_job(JobState.RUNNING, seen=100), _there(), Stand.SILENT),
        (_job(JobState.RUNNING), _there(is_online=True), Stand.IDLE),
        (_job(JobState.RUNNING), _there(is_online=True, is_busy=True), Stand.BUSY),
        (_job(JobState.RUNNING), None, Stand.ENDING),
        (_job(JobState.QUEUED), None, Stand.FORGOTTEN),
        (_job(JobState.QUEUED, job="", submitted=990), _there(), Stand.QUEUED),
        (_job(JobState.QUEUED, job="", submitted=990), None, Stand.ENDING),
        (_job(JobState.QUEUED, job="", submitted=100), _there(), Stand.DEAD),
        (_job(JobState.QUEUED, job="", submitted=100), None, Stand.DEAD),
        (_job(JobState.QUEUED, job="", submitted=100), _there(is_online=True), Stand.IDLE),
        (_job(JobState.LOST), _there(is_online=True), Stand.DEAD),
        (_job(JobState.LOST), _there(is_busy=True), Stand.BUSY),
        (None, _there(), Stand.ELSEWHERE),
    ],
)
def test_a_runner_stands_by_what_both_sides_say(job: Posted | None, there: Registered | None, stand: Stand):
    (found,) = stands.joined([there] if there else [], {"r": job} if job else {}, 1000)

    assert found.stand is stand
    assert stands.joined([], {"r": _job(JobState.SUCCEEDED)}, 1000) == []


def test_no_more_runners_are_missing_than_jobs_wait_for_and_there_may_be():
    def job(*labels: str, runner: str = "") -> Job:
        return Job(id=1, name="train", state=JobState.QUEUED, labels=labels, runner=runner)

    def runner(stand: Stand, *labels: str) -> Runner:
        return Runner(name="r", stand=stand, there=_there(labels=labels or LABELS))

    waiting = [job("GPU", "Self-Hosted"), job("gpu"), job("gpu", runner="r"), job("windows"), job()]

    assert stands.missing(waiting, [], LABELS, 9) == 2
    assert stands.missing(waiting, [], LABELS, 1) == 1
    assert stands.missing(waiting, [runner(Stand.IDLE)], LABELS, 9) == 1
    assert stands.missing(waiting, [runner(Stand.QUEUED), runner(Stand.STARTING)], LABELS, 9) == 0
    assert stands.missing(waiting, [runner(Stand.BUSY), runner(Stand.DEAD)], LABELS, 2) == 1
    assert stands.missing(waiting, [runner(Stand.IDLE, "self-hosted")], LABELS, 9) == 2


# Elsewhere than on this machine


def test_a_container_is_a_runner(room: Room, tmp_path_factory: pytest.TempPathFactory):
    need("dockerd", dockerd.is_here())
    with dockerd.running(tmp_path_factory.mktemp("d")) as address:
        dockerd.make_image(address)  # cp, rm and sleep, which GitHub's image has, come from this machine
        room.queue(docker={"host": address, "network": "host", "image": dockerd.IMAGE, "pull": False,
                           "grace_seconds": 5, "mounts": ["/usr", str(room.home / "program")]})  # fmt: skip
        seen = _does_one_job(room)

    assert (seen["words"], "GH_TOKEN" in seen["env"]) == ([], False)


def _in_an_image(room: Room) -> tuple[int, str]:
    """How the program ends, and what it prints, where it has an image to itself and a second to get a job."""
    place = wiring.place()
    image = replace(queues.find(place.settings, "docker"), runner=queues.find(place.settings, "gpu").runner,
                    defaults=queues.Defaults(image="some"))  # fmt: skip
    wish = program.wish(image, "r", idle_minutes=0.01)
    env = os.environ | {**wish.env, program.CONFIG: runners.pool(place).register("r", LABELS)}
    with (room.home / "log").open("w") as log:
        done = subprocess.run([*(wish.apart or ()), *wish.command], env=env, stdout=log, timeout=60)
    return done.returncode, (room.home / "log").read_text()


def test_in_an_image_the_program_runs_where_it_lies(room: Room):
    assert _in_an_image(room) == (0, "Listening for Jobs\nmlgit: no job came in 1 seconds\n")
    assert (room.home / "program/.runner").read_text() == "r"


def test_a_runner_that_has_a_job_is_not_idle(room: Room):
    script = "#!/bin/sh\nmkdir _diag && touch _diag/Worker_1.log && sleep 2 && echo done\n"
    (room.home / "program/run.sh").write_text(script)

    assert _in_an_image(room) == (0, "done\n")


def test_a_cluster_runs_a_runner(room: Room, tmp_path_factory: pytest.TempPathFactory):
    need("kubernetes", kube.is_here())
    with kube.running(tmp_path_factory.mktemp("k")) as (_, config):
        room.queue(kubernetes={"kubeconfig": str(config), "image": kube.IMAGE})
        seen = _does_one_job(room)

    assert seen["home"] == str(room.home / "program")
    assert not {"GH_TOKEN", "MY_API_KEY"} & set(seen["env"])


def test_slurm_runs_a_runner(room: Room, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch):
    need("slurm", slurmd.is_here())
    with slurmd.running(tmp_path_factory.mktemp("s")) as conf:
        monkeypatch.setenv("SLURM_CONF", str(conf))
        room.queue(slurm={"folder": str(tmp_path_factory.mktemp("jobs"))})
        seen = _does_one_job(room)

    assert not {"GH_TOKEN", "MY_API_KEY"} & set(seen["env"])


def test_what_a_token_may_not_see_is_no_traceback(room: Room):
    room.there.answers[:] = [(403, {"x-accepted-github-permissions": "administration=read"}, {"message": "no"})]

    done = room.mlgit("runner", "ls", check=False)

    assert (done.returncode, "administration: read" in done.stderr) == (1, True)


def test_only_one_way_of_choosing_is_taken(room: Room):
    for words in ((), ("--all", "--dead"), ("x", "--all")):
        assert room.mlgit("runner", "stop", *words, check=False).returncode == 2
    with pytest.raises(UsageError, match="no label"):
        program.labelled(queues.find(wiring.place().settings, "gpu"), ["x\x1b[31m"])
