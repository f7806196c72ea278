"""Reading objects: processes that readers leave to one another."""

from __future__ import annotations

import subprocess
from itertools import islice
from pathlib import Path

import pytest

from mlgit.git import process
from mlgit.git.objects import Writer, one_process
from mlgit.git.repo import Repo


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The git processes that were started."""
    begun: list[subprocess.Popen[bytes]] = []
    start = process.start

    def counted(*args: object, **more: object) -> subprocess.Popen[bytes]:
        begun.append(start(*args, **more))
        return begun[-1]

    monkeypatch.setattr(process, "start", counted)
    return begun


def test_readers_one_after_another_share_a_process(repo: Repo, started: list[subprocess.Popen[bytes]]):
    with one_process():
        for _ in range(3):
            with repo.reader() as reader:
                assert list(reader.kinds(("HEAD", "HEAD^{tree}", "nothing"))) == ["commit", "tree", None]

    assert [one.returncode for one in started] == [0]


def test_a_reader_with_open_questions_keeps_its_process(repo: Repo, started: list[subprocess.Popen[bytes]]):
    with one_process():
        with repo.reader() as reader:
            assert list(islice(reader.kinds(("HEAD", "HEAD^{tree}")), 1)) == ["commit"]
        with repo.reader() as reader:
            assert list(reader.kinds(("HEAD^{tree}",))) == ["tree"]

    assert [one.returncode for one in started] == [0, 0]


def test_readers_side_by_side_have_processes_of_their_own(repo: Repo, started: list[subprocess.Popen[bytes]]):
    with one_process(), repo.reader() as one:
        some = one.read_all(("HEAD", "HEAD^{tree}"))
        first = next(some)
        with repo.reader() as other:
            assert list(other.kinds(("HEAD",))) == ["commit"]
        second = next(some)

    assert first
    assert second
    assert (first[1], second[1]) == ("commit", "tree")
    assert [one.returncode for one in started] == [0, 0]


def test_an_object_is_written_whose_folder_git_takes_away_as_it_packs(repo: Repo, monkeypatch: pytest.MonkeyPatch):
    writer = repo.writer()
    pending = [True]

    def packing(_self: Writer, folder: Path) -> None:
        if folder.is_dir() and pending:
            pending.clear()
            repo.git("prune-packed")
            assert not folder.exists()

    monkeypatch.setattr(Writer, "_share", packing)
    oid = writer.blob(b"said as others pack")
    writer.flush()

    assert repo.git("cat-file", "blob", oid) == "said as others pack"
