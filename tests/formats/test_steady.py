"""What a library writes into its files beside the model is taken out again, and nothing else."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from mlgit.formats import steady


def test_a_zip_is_the_same_whenever_it_was_written(tmp_path: Path):
    paths = [tmp_path / name for name in "ab"]
    for year, path in enumerate(paths, 2001):
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in (("z", f"written in {year}"), ("140", "weights"), ("packed", "0" * 99)):
                member = zipfile.ZipInfo(name, (year, 1, 1, 0, 0, 0))
                member.compress_type = zipfile.ZIP_DEFLATED if name == "packed" else zipfile.ZIP_STORED
                archive.writestr(member, text)

    for path in paths:
        steady.repack(path, {"z": "written"}, {"140": "1"})

    assert paths[0].read_bytes() == paths[1].read_bytes()
    with zipfile.ZipFile(paths[0]) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "z": b"written", "1": b"weights", "packed": b"0" * 99,
        }  # fmt: skip
        assert [member.compress_size for member in archive.infolist()][2] < 99
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_objects_are_numbered_and_what_was_one_stays_one():
    text = '[{"id": 14015, "in": {"id": 9}}, {"id": 14015, "n": 1e-07}, {"id": "word"}, {}]'

    assert json.loads(text, object_hook=steady.numbered("id")) == [
        {"id": 2, "in": {"id": 1}}, {"id": 2, "n": 1e-07}, {"id": "word"}, {},
    ]  # fmt: skip
