"""MLflow's stores: an SQLite database of any of its schemas, or a folder `mlruns`. Neither is written to."""

from __future__ import annotations

import abc
import math
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from mlgit.documents import reader as yaml
from mlgit.errors import ConfigError, MlgitError, NotFoundError, UsageError
from mlgit.integrations.importers import beside

_NUMBERED = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
_LARGEST = 1.7976931348623157e308
"""What stands for infinity in MLflow's databases."""
_NO_RUNS = ("models", "datasets", "traces", "tags")
"""What else lies in an experiment's folder."""

Metric = tuple[str, float, int, int]
"""Key, value, milliseconds since the epoch, step."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One run as either store has it."""

    id: str
    name: str
    experiment: str
    status: str
    start: int
    """Milliseconds since the epoch, as all of MLflow's times; 0 where it does not tell."""
    end: int | None
    deleted: bool
    artifacts: str
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    datasets: Sequence[Mapping[str, str]] = ()
    models: Sequence[tuple[str, str]] = ()
    """Names of the models that it logged, and where they lie."""
    problems: tuple[str, ...] = ()


class Store(abc.ABC):
    """Where MLflow keeps runs."""

    place: Path

    @abc.abstractmethod
    def records(self) -> Iterator[Record]:
        """Its runs, those in its trash among them."""

    @abc.abstractmethod
    def metrics(self, run_id: str, problems: list[str]) -> Sequence[Metric]:
        """All values of all metrics of a run, by step and time; what cannot be had of them joins the *problems*."""


def store(text: str) -> Store:
    """The store that *text* names: `sqlite:///mlflow.db`, a database's path, `mlruns`, or the folder of either.

    Raises `NotFoundError` for what is none, `MlgitError` for a store that cannot be read from here.
    """
    try:
        parts = urlsplit(text)
    except ValueError as exc:
        raise UsageError(f"{text[:200]!r} is no address of a store.", why=str(exc)) from None
    if parts.scheme == "sqlite" and not text.startswith("sqlite:///"):
        fix = "sqlite:///mlflow.db, or sqlite:////home/ada/mlflow.db"
        raise UsageError(f"{text[:200]!r} names no file.", why="After sqlite: come three slashes and a path.", fix=fix)
    if parts.scheme not in ("", "file", "sqlite"):
        raise MlgitError(
            f"{parts.scheme}:// is a server's store, which cannot be read from here.",
            fix="give the server's SQLite file or its folder mlruns, or copy it with `mlflow db` first",
        )
    path = Path(unquote(text.removeprefix("sqlite:///") if parts.scheme == "sqlite" else parts.path or text))
    if path.is_dir():
        if (path / "mlflow.db").is_file():
            return Database(path / "mlflow.db")
        for folder in (path, path / "mlruns"):
            if any(folder.glob("*/meta.yaml")):
                return Folder(folder)
        what = f"{path} holds neither mlflow.db nor experiments of MLflow's."
        raise NotFoundError(what, fix="give the folder mlruns, or sqlite:///PATH")
    if not path.is_file():
        raise NotFoundError(f"There is no {path}.")
    return Database(path)


class Database(Store):
    """MLflow's SQLite file. Columns that its schema does not have yet are done without."""

    def __init__(self, path: Path) -> None:
        self.place = path.resolve()
        try:
            address = f"file:{quote(str(self.place))}?mode=ro"
            self._connection = sqlite3.connect(address, uri=True)
            self._connection.text_factory = lambda content: content.decode("utf-8", "replace")
            self._connection.row_factory = sqlite3.Row
            self._columns = {
                table: {row["name"] for row in self._rows(f"PRAGMA table_info({table})")}
                for table in ("experiments", "runs", "metrics", "params", "tags", "inputs", "datasets", "logged_models")
            }
        except sqlite3.Error as exc:
            raise MlgitError(f"{path} cannot be read as a database.", why=str(exc)) from None
        if not self._columns["runs"] or not self._columns["metrics"]:
            raise NotFoundError(f"{path} is no database of MLflow's: it has no table of runs.")

    def records(self) -> Iterator[Record]:
        experiments = {
            row["experiment_id"]: (row["name"], row["lifecycle_stage"] == "deleted")
            for row in self._rows("SELECT experiment_id, name, lifecycle_stage FROM experiments")
        }
        for row in map(dict, self._rows("SELECT * FROM runs ORDER BY start_time, run_uuid")):
            name, is_gone = experiments.get(row.get("experiment_id"), ("Default", False))
            run_id = row["run_uuid"]
            yield Record(
                id=_text(run_id),
                name=_text(row.get("name")),
                experiment=_text(name),
                status=_text(row.get("status")) or "RUNNING",
                start=_whole(row["start_time"]),
                end=_whole(row.get("end_time")) or None,
                deleted=is_gone or row.get("lifecycle_stage") == "deleted",
                artifacts=_text(row.get("artifact_uri")),
                params=self._pairs("params", run_id),
                tags=self._pairs("tags", run_id),
                datasets=self._datasets(run_id),
                models=self._models(run_id),
            )

    def metrics(self, run_id: str, problems: list[str]) -> Sequence[Metric]:
        has = self._columns["metrics"]
        step, is_nan = ("step" if "step" in has else "0"), ("is_nan" if "is_nan" in has else "0")
        found = self._rows(
            f"SELECT key, value, timestamp, {step} AS step, {is_nan} AS is_nan FROM metrics "  # noqa: S608  (names of ours)
            "WHERE run_uuid = ? ORDER BY step, timestamp, key", run_id
        )  # fmt: skip
        metrics: list[Metric] = []
        for row in found:
            with suppress(ValueError, TypeError, OverflowError):
                value = _number(row["value"], row["is_nan"])
                metrics.append((_text(row["key"]), value, _whole(row["timestamp"]), int(row["step"])))
        if bad := len(found) - len(metrics):
            problems.append(f"{bad:,} value{'s' * (bad > 1)} of its metrics passed over: no number, or of no step")
        return metrics

    def _pairs(self, table: str, run_id: str) -> dict[str, str]:
        rows = self._rows(f"SELECT key, value FROM {table} WHERE run_uuid = ? ORDER BY key", run_id)  # noqa: S608  (ours)
        return {_text(row["key"]): _text(row["value"]) for row in rows}

    def _datasets(self, run_id: str) -> list[dict[str, str]]:
        if not self._columns["inputs"] or not self._columns["datasets"]:
            return []
        rows = self._rows(
            "SELECT d.name, d.digest, d.dataset_source AS source FROM inputs i JOIN datasets d "
            "ON d.dataset_uuid = i.source_id WHERE i.destination_id = ? AND i.source_type = 'DATASET'", run_id
        )  # fmt: skip
        return [{key: _text(row[key]) for key in ("name", "digest", "source")} for row in rows]

    def _models(self, run_id: str) -> list[tuple[str, str]]:
        if not {"source_run_id", "artifact_location", "name"} <= self._columns["logged_models"]:
            return []
        rows = self._rows("SELECT name, artifact_location FROM logged_models WHERE source_run_id = ?", run_id)
        return [(_text(row["name"]), _text(row["artifact_location"])) for row in rows]

    def _rows(self, question: str, *values: object) -> list[sqlite3.Row]:
        try:
            with closing(self._connection.execute(question, values)) as cursor:
                return cursor.fetchall()
        except sqlite3.Error as exc:
            raise MlgitError(f"{self.place} cannot be read.", why=str(exc)) from None


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _number(value: Any, is_nan: object) -> float:
    if is_nan or value is None:
        return math.nan
    number = float(value)
    return math.copysign(math.inf, number) if abs(number) >= _LARGEST else number


class Folder(Store):
    """MLflow's folder `mlruns`: an experiment a folder, a run a folder in it."""

    def __init__(self, path: Path) -> None:
        self.place = path.resolve()
        self._folders: dict[str, Path] = {}

    def records(self) -> Iterator[Record]:
        for top in self._experiments():
            about, problems = _meta(top, "its experiment's")
            found = {path.parent for name in ("meta.yaml", "metrics", "params") for path in top.glob(f"*/{name}")}
            for folder in sorted(found):
                if beside.is_inside(folder, self.place) and folder.name not in _NO_RUNS:
                    yield self._record(folder, str(about.get("name") or top.name), about, problems)

    def _experiments(self) -> list[Path]:
        """The folders that hold runs, those in the trash last; also one that has lost the `meta.yaml` of its own."""
        here = {path.parent for path in self.place.glob("*/meta.yaml")}
        here |= {path.parents[1] for path in self.place.glob("*/*/meta.yaml")}
        gone = {path.parent for path in self.place.glob(".trash/*/meta.yaml")}
        return sorted(top for top in here if top.name not in (".trash", "models")) + sorted(gone)

    def _record(self, folder: Path, experiment: str, about: Mapping[str, Any], before: Sequence[str]) -> Record:
        meta, problems = _meta(folder, "its")
        run_id = str(meta.get("run_id") or meta.get("run_uuid") or folder.name)
        self._folders[run_id] = folder
        status = meta.get("status")
        artifacts = folder / "artifacts"
        return Record(
            id=run_id,
            name=str(meta.get("run_name") or meta.get("name") or ""),
            experiment=experiment,
            status=_NUMBERED.get(status, "RUNNING") if isinstance(status, int) else str(status or "RUNNING"),
            start=_whole(meta.get("start_time")),
            end=_whole(meta.get("end_time")) or None,
            deleted="deleted" in (meta.get("lifecycle_stage"), about.get("lifecycle_stage"))
            or ".trash" in folder.parts,
            artifacts=str(artifacts) if artifacts.is_dir() else str(meta.get("artifact_uri") or ""),
            params=self._texts(folder / "params", problems),
            tags=self._texts(folder / "tags", problems),
            problems=(*before, *problems),
        )

    def metrics(self, run_id: str, problems: list[str]) -> Sequence[Metric]:
        found: list[Metric] = []
        top = self._folders[run_id] / "metrics"
        for path, reason in beside.walk(top, outermost=self.place):
            key = path.relative_to(top).as_posix()
            if reason:
                problems.append(f"the metric {key} was left out: {reason}")
                continue
            lines, before = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True), len(found)
            for line in lines:
                with suppress(ValueError):
                    parts = line.split()
                    time, value, step = [*parts, *["0"] * line.endswith("\n")][:3]  # the first versions had no steps
                    found.append((key, float(value), _whole(int(time)), int(step)))
            if bad := before + len(lines) - len(found):
                problems.append(f"{key}: {bad} torn line{'s' * (bad > 1)} passed over")
            elif not lines:
                problems.append(f"{key}: its file is empty")
        hollow = (path for path in top.rglob("*") if path.is_dir() and not any(path.iterdir()))
        problems += (f"{path.relative_to(top).as_posix()}: an empty folder, where values should be" for path in hollow)
        return sorted(found, key=lambda metric: (metric[3], metric[2], metric[0]))

    def _texts(self, top: Path, problems: list[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for path, reason in beside.walk(top, outermost=self.place):
            if reason:
                problems.append(f"{path.relative_to(top.parent)} was left out: {reason}")
            else:
                found[path.relative_to(top).as_posix()] = path.read_text(encoding="utf-8", errors="replace")
        return found


def _meta(folder: Path, whose: str) -> tuple[Mapping[str, Any], list[str]]:
    """What the folder's `meta.yaml` says, and what to say of one that says nothing."""
    try:
        found = yaml.plain((folder / "meta.yaml").read_bytes(), source="meta.yaml")
    except ConfigError as exc:
        return {}, [f"{whose} meta.yaml cannot be read: {exc.what}"]
    except OSError as exc:
        return {}, [f"{whose} meta.yaml cannot be read: {exc.strerror}"]
    if isinstance(found, Mapping) and found:
        return found, []
    return {}, [f"{whose} meta.yaml says nothing"]


def _whole(value: Any) -> int:
    """*value*, if it is a whole number as MLflow's times are, else 0."""
    return value if isinstance(value, int) and abs(value) < 1 << 63 else 0
