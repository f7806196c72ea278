"""Rows and columns of tables, by the readers of people's own tools."""

from __future__ import annotations

from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from mlgit.artifacts import shapes


@pytest.mark.parametrize(
    ("name", "text", "rows", "columns"),
    [
        ("a.csv", 'n,x,k,w\n1,2,1,"a\nb"\n2,.5,no,c\n', 2, {"n": "int", "x": "float", "k": "text", "w": "text"}),
        ("a.csv", "\ufeffid,nothing\r\n1,\r\n\r\n", 1, {"id": "int", "nothing": "empty"}),
        ("a.tsv", "a\tb\ntrue\t1e5\nFalse\t1\n", 2, {"a": "bool", "b": "float"}),
        ("a.csv", "", 0, {}),
        ("a.jsonl", '{"a": 1, "b": null}\n{"a": 1e1, "b": "x"}\n{"c":[]}', 3, {"a": "float", "b": "text", "c": "list"}),
        ("a.ndjson", '{"a": 1}\n{"a": {}}\n', 2, {"a": "mixed"}),
    ],
)  # fmt: skip
def test_the_shape_of_a_table_is_told(tmp_path: Path, name: str, text: str, rows: int, columns: dict[str, str]):
    (tmp_path / name).write_text(text, newline="")

    assert shapes.of(tmp_path / name, name) == shapes.Shape(rows=rows, columns=columns)


def test_of_parquet_only_its_end_is_read(tmp_path: Path):
    parquet.write_table(pyarrow.table({"id": [1, 2], "name": ["a", "b"]}), tmp_path / "t")

    assert shapes.of(tmp_path / "t", "t.parquet") == shapes.Shape(rows=2, columns={"id": "int64", "name": "string"})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", b"a,b\n"),
        ("a.csv", b"x" * (2 << 20)),
        ("a.jsonl", b"[1]\n"),
        ("a.jsonl", b"{"),
        ("a.jsonl", b"x" * (2 << 20)),
        ("a.parquet", b"PAR1 this is none PAR1"),
        ("a.csv", b'"' + b"x,\n" * 100_000),
    ],
)
def test_what_is_no_table_has_no_shape(tmp_path: Path, name: str, content: bytes):
    (tmp_path / name).write_bytes(content)

    assert shapes.of(tmp_path / name, name) is None


def test_what_became_of_a_table_is_said_in_words():
    before = shapes.Shape(rows=1, columns={"a": "int", "gone": "text"})
    after = shapes.Shape(rows=2000, columns={"a": "float", "new": "text"})

    assert shapes.told(before, after) == "rows 1 → 2,000, +new, -gone, a int → float"
    assert shapes.told(None, after) == "2,000 rows, 2 columns"
    assert shapes.told(None, None) == ""
