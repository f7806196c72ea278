"""The queue of this machine: its jobs outlive who submits them, and wait for one another."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlgit.core.job import JobState, Member, member
from mlgit.errors import UsageError
from mlgit.launch import backends, local
from tests.contracts.launching import Place, until


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make(tmp_path)


def make(folder: Path, **more: Any) -> Place:
    (folder / "work").mkdir(exist_ok=True)
    settings = local.Settings(**{"folder": str(folder / "jobs"), "slots": 2, "gpus": (), "grace_seconds": 5, **more})
    return Place(backend=backends.backend("local"), settings=settings, folder=folder / "work")


WAIT = "import os, sys, time\nopen(sys.argv[1] + '.up', 'w')\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.02)"


def test_a_job_outlives_the_process_that_submitted_it(place: Place):
    spec = place.spec(WAIT, "go")
    code = f"""
from mlgit.core.job import JobSpec
from mlgit.launch import local
spec = JobSpec(name="x", command={spec.command!r}, folder={spec.folder!r})
print(local.submit(spec, local.Settings(folder={place.settings.folder!r})))
"""
    job = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    until((place.folder / "go.up").exists)

    assert place.standing(job).state is JobState.RUNNING
    (place.folder / "go").touch()
    assert place.ended(job).state is JobState.SUCCEEDED


def test_no_more_run_at_once_than_there_are_slots(place: Place):
    array = tuple(Member(command=place.spec(WAIT, str(n)).command) for n in range(3))
    first, then = place.submit(place.spec("", array=array)), place.submit(place.spec(""))
    until(lambda: all((place.folder / f"{n}.up").exists() for n in (0, 1)))

    assert place.standing(member(first, 2)).state is JobState.QUEUED
    assert place.standing(then).state is JobState.QUEUED
    assert place.standing(first).state is JobState.RUNNING
    for n in range(3):
        (place.folder / str(n)).touch()
    assert place.ended(then).state is JobState.SUCCEEDED
    assert place.ended(first).state is JobState.SUCCEEDED


def test_a_job_that_waits_for_a_slot_can_be_cancelled(tmp_path: Path):
    place = make(tmp_path, slots=1)
    first = place.submit(place.spec(WAIT, "go"))
    until((place.folder / "go.up").exists)
    second = place.submit(place.spec(WAIT, "never"))

    place.cancel(second)

    assert place.ended(second).state is JobState.CANCELLED
    assert not (place.folder / "never.up").exists()
    place.cancel(first)
    place.ended(first)


def test_every_job_has_gpus_of_its_own(tmp_path: Path):
    place = make(tmp_path, slots=4, gpus=(1, 2, 5))
    code = "import os; print(os.environ.get('CUDA_VISIBLE_DEVICES'), flush=True)\n" + WAIT
    big, small, none = (place.submit(place.spec(code, "go", gpus=count)) for count in (2, 1, 0))
    until(lambda: all(list(place.backend.logs(job, place.settings)) for job in (big, small)))
    waiting = place.submit(place.spec("import os; print(os.environ['CUDA_VISIBLE_DEVICES'])", gpus=3))

    assert place.standing(waiting).state is JobState.QUEUED
    (place.folder / "go").touch()
    had = [place.printed(job)[0] for job in (big, small)]
    assert sorted(",".join(had).split(",")) == ["1", "2", "5"]
    assert [len(text.split(",")) for text in had] == [2, 1]
    assert place.printed(none) == [str(os.environ.get("CUDA_VISIBLE_DEVICES"))]
    assert place.printed(waiting) == ["1,2,5"]


def test_a_job_whose_runner_is_killed_is_lost_when_it_has_ended_and_its_slot_is_free_then(tmp_path: Path):
    place = make(tmp_path, slots=1)
    code = "import os; open('runner', 'w').write(str(os.getppid()))\n" + WAIT
    job = place.submit(place.spec(code, "go", key="k"))
    until((place.folder / "go.up").exists)

    os.kill(int((place.folder / "runner").read_text()), signal.SIGKILL)
    waiting = place.submit(place.spec(""))

    assert place.standing(job).state is JobState.RUNNING
    assert place.standing(waiting).state is JobState.QUEUED
    (place.folder / "go").touch()
    assert place.ended(job).state is JobState.LOST
    assert place.ended(waiting).state is JobState.SUCCEEDED
    assert place.submit(place.spec(code, "go", key="k")) == job


def test_a_submission_that_was_cut_off_is_finished_by_the_next(place: Place, monkeypatch: pytest.MonkeyPatch):
    spec = place.spec("open('count', 'a').write('x')", key="k")
    with monkeypatch.context() as cut:
        cut.setattr(local, "_run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            place.submit(spec)

    place.ended(place.submit(spec))

    assert (place.folder / "count").read_text() == "x"


def interrupted(_: object) -> None:
    raise KeyboardInterrupt


def test_a_command_that_is_not_there_is_named(place: Place):
    found = place.ended(place.submit(place.spec("", command=("no-such-program",))))

    assert "no 'no-such-program' on PATH" in found.why


def test_what_somebody_else_ends_was_preempted(place: Place):
    code = "import os; open('own', 'w').write(str(os.getpid()))\n" + WAIT
    job = place.submit(place.spec(code, "go"))
    until((place.folder / "go.up").exists)

    os.kill(int((place.folder / "own").read_text()), signal.SIGTERM)

    assert place.ended(job).state is JobState.PREEMPTED


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"gpus": 1}, "asks for 1 GPUs, and this machine has 0"),
        ({"cpus": 100_000}, "asks for 100000 CPUs, and this machine has"),
        ({"memory_gb": 1e6}, "GB of memory, and this machine has"),
        ({"image": "python:3"}, "names the image python:3, and here jobs run without"),
    ],
)
def test_what_this_machine_will_never_have_is_refused(place: Place, asked: dict[str, Any], words: str):
    with pytest.raises(UsageError, match=words):
        place.submit(place.spec("", **asked))


def test_what_render_prints_is_a_line_a_task(place: Place):
    array = tuple(Member(command=("echo", text)) for text in ("a b", "$x"))
    spec = place.spec("", array=array, env={"A": "1"}, secrets=("TOKEN",), folder=".")

    assert local.render(spec, place.settings) == ": \"${TOKEN:?}\"\nenv A=1 echo 'a b'\nenv A=1 echo '$x'\n"


@pytest.mark.parametrize("name", ["thesis", "..", ".", "", "no-such"])
def test_forgetting_a_name_that_is_no_job_removes_nothing(place: Place, name: str):
    theirs = place.folder.parent / "jobs/thesis/chapter.tex"
    theirs.parent.mkdir(parents=True)
    theirs.touch()

    place.backend.forget([name], place.settings)

    assert theirs.exists()


def test_what_is_put_down_of_an_array_grows_as_its_tasks_end(place: Place):
    job = place.submit(place.spec("", array=(Member(command=("true",)),) * 100, key="k"))

    assert place.ended(job).why == "100 succeeded"
    assert len((place.folder.parent / "jobs" / job / "states").read_text().split("\n")) <= 1 + 2 * 100


def test_how_a_job_ended_is_put_down_as_soon_as_the_disk_has_place(tmp_path: Path):
    place = make(tmp_path, slots=1)
    fill = "ln states aside; ln -s /no/such/place full; mv -T full states; touch up"
    job = place.submit(place.spec("", command=("sh", "-c", f"cd {place.folder.parent}/jobs/job-*/; {fill}"), key="k"))
    kept = place.folder.parent / "jobs" / job
    until((kept / "up").exists)
    place.ended(place.submit(place.spec("")))  # so the first has ended, too

    with (kept / "aside").open("a") as file:
        file.write('\n[0, "succ')  # as far as there was place
    (kept / "aside").rename(kept / "states")

    assert place.ended(job).state is JobState.SUCCEEDED


def test_a_job_that_is_cancelled_as_others_end_it_does_not_begin_again(place: Place):
    code = f"cd {place.folder.parent}/jobs/job-*/; touch cancel; kill -TERM $$"
    job = place.submit(place.spec("", command=("sh", "-c", code), key="k", preemptible=True))

    assert place.ended(job).state is JobState.CANCELLED


def test_as_many_jobs_run_at_once_as_there_are_cpus_for_them():
    code = """
import os
from mlgit.launch import local

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
print(local.Settings().bounds.slots)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "1\n"
