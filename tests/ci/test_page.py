"""The log of a job, and the page of its step, while runs are under way: real runs, looked at."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import mlgit as tracker
from mlgit.ci import page
from mlgit.ci.page import Page
from mlgit.git.repo import Repo
from mlgit.store import live
from tests.ci import handing
from tests.ci.handing import Place
from tests.ci.test_trials import Mlgit, planned, words
from tests.recorded import record

SECONDS = 20
"""More than any look takes."""
TRAIN = """
import os, mlgit
with mlgit.init() as run:
    for step in range(3):
        run.log({"loss": 3.0 - step})
    with open(os.environ["GITHUB_STEP_SUMMARY"], "a") as file:
        file.write("the program's own words\\n")
    run.alert("hot", "very")
    open(os.environ["ASKED"]).read()
    run.log({"loss": 0.5})
"""


class Heard:
    """What the log gets."""

    def __init__(self) -> None:
        self._told: queue.Queue[str] = queue.Queue()

    def __call__(self, text: str) -> None:
        self._told.put(text)

    def next(self) -> str:
        return self._told.get(timeout=SECONDS)


def looking(repo: Repo, summary: Path | None = None, *, seconds: float = 0.01) -> tuple[Page, Heard]:
    heard = Heard()
    return Page(repo=repo, tell=heard, goals={}, seconds=seconds, summary=summary), heard


@pytest.fixture
def run(ended: None) -> Iterator[tracker.Run]:
    with tracker.init(project="digits", name="first") as run:
        yield run


def test_each_look_tells_what_is_new_and_nothing_where_nothing_is(inside: Repo, run: tracker.Run) -> None:
    shown, heard = looking(inside)

    with shown.beside(run.id, "Run first"):
        run.log({"loss": 2.0})
        first = heard.next()
        run.log({"loss": 1.0, "deep": {"acc": 0.5}})
        second = heard.next()
        run.summary["loss"] = 7.0
        third = heard.next()

    assert first.splitlines()[1:] == ["│ metric  last  best  at step", "│ loss       2     2        0"]
    assert [line.split() for line in second.splitlines()[2:]] == [
        ["│", "deep.acc", "0.5", "0.5", "1"], ["│", "loss", "1", "1", "1", "█▁"]
    ]  # fmt: skip
    assert ["│", "loss", "7", "1", "1", "█▁"] in [line.split() for line in third.splitlines()]
    assert heard._told.empty()


@pytest.mark.parametrize(
    ("how", "best"),
    [({"resume": "must", "id": "aaaaaaa1"}, ["0.5", "1"]), ({"fork_from": "aaaaaaa1?_step=0"}, ["2", "0"])],
)
def test_a_run_that_goes_on_is_told_with_what_it_had_before(
    inside: Repo, ended: None, how: dict[str, str], best: list[str]
) -> None:
    with tracker.init(project="digits", id="aaaaaaa1", name="first") as run:
        for loss in (2.0, 0.5, 3.0):
            run.log({"loss": loss})
    shown, heard = looking(inside)

    with tracker.init(project="digits", **how) as run, shown.beside(run.id, "Run first"):
        run.log({"loss": 4.0})
        told = heard.next()

    line = told.splitlines()[-1].split()
    assert line[:5] == ["│", "loss", "4", *best]
    assert len(line[5]) == {"resume": 4, "fork": 2}[next(iter(how)).partition("_")[0]]


def test_a_line_that_the_program_has_begun_is_not_torn(
    inside: Repo, run: tracker.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = live.folder_of(inside, run.id) / "output.log"
    log.write_bytes(b"50 %")
    looks = list[bytes]()
    true_look = page._last_byte

    def look(path: Path) -> bytes:
        looks.append(true_look(path))
        if len(looks) == 3:
            log.write_bytes(b"50 % done\n")
        return looks[-1]

    monkeypatch.setattr(page, "_last_byte", look)
    monkeypatch.setattr(page, "_BLINK", 0.001)
    monkeypatch.setattr(page, "_PATIENCE", SECONDS)
    shown, heard = looking(inside)

    with shown.beside(run.id, "Run first"):
        run.log({"loss": 2.0})
        whole = heard.next()
        log.write_bytes(b"60 %")
        monkeypatch.setattr(page, "_PATIENCE", 0.0)
        run.log({"loss": 1.0})
        torn = heard.next()

    assert looks[:4] == [b"%", b"%", b"%", b"\n"]
    assert whole.startswith("│ ")
    assert torn.startswith("\n│ ")


@contextmanager
def job(place: Place, tmp_path: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    """`mlgit ci trial` of a program that logs, and then waits until its file is written to."""
    os.mkfifo(tmp_path / "ask")
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "summary.md").write_text("# What came before\n")
    place = planned(place, f"exec {sys.executable} {tmp_path / 'train.py'}")
    env = os.environ | {
        "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"), "ASKED": str(tmp_path / "ask"),
    }  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-m", "mlgit", *words(place, "--progress", "0.05", *more)], cwd=place.job.folder, env=env,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        yield process


def until(process: subprocess.Popen[str], words: str) -> list[str]:
    """The lines of its log up to the one with these *words*."""
    assert process.stderr
    found = list[str]()
    for line in process.stderr:
        found.append(line)
        if words in line:
            return found
    raise AssertionError("".join(found))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return handing.make(tmp_path)


def test_a_jobs_log_tells_of_its_trial_and_its_page_is_that_of_the_end(place: Place, tmp_path: Path) -> None:
    with job(place, tmp_path) as process:
        until(process, "│ Trial 1: rates-1: step 2")
        (line, *_) = [one for one in until(process, "│ loss") if "│ loss" in one]
        (tmp_path / "ask").write_text("")
        rest = "".join(process.stderr or ())

    assert line.split()[:5] == ["│", "loss", "1", "1", "2"]
    assert process.returncode == 0
    assert "::endgroup::" in rest
    assert "│ Trial 1: rates-1: finished, step 3" in rest.partition("::endgroup::")[2]
    text = (tmp_path / "summary.md").read_text()
    assert text.startswith("# What came before\n")
    assert text.count("### Trial 1: rates-1") == 1
    assert "| loss | 0.5 | 0.5 | 3 |" in text
    assert "running" not in text
    assert text.count("```mermaid") == 1
    assert text.count("the program's own words") == text.count("**hot** very") == 1


def test_a_job_that_is_killed_leaves_the_last_look_on_its_page(place: Place, tmp_path: Path) -> None:
    with job(place, tmp_path) as process:
        until(process, "│ loss")
        process.kill()
        (tmp_path / "ask").write_text("")  # so that the program ends, which nobody waits for any more
        until_closed = "".join(process.stderr or ())

    assert "Trial 1: rates-1: finished" not in until_closed
    text = (tmp_path / "summary.md").read_text()
    assert text.startswith("# What came before\n")
    assert "### Trial 1: rates-1\n\n**running**, step " in text
    assert "| loss |" in text


def test_two_that_write_on_one_page_leave_what_each_has(inside: Repo, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    (one, _), (two, _) = looking(inside, summary), looking(inside, summary)
    first, second = record(inside, "aaaaaaa1", metrics={"loss": 1}), record(inside, "bbbbbbb2", metrics={"loss": 2})

    one.ended("One", first, seconds=1)
    two.ended("Two", second, seconds=1)
    one.ended("Three", first, seconds=1)

    headings = [line for line in summary.read_text().splitlines() if line.startswith("###")]
    assert headings == ["### One", "### Two", "### Three"]


def test_a_page_keeps_to_what_github_takes(inside: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    summary = tmp_path / "summary.md"
    shown, _ = looking(inside, summary)
    ended = record(inside, "aaaaaaa1", metrics={"loss": 1})

    for number in range(3):
        with shown.beside(ended.id, "x") as told:
            Path(told["GITHUB_STEP_SUMMARY"]).write_text("w" * 500_000)
        shown.ended(f"Trial {number}", ended, seconds=1)

    text = summary.read_text()
    assert len(text.encode()) < 1 << 20
    assert [f"### Trial {number}" in text for number in range(3)] == [True] * 3
    assert "left out, for GitHub takes no more than 1 MiB" in text


def test_a_page_that_cannot_be_written_is_said_once(inside: Repo, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    shown, heard = looking(inside, tmp_path / "file/summary.md")
    ended = record(inside, "aaaaaaa1", metrics={"loss": 1})

    shown.ended("One", ended, seconds=1)
    shown.ended("Two", ended, seconds=1)

    assert [heard.next().partition(":")[0] for _ in range(3)] == [
        "│ One", "the summary of this step cannot be written", "│ Two"
    ]  # fmt: skip
    assert heard._told.empty()


@pytest.mark.parametrize("made", ["link", "pipe"])
def test_what_is_no_file_of_a_runner_is_left_as_it_is(
    made: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = tmp_path / "summary.md"
    summary.symlink_to(tmp_path / "log") if made == "link" else os.mkfifo(summary)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    assert page.of_step() is None

    summary.unlink()
    assert page.of_step() == summary


def test_the_speed_of_a_run_that_logs_once_in_many_looks_is_told(
    inside: Repo, run: tracker.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, heard = looking(inside)

    with shown.beside(run.id, "Run first"):
        run.log({"loss": 2.0})
        first = heard.next()
        run.log({"loss": 1.0})
        second = heard.next()

    assert "/s" not in first.splitlines()[0]
    assert "/s" in second.splitlines()[0]


def test_mlgit_run_in_a_job_has_a_part_of_the_page_but_for_trials_that_others_tell_of(
    inside: Repo, tmp_path: Path, mlgit: Mlgit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    program = (sys.executable, "-c", "import mlgit; mlgit.init().log({'loss': 1.0})")
    mlgit("run", "-n", "outside", "--", *program)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    told = mlgit("run", "-n", "inside", "--", *program).stderr
    mlgit("run", "-n", "trial", "--sweep", "abcd2345", "--", *program)
    monkeypatch.setenv("MLGIT_TOLD", "aaaaaaa1")
    mlgit("run", "-n", "told", "--id", "aaaaaaa1", "--", *program)

    text = (tmp_path / "summary.md").read_text()
    assert [line for line in text.splitlines() if line.startswith("###")] == ["### Run inside"]
    assert "| loss | 1 | 1 | 0 |" in text
    assert "│ Run inside: finished, step 0" in told
