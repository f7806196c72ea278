"""Whoever reads the runs, and whoever dies of it, the index says what git says."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from benchmarks import crowd
from mlgit.git.repo import Repo
from mlgit.index import build, hands, query

COUNT = 9000


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return crowd.build(tmp_path_factory.mktemp("template") / "repo", COUNT).folder


@pytest.fixture
def crowded(template: Path, tmp_path: Path) -> Repo:
    """A repository of `COUNT` runs, and no index."""
    found = Repo.find(Path(shutil.copytree(template, tmp_path / "repo", symlinks=True)))
    assert found
    return found


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Other hands help with few runs too; the folder in which theirs are made."""
    monkeypatch.setattr(hands, "_MANY", 100)
    monkeypatch.setattr(hands, "_cores", lambda: 3)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    return scratch


def test_what_other_hands_read_is_what_one_reads_alone(crowded: Repo, many: Path):
    assert query.search(crowded).total == COUNT
    assert build.check(crowded) == []
    assert list(many.iterdir()) == []


@pytest.mark.parametrize("lacking", ["a Python", "a folder"])
def test_who_has_no_other_hands_reads_alone(crowded: Repo, many: Path, monkeypatch: pytest.MonkeyPatch, lacking: str):
    if lacking == "a Python":
        monkeypatch.setattr(sys, "executable", "/nowhere/python")
    else:
        monkeypatch.setattr(tempfile, "tempdir", "/nowhere")

    assert query.search(crowded).total == COUNT
    assert build.check(crowded) == []


@pytest.mark.parametrize("says", ["exit 3", "kill -9 $$", "sleep 0.2; exit 1"])
def test_hands_that_die_leave_nothing_unread(
    crowded: Repo, many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str
):
    python = tmp_path / "python-that-dies"
    python.write_text(f"#!/bin/sh\n{says}\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))

    assert query.search(crowded).total == COUNT
    assert build.check(crowded) == []


def test_one_that_dies_with_a_block_of_its_own_leaves_it_to_be_read(
    crowded: Repo, many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    python = tmp_path / "python-that-claims"
    python.write_text('#!/bin/sh\ncd "$(echo "$TMPDIR"/mlgit-*)" && : > 0\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setenv("TMPDIR", str(many))

    assert query.search(crowded).total == COUNT
    assert build.check(crowded) == []


def test_hands_of_a_process_that_is_killed_end_and_tidy_up(crowded: Repo, tmp_path: Path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    code = "from mlgit.index import hands, query; from mlgit.git.repo import Repo; from pathlib import Path\n"
    code += "hands._MANY = 100; hands._cores = lambda: 2\nquery.search(Repo.find(Path('.')))"
    asking = subprocess.Popen(
        (sys.executable, "-c", code), cwd=crowded.folder, env={**os.environ, "TMPDIR": str(scratch)}
    )
    deadline = time.monotonic() + 120
    while not list(scratch.glob("mlgit-*/[0-9]*")) and asking.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)
    asking.send_signal(signal.SIGKILL)
    asking.wait()

    while list(scratch.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list(scratch.iterdir()) == []
