"""What a program in any language leaves in files: its metrics, read; and its params, put in for the time it runs."""

from __future__ import annotations

import contextlib
import csv
import fcntl
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mlgit.core.compare import flatten
from mlgit.documents import editor, reader
from mlgit.errors import ConfigError, UsageError
from mlgit.store import borrow, locks

MAX_BYTES = 256 << 20
_STEPS = ("step", "_step", "epoch", "iteration", "iter")


def read_metrics(path: Path) -> Iterator[tuple[int | None, dict[str, Any]]]:
    """The rows of a metrics file: (step or None, name → value), in order.

    YAML and JSON give one row, a JSON list or lines of JSON one an item, CSV and TSV one a line with the names in the
    first. Nested names are joined by `.`; what is no number and no short text is left out. Raises `ConfigError` for a
    file that cannot be read.
    """
    if path.stat().st_size > MAX_BYTES:
        raise ConfigError(f"{path.name}:1: {path.stat().st_size:,} bytes are more than a metrics file has.")
    ending = path.suffix.lower()
    if ending in (".csv", ".tsv"):
        rows = _table(path, "\t" if ending == ".tsv" else ",")
    elif ending in (".json", ".jsonl", ".ndjson"):
        rows = _json(path)
    elif ending in (".yaml", ".yml"):
        rows = iter([reader.plain(path.read_bytes(), source=path.name)])
    else:
        raise ConfigError(f"{path.name}:1: a metrics file is YAML, JSON, JSON lines, CSV or TSV.")
    for flat in _flat(rows, path):
        step = next((flat[key] for key in _STEPS if isinstance(flat.get(key), int)), None)
        yield step, {key: value for key, value in flat.items() if key not in ("step", "_step") and _is_metric(value)}


def _flat(rows: Iterator[Any], path: Path) -> Iterator[dict[str, Any]]:
    """*rows* with dotted names; whatever makes one unreadable is told as one error."""
    try:
        for row in rows:
            if not isinstance(row, Mapping):
                raise ConfigError(f"{path.name}:1: expected names with values, got {str(row)[:60]!r}.")
            yield flatten(row)
    except (UnicodeDecodeError, csv.Error, RecursionError, ValueError, TypeError) as exc:
        raise ConfigError(f"{path.name}:1: it cannot be read ({exc}).") from None


def _is_metric(value: Any) -> bool:
    return isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= 200)


def _table(path: Path, delimiter: str) -> Iterator[dict[str, Any]]:
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        for row in csv.DictReader(file, delimiter=delimiter):
            yield {key: _value(cell) for key, cell in row.items() if key and cell not in (None, "")}


def _value(cell: str) -> Any:
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(cell)
    return cell


def _json(path: Path) -> Iterator[Any]:
    text = path.read_text(encoding="utf-8-sig")
    try:
        whole = json.loads(text)
    except ValueError as whole_problem:
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                try:
                    yield json.loads(line)
                except ValueError as exc:
                    problem = whole_problem if number == 1 else exc
                    raise ConfigError(f"{path.name}:{number}: not JSON ({problem}).") from None
    else:
        yield from whole if isinstance(whole, list) else [whole]


Fingerprint = tuple[int, ...] | None


def fingerprint(path: Path) -> Fingerprint:
    """What changes when somebody writes *path*; None where there is no such file."""
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size, about.st_ino


def read_params(path: Path) -> dict[str, Any]:
    """The params in a project's params file, YAML or JSON. Raises `ConfigError`."""
    try:
        data = reader.plain(path.read_bytes(), source=path.name)  # JSON is YAML
    except FileNotFoundError:
        raise ConfigError(
            f"mlgit.yaml:1: run.params: there is no file {path.name}.", fix="correct the name, or make the file"
        ) from None
    if not isinstance(data, Mapping):
        raise ConfigError(f"{path.name}:1: expected params by name.")
    return dict(data)


@contextlib.contextmanager
def held(path: Path | None, *, alone: bool, notify: Callable[[str], None]) -> Iterator[Callable[[], None]]:
    """The params file, not changed by another run until the context ends or what it yields is called.

    A run that may change it holds it *alone*; runs that need it at the same time wait for one another.
    """
    if path is None or not path.exists():
        yield lambda: None
        return
    kind = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
    with path.open("rb") as file:
        if locks.lock(file.fileno(), kind | fcntl.LOCK_NB) is False:
            notify(f"another run holds {path.name}; waiting for it")
            locks.lock(file.fileno(), kind)
        yield lambda: file.close()


@contextlib.contextmanager
def params_in_place(
    path: Path | None, values: Mapping[str, Any], folder: Path, notify: Callable[[str], None]
) -> Iterator[None]:
    """*path*, the project's params file, with *values* (dotted key → value) put in, as long as the context lasts.

    The caller holds the file alone (see `held`). The live *folder* keeps it as it was.
    """
    if path is None or not values:
        yield
        return
    text = path.read_text(encoding="utf-8")
    borrow.take(path, editor.with_values(text, values, source=path.name).encode(), folder)
    try:
        yield
    finally:
        if not borrow.give_back(folder):
            notify(f"{path.name} was changed during the run and stays as it is; {path.name}.before holds what it was")


def parse_assignments(words: tuple[str, ...], option: str = "-p") -> dict[str, Any]:
    """`-p lr=0.1 -p model.depth=3` as params; values are read as YAML. Raises `UsageError`."""
    params: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not key or key != key.strip():
            raise UsageError(f"{option} {word[:80]!r} gives no value.", fix="write it as NAME=VALUE")
        try:
            params[key] = reader.plain(text, source=f"{option} {key}") if text else ""
        except ConfigError as exc:
            raise UsageError(
                f"{option} {word[:80]!r} cannot be read.", why=exc.what, fix=f"quote it: {option} '{key}=\"…\"'"
            ) from None
    return params
