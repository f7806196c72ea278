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
    borrow.note(live)
    borrow.give_back(live)

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


def test_what_somebody_wrote_after_the_run_was_killed_stays_and_what_was_before_lies_beside(tmp_path: Path):
    live, lock, metrics, folder = (tmp_path / name for name in ("live", "dvc.lock", "metrics.json", "plots"))
    for path in (live, folder):
        path.mkdir()
    for path in (lock, metrics, folder / "roc.csv"):
        path.write_text("before")
    (tmp_path / "dvc.lock.before").write_text("of an earlier one")
    borrow.set_aside([lock, metrics, folder, tmp_path / "new.json"], live)
    for path in (lock, metrics, folder / "roc.csv"):
        path.write_text("a stage's")
    borrow.note(live)

    for path in (lock, folder / "roc.csv", tmp_path / "new.json"):
        path.write_text("mine")
    said = borrow.give_back(live)

    assert [path.read_text() for path in (lock, folder / "roc.csv", tmp_path / "new.json")] == ["mine"] * 3
    assert metrics.read_text() == "before"
    assert (tmp_path / "dvc.lock.before2").read_text() == (tmp_path / "plots.before/roc.csv").read_text() == "before"
    assert (tmp_path / "dvc.lock.before").read_text() == "of an earlier one"
    assert said == [
        "dvc.lock was changed during the run and stays as it is; dvc.lock.before2 holds what it was",
        "plots was changed during the run and stays as it is; plots.before holds what it was",
        "the trial was killed before it gave the outputs back: dvc checkout brings what dvc.lock says",
    ]
