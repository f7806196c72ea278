from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlgit.dvc import pointers
from mlgit.dvc.pointers import Out
from mlgit.errors import ConfigError

MD5 = "d3b07384d113edec49eaa6238ad5ff00"


def test_a_pointer_reads_as_dvc_writes_it():
    text = f"outs:\n- md5: {MD5}.dir\n  size: 4\n  nfiles: 2\n  hash: md5\n  path: d\n"

    assert pointers.parse(text, source="d.dvc") == (Out(path="d", hash=f"{MD5}.dir", size=4, nfiles=2),)


@given(
    st.text("abcdef0123456789", min_size=32, max_size=32),
    st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9 _.-]{0,20}[a-z]", fullmatch=True),
    st.integers(0, 1 << 60),
    st.none() | st.integers(0, 9999),
)
def test_what_is_rendered_reads_back(md5: str, path: str, size: int, nfiles: int | None):
    out = Out(path=path, hash=md5, size=size, nfiles=nfiles)

    assert pointers.parse(pointers.render([out]), source="x.dvc") == (out,)


def test_paths_follow_the_pointer_working_folder():
    text = f"wdir: ../data\nouts:\n- md5: {MD5}\n  path: digits.csv\n"

    assert pointers.parse(text, source="x.dvc")[0].path == "../data/digits.csv"


@pytest.mark.parametrize(
    "text", ["", "outs: 3", "outs: [1, {md5: 4, path: x}]", "- a", "outs: [{md5: ../x, path: y}]", "outs:"]
)
def test_what_is_no_pointer_names_nothing(text: str):
    assert pointers.parse(text, source="x.dvc") == ()


def test_a_pointer_with_conflict_markers_says_where():
    with pytest.raises(ConfigError, match=r"x\.dvc:\d"):
        pointers.parse(f"outs:\n<<<<<<< HEAD\n- md5: {MD5}\n=======\n", source="x.dvc")


def test_a_lock_names_what_the_stages_made():
    outs = f"    deps: [{{path: a, md5: {MD5}}}]\n    outs: [{{path: out.csv, md5: {MD5}, size: 3, hash: md5}}]\n"
    text = f"schema: '2.0'\nstages:\n  prep:\n    cmd: x\n{outs}"

    assert pointers.parse_lock(text, source="dvc.lock") == (Out(path="out.csv", hash=MD5, size=3),)
