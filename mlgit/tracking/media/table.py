"""Tables: rows and columns of plain values and of pictures, sounds, charts."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, Self

from mlgit.core import values
from mlgit.errors import UsageError
from mlgit.tracking.media import columns as kinds
from mlgit.tracking.media.shelf import Media, Shelf, below
from mlgit.tracking.notice import say_once

LOG_MODES = ("IMMUTABLE", "MUTABLE", "INCREMENTAL")


class Table(Media):
    """Rows to log: `Table(columns=["image", "label"], data=[[Image(a), "cat"]])`, or `Table(dataframe=frame)`.

    A column learns its kind (number, text, picture, …) from its first value and takes no other; *dtype* says it
    beforehand (`float`, `str`, `Image`, a type of numpy's), `allow_mixed_types=True` takes anything, *optional* says
    whether None may stand there. Each of *dtype* and *optional* is one for all columns, or a list with one for each.
    *data* may be rows, an array or a DataFrame; *rows* is its older name. Logged again, a table whose *log_mode* is
    IMMUTABLE stays what it was at first; a MUTABLE one is stored anew, and of an INCREMENTAL one the new rows are.
    Stored are 200,000 rows at the most (`Table.MAX_ARTIFACT_ROWS`).

    Raises `ValueError` for rows of another length than the columns, `TypeError` for values of another kind.
    """

    MAX_ROWS: ClassVar[int] = 10_000
    """What W&B shows at the most; a script of old may have set it above the next one."""
    MAX_ARTIFACT_ROWS: ClassVar[int] = 200_000
    """More rows than the larger of these are cut off, said once. A script may set them."""

    def __init__(
        self, columns: Sequence[str | int] | None = None, data: Any = None, rows: Iterable[Sequence[Any]] | None = None,
        dataframe: Any = None, dtype: Any = None, optional: bool | Sequence[bool] = True,
        allow_mixed_types: bool = False, log_mode: str | None = "IMMUTABLE",
    ) -> None:  # fmt: skip
        if log_mode not in LOG_MODES:
            raise ValueError(f"Table: the log_mode {log_mode!r} is none of {', '.join(LOG_MODES)}")
        if dataframe is None and hasattr(data, "columns") and hasattr(data, "shape"):
            dataframe = data
        if dataframe is not None:
            names, given = _of_frame(dataframe)
        else:
            names = ["Input", "Output", "Expected"] if columns is None else list(_named(columns))
            given = _rows(rows if data is None else data)
        self.columns: list[str | int] = names
        self.data: list[list[Any]] = []
        self.log_mode = log_mode
        dtypes = _for_each(kinds.Column(kind=kinds.ANY) if allow_mixed_types else dtype, len(names), "dtype")
        optionals = _for_each(optional, len(names), "optional")
        self._kinds = [kinds.of_dtype(one, bool(may)) for one, may in zip(dtypes, optionals, strict=True)]
        self._primary: str | None = None
        self._foreign: dict[str, tuple[Table, str]] = {}
        self._stored: tuple[Path, dict[str, Any]] | None = None
        self._earlier: list[str] = []
        self._logged_rows = 0
        for row in given:
            self._append(row)

    # -- what it holds

    def add_data(self, *data: Any) -> None:
        """Add a row, one value a column: `table.add_data(image, "cat")`. Raises as `Table` does."""
        self._changed()
        self._append(data)

    def add_row(self, *row: Any) -> None:
        """The older name of `add_data`."""
        self.add_data(*row)

    def _append(self, row: Sequence[Any]) -> None:
        if len(row) != len(self.columns):
            raise ValueError(f"Table: {len(self.columns)} columns, {_shown(self.columns)}, but a row of {len(row)}")
        learned = [kind.taking(value) for kind, value in zip(self._kinds, row, strict=True)]
        if None in learned:
            number = learned.index(None)
            raise TypeError(self._refused(number, row[number]))
        self._kinds = [kind for kind in learned if kind is not None]
        self.data.append(list(row))

    def _refused(self, number: int, value: Any) -> str:
        column = self._kinds[number]
        may = " or none" if column.optional else ""
        return (
            f"Table: the column {self.columns[number]!r} holds {column.kind}{may}, not {kinds.kind_of(value)} "
            f"({str(value)[:60]!r}); allow_mixed_types=True takes both"
        )

    def add_column(self, name: str, data: Any, optional: bool = False) -> None:
        """Add a column, one value a row; *optional* says whether None may be one of them.

        Raises `ValueError` for another length, a name that is taken and an INCREMENTAL table, `TypeError` for values of
        several kinds.
        """
        if name in self.columns or not isinstance(name, str):
            raise ValueError(f"Table: {name!r} cannot be a new column beside {_shown(self.columns)}")
        if self.log_mode == "INCREMENTAL":
            raise ValueError("Table: an INCREMENTAL table takes rows alone; log_mode='MUTABLE' takes columns")
        given = list(data)
        if self.columns and len(given) != len(self.data):
            raise ValueError(f"Table: {len(self.data):,} rows, but {len(given):,} values for the column {name!r}")
        kind = kinds.Column(optional=optional)
        for value in given:
            taken = kind.taking(value)
            if taken is None:
                what = kinds.kind_of(value)
                raise TypeError(f"Table: the new column {name!r} holds {kind.kind}, not {what} ({str(value)[:60]!r})")
            kind = taken
        self._changed()
        self.data = self.data if self.columns else [[] for _ in given]
        for row, value in zip(self.data, given, strict=True):
            row.append(value)
        self.columns.append(name)
        self._kinds.append(kind)

    def add_computed_columns(self, fn: Callable[[int, dict[Any, Any]], Mapping[str, Any]]) -> None:
        """Add columns that *fn* makes: called with a row's number and its values by column, it returns the new ones.

            table.add_computed_columns(lambda number, row: {"wrong": row["label"] != row["guess"]})

        Raises as `add_column` does.
        """
        added: dict[str, list[Any]] = {}
        for number, row in self.iterrows():
            for name, value in fn(number, dict(zip(self.columns, row, strict=True))).items():
                added.setdefault(name, []).append(value)
        for name, column in added.items():
            self.add_column(name, column)

    def cast(self, col_name: str | int, dtype: Any, optional: bool = False) -> None:
        """Say what a column holds from now on: `table.cast("score", float)`. No value is changed.

        *dtype* is as in `Table`; None has it learned anew. *optional* says whether None may stand there. Raises
        `TypeError` where the column's values are something else, `ValueError` where there is no such column.
        """
        number = self._number(col_name)
        column = kinds.of_dtype(dtype, optional)
        for row in self.data:
            taken = column.taking(row[number])
            if taken is None:
                raise TypeError(f"Table: {str(row[number])[:60]!r} in the column {col_name!r} is no {column.kind}")
            column = taken
        self._kinds[number] = column

    def set_pk(self, col_name: str) -> None:
        """Say that the column tells the rows apart. Raises `ValueError` where there is none of that name."""
        self._number(col_name)
        self._primary = col_name

    def set_fk(self, col_name: str, table: Table, table_col: str) -> None:
        """Say that the column's values are those of the column *table_col* of *table*, which is stored too.

        Raises `ValueError` where one of them has no such column.
        """
        self._number(col_name)
        table._number(table_col)
        self._foreign[col_name] = table, table_col

    def _number(self, name: str | int) -> int:
        try:
            return self.columns.index(name)
        except ValueError:
            raise ValueError(f"Table: no column {name!r}, only {_shown(self.columns)}") from None

    def get_column(self, name: str | int, convert_to: str | None = None) -> Any:
        """A column's values, as a list or, with `convert_to="numpy"`, as an array; pictures become arrays too."""
        if convert_to not in (None, "numpy"):
            raise ValueError(f"Table: convert_to is 'numpy' or None, not {convert_to!r}")
        number = self._number(name)
        found = [row[number] for row in self.data]
        if convert_to is None:
            return found
        import numpy as np

        return np.array([np.asarray(one.image) if hasattr(one, "image") else one for one in found])

    def get_dataframe(self) -> Any:
        """The table as a DataFrame of pandas."""
        import pandas as pd

        return pd.DataFrame.from_records(self.data, columns=self.columns)

    def get_index(self) -> list[int]:
        """The numbers of the rows."""
        return list(range(len(self.data)))

    def index_ref(self, index: int) -> int:
        """The number of a row. Raises `ValueError` where there is no such row."""
        if not 0 <= index < len(self.data):
            raise ValueError(f"Table: no row {index} among {len(self.data)}")
        return index

    def iterrows(self) -> Iterator[tuple[int, list[Any]]]:
        """Each row with its number."""
        yield from enumerate(self.data)

    def __iter__(self) -> Iterator[list[Any]]:
        return iter(self.data)

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Table) or self.columns != other.columns or len(self.data) != len(other.data):
            return False
        pairs = zip((cell for row in self for cell in row), (cell for row in other for cell in row), strict=False)
        return all(_equal(one, another) for one, another in pairs)

    # -- how it is stored

    def _changed(self) -> None:
        if self._stored and self.log_mode == "IMMUTABLE":
            say_once("a table that was logged has changed: log_mode='MUTABLE' would store it again (said once)")

    def store(self, shelf: Shelf) -> dict[str, Any]:
        """The table as a file of JSON, what is in its cells beside it; again only where its log mode says so."""
        if self._stored and self._stored[0] == shelf.folder:
            if self.log_mode == "IMMUTABLE":
                return self._stored[1]
            if self.log_mode == "INCREMENTAL" and self._logged_rows == len(self.data):
                return self._stored[1]
        start = self._logged_rows if self.log_mode == "INCREMENTAL" else 0
        content = self._content(shelf, start)
        put = shelf.put("table", json.dumps(content).encode(), "table.json")
        document = {"_type": "table-file", **put, "ncols": len(self.columns), "nrows": len(self.data)}
        document |= {"log_mode": self.log_mode}
        if self.log_mode == "INCREMENTAL":
            document |= {"_type": "incremental-table-file", "increment_num": len(self._earlier)}
            document |= {"previous_increments_paths": list(self._earlier)}
            self._earlier.append(put["path"])
            self._logged_rows = len(self.data)
        self._stored = shelf.folder, document
        return document

    def whole(self, shelf: Shelf) -> dict[str, Any]:
        """The table itself, as W&B keeps it in an artifact."""
        content = self._content(shelf, 0)
        return {"_type": "table", **content, "ncols": len(self.columns), "nrows": len(content["data"])}

    def _content(self, shelf: Shelf, start: int) -> dict[str, Any]:
        rows = self.data[start:] if start else self.data
        most = max(self.MAX_ROWS, self.MAX_ARTIFACT_ROWS)
        if len(rows) > most:
            if shelf.takes_whole_tables:
                raise UsageError(
                    f"{shelf.key}: a table of {len(rows):,} rows; {most:,} are the most.",
                    why="The run's settings say that none is to be cut off.", fix="set Table.MAX_ARTIFACT_ROWS",
                )  # fmt: skip
            say_once(f"{shelf.key}: a table of {len(rows):,} rows; the first {most:,} are kept (said once)")
            rows = rows[:most]
        types = {str(name): column.document() for name, column in zip(self.columns, self._kinds, strict=True)}
        if self._primary is not None:
            types[self._primary] = {"wb_type": "primaryKey"}
        for name, (table, column_there) in self._foreign.items():
            place = table.store(shelf.named(f"{shelf.key}_{name}"))["path"]
            types[name] = {"wb_type": "foreignKey", "params": {"table": place, "col_name": column_there}}
        return {
            "columns": list(self.columns),
            "data": [[cell if type(cell) in _PLAIN else _cell(cell, shelf) for cell in row] for row in rows],
            "column_types": {"wb_type": "typedDict", "params": {"type_map": types}},
            "log_mode": self.log_mode,
        }

    @classmethod
    def load(cls, folder: Path, document: Mapping[str, Any], /) -> Self:
        """The table that was stored below *folder* as *document*, with all its increments."""
        if "path" in document:
            paths = [*document.get("previous_increments_paths", ()), document["path"]]
            parts = [json.loads(below(folder, path).read_bytes()) for path in paths]
        else:
            parts = [document]
        names = parts[-1]["columns"]
        written = parts[-1].get("column_types", {}).get("params", {}).get("type_map", {})
        types = [kinds.of_document(written.get(str(name), {})) for name in names]
        dates = [column.kind == "timestamp" for column in types]
        rows = [
            [_read(cell, folder, is_date) for cell, is_date in zip(row, dates, strict=True)]
            for part in parts
            for row in part["data"]
        ]
        table = cls(columns=names, allow_mixed_types=True, log_mode=document.get("log_mode", "IMMUTABLE"))
        table.data, table._kinds = rows, types
        return table


_PLAIN = frozenset((str, int, float, bool, type(None)))


def _cell(value: Any, shelf: Shelf) -> Any:
    """What a table's file keeps of one cell: its document, plain data, or as a last resort its text."""
    from mlgit.tracking.media import foreign

    if isinstance(value, datetime.date):
        return _milliseconds(value)
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, Decimal):
        return float(value)
    dtype = getattr(value, "dtype", None)
    if getattr(dtype, "kind", "") == "M" and getattr(value, "shape", None) == ():
        moment = value.astype("datetime64[ms]")
        return None if str(moment) == "NaT" else int(moment.astype("int64"))
    if dtype is not None and hasattr(value, "tolist"):
        return values.plain(value.tolist(), where=shelf.key)
    if (found := foreign.stored(value, shelf)) is not NotImplemented:
        return found
    try:
        return values.plain(value, where=shelf.key, keep=lambda inner: foreign.stored(inner, shelf))
    except TypeError:
        if isinstance(value, list | tuple | set | frozenset | Mapping):  # within itself, or holding what has no form
            raise
        return values.text(str(value))[:1000]


def _milliseconds(value: datetime.date) -> int | None:
    """A date as W&B keeps it: milliseconds since 1970; where it names no zone, UTC."""
    if value != value:  # pandas' NaT is a datetime
        return None
    if not isinstance(value, datetime.datetime):
        value = datetime.datetime(value.year, value.month, value.day)
    value = value if value.tzinfo else value.replace(tzinfo=datetime.UTC)
    return round(value.timestamp() * 1000)


def _read(cell: Any, folder: Path, is_date: bool) -> Any:
    if is_date and isinstance(cell, int | float):
        return datetime.datetime.fromtimestamp(cell / 1000, tz=datetime.UTC)
    if isinstance(cell, dict) and "_type" in cell:
        from mlgit.tracking import media

        found = media.load(folder, cell)
        return cell if found is None else found
    return cell


def _equal(one: Any, another: Any) -> bool:
    same = one == another
    return bool(same.all() if hasattr(same, "all") else same) or (one != one and another != another)


def _named(columns: Any) -> Iterable[str | int]:
    named = [] if isinstance(columns, str) else list(columns)
    if isinstance(columns, str) or not all(isinstance(name, str | int) for name in named):
        raise ValueError(f"Table: columns are a list of names, not {str(columns)[:100]!r}")
    return named


def _rows(data: Any) -> Iterable[Sequence[Any]]:
    if data is None:
        return ()
    if hasattr(data, "ndim"):
        if data.ndim != 2:
            raise ValueError(f"Table: an array is (rows, columns), not {tuple(data.shape)}")
        rows: list[list[Any]] = data.tolist()
        return rows
    if isinstance(data, str | bytes | Mapping) or not isinstance(data, Iterable):
        raise ValueError(f"Table: data is a list of rows, not a {type(data).__name__}")
    return data


def _of_frame(frame: Any) -> tuple[list[str | int], Iterable[Sequence[Any]]]:
    """Columns and rows of a DataFrame of pandas or polars."""
    if hasattr(frame, "iloc"):
        names = [name if isinstance(name, str | int) else str(name) for name in frame.columns]
        listed = [frame.iloc[:, number].tolist() for number in range(len(names))]
        return names, zip(*listed, strict=True)
    if hasattr(frame, "rows") and hasattr(frame, "columns"):
        return list(frame.columns), frame.rows()
    raise ValueError(f"Table: a DataFrame is asked for, not a {type(frame).__name__}")


def _for_each(given: Any, count: int, what: str) -> list[Any]:
    if not isinstance(given, list | tuple):
        return [given] * count
    if len(given) != count:
        raise ValueError(f"Table: {len(given)} values of {what} for {count} columns")
    return list(given)


def _shown(columns: Sequence[str | int]) -> str:
    return f"{str(list(columns[:12]))[:200]}{' …' if len(columns) > 12 else ''}"
