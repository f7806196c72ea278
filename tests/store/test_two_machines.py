"""One run, gone on with on two machines: nothing is lost, and both are told apart."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.core.run import Run
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import runs
from tests.conftest import make_repo

Script = Callable[..., "subprocess.CompletedProcess[str]"]
GO_ON = "import mlgit\nmlgit.init(id='abcdefgh', name='n', resume='allow').log({{'loss': {0}}})"


@pytest.fixture
def machines(repo: Repo, tmp_path: Path, python: Script, mlgit: Script) -> tuple[Repo, Repo]:
    """Two clones of one remote that both hold the run `abcdefgh` with one row."""
    far = make_repo(tmp_path / "far.git", commit=False, bare=True)
    repo.git("remote", "add", "origin", str(far.folder))
    repo.git("push", "-q", "origin", "main")
    python("-c", GO_ON.format(1), cwd=repo.folder)
    mlgit("sync", cwd=repo.folder)
    other = tmp_path / "other"
    subprocess.run(["git", "clone", "-q", str(far.folder), str(other)], check=True)
    found = Repo.find(other)
    assert found
    return repo, found


def values(repo: Repo, run: Run) -> list[float]:
    return list(runs.history(repo, run)["loss"].values)


def test_the_later_sync_gives_its_part_a_branch_of_its_own(machines: tuple[Repo, Repo], python: Script, mlgit: Script):
    one, two = machines
    python("-c", GO_ON.format(2), cwd=one.folder)
    python("-c", GO_ON.format(3), cwd=two.folder)
    mlgit("sync", cwd=one.folder)
    said = mlgit("sync", cwd=two.folder)
    far = one.folder.parent / "far.git"
    there = Repo.find(far)
    assert there
    found = {run.id: run for run in query.runs(there)}
    (apart,) = found.keys() - {"abcdefgh"}

    assert "went on here and elsewhere" in said.stderr
    assert values(there, found["abcdefgh"]) == [1, 2]
    assert values(there, found[apart]) == [1, 3]
    assert found[apart].parent == "abcdefgh"
    assert runs.provenance(there, found[apart])["id"] == apart
    assert {run.id for run in query.runs(two)} == found.keys()
    assert "Nothing to push or pull." in mlgit("sync", cwd=two.folder).stdout
    there.git("fsck", "--strict", "--no-dangling")


def test_a_run_that_went_on_elsewhere_catches_up_here(machines: tuple[Repo, Repo], python: Script, mlgit: Script):
    one, two = machines
    python("-c", GO_ON.format(2), cwd=two.folder)
    mlgit("sync", cwd=two.folder)
    said = mlgit("sync", cwd=one.folder)
    (run,) = query.runs(one)

    assert said.stdout == "1 run is pulled from origin\n"
    assert values(one, run) == [1, 2]


def test_a_live_run_whose_branch_moves_on_ends_on_a_branch_of_its_own(
    machines: tuple[Repo, Repo], python: Script, mlgit: Script
):
    one, two = machines
    python("-c", GO_ON.format(2), cwd=two.folder)
    mlgit("sync", cwd=two.folder)
    fetch = "['git', 'fetch', '-q', 'origin', '+refs/heads/exp/*:refs/heads/exp/*']"
    update = f"import subprocess\nsubprocess.run({fetch}, check=True)"
    python("-c", f"{GO_ON.format(3)}\n{update}", cwd=one.folder)
    found = {run.id: values(one, run) for run in query.runs(one)}

    assert found.pop("abcdefgh") == [1, 2]
    assert list(found.values()) == [[1, 3]]


def test_a_checkpoint_does_not_cover_what_another_machine_has_recorded(
    machines: tuple[Repo, Repo], python: Script, mlgit: Script
):
    one, two = machines
    python("-c", GO_ON.format(2), cwd=two.folder)
    mlgit("sync", cwd=two.folder)
    meanwhile = """
import subprocess, sys
subprocess.run(["git", "fetch", "-q", "origin", "+refs/heads/exp/*:refs/heads/exp/*"], check=True)
done = subprocess.run([sys.executable, "-m", "mlgit", "checkpoint", "abcdefgh"], capture_output=True, text=True)
print(done.returncode, done.stderr)
"""
    said = python("-c", GO_ON.format(3) + meanwhile, cwd=one.folder).stdout
    found = {run.id: values(one, run) for run in query.runs(one)}

    assert said.startswith("3 ")
    assert "The run 'abcdefgh' goes on elsewhere too." in said
    assert found.pop("abcdefgh") == [1, 2]
    assert list(found.values()) == [[1, 3]]


def test_resuming_goes_on_from_the_newest_that_is_known(machines: tuple[Repo, Repo], python: Script, mlgit: Script):
    one, two = machines
    python("-c", GO_ON.format(2), cwd=two.folder)
    mlgit("sync", cwd=two.folder)
    one.git("fetch", "-q", "origin")
    python("-c", GO_ON.format(3), cwd=one.folder)
    (run,) = query.runs(one)

    assert values(one, run) == [1, 2, 3]
    assert "is pushed" in mlgit("sync", cwd=one.folder).stdout


def test_an_edit_of_a_run_that_goes_on_elsewhere_comes_on_top(
    machines: tuple[Repo, Repo], python: Script, mlgit: Script
):
    one, two = machines
    mlgit("pull", cwd=two.folder)
    python("-c", GO_ON.format(2), cwd=one.folder)
    mlgit("tag", "abcdefgh", "+seen", cwd=two.folder)
    for repo in (two, one, two):
        mlgit("sync", cwd=repo.folder)

    for repo in machines:
        (run,) = query.runs(repo)
        assert (values(repo, run), run.tags) == ([1, 2], ("seen",))


UNDER_WAY = """
import subprocess, sys, mlgit

def call(*words, folder="."):
    subprocess.run([sys.executable, "-m", "mlgit", *words], cwd=folder, check=True, capture_output=True)

with mlgit.init(id="fedcba98", name="n") as run:
    run.log({"loss": 1})
    call("checkpoint", "fedcba98")
    call("sync")
    call("sync", folder=sys.argv[1])
    call("tag", "fedcba98", "+seen", folder=sys.argv[1])
    run.log({"loss": 2})
    if sys.argv[2] == "checkpointed": call("checkpoint", "fedcba98")
    call(sys.argv[3], folder=".")
    call("sync", folder=sys.argv[1])
    call("sync")
    run.log({"loss": 3})
    call("checkpoint", "fedcba98")
call("sync")
"""


@pytest.mark.parametrize(("way", "first"), [("checkpointed", "push"), ("silent", "pull")])
def test_what_others_edit_of_a_run_that_is_under_way_is_still_there_at_its_end(
    machines: tuple[Repo, Repo], python: Script, way: str, first: str
):
    one, two = machines
    python("-c", UNDER_WAY, str(two.folder), way, first, cwd=one.folder)
    found = {run.id: run for run in query.runs(one)}

    assert found.keys() == {"abcdefgh", "fedcba98"}
    assert values(one, found["fedcba98"]) == [1, 2, 3]
    assert found["fedcba98"].tags == ("seen",)
