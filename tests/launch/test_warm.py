"""Jobs that begin as forks of a process that has loaded mlgit."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlgit.core.job import JobSpec, JobState
from mlgit.errors import NotFoundError
from mlgit.launch import process, warm
from mlgit.launch.warm import Warm

BEGIN = Warm(())


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module `job` that such a command may name; its folder."""
    monkeypatch.syspath_prepend(tmp_path)  # whoever is forked has our path
    return tmp_path / "job_of_test.py"


def spec(folder: Path, *words: str, **more: object) -> JobSpec:
    return JobSpec(name="a", command=(sys.executable, "-m", "job_of_test", *words), folder=str(folder), **more)


@contextmanager
def begun(one: JobSpec, folder: Path, **more: object) -> Iterator[process.Job]:
    job = BEGIN.start(one, process.Settings(log_dir=folder / "logs", grace_seconds=0.2), **more)
    try:
        yield job
    finally:
        process.cancel(job)
        process.cancel(job)
        process.wait(job, seconds=20)


def test_it_runs_as_a_command_of_its_own_would(module: Path, tmp_path: Path) -> None:
    module.write_text(
        "import os, sys\nprint(sys.argv[1:], os.getcwd(), os.environ['X'], __name__, os.getsid(0) == os.getpid())\n"
        "print(sys.stdin.read() == '')\n"
        "os.write(2, b'said\\n')\nsys.exit(3)\n"
    )
    with begun(spec(tmp_path, "it's", "b c", env={"X": "$(1)\n2"}), tmp_path) as job:
        state = process.wait(job, seconds=60)

    assert state is JobState.FAILED
    assert job.process.returncode == 3
    assert (tmp_path / "logs/a.log").read_text() == f"[\"it's\", 'b c'] {tmp_path} $(1)\n2 __main__ True\nTrue\n"
    assert (tmp_path / "logs/a.err").read_text() == "said\n"


def test_one_that_is_cancelled_as_soon_as_it_is_there_ends(module: Path, tmp_path: Path) -> None:
    module.write_text("import time\ntime.sleep(60)\n")
    with begun(spec(tmp_path), tmp_path) as job:
        process.cancel(job)
        state = process.wait(job, seconds=60)

    assert state is JobState.CANCELLED


def test_one_that_does_not_listen_is_ended_by_force(module: Path, tmp_path: Path) -> None:
    module.write_text(
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(60)\n"
    )
    with begun(spec(tmp_path), tmp_path) as job:
        end = time.monotonic() + 60
        while "up" not in process.tail(job):
            assert time.monotonic() < end
            time.sleep(0.01)
        process.cancel(job)
        process.wait(job, seconds=60)

    assert job.process.returncode == -9


def test_one_that_is_killed_is_lost_and_did_not_fail(module: Path, tmp_path: Path) -> None:
    module.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    with begun(spec(tmp_path), tmp_path) as job:
        process.wait(job, seconds=60)

        assert warm.state(job) is JobState.LOST


def test_what_is_held_is_held_as_long_as_it_runs(module: Path, tmp_path: Path) -> None:
    module.write_text("import pathlib, time\nwhile not pathlib.Path('go').exists(): time.sleep(0.01)\n")
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    other = os.open(tmp_path / "lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with begun(spec(tmp_path), tmp_path, held=(lock,)) as job:
        os.close(lock)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        (tmp_path / "go").touch()
        state = process.wait(job, seconds=60)

    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)
    assert state is JobState.SUCCEEDED


@pytest.mark.parametrize("listens", [True, False])
def test_it_ends_with_whoever_began_it(tmp_path: Path, listens: bool) -> None:
    deaf = "" if listens else "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    (tmp_path / "job_of_test.py").write_text(f"{deaf}import time\nprint('up', flush=True)\ntime.sleep(60)\n")
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    code = (
        "import fcntl, os, pathlib, sys, time\n"
        "from mlgit.core.job import JobSpec\nfrom mlgit.launch import process, warm\n"
        "one = JobSpec(name='a', command=(sys.executable, '-m', 'job_of_test'))\n"
        "lock = os.open('lock', os.O_RDWR)\nfcntl.flock(lock, fcntl.LOCK_EX)\n"
        "settings = process.Settings(log_dir=pathlib.Path('logs'), grace_seconds=0.2)\n"
        "warm.Warm(()).start(one, settings, held=(lock,))\ntime.sleep(60)\n"
    )
    began = subprocess.Popen((sys.executable, "-c", code), cwd=tmp_path)
    end = time.monotonic() + 60
    while not (log := tmp_path / "logs/a.log").exists() or "up" not in log.read_text():
        assert time.monotonic() < end
        time.sleep(0.01)

    began.kill()
    began.wait()

    fcntl.flock(lock, fcntl.LOCK_EX)  # nobody has it any more
    os.close(lock)
    assert time.monotonic() < end


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no folder"):
        BEGIN.start(spec(tmp_path / "none"), process.Settings())


def test_it_warns_of_nothing_where_whoever_began_it_runs_the_same_module(tmp_path: Path) -> None:
    package = tmp_path / "job_of_test"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(
        "import pathlib, sys\n"
        "from mlgit.core.job import JobSpec\nfrom mlgit.launch import process, warm\n"
        "def main():\n"
        "    if sys.argv[1:] == ['job']:\n        return print('ran')\n"
        "    one = JobSpec(name='a', command=(sys.executable, '-m', 'job_of_test', 'job'))\n"
        "    process.wait(warm.Warm(()).start(one, process.Settings(log_dir=pathlib.Path('logs'))))\n"
        "if __name__ == '__main__':\n    main()\n"
    )
    (tmp_path / "script.py").write_text(
        "from job_of_test.__main__ import main\nif __name__ == '__main__':\n    main()\n"
    )

    subprocess.run((sys.executable, "script.py"), cwd=tmp_path, check=True, timeout=60)

    assert (tmp_path / "logs/a.log").read_text() == "ran\n"
    assert (tmp_path / "logs/a.err").read_text() == ""


def test_one_begins_although_the_server_is_killed_that_was_to_fork_it(tmp_path: Path) -> None:
    (tmp_path / "job_of_test.py").write_text("print('ran')\n")
    (tmp_path / "mortal.py").write_text(
        "import os, pathlib, signal\n"
        "if not (once := pathlib.Path('once')).exists():\n    once.touch()\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )

    assert _ended_in_another(tmp_path, "job = warm.Warm(('mortal',)).start(one, settings)\n") == "SUCCEEDED"

    assert (tmp_path / "once").exists()
    assert (tmp_path / "logs/a.log").read_text() == "ran\n"


@pytest.mark.parametrize(("number", "ended"), [("SIGTERM", "SUCCEEDED"), ("SIGKILL", "FAILED")])
def test_one_is_followed_to_its_end_whatever_its_server_is_sent(tmp_path: Path, number: str, ended: str) -> None:
    (tmp_path / "job_of_test.py").write_text(
        "import pathlib, time\nwhile not pathlib.Path('go').exists():\n    time.sleep(0.01)\nprint('ran', flush=True)\n"
    )
    act = (
        "from multiprocessing.forkserver import _forkserver\n"
        "job = warm.Warm(()).start(one, settings)\n"
        f"os.kill(_forkserver._forkserver_pid, signal.{number})\n"
        "assert process.wait(job, seconds=0.3) is JobState.RUNNING\n"
        "pathlib.Path('go').touch()\n"
    )

    assert _ended_in_another(tmp_path, act) == ended

    assert (tmp_path / "logs/a.log").read_text() == "ran\n"


def _ended_in_another(folder: Path, act: str) -> str:
    """How the `job` ends that a process begins in *folder* whose server of forks is its own."""
    code = (
        "import os, pathlib, signal, sys\n"
        "from mlgit.core.job import JobSpec, JobState\nfrom mlgit.launch import process, warm\n"
        "one = JobSpec(name='a', command=(sys.executable, '-m', 'job_of_test'))\n"
        f"settings = process.Settings(log_dir=pathlib.Path('logs'))\n{act}print(process.wait(job, seconds=60).name)\n"
    )
    done = subprocess.run((sys.executable, "-c", code), cwd=folder, capture_output=True, text=True, timeout=90)
    return done.stdout.strip() or done.stderr
