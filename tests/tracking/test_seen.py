"""Data that changed under a run: what lies in the work tree is not what the pointers in its code name."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.core.run import Run
from mlgit.dvc import databases, drift, project
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import runs
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
    assert drift.found(data, "HEAD", "") == []

    (data.folder / "data/train.csv").write_text("longer than it was before")
    (found,) = drift.found(data, "HEAD", "")
    assert (found.path, found.hash, found.files) == ("data/train.csv", "", 1)


def test_a_project_without_dvc_is_not_looked_through(inside: Repo, python: Script):
    done = python(
        "-c", "import mlgit, sys; mlgit.init(); mlgit.finish(); print('mlgit.dvc.drift' in sys.modules)"
    )  # fmt: skip

    assert done.stdout == "False\n"
    assert runs.provenance(inside, only(inside)).get("changed_data") is None
