"""Jobs on this machine: real processes, ended as groups."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlgit.core.job import JobSpec, JobState
from mlgit.errors import MlgitError, NotFoundError, UsageError
from mlgit.launch import process
from mlgit.launch.process import Settings

DEAF = (
    "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
)


def python(code: str, **more: object) -> JobSpec:
    return JobSpec(name="a job", command=(sys.executable, "-c", code), **more)


def until(what: object, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def test_what_render_prints_does_what_start_does(tmp_path: Path) -> None:
    spec = JobSpec(
        name="lr/3", command=("sh", "-c", 'echo "$NOTE; $1"; pwd', "-", "$HOME it's"), folder=str(tmp_path / "a b"),
        env={"NOTE": "x y"}, minutes=1,
    )  # fmt: skip
    (tmp_path / "a b").mkdir()
    one, two = Settings(log_dir=tmp_path / "one"), Settings(log_dir=tmp_path / "two")

    state = process.wait(process.start(spec, one))
    (tmp_path / "two").mkdir()
    subprocess.run(["sh", "-c", process.render(spec, two)], check=True)

    assert state is JobState.SUCCEEDED
    assert (tmp_path / "one/lr-3.log").read_text() == f"x y; $HOME it's\n{tmp_path}/a b\n"
    assert (tmp_path / "two/lr-3.log").read_text() == (tmp_path / "one/lr-3.log").read_text()


def test_a_plain_job_renders_as_its_command() -> None:
    assert (
        process.render(JobSpec(name="x", command=("python", "train.py", "a b")), Settings()) == "python train.py 'a b'"
    )
    assert shlex.split(process.render(JobSpec(name="x", command=("a",), env={"B": "1 2"}), Settings()))[1] == "B=1 2"


def test_exit_codes_become_states(tmp_path: Path) -> None:
    job = process.start(python("import sys; print('no luck'); sys.exit(3)"), Settings(log_dir=tmp_path))

    assert process.wait(job) is JobState.FAILED
    assert process.tail(job) == "no luck"
    assert process.state(job) is JobState.FAILED


def test_a_jobs_last_words_are_its_errors_however_its_output_is_buffered(tmp_path: Path) -> None:
    code = "import sys, os; os.write(2, b'no memory\\n'); print('epoch 3'); sys.exit(1)"
    job = process.start(python(code), Settings(log_dir=tmp_path))

    process.wait(job)

    assert process.tail(job) == "epoch 3\nno memory"


def test_a_job_that_somebody_else_ends_was_preempted() -> None:
    job = process.start(python("import time; time.sleep(60)"), Settings())
    assert process.wait(job, seconds=0) is JobState.RUNNING

    job.process.terminate()

    assert process.wait(job) is JobState.PREEMPTED


def test_cancel_ends_what_the_job_started_too(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys; print(subprocess.Popen(['sleep', '60']).pid, flush=True); import time; time.sleep(60)"
    )
    job = process.start(python(code), Settings(log_dir=tmp_path))
    until(lambda: process.tail(job))

    process.cancel(job)

    assert process.state(job) in (JobState.RUNNING, JobState.CANCELLED)
    assert process.wait(job) is JobState.CANCELLED
    child = int(process.tail(job))
    until(lambda: is_gone(child))


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_job_that_will_not_end_is_killed_after_the_grace(tmp_path: Path) -> None:
    job = process.start(python(DEAF), Settings(log_dir=tmp_path, grace_seconds=0.2))
    until(lambda: process.tail(job))

    process.cancel(job)

    assert process.state(job) is JobState.RUNNING
    assert process.wait(job) is JobState.CANCELLED
    assert job.process.returncode == -9


def test_a_job_that_is_asked_twice_is_killed_at_once(tmp_path: Path) -> None:
    job = process.start(python(DEAF), Settings(log_dir=tmp_path, grace_seconds=600))
    until(lambda: process.tail(job))

    process.cancel(job)
    process.cancel(job)

    assert process.wait(job) is JobState.CANCELLED


def test_a_job_past_its_minutes_is_timed_out() -> None:
    job = process.start(python("import time; time.sleep(60)", minutes=0.2 / 60), Settings())

    assert process.wait(job) is JobState.TIMED_OUT


def test_cancelling_what_has_ended_changes_nothing() -> None:
    job = process.start(python(""), Settings())
    process.wait(job)

    process.cancel(job)

    assert process.state(job) is JobState.SUCCEEDED


@pytest.mark.parametrize(
    ("spec", "error", "words"),
    [
        (JobSpec(name="x", command=()), UsageError, "no command"),
        (JobSpec(name="x", command=("a\0b",)), UsageError, "NUL"),
        (JobSpec(name="x", command=("true",), env={"A=B": "1"}), UsageError, "environment variable"),
        (JobSpec(name="x", command=("no-such-program",)), NotFoundError, "no 'no-such-program' on PATH"),
        (JobSpec(name="x", command=("true",), folder="no/such"), NotFoundError, "no folder no/such"),
        (JobSpec(name="x", command=("/",)), MlgitError, "cannot start"),
    ],
)
def test_what_cannot_start_says_why(spec: JobSpec, error: type[MlgitError], words: str) -> None:
    with pytest.raises(error, match=words):
        process.start(spec, Settings())
