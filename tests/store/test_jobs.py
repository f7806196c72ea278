"""The list of jobs in git: written by several, brought together, read with care."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from mlgit.core.job import JobState, Standing
from mlgit.core.posted import Posted, merged, read
from mlgit.errors import NotFoundError, UsageError
from mlgit.git.remote import Remote
from mlgit.git.repo import Repo
from mlgit.store import check, jobs, sync
from mlgit.store.meeting import Wish
from tests.conftest import make_repo


def posted(name: str, **about: object) -> Posted:
    told = {"id": name, "name": f"job-{name}", "project": "p", "queue": "desk", "backend": "local", "submitted": 5.0}
    return Posted(**{**told, **about})


def keep(repo: Repo, *some: Posted) -> None:
    for job in some:
        jobs.change(repo, "p", lambda before, job=job: {**before, job.id: job}, why=f"launch {job.name}")


def exchange(repo: Repo) -> None:
    sync.exchange(Remote(repo=repo, name="origin"), Wish(), wait=lambda _seconds: None)


@pytest.fixture
def two(repo: Repo, tmp_path: Path) -> tuple[Repo, Repo]:
    """Two repositories with one remote."""
    far = make_repo(tmp_path / "far.git", commit=False, bare=True)
    other = make_repo(tmp_path / "other")
    for one in (repo, other):
        one.git("remote", "add", "origin", str(far.folder))
    found = Repo.find(repo.folder), Repo.find(other.folder)
    assert found[0]
    assert found[1]
    return found[0], found[1]


def test_a_job_is_read_as_it_was_written(repo: Repo):
    job = posted(
        "a1", settings={"slots": 2, "options": {"x": "y"}}, command=("python", "it's\n"), params=("lr=0.1",), run="a1",
        env={"A": "b"}, secrets=("S",), gpus=2, memory_gb=1.5, tasks=3, preemptible=True, job="job-1",
        state=JobState.RUNNING, why="1 running", seen=7.5,
    )  # fmt: skip
    keep(repo, job)

    assert jobs.known(repo, "p") == [job]
    assert repo.git("log", "--format=%an %s", "refs/mlgit/jobs/p") == "Ada launch job-a1"
    assert repo.git("status", "--porcelain") == ""


def test_who_is_overtaken_writes_on_top_of_the_other(repo: Repo):
    some = [posted(f"a{number}") for number in range(12)]
    threads = [threading.Thread(target=keep, args=(repo, job)) for job in some]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {job.id for job in jobs.known(repo, "p")} == {job.id for job in some}


def test_a_job_is_found_by_what_people_call_it(repo: Repo):
    keep(repo, posted("abc1", job="job-9"), posted("abc2", submitted=6.0), posted("xyz", submitted=4.0))

    for text, expected in {"abc1": "abc1", "job-9": "abc1", "latest": "abc2", "job-xyz": "xyz"}.items():
        assert jobs.find(repo, "p", text).id == expected
    with pytest.raises(UsageError, match="begins 2 jobs"):
        jobs.find(repo, "p", "abc")
    with pytest.raises(NotFoundError, match="no job 'q'"):
        jobs.find(repo, "p", "q")


def test_a_sync_brings_the_jobs_of_two_machines_together(two: tuple[Repo, Repo]):
    one, other = two
    keep(one, posted("a1"), posted("a2"))
    exchange(one)
    exchange(other)
    keep(one, posted("a1", job="7", state=JobState.SUCCEEDED, seen=9.0), posted("a3"))
    jobs.change(other, "p", lambda before: {n: j for n, j in before.items() if n != "a2"}, why="forget a2")
    keep(other, posted("a1", job="7", state=JobState.RUNNING, seen=10.0), posted("a4"))
    exchange(one)
    exchange(other)
    exchange(one)

    assert jobs.known(one, "p") == jobs.known(other, "p")
    assert {job.id: job.state for job in jobs.known(one, "p")} == {
        "a1": JobState.SUCCEEDED, "a3": JobState.QUEUED, "a4": JobState.QUEUED,
    }  # fmt: skip


def test_a_job_that_one_machine_let_go_comes_back_only_where_it_has_not_ended(two: tuple[Repo, Repo]):
    here, there = two
    keep(here, *(posted(name, job=name, state=JobState.RUNNING, seen=1.0) for name in ("ended", "going")))
    exchange(here)
    exchange(there)
    jobs.change(here, "p", lambda _: {}, why="forget 2 jobs")
    keep(there, posted("ended", job="ended", state=JobState.CANCELLED, seen=2.0))
    keep(there, posted("going", job="going", state=JobState.RUNNING, why="1 running", seen=2.0))
    for one in (here, there, here):
        exchange(one)

    assert [[job.id for job in jobs.known(one, "p")] for one in two] == [["going"], ["going"]]


def test_what_was_learned_of_a_job_stands():
    took, ended = posted("a", job="7", seen=3.0), posted("a", job="7", state=JobState.FAILED, seen=2.0)

    for one, two, expected in (
        (posted("a", seen=9.0), took, took),
        (took, ended, ended),
        (took, replace(took, state=JobState.RUNNING, seen=4.0), replace(took, state=JobState.RUNNING, seen=4.0)),
    ):
        assert merged(one, two) == merged(two, one) == expected


def test_the_same_word_again_changes_nothing():
    job = posted("a", job="7").stood(Standing(state=JobState.RUNNING), 3.0)

    assert job.seen == 3.0
    assert job.stood(Standing(state=JobState.RUNNING), 4.0) is job


@pytest.mark.parametrize(
    "change",
    [
        {"job": "--user=root"},
        {"job": "../x"},
        {"id": "../a"},
        {"command": "rm"},
        {"command": ["a\0b"]},
        {"gpus": "two"},
        {"gpus": True},
        {"state": "dancing"},
        {"backend": ""},
        {"env": {"A": 3}},
    ],
)
def test_what_is_no_job_is_passed_over_and_told_of(repo: Repo, change: dict[str, object]):
    keep(repo, posted("a1"))
    bad = json.dumps(posted("b1").document() | change).encode()
    tip = repo.refs("refs/mlgit/jobs/p")["refs/mlgit/jobs/p"]
    repo.commit_on("refs/mlgit/jobs/p", {"jobs/b1.yaml": bad}, "by hand", expect=tip)

    with pytest.raises(ValueError, match=r"it|JobState"):
        read(json.loads(bad))
    assert [job.id for job in jobs.known(repo, "p")] == ["a1"]
    assert [found.what for found in check.everything(repo)] == ["jobs/b1.yaml cannot be read"]
