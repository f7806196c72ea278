"""`mlgit purge`: says what goes, asks, and takes it off the remote too."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.core import refs
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import folding, runs
from mlgit.tracking import session

Script = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def two(inside: Repo) -> Repo:
    """The runs a and b, on the remote origin too."""
    for run_id in ("a", "b"):
        session.init(id=run_id, name=f"name-{run_id}", project="repo").finish()
    far = inside.folder.parent / "far.git"
    inside.git("init", "--quiet", "--bare", str(far))
    inside.git("remote", "add", "origin", str(far))
    return inside


def far(repo: Repo) -> Repo:
    found = Repo.find(repo.folder.parent / "far.git")
    assert found
    return found


def test_it_says_what_would_go_and_asks(two: Repo, mlgit: Script):
    would = mlgit("purge", "name-a", "--dry-run", cwd=two.folder).stdout
    unasked = mlgit("purge", "name-a", cwd=two.folder, check=False)

    assert "name-a" in would
    assert "refs/heads/exp/repo/name-a-" in would
    assert (unasked.returncode, "--yes" in unasked.stderr) == (2, True)
    assert {run.id for run in query.runs(two)} == {"a", "b"}


def test_a_hidden_run_is_purged_by_its_name(two: Repo, mlgit: Script):
    runs.hide(two, [query.find(two, "a")])

    told = json.loads(mlgit("purge", "name-a", "--yes", "--json", cwd=two.folder).stdout)

    assert told["runs"][0]["id"] == "a"
    assert told["objects"] > 3
    assert runs.hidden(two) == []
    assert mlgit("purge", "name-a", "--yes", cwd=two.folder, check=False).returncode == 1


@pytest.mark.parametrize("archived", [False, True])
def test_it_goes_on_the_remote_too_and_what_cannot_be_done_there_is_said(two: Repo, mlgit: Script, archived: bool):
    if archived:
        folding.fold(two, query.runs(two))
    two.git("push", "--quiet", "origin", *(f"{ref}:{ref}" for ref in two.refs(refs.RUNS, refs.ARCHIVE)))

    kept = mlgit("purge", "b", "--dry-run", cwd=two.folder)
    said = mlgit("purge", "name-a", "--remote", "--yes", cwd=two.folder)

    assert kept.returncode == 0
    assert "origin may keep the commits" in said.stderr
    assert [run.id for run in query.runs(far(two))] == ["b"]
    assert two.refs(refs.RUNS, refs.ARCHIVE) == far(two).refs(refs.RUNS, refs.ARCHIVE)


def test_what_only_the_remote_has_archived_is_not_lost_there(two: Repo, mlgit: Script):
    folded = folding.fold(two, query.runs(two))
    before = two.refs(refs.ARCHIVE)
    folding.unfold(two, folded)
    folding.fold(two, query.runs(two))
    two.git("push", "--quiet", "origin", *(f"{ref}:{ref}" for ref in two.refs(refs.ARCHIVE)))
    for ref, tip in before.items():
        two.git("update-ref", ref, tip)

    done = mlgit("purge", "name-a", "--remote", "--yes", cwd=two.folder, check=False)

    assert (done.returncode, "has archived more than is here" in done.stderr) == (1, True)
    assert len(query.runs(far(two))) == 2


def test_bytes_go_from_the_cache_and_the_dvc_remote(two: Repo, mlgit: Script, tmp_path: Path):
    mlgit("init", cwd=two.folder)
    subprocess.run(
        [sys.executable, "-m", "dvc", "remote", "add", "-d", "store", str(tmp_path / "store")],
        cwd=two.folder,
        check=True,
    )
    (two.folder / "secret.bin").write_bytes(b"very secret")
    with session.init(id="c", project="repo") as run:
        run.log_artifact(two.folder / "secret.bin", name="secret", type="dataset")
    mlgit("sync", cwd=two.folder)
    held = [two.folder / ".dvc" / "cache", tmp_path / "store"]
    assert all(any(path.read_bytes() == b"very secret" for path in top.rglob("*") if path.is_file()) for top in held)

    mlgit("purge", "c", "--remote", "--yes", cwd=two.folder)

    assert [path for top in held for path in top.rglob("*") if path.is_file() and b"secret" in path.read_bytes()] == []


def test_bytes_that_a_run_on_the_remote_may_need_stay_there(two: Repo, mlgit: Script, tmp_path: Path):
    (two.folder / "data.bin").write_bytes(b"for all")
    with session.init(id="c", project="repo") as run:
        run.log_artifact(two.folder / "data.bin", name="data", type="dataset")
    mlgit("sync", cwd=two.folder)
    subprocess.run(["git", "clone", "--quiet", str(far(two).folder), str(tmp_path / "other")], check=True)
    other = Repo.find(tmp_path / "other")
    assert other
    theirs = other.commit(query.find(two, "b").commit, {"more": b"of it"}, "somebody else's")
    other.git("push", "--quiet", "origin", f"{theirs}:refs/heads/exp/repo/theirs-abcdef")

    refused = mlgit("purge", "c", "--remote", "--yes", cwd=two.folder, check=False)
    mlgit("pull", cwd=two.folder)
    mlgit("purge", "c", "--remote", "--yes", cwd=two.folder)

    assert (refused.returncode, "has more than is here: exp/repo/theirs-abcdef" in refused.stderr) == (1, True)
    assert not [ref for ref in far(two).refs("refs/heads/exp/") if ref.endswith("-2e7d2c")]


def test_bytes_that_something_else_names_are_told(inside: Repo, mlgit: Script):
    for run_id in ("a", "b"):
        (inside.folder / "data.bin").write_bytes(b"for both")
        with session.init(id=run_id, project="repo") as run:
            run.log_artifact(inside.folder / "data.bin", name="data", type="dataset")
    (version,) = query.find(inside, "a").logged

    first, last = (mlgit("purge", run_id, "--yes", cwd=inside.folder).stderr for run_id in ("a", "b"))

    assert f"{version.hash} stays in DVC's cache: another run" in first
    assert "stays in DVC's cache" not in last


def test_code_that_something_else_leads_to_is_told(inside: Repo, mlgit: Script):
    (inside.folder / "train.py").write_text("secret = 1")
    session.init(id="a", project="repo").finish()
    (inside.folder / "train.py").unlink()
    inside.git("branch", "review", query.find(inside, "a").source or "")

    said = mlgit("purge", "a", "--yes", cwd=inside.folder).stderr

    assert "stays: refs/heads/review leads to it" in said
    assert inside.read("review", "train.py") == b"secret = 1"
    assert query.runs(inside) == []
