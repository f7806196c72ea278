from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlgit.artifacts import log as artifacts
from mlgit.core.artifact import ArtifactVersion
from mlgit.dvc import cache, project
from mlgit.dvc.caches import memory
from mlgit.errors import NotFoundError, UsageError
from mlgit.git.repo import Repo
from mlgit.index import query


def dvc(*args: str, cwd: Path) -> str:
    done = subprocess.run([sys.executable, "-m", "dvc", *args], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, f"dvc {args}: {done.stdout}{done.stderr}"
    return done.stdout


def test_a_logged_file_says_what_it_is_and_where_it_lay(repo: Repo):
    assert repo.work_tree
    (repo.work_tree / "pkg" / "out").mkdir(parents=True)
    (repo.work_tree / "pkg" / "out" / "model.pkl").write_text("weights")

    made = artifacts.log(
        repo, repo.work_tree / "pkg" / "out" / "model.pkl", name="classifier", type="model", folder="pkg"
    )

    assert made == ArtifactVersion(
        name="classifier", type="model", hash="63f4f1e9b725370f459720575cd5f953", size=7, path="out/model.pkl"
    )


def test_a_path_outside_the_repository_is_not_told(repo: Repo, tmp_path: Path):
    (tmp_path / "secret place").mkdir()
    (tmp_path / "secret place" / "m").write_text("x")

    assert artifacts.log(repo, tmp_path / "secret place" / "m", name="m", type="model").path == "m"


def test_bytes_come_back(repo: Repo, tmp_path: Path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "weights").write_text("w")
    made = artifacts.log(repo, tmp_path / "m", name="m", type="model")

    cache.fetch(repo, made.hash, tmp_path / "back")

    assert (tmp_path / "back" / "weights").read_text() == "w"


@pytest.mark.parametrize("inside", ["m", "m/weights"])
def test_what_has_changed_at_a_path_is_stored_as_it_is_now(repo: Repo, tmp_path: Path, inside: str):
    (tmp_path / inside).parent.mkdir(exist_ok=True)
    hashes = []
    for text in ("a", "b", "b", "a"):
        (tmp_path / inside).write_text(text)
        while not memory.is_settled(os.stat(tmp_path / inside), time.time_ns()):  # only then it is remembered
            time.sleep(0.005)
        hashes.append(artifacts.log(repo, tmp_path / "m", name="m", type="model").hash)

    assert hashes == [hashes[0], hashes[1], hashes[1], hashes[0]]
    assert hashes[0] != hashes[1]
    cache.fetch(repo, hashes[1], tmp_path / "back")
    assert (tmp_path / inside.replace("m", "back", 1)).read_text() == "b"


@pytest.mark.parametrize("name", ["..", "a b", "a@b", "a#b", "../x", "", "a/b", "x.dvc", "dvc.yaml"])
def test_names_that_cannot_be_are_refused_before_anything_is_stored(repo: Repo, tmp_path: Path, name: str):
    (tmp_path / "m").write_text("x")

    with pytest.raises(UsageError):
        artifacts.log(repo, tmp_path / "m", name=name, type="model")

    assert not (repo.own / "cache").exists()


def test_stock_dvc_reads_and_keeps_what_a_run_logged(repo: Repo, tmp_path: Path, python):
    assert repo.work_tree
    project.setup(repo)
    repo.git("add", ".")
    repo.git("commit", "-qm", "set up")
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "weights").write_text("w")
    (tmp_path / "lost").write_text("nobody names me")
    lost = artifacts.log(repo, tmp_path / "lost", name="lost", type="model")
    script = (
        f"import mlgit; mlgit.init(name='a'); mlgit.log_artifact({str(tmp_path / 'm')!r}, name='net', type='model')"
    )
    python("-c", script, cwd=repo.work_tree)
    (run,) = query.runs(repo)

    dvc("gc", "-A", "-f", "-q", cwd=repo.work_tree)
    dvc("get", "-q", ".", "experiment/artifacts/net", "--rev", run.branch, "-o", "got", cwd=repo.work_tree)

    assert (repo.work_tree / "got" / "weights").read_text() == "w"
    assert artifacts.find(repo, "net").version == run.logged[0]
    with pytest.raises(NotFoundError):
        cache.fetch(repo, lost.hash, tmp_path / "x")
