"""`mlgit fsck`: says what is wrong, where, and what repairs it; and repairs it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import mlgit as door
from mlgit.core import refs
from mlgit.core.run import Run
from mlgit.errors import MlgitError
from mlgit.git.objects import Entry
from mlgit.git.repo import Move, Repo
from mlgit.index import build, query
from mlgit.store import edit, folding, result, runs
from mlgit.tracking import session

Script = Callable[..., "subprocess.CompletedProcess[str]"]


def recorded(repo: Repo, run_id: str, project: str = "repo", **config: object) -> Run:
    with session.init(id=run_id, name=f"name-{run_id}", project=project, config=config) as run:
        run.log({"loss": 0.5})
    return query.find(repo, run_id)


def found(mlgit: Script, repo: Repo, *words: str) -> list[tuple[str, str]]:
    """(where, what) of what is wrong."""
    done = mlgit("fsck", "--json", *words, cwd=repo.folder, check=False)
    told: list[dict[str, Any]] = json.loads(done.stdout)
    assert done.returncode == (not all(one["repaired"] for one in told)), done.stderr
    return [(one["where"], one["what"]) for one in told]


def mended(mlgit: Script, repo: Repo) -> bool:
    """Whether all that is wrong could be repaired, and is then well."""
    return mlgit("fsck", "--repair", cwd=repo.folder, check=False).returncode == 0 and found(mlgit, repo) == []


def put(repo: Repo, run: Run, changes: Mapping[str, bytes | Entry | None], message: str) -> None:
    repo.move([Move(run.ref, run.commit, repo.commit(run.commit, changes, message))], why="test")


def test_runs_of_every_kind_are_well(inside: Repo, mlgit: Script, tmp_path: Path):
    (tmp_path / "data.bin").write_bytes(b"data")
    with session.init(
        id="full", project="repo", config={"lr": 1e-4, "deep": {"a": [1, None, "x"]}, "no": "yes"}
    ) as run:
        run.define_metric("loss", summary="min", goal="minimize")
        run.log({"loss": float("nan"), "big": 1e300, "tiny": 1e-9, "text": "käse\n\x1b[0m", "flag": True})
        run.log({"loss": float("inf"), "table": door.Table(columns=["a"], data=[[1]])})
        run.log_artifact(tmp_path / "data.bin", name="data", type="dataset")
        run.alert("hot", "very")
    with session.init(id="many", project="repo", config={f"p{n}": "x" * 100 for n in range(900)}):
        pass  # more than a message takes
    edit.edit(inside, recorded(inside, "edited"), lambda run: replace(run, tags=("a", "b"), notes="two\nlines"))
    runs.hide(inside, [recorded(inside, "hidden")])
    folding.fold(inside, [recorded(inside, "folded", lr=0.1)])
    with session.init(id="alive", project="repo"):
        assert found(mlgit, inside) == []

    assert "All is well with 6 runs." in mlgit("fsck", cwd=inside.folder).stderr


@pytest.mark.parametrize("text", [b"id: [", b"id: another\n", b"- a\n", b"\xff", None])
def test_a_run_yaml_that_tells_of_no_run_or_another_is_made_again(inside: Repo, mlgit: Script, text: bytes | None):
    run = recorded(inside, "a", lr=0.1)
    put(inside, run, {"experiment/run.yaml": text}, result.message(run))

    assert found(mlgit, inside) == [(run.ref, "its commit holds no experiment/run.yaml that tells of it")]
    assert mended(mlgit, inside)


@pytest.mark.parametrize("where", ["branch", "archive", "hidden"])
def test_a_message_that_says_otherwise_follows_the_yaml(inside: Repo, mlgit: Script, where: str):
    run = recorded(inside, "a", lr=0.1)
    put(inside, run, {}, result.message(replace(run, params={"lr": 9.0}, tags=("t",))))
    if where == "archive":
        folding.fold(inside, [query.find(inside, "a")])
    if where == "hidden":
        runs.hide(inside, [query.find(inside, "a")])

    ((place, what),) = found(mlgit, inside)

    assert "differ in params.lr, tags; the YAML counts" in what
    assert run.ref.rpartition("/")[2] in place
    assert mended(mlgit, inside)
    (after,) = query.runs(inside) or runs.hidden(inside)
    assert (after.params, after.tags, bool(after.archive)) == ({"lr": 0.1}, (), where == "archive")


def test_a_message_that_tells_nothing_or_files_that_are_gone_are_made_again(inside: Repo, mlgit: Script):
    first, second = recorded(inside, "a", lr=0.1), recorded(inside, "b", lr=0.2)
    tree = inside.git("rev-parse", f"{first.commit}^{{tree}}")
    rebased = inside.git("commit-tree", "-p", first.source or "", "-m", "reworded by hand", tree)
    inside.move([Move(first.ref, first.commit, rebased)], why="test")
    put(inside, second, {"experiment/run.yaml": None}, result.message(second))

    assert sorted(found(mlgit, inside)) == [
        (first.ref, "its message tells of no run, and its YAML does"),
        (second.ref, "its commit holds no experiment/run.yaml that tells of it"),
    ]
    assert mended(mlgit, inside)
    assert {run.id: run.params for run in query.runs(inside)} == {"a": {"lr": 0.1}, "b": {"lr": 0.2}}


def test_branches_that_are_no_runs_are_nobody_s_business(inside: Repo, mlgit: Script):
    inside.git("branch", "exp/repo/mine", "main")

    assert found(mlgit, inside) == []


def test_what_the_archive_lists_and_does_not_keep_is_kept_again(inside: Repo, mlgit: Script):
    (run,) = folding.fold(inside, [recorded(inside, "a")])
    tree = inside.git("rev-parse", f"{run.archive}^{{tree}}")
    inside.git("update-ref", run.archive, inside.git("commit-tree", "-m", "without its parents", tree))

    ((place, what),) = found(mlgit, inside)

    assert (place, "git would drop them" in what) == (run.archive, True)
    assert mended(mlgit, inside)
    assert inside.is_ancestor(run.commit, run.archive)
    assert query.runs(inside) == [run]


def test_what_no_month_and_no_run_can_be_is_told_and_git_can_still_pack(inside: Repo, mlgit: Script):
    (run,) = folding.fold(inside, [recorded(inside, "a")])
    blob = inside.git("hash-object", "-w", "--stdin", stdin=b"no run")
    content = b"".join(b"160000 %s\0%s" % (name, bytes.fromhex(blob)) for name in (b"blob-abcdef", b"odd\xff-abcdef"))
    tree = inside.git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", stdin=content)
    lists, other = (run.archive.replace("/repo/", f"/{name}/") for name in ("lists", "other"))
    inside.git("update-ref", lists, inside.git("commit-tree", "-m", "odd", tree))
    inside.git("update-ref", other, blob)

    told = dict(found(mlgit, inside))
    mlgit("fsck", "--repair", cwd=inside.folder, check=False)
    with pytest.raises(MlgitError, match="is a blob, and no commit"):
        folding.fold(inside, [recorded(inside, "b", project="other")])

    assert told[f"{lists}:blob-abcdef"] == "it is a blob, and no run"
    assert told[other] == "it is a blob, and no month"
    inside.git("gc", "--quiet")
    assert [run.id for run in query.runs(inside)] == ["b", "a"]


def test_what_a_fold_that_was_killed_has_left_is_told_and_mended(inside: Repo, mlgit: Script):
    run = recorded(inside, "a")
    folding.fold(inside, [run])
    inside.git("update-ref", run.ref, run.commit)
    lock = inside.common_dir / f"{run.ref}.lock"
    lock.touch()
    os.utime(lock, (0, 0))

    assert sorted(what for _, what in found(mlgit, inside)) == [
        "a lock of git's that nobody holds any more keeps refs from moving",
        "it is archived, and has a branch, which counts",
    ]
    assert mended(mlgit, inside)
    assert query.runs(inside) == [run]


def test_the_lock_of_a_git_that_was_killed_as_it_packed_is_told_and_mended(inside: Repo, mlgit: Script):
    lock = inside.common_dir / "objects/maintenance.lock"
    lock.touch()
    assert found(mlgit, inside) == []
    os.utime(lock, (0, 0))

    (told,) = found(mlgit, inside)
    assert told == (str(lock), "a lock of git's that nobody holds any more keeps objects from being packed")
    assert mended(mlgit, inside)
    assert not lock.exists()


def test_objects_and_bytes_that_are_missing_are_told(inside: Repo, mlgit: Script, tmp_path: Path):
    (tmp_path / "data.bin").write_bytes(b"data")
    with session.init(id="a", project="repo") as active:
        active.log_artifact(tmp_path / "data.bin", name="data", type="dataset")
    lost = recorded(inside, "b")
    for path in (inside.own / "cache").rglob("*"):
        if path.is_file():
            path.unlink()
    (inside.common_dir / "objects" / lost.commit[:2] / lost.commit[2:]).unlink()

    told = found(mlgit, inside)

    assert any("the bytes of data" in what for _, what in told)
    assert any(place == lost.ref and "cannot be read" in what for place, what in told)
    assert any(place == "git" and lost.commit in what for place, what in told)
    assert len(mlgit("fsck", cwd=inside.folder, check=False).stdout.splitlines()) == len(told) + 1


def test_a_remote_that_has_it_otherwise_is_told(inside: Repo, mlgit: Script, tmp_path: Path):
    far = tmp_path / "far.git"
    inside.git("init", "--quiet", "--bare", str(far))
    inside.git("remote", "add", "origin", str(far))
    recorded(inside, "a")
    mlgit("sync", cwd=inside.folder)
    assert found(mlgit, inside, "--remote") == []
    edit.edit(inside, query.find(inside, "a"), lambda run: replace(run, notes="more"))
    recorded(inside, "b")

    told = found(mlgit, inside, "--remote")

    assert [what.partition(":")[0] for _, what in told] == [
        "1 of what is here is not there", "1 is there otherwise than here",
    ]  # fmt: skip
    mlgit("sync", cwd=inside.folder)
    assert found(mlgit, inside, "--remote") == []


def test_an_index_that_was_spoilt_is_made_anew(inside: Repo, mlgit: Script):
    import sqlite3
    from contextlib import closing

    recorded(inside, "a")
    with closing(sqlite3.connect(build.file(inside))) as connection, connection:
        connection.execute("UPDATE runs SET name = 'another'")

    assert [place for place, _ in found(mlgit, inside)] == [f"mlgit/{build.file(inside).name}"]
    assert mended(mlgit, inside)
    assert query.runs(inside)[0].name == "name-a"
    assert inside.refs(refs.RUNS)
