"""Runs as tables, files and archives that other programs read."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import mimetypes
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from mlgit import whole
from mlgit.core import escape, figures
from mlgit.core.compare import flatten
from mlgit.core.run import Run
from mlgit.errors import MlgitError, NotFoundError, UsageError
from mlgit.git.objects import Reader
from mlgit.git.repo import Repo
from mlgit.store import runs as stored

if TYPE_CHECKING:
    from tarfile import TarFile, TarInfo
    from zipfile import ZipFile

    import pyarrow

    from mlgit.core.history import Series

Columns = Mapping[str, Sequence[Any]]
Put = Callable[[str, bytes | Path], None]
"""Puts content, or that of a file, into an export under a relative path."""
_TABLES = (".csv", ".parquet", ".json")
_ARCHIVES = (".zip", ".tar.gz", ".tgz")
_BESIDE = ("runs.csv", "runs.json", "history.csv")
"""What stands in an export of files beside the folders of the projects."""
_AT_ONCE = 1 << 17
"""Rows of histories that are written together."""
_SERIES = ("run", "name", "metric", "step", "_runtime", "_timestamp", "value")


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is to be exported beside the runs' own table."""

    history: bool = False
    files: bool = False
    artifacts: bool = False
    fetch: bool = False
    """Bring what only the DVC remote holds."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What an export wrote."""

    written: tuple[Path, ...]
    thinned: tuple[Run, ...] = ()
    """Those whose history is not here in full."""
    missing: tuple[str, ...] = ()
    """Artifacts whose bytes are not here, and runs whose files cannot be read."""


def export(
    repo: Repo, runs: Sequence[Run], target: Path, wish: Wish, *,
    document: Callable[[Run], Mapping[str, Any]], watch: Callable[[Sequence[Run]], Iterable[Run]] = iter,
) -> Exported:  # fmt: skip
    """Write *runs* to *target*: a table by its ending, .csv, .parquet or .json; an archive, .zip or .tar.gz; a folder.

    *document* makes of a run what a script sees of it; *watch* is handed the runs to go through where that takes time.
    Raises `UsageError` for another file's ending, for what a table cannot hold, and for a folder that is not empty;
    `MlgitError` for a full disk.
    """
    told = _Told(repo, runs, wish, document, watch)
    kind = next((end for end in (*_TABLES, *_ARCHIVES) if target.name.lower().endswith(end)), "")
    if not kind and not target.is_dir() and mimetypes.guess_type(target.name) != (None, None):
        fix = f"one of {', '.join(_TABLES + _ARCHIVES)}, or a folder"
        raise UsageError(f"Runs cannot be written as {target.name}.", fix=fix)
    try:
        if kind in _TABLES:
            return told.as_table(target, kind)
        if not kind and target.is_dir() and any(target.iterdir()):
            raise UsageError(f"{target} is not empty.", fix="name a new folder, or a file: runs.csv, runs.zip")
        with whole.at(target) as scratch, _opened(scratch, kind) as put:
            told.as_files(lambda name, content: put(_portable(name), content))
        return Exported(written=(target,), thinned=tuple(told.thinned), missing=tuple(told.missing))
    except OSError as exc:
        raise MlgitError(f"{target} cannot be written.", why=str(exc)) from exc


@dataclass
class _Told:
    """What is said of the runs, in whatever form."""

    repo: Repo
    runs: Sequence[Run]
    wish: Wish
    document: Callable[[Run], Mapping[str, Any]]
    watch: Callable[[Sequence[Run]], Iterable[Run]]

    def __post_init__(self) -> None:
        self.thinned: list[Run] = []
        self.missing: list[str] = []

    def as_table(self, target: Path, kind: str) -> Exported:
        """One table; the histories, if they are wished for, in a second one beside it, in JSON within each run."""
        if self.wish.files or self.wish.artifacts:
            raise UsageError(
                f"{target.name} is a table, and holds no files.", fix="export to a folder, .zip or .tar.gz"
            )
        written = [target]
        with whole.at(target) as scratch:
            if kind == ".json":
                scratch.write_text(self._json(history=self.wish.history), encoding="utf-8")
            elif kind == ".csv":
                scratch.write_text(as_csv(columns(self.runs)), encoding="utf-8", newline="")
            else:
                _write_parquet(columns(self.runs), scratch)
        if self.wish.history and kind != ".json":
            written.append(target.with_name(f"{target.name[: -len(kind)]}.history{kind}"))
            with whole.at(written[1]) as scratch:
                self._series(scratch, kind)
        return Exported(written=tuple(written), thinned=tuple(self.thinned))

    def as_files(self, put: Put) -> None:
        """The table as CSV and JSON; the histories as a second table; what else is wished for, a folder each run."""
        put("runs.csv", as_csv(columns(self.runs)).encode())
        put("runs.json", self._json(history=False).encode())
        with tempfile.TemporaryDirectory(prefix="mlgit-export-") as folder:
            if self.wish.history:
                self._series(Path(folder) / "history.csv", ".csv")
                put("history.csv", Path(folder) / "history.csv")
        if self.wish.files or self.wish.artifacts:
            with self.repo.reader() as reader:
                for run in self.watch(self.runs):
                    try:
                        self._put_files(run, _home(run), put, reader)
                    except MlgitError:  # a branch that somebody spoiled is no reason to leave out all others
                        self.missing.append(f"files of {run.name}")

    def _put_files(self, run: Run, home: str, put: Put, reader: Reader) -> None:
        from mlgit.artifacts import manifest
        from mlgit.public import files

        if self.wish.files:
            for name, content in dict(files.contents(self.repo, run, reader)).items():
                put(f"{home}/{manifest.inside(name)}", content)
        if self.wish.artifacts:
            self._put_artifacts(run, home, put)

    def _put_artifacts(self, run: Run, home: str, put: Put) -> None:
        from mlgit.artifacts import manifest
        from mlgit.dvc import cache

        for version in run.logged:
            place = f"{home}/artifacts/{manifest.inside(version.name)}"
            try:
                inside = cache.listing(self.repo, version.hash, folder=run.folder)
            except NotFoundError:
                self.missing.append(f"{version.name} of {run.name}")
                continue
            for path, (_, source) in inside.items():
                name = PurePosixPath(version.path).name or version.name if path == "." else path
                put(f"{place}/{manifest.inside(name)}", source)

    def _json(self, *, history: bool) -> str:
        told: list[Mapping[str, Any]] = []
        if history:
            for run, series in self._histories():
                told.append({**self.document(run), "history": {name: _columns(one) for name, one in series.items()}})
        else:
            told += map(self.document, self.runs)
        return f"{json.dumps(figures.finite(told), indent=1, ensure_ascii=False, default=str)}\n"

    def _histories(self) -> Iterator[tuple[Run, Mapping[str, Series]]]:
        for run, series in stored.histories(self.repo, self.watch(self.runs), fetch=self.wish.fetch):
            if not series.is_full:
                self.thinned.append(run)
            yield run, series

    def _series(self, path: Path, kind: str) -> None:
        """Every value of every metric, a row each, in the order of the runs."""
        import pyarrow
        from pyarrow import csv as tables
        from pyarrow import parquet

        schema = pyarrow.schema(list(zip(_SERIES, (*["string"] * 3, "int64", *["double"] * 3), strict=True)))
        writer = tables.CSVWriter(path, schema) if kind == ".csv" else parquet.ParquetWriter(path, schema)
        with writer:
            for part in _batches(self._rows(escape.formula if kind == ".csv" else str)):
                writer.write_table(pyarrow.concat_tables(part).cast(schema))

    def _rows(self, said: Callable[[str], str]) -> Iterator[pyarrow.Table]:
        """What each run logged, its texts as they are *said* there."""
        import pyarrow

        from mlgit.store import parquet

        for run, series in self._histories():
            if filled := [(said(name), one) for name, one in series.items() if len(one)]:
                rows = parquet.table(filled)
                texts = (pyarrow.repeat(said(text), len(rows)) for text in (run.id, run.name))
                yield pyarrow.Table.from_arrays([*texts, *(rows[name] for name in _SERIES[2:])], names=list(_SERIES))


def _batches(tables: Iterable[pyarrow.Table]) -> Iterator[list[pyarrow.Table]]:
    """So many together as are worth a write."""
    batch: list[pyarrow.Table] = []
    count = 0
    for one in tables:
        batch.append(one)
        count += len(one)
        if count >= _AT_ONCE:
            yield batch
            batch, count = [], 0
    if batch:
        yield batch


def columns(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """What each of *runs* is, a column a field, param (`params.lr`) and metric (`metrics.loss`); None for nothing.

    Times are in UTC, ISO 8601, a duration is in seconds; tags are joined by commas. Pictures and the like are left out.
    """
    params, metrics = [flatten(run.params) for run in runs], [run.scalars for run in runs]
    found: dict[str, list[Any]] = {
        "id": [run.id for run in runs], "name": [run.name for run in runs], "project": [run.project for run in runs],
        "state": [run.state.value for run in runs], "created": [figures.moment(run.created) for run in runs],
        "finished": [None if run.finished is None else figures.moment(run.finished) for run in runs],
        "duration": [None if run.duration is None else round(run.duration, 3) for run in runs],
        "group": [run.group for run in runs], "sweep": [run.sweep for run in runs],
        "job_type": [run.job_type for run in runs],
        "tags": [",".join(run.tags) or None for run in runs], "notes": [run.notes for run in runs],
        "branch": [run.branch for run in runs], "commit": [run.commit or None for run in runs],
        "source": [run.source for run in runs],
    }  # fmt: skip
    for kind, trees in (("params", params), ("metrics", metrics)):
        for name in sorted({name for tree in trees for name in tree}):
            found[f"{kind}.{name}"] = [tree.get(name) for tree in trees]
    return found


def _columns(series: Series) -> dict[str, list[Any]]:
    steps, runtimes, timestamps = (list(column) for column in (series.steps, series.runtimes, series.timestamps))
    return {"_step": steps, "_runtime": runtimes, "_timestamp": timestamps, "value": list(series.values)}


def as_csv(found: Columns) -> str:
    """Columns as CSV, a line a row."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(escape.formula, found))
    writer.writerows([_cell(value) for value in row] for row in zip(*found.values(), strict=True))
    return text.getvalue()


def _cell(value: Any) -> str:
    """*value* as it can be read back, and as no spreadsheet computes it."""
    if value is None or isinstance(value, str):
        return escape.formula(value or "")
    return repr(value) if isinstance(value, float) else _text(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(figures.finite(value), ensure_ascii=False, default=str)


def write_parquet(found: Columns, target: Path) -> None:
    """Columns as Parquet, in *target*. Raises `MlgitError` where it cannot be written."""
    try:
        with whole.at(target) as scratch:
            _write_parquet(found, scratch)
    except OSError as exc:
        raise MlgitError(f"{target} cannot be written.", why=str(exc)) from exc


def _write_parquet(found: Columns, path: Path) -> None:
    """Columns of one kind keep it; all others are text, JSON where it was none."""
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({name: _array(column) for name, column in found.items()}), path)


def _array(column: Sequence[Any]) -> pyarrow.Array:
    import pyarrow

    kinds = {type(value) for value in column if value is not None}
    if kinds == {bool}:
        return pyarrow.array(column, pyarrow.bool_())
    if kinds == {int} and all(value is None or -(2**63) <= value < 2**63 for value in column):
        return pyarrow.array(column, pyarrow.int64())
    if kinds and kinds <= {int, float}:
        return pyarrow.array([None if value is None else float(value) for value in column], pyarrow.float64())
    return pyarrow.array([None if value is None else _text(value) for value in column], pyarrow.string())


def _home(run: Run) -> str:
    """The folder of *run*'s files: below its project's, which has another name where that is a table's."""
    beside = "-runs" if run.project.casefold() in _BESIDE else ""
    return f"{run.project}{beside}/{run.branch.rpartition('/')[2] or run.id}"


@contextlib.contextmanager
def _opened(scratch: Path, kind: str) -> Iterator[Put]:
    """What puts content into the archive *scratch*, or, with no *kind*, into the folder of that name."""
    if kind == ".zip":
        import zipfile

        with zipfile.ZipFile(scratch, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
            yield lambda name, content: _zip(archive, name, content)
    elif kind:
        import tarfile

        with tarfile.open(scratch, "w:gz") as archive:
            yield lambda name, content: _tar(archive, tarfile.TarInfo(name), content)
    else:
        yield lambda name, content: _write(scratch / name, content)


def _portable(name: str) -> str:
    """*name* without what leads out of a folder on Windows alone: `..\\x`, `C:x`."""
    return name.replace("\\", "%5C").replace(":", "%3A")


def _zip(archive: ZipFile, name: str, content: bytes | Path) -> None:
    if isinstance(content, bytes):
        archive.writestr(name, content)
    else:
        archive.write(content.resolve(), name)


def _tar(archive: TarFile, about: TarInfo, content: bytes | Path) -> None:
    with io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as file:
        about.size, about.mtime = file.seek(0, io.SEEK_END), int(time.time())
        file.seek(0)
        archive.addfile(about, file)


def _write(path: Path, content: bytes | Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        shutil.copyfile(content, path)
