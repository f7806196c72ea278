"""Files that appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlgit import whole


def test_a_file_takes_the_place_of_another_when_it_is_done(tmp_path: Path):
    target = tmp_path / "new" / ("n" * 250)
    with whole.at(target) as scratch:
        scratch.write_text("first")
    with whole.at(target) as scratch:
        scratch.write_text("second")
        before = target.read_text()

    assert (before, target.read_text()) == ("first", "second")
    assert [path.name for path in target.parent.iterdir()] == [target.name]


@pytest.mark.parametrize("kind", ["file", "folder", "nothing"])
def test_what_fails_leaves_the_other_as_it_was(tmp_path: Path, kind: str):
    target = tmp_path / "a"
    target.write_text("first")

    def make() -> None:
        with whole.at(target) as scratch:
            if kind == "folder":
                (scratch / "inner").mkdir(parents=True)
            elif kind == "file":
                scratch.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make()

    assert target.read_text() == "first"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_takes_the_place_of_an_empty_one(tmp_path: Path):
    (tmp_path / "a").mkdir()
    with whole.at(tmp_path / "a") as scratch:
        scratch.mkdir()
        (scratch / "b").touch()

    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]
