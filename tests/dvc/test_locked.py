"""What stages made, from the text of `dvc.yaml` and `dvc.lock`."""

from __future__ import annotations

import pytest

from mlgit.dvc import locked

MD5 = "d3b07384d113edec49eaa6238ad5ff00"


@pytest.mark.parametrize(
    ("path", "made", "is_it"),
    [
        ("out/m.bin", "out/m.bin", True),
        ("./out", "out", True),
        ("${dir}/m.bin", "deep/er/m.bin", True),
        ("out/${a}-${b.c}.bin", "out/1-2.bin", True),
        ("out/${a}-${b.c}.bin", "out/1.bin", False),
        ("ab${x}ba", "aba", False),
        ("${x}" * 5000 + "z", "a" * 5000, False),
    ],
)
def test_a_template_in_a_path_stands_for_anything(path: str, made: str, is_it: bool):
    stages = f"stages:\n  s:\n    cmd: x\n    outs: ['{path}']\n"
    lock = f"stages:\n  s:\n    cmd: x\n    outs: [{{path: {made}, md5: {MD5}, hash: md5}}]\n"

    assert [out.path for out in locked.outs(lock, stages, source="")] == ([made] if is_it else [])


def test_what_is_no_pipeline_made_nothing():
    for text in ("", "- a", "stages: 3", "stages: {s: [outs]}", "stages: {s: {outs: 3, wdir: 4, do: 5}}"):
        assert locked.outs(text, text, source="") == ()
