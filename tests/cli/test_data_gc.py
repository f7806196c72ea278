"""`mlgit data gc` frees what nobody names, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.dvc.caches import databases
from mlgit.git.repo import Repo

Script = Callable[..., "subprocess.CompletedProcess[str]"]
NOW = ("data", "gc", "--older-than", "0s", "--yes")


@pytest.fixture
def top(mlgit: Script, inside: Repo) -> Path:
    """A version of `data` that its ledger alone names; bytes of `plain` that nobody does."""
    folder = inside.folder
    (folder / "data").mkdir()
    (folder / "data/old").write_text("of a version")
    mlgit("data", "add", "data", cwd=folder)
    (folder / "data/old").write_text("of a newer one")
    mlgit("data", "add", "data", cwd=folder)
    orphan = place(folder, "nobody's")
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_text("nobody's")
    return folder


def place(top: Path, text: str) -> Path:
    return databases.place(top / ".dvc/cache/files/md5", databases.md5(text.encode()).hexdigest())


def pointer(text: str) -> str:
    return f"outs:\n- md5: {databases.md5(text.encode()).hexdigest()}\n  path: x\n"


def test_what_nobody_names_goes_and_versions_stay(mlgit: Script, inside: Repo, top: Path):
    dry = mlgit("data", "gc", "--older-than", "0s", "--dry-run", cwd=top)
    unasked = mlgit("data", "gc", "--older-than", "0s", cwd=top)
    before = place(top, "nobody's").exists()
    done = mlgit(*NOW, cwd=top)

    assert "1 file of the cache that nobody names: 8 B" in dry.stdout
    assert "--yes frees it" in unasked.stderr
    assert before
    assert "1 freed" in done.stdout
    assert not place(top, "nobody's").exists()
    assert place(top, "of a version").exists()
    assert "0 damaged, 0 missing" in mlgit("data", "verify", "data@v0", "data@v1", cwd=top).stdout


def test_what_is_young_is_spared_and_what_is_added_again_is_young(mlgit: Script, inside: Repo, top: Path):
    (top / "again").write_text("nobody's")
    stored = place(top, "nobody's")
    os.utime(stored, (0, 0))
    usual = mlgit("data", "gc", "--yes", cwd=top)

    assert "Nothing to free" in usual.stderr
    assert stored.exists()


@pytest.mark.parametrize("where", ["branch", "tag", "stash", "history", "worktree", "here"])
def test_a_pointer_anywhere_keeps_its_bytes(mlgit: Script, inside: Repo, top: Path, tmp_path: Path, where: str):
    (top / "code").write_text("1")
    inside.git("add", "code")
    inside.git("commit", "-qm", "code")
    (top / "x.dvc").write_text(pointer("nobody's"))
    if where in ("branch", "tag", "history"):
        inside.git("checkout", "-q", "-b", "other")
        inside.git("add", "x.dvc")
        inside.git("commit", "-qm", "x")
        if where == "tag":
            inside.git("tag", "kept")
        if where == "history":
            inside.git("rm", "-q", "x.dvc")
            inside.git("commit", "-qm", "gone")
        inside.git("checkout", "-q", "main")
        if where == "tag":
            inside.git("branch", "-qD", "other")
    elif where == "stash":
        inside.git("add", "x.dvc")
        inside.git("stash", "-q")
    elif where == "worktree":
        inside.git("worktree", "add", "-q", str(tmp_path / "tree"))
        (top / "x.dvc").rename(tmp_path / "tree/x.dvc")

    mlgit(*NOW, cwd=top)

    assert place(top, "nobody's").exists()


@pytest.mark.parametrize(
    "where", ["older stash", "detached", "index", "ignored", "coloured", "no text", "no text here"]
)
def test_a_pointer_that_git_does_not_show_keeps_its_bytes_too(mlgit: Script, inside: Repo, top: Path, where: str):
    (top / "code").write_text("1")
    inside.git("add", "code")
    inside.git("commit", "-qm", "code")
    (top / "x.dvc").write_text(pointer("nobody's"))
    if where == "older stash":
        inside.git("add", "x.dvc")
        inside.git("stash", "-q")
        (top / "code").write_text("2")
        inside.git("stash", "-q")
    elif where == "detached":
        inside.git("checkout", "-q", "--detach")
        inside.git("add", "x.dvc")
        inside.git("commit", "-qm", "x")
        inside.git("rm", "-q", "x.dvc")
        inside.git("commit", "-qm", "gone")
    elif where == "index":
        inside.git("add", "x.dvc")
        (top / "x.dvc").unlink()
    elif where == "ignored":
        (top / ".git/info/exclude").write_text("*.dvc\n")
    elif where == "coloured":
        inside.git("config", "color.ui", "always")
    else:
        (top / ".gitattributes").write_text("*.dvc -diff\n")
        if where == "no text":
            inside.git("add", ".gitattributes", "x.dvc")
            inside.git("commit", "-qm", "x")
            inside.git("rm", "-q", "x.dvc")
            inside.git("commit", "-qm", "gone")

    mlgit(*NOW, cwd=top)

    assert place(top, "nobody's").exists()


def test_what_a_run_logged_stays(mlgit: Script, python: Script, inside: Repo, top: Path):
    (top / "model").write_text("weights")
    python("-c", "import mlgit\nwith mlgit.init() as run: run.log_artifact('model', type='model')", cwd=top)

    mlgit(*NOW, cwd=top)

    assert place(top, "weights").exists()


def test_a_cache_of_others_is_left_alone(mlgit: Script, inside: Repo, top: Path, tmp_path: Path):
    (top / ".dvc/config.local").write_text(f"[cache]\n    dir = {tmp_path / 'shared'}\n")
    stored = databases.place(tmp_path / "shared/files/md5", databases.md5(b"theirs").hexdigest())
    stored.parent.mkdir(parents=True)
    stored.write_text("theirs")

    done = mlgit(*NOW, "--json", cwd=top)

    assert json.loads(done.stdout)["left_alone"] == [str(tmp_path / "shared/files/md5")]
    assert stored.exists()


def test_nothing_goes_while_it_is_unknown_what_a_version_holds(mlgit: Script, inside: Repo, top: Path):
    for listing in (top / ".dvc/cache/files/md5").glob("??/*.dir"):
        listing.chmod(0o644)
        listing.write_text("[]")

    done = mlgit(*NOW, cwd=top, check=False)

    assert done.returncode == 1
    assert "verify --all --repair" in done.stderr
    assert place(top, "nobody's").exists()


def test_what_is_about_to_be_named_is_young(inside: Repo, top: Path, monkeypatch: pytest.MonkeyPatch):
    from mlgit.dvc import cache
    from mlgit.dvc.worktree import adding

    (top / "again").write_text("nobody's")
    later = time.time() + 2 * 86_400
    monkeypatch.setattr(time, "time", lambda: later)
    adding.add(inside, top / "again")

    assert place(top, "nobody's") not in cache.aged(inside, time.time() - 2 * 86_400)[0]
