"""`mlgit gc`: says what would be freed, and frees what has had its time."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlgit import wiring
from mlgit.core.sweep import Sweep
from mlgit.dvc import cache
from mlgit.dvc.caches.memory import Memory
from mlgit.git.repo import Repo
from mlgit.index import build, query, shard, sharding
from mlgit.store import garbage, runs, shards
from mlgit.sweeps.claims import claiming
from mlgit.tracking import session
from mlgit.wiring import upkeep

Script = Callable[..., "subprocess.CompletedProcess[str]"]
MONTHS = time.time() + 100 * garbage.DAYS
"""When what is made now is old."""


@pytest.fixture
def made(inside: Repo, tmp_path: Path) -> Repo:
    """The run a with the files secret and common, and the run b with common; a is hidden."""
    for name in ("secret", "common"):
        (tmp_path / name).write_text(name * 100)
    for run_id, names in (("a", ("secret", "common")), ("b", ("common",))):
        with session.init(id=run_id, name=f"name-{run_id}", project="repo") as run:
            for name in names:
                run.log_artifact(tmp_path / name, name=name, type="dataset")
    runs.hide(inside, [query.find(inside, "a")])
    return inside


def told(mlgit: Script, repo: Repo, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(mlgit("gc", "--json", *words, cwd=repo.folder).stdout)
    return found


def cached(repo: Repo) -> list[str]:
    return sorted(path.read_text()[:6] for path in (repo.own / "cache").rglob("*") if path.is_file())


def test_a_run_that_was_hidden_a_moment_ago_stays(made: Repo, mlgit: Script):
    found = told(mlgit, made, "--yes")

    assert (found["hidden"], found["files"], found["leavings"]) == ([], [], [])
    assert [run.id for run in runs.hidden(made)] == ["a"]
    assert cached(made) == ["common", "secret"]


def test_nothing_goes_where_nobody_has_said_yes(made: Repo, mlgit: Script):
    said = mlgit("gc", "--hidden-for", "0s", cwd=made.folder)

    assert "hidden runs to be dropped: name-a-" in said.stdout
    assert "nothing was freed; mlgit gc --yes frees it" in said.stderr
    assert told(mlgit, made, "--hidden-for", "0s", "--dry-run", "--yes")["freed"] is False
    assert len(runs.hidden(made)) == 1


def test_what_was_hidden_long_ago_goes_with_the_bytes_that_only_it_names(made: Repo, mlgit: Script):
    found = told(mlgit, made, "--hidden-for", "0s", "--yes")

    assert ([run["id"] for run in found["hidden"]], len(found["files"]), found["file_bytes"]) == (["a"], 1, 600)
    assert runs.hidden(made) == []
    assert cached(made) == ["common"]
    assert [run.id for run in query.runs(made)] == ["b"]
    assert mlgit("gc", cwd=made.folder).stderr == "Nothing to free.\n"


def test_no_bytes_go_on_the_word_of_a_shard(made: Repo, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(build, "_MANY", 1)
    place = wiring.place(made.folder)
    (run,) = upkeep.fold(place, [query.find(made, "b")])
    with made.reader() as reader:
        shelf = shards.shelves(reader, shards.tip(made), [run.archive])[run.archive]
        true = sharding.of_file(reader, shelf.files[0][0])
    assert true
    lie = replace(true, cells={key: column for key, column in true.cells.items() if key not in ("logged", ".data")})
    writer = made.writer()
    lying = replace(shelf, files=((writer.blob(shard.encode(lie)), 1),))
    shards.move(made, shards.tip(made), shards.write(made, writer, {run.archive: lying}))
    build.forget(made)
    assert query.logged(made) == set()

    upkeep.free(place, upkeep.garbage(place, MONTHS, hidden_for=0))

    assert cached(made) == ["common"]


def test_bytes_that_a_pointer_names_stay(made: Repo, mlgit: Script):
    (version,) = [one for run in runs.hidden(made) for one in run.logged if one.name == "secret"]
    (made.folder / "secret.dvc").write_text(f"outs:\n- md5: {version.hash}\n  path: secret\n")

    assert told(mlgit, made, "--hidden-for", "0s", "--yes")["files"] == []
    assert cached(made) == ["common", "secret"]


@pytest.mark.parametrize("way", ["edited", "deleted", "merged away"])
def test_bytes_that_a_pointer_named_once_stay(made: Repo, mlgit: Script, way: str):
    (version,) = [one for run in runs.hidden(made) for one in run.logged if one.name == "secret"]
    pointer, other = (f"outs:\n- md5: {text}\n  path: secret\n" for text in (version.hash, "0" * 32))
    made.commit_on("refs/heads/main", {"data/secret.dvc": pointer.encode()}, "data", expect=made.resolve("main"))
    tip = made.resolve("main")
    if way == "merged away":
        made.git("branch", "side")
        made.commit_on("refs/heads/main", {"data/secret.dvc": other.encode()}, "more", expect=tip)
        made.git("merge", "--quiet", "--strategy", "ours", "side")
        made.git("branch", "--quiet", "-D", "side")
    else:
        now = other.encode() if way == "edited" else None
        made.commit_on("refs/heads/main", {"data/secret.dvc": now}, "more", expect=tip)

    assert told(mlgit, made, "--hidden-for", "0s", "--yes")["files"] == []
    assert cached(made) == ["common", "secret"]


def test_bytes_of_a_folder_that_a_pointer_names_stay(made: Repo, mlgit: Script):
    (version,) = [one for run in runs.hidden(made) for one in run.logged if one.name == "secret"]
    secret = next(oid for oid in cache.listing(made, version.hash).values())[0]
    listing = f'[{{"md5": "{secret}", "relpath": "inside"}}]'.encode()
    name = hashlib.md5(listing).hexdigest()
    place = made.own / "cache" / "files" / "md5" / name[:2] / f"{name[2:]}.dir"
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(listing)
    (made.folder / "folder.dvc").write_text(f"outs:\n- md5: {name}.dir\n  path: folder\n")

    assert told(mlgit, made, "--hidden-for", "0s", "--yes")["files"] == []
    assert len(cached(made)) == 3


def test_a_file_of_an_artifact_s_folder_that_a_pointer_names_stays(made: Repo, mlgit: Script, tmp_path: Path):
    both = tmp_path / "both"
    both.mkdir()
    for name in ("mine", "other"):
        (both / name).write_text(name * 100)
    with session.init(id="d", project="repo") as run:
        run.log_artifact(both, name="both", type="dataset")
    runs.hide(made, [query.find(made, "d")])
    mine = hashlib.md5(b"mine" * 100).hexdigest()
    (made.folder / "mine.dvc").write_text(f"outs:\n- md5: {mine}\n  path: mine\n")

    mlgit("gc", "--hidden-for", "0s", "--yes", cwd=made.folder)

    assert cached(made) == ["common", "minemi"]


def test_bytes_that_a_run_has_come_to_name_while_one_was_asked_stay(made: Repo, tmp_path: Path):
    place = wiring.place(made.folder)
    found = upkeep.garbage(place, time.time(), hidden_for=0)
    with session.init(id="c", project="repo") as run:
        run.log_artifact(tmp_path / "secret", name="again", type="dataset")

    upkeep.free(place, found)

    assert len(found.files) == 1
    assert cached(made) == ["common", "secret"]


def test_what_nobody_points_at_goes_after_its_time(made: Repo):
    place = wiring.place(made.folder)
    stray, left = made.own / "cache/files/md5/ab" / ("c" * 30), made.own / "drafts" / "tmp1"
    stray.parent.mkdir()
    stray.write_text("nobody's")
    os.utime(stray, (0, 0))  # as of bytes that were linked there right now
    (left / "inside").mkdir(parents=True)

    young = upkeep.garbage(place, time.time(), hidden_for=1000 * garbage.DAYS)
    old = upkeep.garbage(place, MONTHS, hidden_for=1000 * garbage.DAYS)
    upkeep.free(place, old)

    assert (list(young.files), list(young.leavings)) == ([], [])
    assert (list(old.files), list(old.leavings)) == (["ab" + "c" * 30], [left])
    assert cached(made) == ["common", "secret"]
    assert not left.exists()


def test_what_was_remembered_of_folders_that_have_gone_goes_too(made: Repo, tmp_path: Path):
    memory, stays, went = Memory.of(made), tmp_path / "stays", tmp_path / "went"
    stays.mkdir()
    for folder in (stays, went):
        memory.keep(str(folder), {"file": (1, 2, 3, 4, "a" * 32)})
    place = wiring.place(made.folder)

    young = upkeep.garbage(place, time.time(), hidden_for=1000 * garbage.DAYS)
    old = upkeep.garbage(place, MONTHS, hidden_for=1000 * garbage.DAYS)
    upkeep.free(place, old)

    assert (list(young.pages), len(old.pages)) == ([], 1)
    assert (bool(memory.page(str(stays))), memory.page(str(went))) == (True, {})


def test_when_a_run_was_hidden_counts_not_when_it_ended(made: Repo):
    run = runs.hidden(made)[0]
    long_ago = time.time() - 400 * garbage.DAYS
    log = made.common_dir / "logs" / run.ref
    os.utime(log, (long_ago, long_ago))

    assert garbage.find(made, time.time() + 89 * garbage.DAYS, hidden_for=90 * garbage.DAYS).hidden == []
    assert garbage.find(made, time.time() + 91 * garbage.DAYS, hidden_for=90 * garbage.DAYS).hidden == [run]


@pytest.fixture
def printed(made: Repo) -> list[Path]:
    """What a trial of the sweep s1234567 has printed."""
    folder = made.own / "sweeps" / "s1234567"
    (folder / "agents").mkdir(parents=True)
    files = [folder / name for name in ("s-1.err", "s-1.log")]
    for path in files:
        path.write_text("said")
    return files


def test_what_trials_printed_goes_after_its_time(made: Repo, printed: list[Path]):
    (printed[0].parent / "agents" / "killed").touch()
    (params := printed[0].parent / "1.json").write_text("{}")
    place = wiring.place(made.folder)

    young = upkeep.garbage(place, time.time(), hidden_for=1000 * garbage.DAYS)
    old = upkeep.garbage(place, MONTHS, hidden_for=1000 * garbage.DAYS)
    upkeep.free(place, old)

    assert (list(young.logs), list(old.logs), old.log_bytes) == ([], printed, 8)
    assert not any(path.exists() for path in printed)
    assert params.exists()  # its command names it, in a rerun too


def test_what_trials_printed_stays_while_an_agent_of_their_sweep_is_alive(made: Repo, printed: list[Path]):
    place, sweep = wiring.place(made.folder), Sweep(id="s1234567", name="s", project="repo", method="grid")
    with claiming.present(made, sweep, slots=1):
        assert list(upkeep.garbage(place, MONTHS, hidden_for=1000 * garbage.DAYS).logs) == []
    old = upkeep.garbage(place, MONTHS, hidden_for=1000 * garbage.DAYS)
    with claiming.present(made, sweep, slots=1):  # one has come as a person was asked
        upkeep.free(place, old)

    assert list(old.logs) == printed
    assert all(path.exists() for path in printed)


def test_a_dry_run_names_what_trials_printed_and_leaves_it(made: Repo, printed: list[Path], mlgit: Script):
    for path in printed:
        os.utime(path, (0, 0))

    said = mlgit("gc", "--dry-run", cwd=made.folder).stdout
    found = told(mlgit, made, "--dry-run")
    assert "what trials of sweeps printed long ago, 2 files: 8 B" in said
    assert (found["logs"], found["log_bytes"]) == (2, 8)
    assert all(path.exists() for path in printed)
    assert told(mlgit, made, "--yes")["logs"] == 2
    assert not any(path.exists() for path in printed)
