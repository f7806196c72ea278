"""Tables with a meaning beyond their rows: two joined by a column, and the rows of an evaluation."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from mlgit.tracking.media.shelf import Media, Shelf, below
from mlgit.tracking.media.table import Table


class JoinedTable(Media):
    """Two tables to be joined where their values of *join_key* agree: a column, or a pair with one for each.

        run.log({"both": mlgit.JoinedTable(predictions, labels, join_key="id")})

    Both are stored as they are. Raises `ValueError` for a column that one of them lacks, `TypeError` for what is no
    Table.
    """

    def __init__(self, table1: Table, table2: Table, join_key: str | Sequence[str]) -> None:
        keys = [join_key, join_key] if isinstance(join_key, str) else list(join_key)
        if len(keys) != 2:
            raise ValueError(f"JoinedTable: join_key is a column, or a pair of columns, not {join_key!r}")
        for table, key in zip((table1, table2), keys, strict=True):
            if not isinstance(table, Table):
                raise TypeError(f"JoinedTable: tables are joined, not a {type(table).__name__}")
            if key not in table.columns:
                raise ValueError(f"JoinedTable: there is no column {key!r} among {table.columns}")
        self.table1, self.table2, self.join_key = table1, table2, join_key

    def store(self, shelf: Shelf) -> dict[str, Any]:
        """Both tables as files."""
        tables = {name: getattr(self, name).store(shelf.named(f"{shelf.key}_{name}")) for name in ("table1", "table2")}
        key = self.join_key if isinstance(self.join_key, str) else list(self.join_key)
        return {"_type": "joined-table", **tables, "join_key": key}

    @classmethod
    def load(cls, folder: Path, document: Mapping[str, Any], /) -> Self:
        """The tables that were stored below *folder* as *document*."""
        first, second = (Table.load(folder, document[name]) for name in ("table1", "table2"))
        return cls(first, second, document["join_key"])


class PartitionedTable(Media):
    """One table in pieces: every table that an artifact holds in its folder *parts_path*, read one after the other."""

    def __init__(self, parts_path: str) -> None:
        self.parts_path = parts_path
        self._parts: list[Table] = []

    def iterrows(self) -> Iterator[tuple[str, list[Any]]]:
        """Each row with its number; none before the artifact was read back."""
        rows = (row for part in self._parts for row in part.data)
        yield from ((str(number), row) for number, row in enumerate(rows))

    def store(self, _shelf: Shelf) -> dict[str, Any]:
        """Where the pieces are; they are stored by themselves."""
        return {"_type": "partitioned-table", "parts_path": self.parts_path}

    @classmethod
    def load(cls, folder: Path, document: Mapping[str, Any], /) -> Self:
        """The pieces that were stored below *folder*."""
        found = cls(document["parts_path"])
        pieces = sorted(below(folder, found.parts_path).glob("*.table.json"))
        found._parts = [Table.load(folder, json.loads(piece.read_bytes())) for piece in pieces]
        return found


class EvalTable(Table):
    """The rows of an evaluation: a table that knows its inputs, outputs and scores.

        EvalTable(data=rows, input_columns=["question"], output_columns=["answer"], score_columns=["f1"])

    *input_columns*, *output_columns*, *score_columns*: names of columns, each in one of them at most; the others are
    outputs. Without *columns* and a DataFrame the columns are those three lists in turn. The other arguments are those
    of `Table`. Raises `ValueError` for a name that is no column, or is there twice; else as `Table` does.
    """

    def __init__(
        self, columns: Sequence[str] | None = None, data: Any = None, rows: Any = None, dataframe: Any = None,
        dtype: Any = None, optional: bool | Sequence[bool] = True, allow_mixed_types: bool = False,
        log_mode: str | None = "IMMUTABLE", *, input_columns: Iterable[str] | None = None,
        output_columns: Iterable[str] | None = None, score_columns: Iterable[str] | None = None,
    ) -> None:  # fmt: skip
        self.input_columns, self.output_columns, self.score_columns = (
            list(part or ()) for part in (input_columns, output_columns, score_columns)
        )
        named = self.input_columns + self.output_columns + self.score_columns
        super().__init__(
            columns=named if columns is None and named else columns, data=data, rows=rows, dataframe=dataframe,
            dtype=dtype, optional=optional, allow_mixed_types=allow_mixed_types, log_mode=log_mode,
        )  # fmt: skip
        missing = [name for name in named if name not in self.columns]
        if missing or len(set(named)) != len(named):
            raise ValueError(f"EvalTable: {missing or named} are not columns once each of {self.columns}")

    def store(self, shelf: Shelf) -> dict[str, Any]:
        """The table as a file, and what its columns are."""
        return {**super().store(shelf), "_type": "eval-table-file", **self._roles()}

    def whole(self, shelf: Shelf) -> dict[str, Any]:
        """The table itself, and what its columns are."""
        return {**super().whole(shelf), "_type": "eval-table", **self._roles()}

    def _roles(self) -> dict[str, list[str | int]]:
        taken = {*self.input_columns, *self.score_columns}
        outputs = [name for name in self.columns if name not in taken]
        return {
            "input_columns": list(self.input_columns),
            "output_columns": outputs,
            "score_columns": list(self.score_columns),
        }

    @classmethod
    def load(cls, folder: Path, document: Mapping[str, Any], /) -> Self:
        """The table that was stored below *folder* as *document*."""
        found = super().load(folder, document)
        for role in ("input_columns", "output_columns", "score_columns"):
            setattr(found, role, document.get(role, []))
        return found
