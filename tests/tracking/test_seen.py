"""Data that changed under a run: what lies in the work tree is not what the pointers in its code name."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.core.run import Run
from mlgit.dvc import project
from mlgit.dvc.caches import databases
from mlgit.dvc.worktree import drift
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import runs
from mlgit.tracking import session
from tests.recorded import only

Script = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def data(inside: Repo, mlgit: Script) -> Repo:
    """A project with a file and a folder that `mlgit data add` has taken, long before any run."""
    project.setup(inside)
    for name in ("data/train.csv", "data/pictures/1", "data/pictures/2"):
        (inside.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (inside.folder / name).write_text(name)
        os.utime(inside.folder / name, (1e9, 1e9))
    time.sleep(0.06)  # every file is older than a tick of the disk's clock, and is remembered
    mlgit("data", "add", "data/train.csv", "data/pictures")
    inside.git("add", "-A")
    inside.git("commit", "-qm", "data")
    return inside


def pointed_at(repo: Repo) -> dict[str, str]:
    with repo.reader() as reader:
        return project.tracked(repo, reader, "HEAD")


def changed(repo: Repo) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = runs.provenance(repo, newest(repo)).get("changed_data", {})
    return found


def newest(repo: Repo) -> Run:
    return runs.complete(repo, query.search(repo).runs[0])


def test_data_that_have_changed_since_their_pointer_are_noticed(data: Repo, mlgit: Script, python: Script):
    pointed = pointed_at(data)
    (data.folder / "data/train.csv").write_text("other numbers")
    os.utime(data.folder / "data/train.csv", (1e9 + 60, 1e9 + 60))
    true = databases.md5(b"other numbers").hexdigest()

    by_command = mlgit("run", "--", "true")
    of_command = newest(data)
    by_script = python("-c", "import mlgit; mlgit.init()")

    for run, said in ((of_command, by_command), (newest(data), by_script)):
        assert run.data["data/train.csv"] == true
        assert run.data["data/pictures"] == pointed["data/pictures"]
        assert "data/train.csv has changed; `mlgit data add PATH`" in said.stderr
        assert "pictures" not in said.stderr
    assert changed(data) == {"data/train.csv": {"pointer": pointed["data/train.csv"], "now": true}}
    shown = mlgit("show").stdout
    assert f"{true}  changed since its pointer, {pointed['data/train.csv']}" in shown
    mlgit("data", "add", "data/train.csv")
    data.git("commit", "-qam", "again")
    assert "changed" not in mlgit("run", "--", "true").stderr
    assert changed(data) == {}


def test_what_is_missing_or_only_partly_there_is_noticed(data: Repo, mlgit: Script):
    (data.folder / "data/train.csv").unlink()
    (data.folder / "data/pictures/2").unlink()

    said = mlgit("run", "--", "true").stderr

    assert "not here of the data that the code names: data/train.csv" in said
    assert "data/pictures is here in part, 1 of 2 files" in said
    assert changed(data)["data/train.csv"]["now"] == "missing"
    assert (changed(data)["data/pictures"]["files"], changed(data)["data/pictures"]["expected"]) == (1, 2)
    assert "in part: 1 of 2 files" in mlgit("show").stdout


def test_what_a_run_itself_changes_is_not_what_it_began_with(data: Repo, mlgit: Script):
    pointed = pointed_at(data)["data/train.csv"]

    said = mlgit("run", "--", "sh", "-c", "sleep 0.1; echo new > data/train.csv").stderr

    assert "data/train.csv was changed during the run" in said
    assert newest(data).data["data/train.csv"] == pointed
    assert changed(data)["data/train.csv"]["during"] is True


def test_nothing_is_read_that_was_hashed_before(data: Repo, monkeypatch: pytest.MonkeyPatch):
    read: list[Path] = []
    real = databases.md5_of

    def md5_of(path: Path) -> str:
        read.append(path)
        return real(path)

    monkeypatch.setattr(databases, "md5_of", md5_of)
    assert drift.found(data, "HEAD", "") == []
    assert read == []

    (data.folder / "data/pictures/1").write_text("another")
    (found,) = drift.found(data, "HEAD", "")
    assert (found.path, [path.name for path in read]) == ("data/pictures", ["1"])


def test_very_much_that_nobody_has_hashed_is_judged_by_its_size(data: Repo, monkeypatch: pytest.MonkeyPatch):
    shutil.rmtree(data.own / "hashes")
    monkeypatch.setattr(drift, "MOST_READ", 3)
    as_large = drift.found(data, "HEAD", "")
    (data.folder / "data/train.csv").write_text("longer than it was before")
    (found,) = (one for one in drift.found(data, "HEAD", "") if one.differs)

    assert [(one.path, one.by_size, one.differs) for one in as_large] == [
        ("data/pictures", True, False), ("data/train.csv", True, False),
    ]  # fmt: skip
    assert (found.path, found.hash, found.files, found.by_size) == ("data/train.csv", "", 1, True)


def test_what_only_its_size_speaks_for_is_said_in_the_record(
    data: Repo, mlgit: Script, monkeypatch: pytest.MonkeyPatch
):
    shutil.rmtree(data.own / "hashes")
    monkeypatch.setattr(drift, "MOST_READ", 3)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    with session.init(project="p"):
        pass

    assert runs.provenance(data, newest(data))["data_by_size"] == ["data/pictures", "data/train.csv"]
    assert changed(data) == {}
    assert "judged by its size alone" in mlgit("show").stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_told_to_end_looks_at_its_data_too(number: signal.Signals, data: Repo, mlgit: Script):
    (data.folder / "data/train.csv").write_text("other numbers")
    os.utime(data.folder / "data/train.csv", (1e9 + 60, 1e9 + 60))
    code = f"import mlgit, os, signal, time; mlgit.init(); os.kill(os.getpid(), {int(number)}); time.sleep(60)"

    subprocess.run([sys.executable, "-c", code], cwd=data.folder, check=False, capture_output=True)
    mlgit("run", "--", "sh", "-c", f"kill -{int(number)} $PPID; exec sleep 60", check=False)

    assert [run.data["data/train.csv"] for run in query.search(data).runs] == 2 * [
        databases.md5(b"other numbers").hexdigest()
    ]
    assert "now" in changed(data)["data/train.csv"]


def test_in_haste_only_little_is_read(data: Repo, monkeypatch: pytest.MonkeyPatch):
    shutil.rmtree(data.own / "hashes")
    monkeypatch.setattr(drift, "MOST_IN_HASTE", 3)
    monkeypatch.setattr(drift, "MOST_FILES_IN_HASTE", 1)
    (data.folder / "data/train.csv").write_text("longer than it was before")

    (found,) = drift.found(data, "HEAD", "", in_haste=True)

    assert (found.path, found.by_size) == ("data/train.csv", True)


def test_whatever_becomes_of_data_while_a_run_lasts_is_told(data: Repo, mlgit: Script):
    """More is written to it; another file of its size and time takes its place; it goes."""
    train, shelf = data.folder / "data/train.csv", data.folder / "shelf"
    shelf.write_text("x" * train.stat().st_size)
    shutil.copystat(train, shelf)
    pointed = pointed_at(data)["data/train.csv"]

    for command in ("echo more >> data/train.csv", "cp -p shelf new && mv new data/train.csv", "rm data/train.csv"):
        before = train.read_bytes()
        said = mlgit("run", "-n", command.split()[0], "--", "sh", "-c", f"sleep 0.1; {command}").stderr
        told = changed(data)["data/train.csv"]
        train.write_bytes(before)
        os.utime(train, (1e9, 1e9))
        assert (told["pointer"], told["now"] != pointed) == (pointed, True), command
        assert "data/train.csv" in said, command

    differing = mlgit("diff", "echo", "rm", "--json").stdout
    assert "(changed during the run)" in differing
    assert "(missing)" in differing


def test_data_behind_a_link_are_followed(data: Repo, mlgit: Script, tmp_path: Path):
    elsewhere = tmp_path / "disk"
    shutil.move(data.folder / "data/train.csv", elsewhere)
    (data.folder / "data/train.csv").symlink_to(elsewhere)
    as_it_was = mlgit("run", "--", "true").stderr
    elsewhere.write_text("other numbers")
    mlgit("run", "--", "true")

    assert "changed" not in as_it_was
    assert changed(data)["data/train.csv"]["now"] == databases.md5(b"other numbers").hexdigest()


def test_a_project_without_dvc_is_not_looked_through(inside: Repo, python: Script):
    done = python(
        "-c", "import mlgit, sys; mlgit.init(); mlgit.finish(); print('mlgit.dvc.worktree.drift' in sys.modules)"
    )  # fmt: skip

    assert done.stdout == "False\n"
    assert runs.provenance(inside, only(inside)).get("changed_data") is None


def test_data_that_cannot_be_read_are_said_to_be_so(data: Repo, mlgit: Script):
    (data.folder / "data/train.csv").unlink()
    (data.folder / "data/train.csv").symlink_to("/proc/self/mem")

    mlgit("run", "--", "true")

    assert runs.provenance(data, newest(data)).get("data_unread") == ["data/train.csv"]
    assert "could not be read" in mlgit("show").stdout
