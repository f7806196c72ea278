"""What is remembered of a file is believed for as long as its state is the same, and no longer."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from mlgit.git.seen import Seen

TOKEN = "ghp_" + "a1B2" * 10


@pytest.fixture
def about(tmp_path: Path) -> os.stat_result:
    """The state of the file `a`, which was written a minute ago."""
    (tmp_path / "a").write_text("text")
    return state(tmp_path / "a", age=60)


def state(path: Path, *, age: float) -> os.stat_result:
    about = path.lstat()
    then = time.time() - age
    nanoseconds = {"st_mtime_ns": int(then * 1e9), "st_ctime_ns": int(then * 1e9)}
    return os.stat_result((*about[:7], then, then, then), nanoseconds)


def seen(folder: Path, about: os.stat_result, rules: str = "rules") -> Seen:
    found = Seen(folder, folder / "memory/seen.json", rules)
    found.look("a", about)
    return found


def remember(folder: Path, about: os.stat_result) -> None:
    found = seen(folder, about)
    assert not found.is_binary("a")
    assert not found.is_secret("a")
    found.keep({"a": "100644 0123"})


def test_a_file_of_the_same_state_is_not_read_again(tmp_path: Path, about: os.stat_result):
    remember(tmp_path, about)
    (tmp_path / "a").unlink()

    found = seen(tmp_path, about)

    assert not found.is_binary("a")
    assert not found.is_secret("a")
    assert found.blob("a") == "100644 0123"


def test_a_blob_that_other_rules_made_is_not_believed(tmp_path: Path, about: os.stat_result):
    remember(tmp_path, about)
    (tmp_path / "a").unlink()

    found = seen(tmp_path, about, "other rules")

    assert not found.is_secret("a")
    assert found.blob("a") is None


@pytest.mark.parametrize("content", ["", "of another rule", '{"shapes": 1, "files": {}}', "[1]", '{"files": {"a": 1}}'])
def test_a_memory_that_is_of_no_use_is_forgotten(tmp_path: Path, about: os.stat_result, content: str):
    remember(tmp_path, about)
    (tmp_path / "memory/seen.json").write_text(content)
    (tmp_path / "a").write_text(TOKEN)

    assert seen(tmp_path, about).is_secret("a")


def test_a_file_of_another_state_is_read_again(tmp_path: Path, about: os.stat_result):
    remember(tmp_path, about)
    (tmp_path / "a").write_text(f"\0{TOKEN}")

    found = seen(tmp_path, state(tmp_path / "a", age=59))

    assert found.is_binary("a")
    assert found.is_secret("a")
    assert found.blob("a") is None


def test_a_file_written_just_now_is_not_remembered(tmp_path: Path, about: os.stat_result):
    now = state(tmp_path / "a", age=0)
    remember(tmp_path, now)

    assert about.st_size == now.st_size
    assert seen(tmp_path, now).blob("a") is None
