"""What a run sets aside comes back as it was, whenever somebody gives it back."""

from __future__ import annotations

import shutil
from pathlib import Path

from mlgit.store import borrow


def test_what_was_set_aside_is_as_it_was(tmp_path: Path):
    live, work = tmp_path / "live", tmp_path / "work"
    live.mkdir()
    (work / "folder").mkdir(parents=True)
    (work / "folder/a").write_text("a")
    (work / "file").write_text("before")
    (work / "file").chmod(0o755)
    borrow.set_aside([work / "folder", work / "file", work / "none", work / "new", work / "gone/deep"], live)

    shutil.rmtree(work / "folder")
    (work / "folder").write_text("a file now")
    (work / "file").write_text("after")
    (work / "new").mkdir()
    (work / "new/b").write_text("b")
    assert not borrow.give_back(live)

    assert (work / "folder/a").read_text() == "a"
    assert ((work / "file").read_text(), (work / "file").stat().st_mode & 0o777) == ("before", 0o755)
    assert sorted(path.name for path in work.iterdir()) == ["file", "folder"]
    (work / "file").write_text("later")
    assert not borrow.give_back(live)
    assert (work / "file").read_text() == "later"


def test_what_was_given_back_by_one_who_then_died_stays(tmp_path: Path, monkeypatch):
    (tmp_path / "live").mkdir()
    (tmp_path / "dvc.lock").write_text("before")
    borrow.set_aside([tmp_path / "dvc.lock"], tmp_path / "live")
    real = shutil.rmtree

    def half(path: Path) -> None:
        (path / "0").unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", half)
    try:
        borrow.put_back(tmp_path / "live")
    except KeyboardInterrupt:
        monkeypatch.setattr(shutil, "rmtree", real)
    borrow.put_back(tmp_path / "live")

    assert (tmp_path / "dvc.lock").read_text() == "before"
