"""Series at full resolution, as one Parquet file in long form: a row for each value, a metric's rows together.

Columns: `metric`, `step`, `_runtime`, `_timestamp`, `value` (a float, nan and the infinities as such), `integer` (the
same where it was logged as a whole number, exactly; else null) and `digits` (a whole number beyond 64 bits). A column a
metric, as a table of rows would have it, fails at a hundred thousand metrics, invents times (what was logged to one
step at two moments has two), and cannot tell a nan from nothing once a reader has filled its gaps.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlgit.core.history import Series, chained
from mlgit.errors import MlgitError

if TYPE_CHECKING:
    import numpy
    import pyarrow

_GROUP = 1 << 17
"""Rows that are written at once, of as many metrics as it takes; a row group can be read without the others."""


def write(path: Path, series: Mapping[str, Series]) -> None:
    """Write *series* by name to the file *path*. Raises `OSError` where the disk refuses."""
    from pyarrow import parquet

    even = dict.fromkeys(("step", "integer"), "DELTA_BINARY_PACKED")
    uneven = dict.fromkeys(("_runtime", "_timestamp", "value"), "BYTE_STREAM_SPLIT")
    with parquet.ParquetWriter(
        path, _schema(), compression="zstd", use_dictionary=["metric"], column_encoding=even | uneven
    ) as writer:
        for group in _groups(series):
            writer.write_table(table(group))


def _schema() -> pyarrow.Schema:
    import pyarrow

    return pyarrow.schema(
        [
            pyarrow.field("metric", pyarrow.string(), nullable=False),
            pyarrow.field("step", pyarrow.int64(), nullable=False),
            pyarrow.field("_runtime", pyarrow.float64(), nullable=False),
            pyarrow.field("_timestamp", pyarrow.float64(), nullable=False),
            pyarrow.field("value", pyarrow.float64(), nullable=False),
            pyarrow.field("integer", pyarrow.int64()),
            pyarrow.field("digits", pyarrow.string()),
        ]
    )


def _groups(series: Mapping[str, Series]) -> Iterator[list[tuple[str, Series]]]:
    """Pieces of series, about a group's rows together."""
    group: list[tuple[str, Series]] = []
    count = 0
    for name, one in series.items():
        for start in range(0, len(one), _GROUP):
            stop = start + _GROUP
            part = Series(
                one.steps[start:stop], one.runtimes[start:stop], one.timestamps[start:stop], one.values[start:stop]
            )
            group.append((name, part))
            count += len(part)
            if count >= _GROUP:
                yield group
                group, count = [], 0
    if group:
        yield group


def table(group: Sequence[tuple[str, Series]]) -> pyarrow.Table:
    """Series by name, none of them empty, as such a table."""
    import pyarrow

    values, integers, digits = _values([one.values for _, one in group])
    columns = [
        _texts([name for name, _ in group], [len(one) for _, one in group]),
        _numbers(_numpy(chained([_within(one.steps) for _, one in group]), "int64")),
        _numbers(_numpy(chained([one.runtimes for _, one in group]), "float64")),
        _numbers(_numpy(chained([one.timestamps for _, one in group]), "float64")),
        values, integers, digits,
    ]  # fmt: skip
    return pyarrow.Table.from_arrays(columns, schema=_schema())


def _values(columns: Iterable[Sequence[Any]]) -> tuple[pyarrow.Array, pyarrow.Array, pyarrow.Array]:
    """(floats, whole numbers, digits) of *columns*, one after the other."""
    import numpy

    parts = [
        _typed(kind, chained(list(several)))
        for kind, several in groupby(columns, key=lambda column: getattr(column, "typecode", ""))
    ]
    floats, integers, fit, digits = map(numpy.concatenate, zip(*parts, strict=True))
    has_digits = digits != ""
    return (
        _numbers(floats),
        _numbers(integers, fit),
        _texts(digits.tolist(), [1] * len(digits), has_digits) if has_digits.any() else _nothing(len(digits)),
    )


def _typed(kind: str, column: Sequence[Any]) -> tuple[Any, Any, Any, Any]:
    """(floats, whole numbers, where there are such, digits of those that 64 bits do not hold), each a column."""
    import numpy

    none = numpy.full(len(column), "", dtype=object)
    if kind == "d":
        return _numpy(column, "float64"), numpy.zeros(len(column), "int64"), numpy.zeros(len(column), bool), none
    if kind == "q":
        whole = _numpy(column, "int64")
        return whole.astype("float64"), whole, numpy.ones(len(column), bool), none
    fit = [type(value) is int and -(2**63) <= value < 2**63 for value in column]
    pairs = list(zip(column, fit, strict=True))
    none[:] = [str(value) if type(value) is int and not fits else "" for value, fits in pairs]
    integers = _numpy([value if fits else 0 for value, fits in pairs], "int64")
    return _numpy([_float(value) for value in column], "float64"), integers, numpy.array(fit, bool), none


# Made of their memory, not by `pyarrow.array`, which would load pandas.


def _numbers(column: numpy.ndarray[Any, Any], there: Any = None) -> pyarrow.Array:
    import pyarrow

    kind = pyarrow.from_numpy_dtype(column.dtype)
    return pyarrow.Array.from_buffers(kind, len(column), [_bits(there), pyarrow.py_buffer(column)])


def _texts(texts: Sequence[str], counts: Sequence[int], there: Any = None) -> pyarrow.Array:
    """Each of *texts* so many times."""
    import numpy
    import pyarrow

    encoded = [text.encode("utf-8", "replace") for text in texts]
    offsets = numpy.zeros(sum(counts) + 1, dtype=numpy.int32)
    numpy.cumsum(numpy.repeat(list(map(len, encoded)), counts), out=offsets[1:])
    content = b"".join(text * count for text, count in zip(encoded, counts, strict=True))
    buffers = [_bits(there), pyarrow.py_buffer(offsets), pyarrow.py_buffer(content)]
    return pyarrow.Array.from_buffers(pyarrow.string(), len(offsets) - 1, buffers)


def _nothing(count: int) -> pyarrow.Array:
    import pyarrow

    return pyarrow.nulls(count, pyarrow.string())


def _bits(there: Any) -> pyarrow.Buffer | None:
    import numpy
    import pyarrow

    return None if there is None else pyarrow.py_buffer(numpy.packbits(there, bitorder="little"))


def _numpy(column: Sequence[Any], kind: str) -> numpy.ndarray[Any, Any]:
    import numpy

    return numpy.ascontiguousarray(column, dtype=kind)


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number beyond every float; its digits are kept beside it
        return float("inf") if value > 0 else float("-inf")


def _within(steps: Sequence[int]) -> Sequence[int]:
    """*steps* as 64 bits hold them: nobody trains longer, but a script may say so."""
    if hasattr(steps, "typecode") or isinstance(steps, range):
        return steps
    return [min(max(int(step), -(2**63)), 2**63 - 1) for step in steps]


def read(path: Path) -> dict[str, Series]:
    """What `write` wrote. Raises `MlgitError` where the file is something else."""
    from pyarrow import ArrowException, parquet

    parts: dict[str, list[Series]] = {}
    try:
        with parquet.ParquetFile(path, read_dictionary=["metric"]) as file:
            for number in range(file.num_row_groups):
                for name, one in _series(file.read_row_group(number).combine_chunks()):
                    parts.setdefault(name, []).append(one)
    except (ArrowException, KeyError, OSError) as exc:
        fix = "delete it and pull again; the branch has it thinned"
        raise MlgitError(f"{path} is damaged: it holds no series.", why=str(exc), fix=fix) from None
    return {name: _whole(series) for name, series in parts.items()}


def _series(table: pyarrow.Table) -> Iterator[tuple[str, Series]]:
    import numpy

    if not table.num_rows:
        return
    metric = table.column("metric").chunk(0)
    names, places = metric.dictionary.to_pylist(), _memory(metric.indices, "int32")
    steps, integers = (_memory(table.column(name).chunk(0), "int64") for name in ("step", "integer"))
    runtimes, moments, values = (
        _memory(table.column(name).chunk(0), "float64") for name in ("_runtime", "_timestamp", "value")
    )
    whole = _there(table.column("integer").chunk(0))
    told = table.column("digits")
    texts = told.to_pylist() if told.null_count < table.num_rows else ()
    digits = {row: text for row, text in enumerate(texts) if text}
    starts = [0, *(numpy.flatnonzero(numpy.diff(places)) + 1).tolist(), table.num_rows]
    for start, stop in pairwise(starts):
        yield (
            names[places[start]],
            Series(
                _column(steps[start:stop]), _column(runtimes[start:stop]), _column(moments[start:stop]),
                _mixed(values[start:stop], integers[start:stop], whole[start:stop], digits, start),
            ),
        )  # fmt: skip


# Read from their memory, not by `to_numpy`, which would load pandas.


def _memory(column: pyarrow.Array, kind: str) -> numpy.ndarray[Any, Any]:
    import numpy

    width = numpy.dtype(kind).itemsize
    return numpy.frombuffer(column.buffers()[1], kind, count=len(column), offset=column.offset * width)


def _there(column: pyarrow.Array) -> numpy.ndarray[Any, Any]:
    """Which of *column* are no nulls."""
    import numpy

    bits = column.buffers()[0]
    if bits is None:
        return numpy.ones(len(column), dtype=bool)
    told = numpy.unpackbits(numpy.frombuffer(bits, "uint8"), bitorder="little")
    return told[column.offset : column.offset + len(column)].astype(bool)


def _mixed(
    values: numpy.ndarray[Any, Any], integers: numpy.ndarray[Any, Any], whole: numpy.ndarray[Any, Any],
    digits: Mapping[int, str], start: int,
) -> Sequence[float]:  # fmt: skip
    """The values as they were logged: whole numbers, others, or some of both."""
    big = {row - start: text for row, text in digits.items() if 0 <= row - start < len(values)} if digits else {}
    if whole.all():
        return _column(integers)
    if not whole.any() and not big:
        return _column(values)
    mixed = [
        integer if is_whole else value
        for value, integer, is_whole in zip(values.tolist(), integers.tolist(), whole.tolist(), strict=True)
    ]
    for row, text in big.items():
        mixed[row] = int(text)
    return mixed


def _column(column: numpy.ndarray[Any, Any]) -> Sequence[Any]:
    packed: array[Any] = array("q" if column.dtype.kind == "i" else "d")
    packed.frombytes(column.tobytes())
    return packed


def _whole(parts: Sequence[Series]) -> Series:
    if len(parts) == 1:
        return parts[0]
    return Series(
        chained([part.steps for part in parts]), chained([part.runtimes for part in parts]),
        chained([part.timestamps for part in parts]), chained([part.values for part in parts]),
    )  # fmt: skip
