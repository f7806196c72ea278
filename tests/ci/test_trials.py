"""The trials of a job, done by real processes, and handed over."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from mlgit.ci import bundles, trials, workflows
from mlgit.ci import plan as plans
from mlgit.ci.plan import Trial
from mlgit.ci.trials import Signals, Work
from mlgit.ci.workflows import Options
from mlgit.core import refs
from mlgit.core.run import State
from mlgit.documents import reader
from mlgit.errors import UsageError
from mlgit.git import bundle
from mlgit.store import runs
from tests.ci import handing
from tests.ci.handing import IDS, Place

Mlgit = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return handing.make(tmp_path)


def planned(place: Place, *programs: str, **more: object) -> Place:
    """One job whose trials run *programs* of the shell."""
    made = tuple(
        Trial(number=number, id=IDS[number], name=f"rates-{number}", command=run_by("sh", "-c", program, number=number))
        for number, program in enumerate(programs, 1)
    )
    job = replace(place.plan.jobs[0], trials=tuple(trial.number for trial in made))
    return replace(place, plan=replace(place.plan, **{"trials": made, "jobs": (job,)} | more))


def run_by(*program: str, number: int) -> tuple[str, ...]:
    return ("--id", IDS[number], "--name", f"rates-{number}", "--sweep", "abcd2345", "--", *program)


def words(place: Place, *more: str) -> tuple[str, ...]:
    return ("ci", "trial", "--plan", str(place.plan_file), "--job", "0", "--to", str(place.folder(1)), *more)


def said(place: Place) -> dict[int, tuple[str, int]]:
    """What the job says has become of its trials, each with the exit code."""
    found = [json.loads(path.read_text()) for path in sorted(place.folder(1).glob("*.json"))]
    return {one["trial"]: (one["became"], one["exit_code"]) for one in found}


def handed(place: Place) -> dict[int, dict[str, str]]:
    """The refs of the bundles that the job has handed over."""
    return {
        file.trial: dict(bundle.read(file.path).refs)
        for kind, file in bundles.handed([place.handed]) if kind == "bundle"
    }  # fmt: skip


def test_each_trial_is_handed_over_and_what_failed_is_said(place: Place, mlgit: Mlgit) -> None:
    place = planned(place, "echo one", "exit 3")
    (place.job.folder / "click.py").write_text("raise SystemExit('the project has a module of that name')\n")

    done = mlgit(*words(place), cwd=place.job.folder, check=False)

    assert done.returncode == 1
    assert "one\n" in done.stdout
    assert said(place) == {1: ("finished", 0), 2: ("failed", 3)}
    here = place.job.refs(refs.RUNS)
    assert {**handed(place)[1], **handed(place)[2]} == here
    assert len(here) == 2
    assert not [path for path in place.folder(1).iterdir() if path.name.startswith(".")]


def test_data_come_from_the_dvc_remote_before_a_trial_begins_or_none_begins(tmp_path: Path, mlgit: Mlgit) -> None:
    content, store = b"1,2\n", tmp_path / "store"
    md5 = hashlib.md5(content).hexdigest()
    files = {
        "data.csv.dvc": f"outs: [{{md5: {md5}, size: 4, hash: md5, path: data.csv}}]\n", ".gitignore": "/data.csv\n",
        ".dvc/config": f"[core]\n    remote = store\n['remote \"store\"']\n    url = {store}\n",
    }  # fmt: skip
    place = planned(handing.make(tmp_path, files), "cat data.csv")
    store.mkdir()

    without = mlgit(*words(place), cwd=place.job.folder, check=False)
    held = store / "files/md5" / md5[:2] / md5[2:]
    held.parent.mkdir(parents=True)
    held.write_bytes(content)
    done = mlgit(*words(place), cwd=place.job.folder)

    assert without.returncode == 1
    assert "Some of the data of these trials did not come" in without.stderr
    assert "1,2\n" in done.stdout
    assert said(place) == {1: ("finished", 0)}


def test_a_job_begun_again_does_what_has_not_finished(place: Place, mlgit: Mlgit, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    place = planned(place, f"echo 1 >> {marks}", f"echo 2 >> {marks}; test -e {tmp_path}/there")
    mlgit(*words(place), cwd=place.job.folder, check=False)
    (tmp_path / "there").touch()
    other = replace(place, job=handing.clone(place.far, tmp_path / "another runner"))

    done = mlgit(*words(other), "--json", cwd=other.job.folder)

    assert marks.read_text().split() == ["1", "2", "2"]
    assert [one["became"] for one in json.loads(done.stdout)] == ["finished", "finished"]
    assert "rates-2 of digits, resumed" in done.stderr


_STOPPED = """
import os, signal, mlgit
from pathlib import Path
run = mlgit.init()
begin = 0
if run.resumed:
    begin = int((Path(run.use_artifact("state:latest").download()) / "state.txt").read_text())
for step in range(begin, 4):
    run.log({"loss": 4 - step})
    if step == 1 and not run.resumed:
        Path("state.txt").write_text("2")
        run.log_artifact("state.txt", name="state", type="model")
        os.kill(os.getpid(), signal.SIGTERM)  # its six hours are over
"""


def test_a_trial_that_was_stopped_goes_on_from_its_checkpoint_on_another_runner(place: Place, mlgit: Mlgit) -> None:
    """No DVC remote has the checkpoint: it lies beside the bundle."""
    program = place.handed.parent / "train.py"
    program.write_text(_STOPPED)
    place = planned(place, f"exec {sys.executable} {program}")
    mlgit(*words(place), cwd=place.job.folder, check=False)
    before = said(place)
    other = replace(place, job=handing.clone(place.far, place.handed.parent / "another runner"))

    mlgit(*words(other), cwd=other.job.folder)

    assert (before[1][0], said(place)[1][0]) == ("preempted", "finished")
    run = runs.read(other.job, next(iter(handed(place)[1].values())))
    assert run
    assert runs.history(other.job, run)["loss"].values == [4, 3, 2, 1]


@contextlib.contextmanager
def step(place: Place, name: str, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The step *name* of the action, as GitHub's runner starts it: bash, with the script as a file."""
    text = workflows.rendered(["experiment"], Options())[".github/actions/mlgit-trial/action.yml"].body
    (found,) = (one for one in reader.plain(text, source="action")["runs"]["steps"] if one["name"] == name)
    (tmp_path / "temp/mlgit-plan").mkdir(parents=True, exist_ok=True)
    place.plan_file.rename(tmp_path / "temp/mlgit-plan/plan.json")
    (tmp_path / "step.sh").write_text(found["run"])
    env = {name: value for name, value in os.environ.items() if name != "GITHUB_STEP_SUMMARY"} | {
        "JOB": "0", "DIGEST": plans.digest(plans.written(place.plan).encode()), "RUNNER_TEMP": str(tmp_path / "temp"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip
    words = ("bash", "--noprofile", "--norc", "-eo", "pipefail", str(tmp_path / "step.sh"))
    with subprocess.Popen(words, cwd=place.job.folder, env=env, stderr=subprocess.PIPE) as entry:
        yield entry
        entry.communicate()


def became(tmp_path: Path) -> dict[int, str]:
    """What lies handed over says of its trials."""
    told = [json.loads(path.read_text()) for path in sorted((tmp_path / "temp/mlgit-handed").glob("*.json"))]
    return {one["trial"]: one["became"] for one in told}


def test_a_job_that_github_cancels_hands_over_what_it_was_at(place: Place, tmp_path: Path) -> None:
    """GitHub tells the entry process of the step alone, by SIGINT, and kills all of them ten seconds later."""
    os.mkfifo(tmp_path / "ready")
    place = planned(place, "true", f"echo > {tmp_path}/ready; exec sleep 60", "echo never")
    with step(place, "Train", tmp_path) as job:
        (tmp_path / "ready").read_text()

        job.send_signal(signal.SIGINT)

    assert job.returncode == 128 + signal.SIGINT
    assert became(tmp_path) == {1: "finished", 2: "preempted"}
    (tip,) = bundle.read(tmp_path / "temp/mlgit-handed/trial-2.bundle").refs.values()
    run = runs.read(place.job, tip)
    assert run
    assert run.state is State.PREEMPTED


def test_what_does_not_end_when_told_is_ended_when_told_again(place: Place, tmp_path: Path) -> None:
    for name in ("ready", "told"):
        os.mkfifo(tmp_path / name)
    deaf = f"trap 'echo > {tmp_path}/told' TERM; echo > {tmp_path}/ready; while :; do sleep 60 & wait; done"
    place = planned(place, deaf)
    with step(place, "Train", tmp_path) as job:
        (tmp_path / "ready").read_text()
        job.send_signal(signal.SIGINT)
        (tmp_path / "told").read_text()

        job.send_signal(signal.SIGTERM)

    assert became(tmp_path) == {1: "crashed"}


def test_what_a_job_was_at_that_was_killed_is_handed_over_by_the_next_step(place: Place, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ready")
    place = planned(place, "true", f"echo > {tmp_path}/ready; exec sleep 60", "echo never")
    with step(place, "Train", tmp_path) as job:
        (tmp_path / "ready").read_text()
        every = [job.pid, *(one.pid for one in psutil.Process(job.pid).children(recursive=True))]
        for pid in every:  # as GitHub's runner does: all of the tree
            os.kill(pid, signal.SIGKILL)
    before = became(tmp_path)

    with step(place, "What was not handed over", tmp_path) as rest:
        pass

    assert rest.returncode == 0
    assert (before, became(tmp_path)) == ({1: "finished"}, {1: "finished", 2: "crashed"})
    assert len(bundle.read(tmp_path / "temp/mlgit-handed/trial-2.bundle").refs) == 1


def impatient(ready: Path, times: int = 1) -> Callable[[subprocess.Popen[bytes], float], int]:
    """Waits for processes; so many *times* first for who writes to *ready* alone, and then all time is over."""
    left = times

    def wait(child: subprocess.Popen[bytes], seconds: float) -> int:
        nonlocal left
        if not left:
            return child.wait()
        if left == times:
            ready.read_text()
        left -= 1
        raise subprocess.TimeoutExpired("mlgit", seconds)

    return wait


def test_a_trial_whose_time_is_over_makes_room_for_the_next(place: Place, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ready")
    place = planned(place, f"echo > {tmp_path}/ready; exec sleep 60", "true")

    told = do(place, wait=impatient(tmp_path / "ready"))

    assert [one.became for one in told] == ["preempted", "finished"]


def do(place: Place, **more: Any) -> list[bundles.Said]:
    work = Work(repo=place.job, plan=place.plan, folder=place.folder(1), tell=lambda _: None, **more)
    return trials.do(work, 0, Signals())


def test_a_trial_that_will_not_end_is_made_to_and_has_crashed(place: Place, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ready")
    place = planned(place, f"trap '' TERM; echo > {tmp_path}/ready; while :; do sleep 1; done")

    told = do(place, wait=impatient(tmp_path / "ready", times=2))

    assert [one.became for one in told] == ["crashed"]
    assert len(handed(place)) == 1


def test_what_never_began_is_no_run(place: Place) -> None:
    place = planned(place, "true", "true")
    broken = replace(place.plan.trials[0], command=("--no-such-option", "--", "true"))
    lacking = replace(place.plan.trials[1], command=("--", "echo", "${envvar:NOBODY_HAS_SET_IT}"))
    place = replace(place, plan=replace(place.plan, trials=(broken, lacking)))

    told = do(place)

    assert [(one.became, one.exit_code, one.run) for one in told] == [("no run", 2, None)] * 2
    assert handed(place) == {}


def test_words_with_shell_in_them_are_words(place: Place, tmp_path: Path) -> None:
    place = planned(place, "true")
    hostile = f"$(touch {tmp_path}/x);`touch {tmp_path}/x`\n"
    trial = replace(place.plan.trials[0], command=("--id", IDS[1], "--name", hostile, "--", "echo", hostile))
    place = replace(place, plan=replace(place.plan, trials=(trial,)))

    (told,) = do(place)

    assert told.became == "finished"
    assert not (tmp_path / "x").exists()


def test_a_clone_at_another_commit_does_nothing(place: Place) -> None:
    place.job.git("commit", "-q", "--allow-empty", "-m", "later")

    with pytest.raises(UsageError, match="This clone is at"):
        do(planned(place, "true"))


def test_what_a_job_is_told_and_hands_over_is_no_code_of_its_runs(place: Place, mlgit: Mlgit) -> None:
    place = planned(place, "true", "true")
    assert place.job.work_tree
    place.plan_file.rename(place.job.work_tree / "plan [1].json")
    words = ("--plan", "plan [1].json", "--job", "0", "--to", "a folder/handed")

    mlgit("ci", "trial", *words, cwd=place.job.folder)

    tips = place.job.refs(refs.RUNS).values()
    assert [(run.dirty, run.source) for tip in tips if (run := runs.read(place.job, tip))] == [
        (False, place.plan.commit)
    ] * 2
