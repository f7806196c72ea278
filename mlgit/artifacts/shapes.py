"""How many rows and which columns a table has: CSV, TSV, JSON by lines, Parquet."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from mlgit.core import figures

_SAMPLE = 10_000
"""By so many rows the types of columns are told."""
_LINE = 1 << 20
"""A table whose first line is longer than that is none."""
_ORDER = ("", "bool", "int", "float", "text")
"""Types of columns; one that holds two of them is of the later one."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """That of one table."""

    rows: int
    columns: Mapping[str, str]
    """Name → type."""


def of(file: Path, name: str) -> Shape | None:
    """The shape of *file*, called *name*; None where that is no name of a table, or it is none that can be read."""
    return _read(file, name, whole=True)


def columns(file: Path, name: str) -> Mapping[str, str] | None:
    """Its columns alone, name → type, without going through all of it."""
    shape = _read(file, name, whole=False)
    return shape.columns if shape else None


def _read(file: Path, name: str, *, whole: bool) -> Shape | None:
    read = _READERS.get(PurePosixPath(name).suffix.lower())
    if read is None:
        return None
    try:
        return read(file, whole)
    except (OSError, ValueError, csv.Error):
        return None


def is_table(name: str) -> bool:
    """Whether *name* is that of a table."""
    return PurePosixPath(name).suffix.lower() in _READERS


def _separated(file: Path, whole: bool, delimiter: str = ",") -> Shape:
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as text:
        if len(text.readline(_LINE)) == _LINE:
            raise ValueError("no table has such a line")
        text.seek(0)
        rows = csv.reader(text, delimiter=delimiter)
        names = next(rows, [])
        columns = dict.fromkeys(names, "")
        count = 0
        for row in itertools.islice(rows, _SAMPLE):
            count += bool(row)
            for name, cell in zip(names, row, strict=False):
                if columns[name] != "text" and cell:
                    columns[name] = max(columns[name], _of_text(cell), key=_ORDER.index)
        count += sum(1 for row in rows if row) if whole else 0
    return Shape(rows=count, columns={name: kind or "empty" for name, kind in columns.items()})


def _of_text(cell: str) -> str:
    if cell.lower() in ("true", "false"):
        return "bool"
    for kind, parse in (("int", int), ("float", float)):
        try:
            parse(cell)
        except ValueError:
            continue
        return kind
    return "text"


def _json_lines(file: Path, whole: bool) -> Shape:
    import orjson

    columns: dict[str, str] = {}
    with file.open("rb") as lines:
        count = 0
        for line in itertools.islice(_bounded(lines), _SAMPLE):
            item = orjson.loads(line)
            if not isinstance(item, dict):
                raise ValueError("a row is an object")
            for name, value in item.items():
                kind = _KINDS.get(type(value).__name__, type(value).__name__)
                columns[name] = kind if columns.get(name, kind) in (kind, "empty") else _both(columns[name], kind)
            count += 1
        count += sum(1 for line in lines if line.strip()) if whole else 0
    return Shape(rows=count, columns=columns)


_KINDS = {"str": "text", "NoneType": "empty", "dict": "object"}


def _both(one: str, other: str) -> str:
    if "empty" in (one, other):
        return other if one == "empty" else one
    return "float" if {one, other} == {"int", "float"} else "mixed"


def _bounded(lines: Any) -> Iterator[bytes]:
    while line := lines.readline(_LINE):
        if len(line) == _LINE:
            raise ValueError("no table has such a line")
        if line.strip():
            yield line


def _parquet(file: Path, _whole: bool) -> Shape:
    from pyarrow import parquet

    with parquet.ParquetFile(file) as table:
        columns = {field.name: str(field.type) for field in table.schema_arrow}
        return Shape(rows=table.metadata.num_rows, columns=columns)


_READERS: dict[str, Callable[[Path, bool], Shape]] = {
    ".csv": _separated,
    ".tsv": lambda file, whole: _separated(file, whole, "\t"),
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".parquet": _parquet,
}


def told(before: Shape | None, after: Shape | None) -> str:
    """What became of a table, in words: `rows 100 → 120, +age, -name, score int → float`; nothing where nothing did."""
    if before is None or after is None:
        one = before or after
        return f"{_rows(one)}, {figures.count(len(one.columns), 'column')}" if one else ""
    parts = [f"rows {before.rows:,} → {after.rows:,}" if before.rows != after.rows else _rows(after)]
    parts += [f"+{name}" for name in after.columns if name not in before.columns]
    parts += [f"-{name}" for name in before.columns if name not in after.columns]
    parts += [
        f"{name} {before.columns[name]} → {kind}"
        for name, kind in after.columns.items()
        if before.columns.get(name, kind) != kind
    ]
    return ", ".join(parts)


def _rows(shape: Shape) -> str:
    return figures.count(shape.rows, "row")
