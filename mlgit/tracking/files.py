"""What a program in any language leaves in files: its metrics, read; and its params, put in for the time it runs."""

from __future__ import annotations

import contextlib
import csv
import fcntl
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from mlgit.core.compare import flatten
from mlgit.documents import editor, reader
from mlgit.errors import ConfigError, UsageError
from mlgit.store import borrow, locks

MAX_BYTES = 256 << 20
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_STEPS = ("step", "_step", "epoch", "iteration", "iter")


def read_metrics(path: Path) -> Iterator[tuple[int | None, dict[str, Any]]]:
    """The rows of a metrics file: (step or None, name → value), in order.

    YAML, TOML and JSON give one row, a JSON list or lines of JSON one an item, CSV and TSV one a line with the names in
    the first; a file of another ending is YAML, as for DVC, and a number alone is called after its file. Nested names
    are joined by `.`; what is no number and no short text is left out. Raises `ConfigError` for a file that cannot be
    read.
    """
    for flat in _flat(_rows(path), path):
        yield (
            _step(flat),
            {key: value for key, value in flat.items() if key not in ("step", "_step") and _is_metric(value)},
        )


def read_plot(path: Path, *, header: bool = True) -> Iterator[tuple[int | None, dict[str, Any]]]:
    """The rows of what DVC draws, likewise, but with all their columns.

    A mapping gives the rows of the first list in it. Without *header* the columns of a CSV are called 0, 1, ….
    """
    for flat in _flat((one for row in _rows(path, header=header) for one in _listed(row)), path):
        yield _step(flat), flat


def _listed(row: Any) -> Sequence[Any]:
    """The first list in the mapping *row*, as DVC looks for it; *row* alone where there is none."""
    inner = list(row.values()) if isinstance(row, Mapping) else []
    while inner:
        value = inner.pop(0)
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            return value
        inner[:0] = value.values() if isinstance(value, Mapping) else ()
    return [row]


def _step(flat: Mapping[str, Any]) -> int | None:
    return next((flat[key] for key in _STEPS if isinstance(flat.get(key), int)), None)


def _rows(path: Path, *, header: bool = True) -> Iterator[Any]:
    if path.stat().st_size > MAX_BYTES:
        raise ConfigError(f"{path.name}:1: {path.stat().st_size:,} bytes are more than a metrics file has.")
    ending = path.suffix.lower()
    if ending in _DELIMITERS:
        return _table(path, _DELIMITERS[ending], header=header)
    if ending in (".json", ".jsonl", ".ndjson"):
        return _json(path)
    if ending == ".toml":
        return iter([toml(path.read_bytes(), source=path.name)])
    return iter([_named(reader.plain(path.read_bytes(), source=path.name), path)])


def _named(whole: Any, path: Path) -> Any:
    """A document that is a number alone, under its file's name."""
    return {path.stem: whole} if isinstance(whole, int | float) else whole


def toml(content: bytes, *, source: str) -> dict[str, Any]:
    """What a TOML document says. Raises `ConfigError`."""
    import tomllib

    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{source}:1: not UTF-8 text ({exc.reason} at byte {exc.start}).") from None
    except tomllib.TOMLDecodeError as exc:
        line = found[1] if (found := re.search(r"at line (\d+)", str(exc))) else 1
        raise ConfigError(f"{source}:{line}: not TOML ({exc}).") from None


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


def _table(path: Path, delimiter: str, *, header: bool = True) -> Iterator[dict[str, Any]]:
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        if not header:
            for cells in csv.reader(file, delimiter=delimiter):
                yield {str(number): _value(cell) for number, cell in enumerate(cells) if cell != ""}
            return
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
        yield from whole if isinstance(whole, list) else [_named(whole, path)]


Fingerprint = tuple[int, ...] | None


def fingerprint(path: Path) -> Fingerprint:
    """What changes when somebody writes *path*; None where there is no such file."""
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size, about.st_ino


def read_params(path: Path) -> dict[str, Any]:
    """The params in a params file, YAML, JSON, TOML or Python. Raises `ConfigError`."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(
            f"mlgit.yaml:1: run.params: there is no file {path.name}.", fix="correct the name, or make the file"
        ) from None
    return params_in(content, path)


def params_in(content: bytes, path: PurePath) -> dict[str, Any]:
    """The params in the *content* of the params file *path*. Raises `ConfigError`."""
    if path.suffix == ".toml":
        return toml(content, source=path.name)
    if path.suffix == ".py":
        from mlgit.dvc.pipelines import programs

        return programs.params(content.decode("utf-8-sig"), source=path.name)
    data = reader.plain(content, source=path.name)  # JSON is YAML
    if not isinstance(data, Mapping):
        raise ConfigError(f"{path.name}:1: expected params by name.")
    return dict(data)


def with_params(path: Path, values: Mapping[str, Any]) -> str:
    """The text of a params file with *values* (dotted key → value) put in. Raises `ConfigError`."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        from mlgit.dvc.pipelines import programs

        return programs.with_params(text, values, source=path.name)
    return editor.with_values(text, values, source=path.name)


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
def in_place(texts: Mapping[Path, str], folder: Path, notify: Callable[[str], None]) -> Iterator[None]:
    """Params files with other *texts* as long as the context lasts.

    The caller holds them alone (see `held`). The live *folder* keeps them as they were.
    """
    try:
        for path, text in texts.items():
            borrow.take(path, text.encode(), folder)
        yield
    finally:
        for said in borrow.give_back(folder) if texts else ():
            notify(said)


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
