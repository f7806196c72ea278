"""The live folder: what a run has said so far, in the kernel's hands before each call returns.

`<git common folder>/mlgit/live/<run id>/` holds `run.yaml` (how it began), `history.jsonl` (a line a `log()`, in
order; lines of one `_step` are one row), `events.jsonl` (all else: params, artifacts, the end) and `output.log`. A
finished run and a killed one are read by the same function, so a crash loses nothing that was acknowledged.

A run is alive while some process holds a shared lock on `lock`: locks die with their process, which a pid in a file
does not, and a pid means nothing from inside a container.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mlgit.core import refs
from mlgit.core.artifact import ArtifactVersion
from mlgit.core.history import Series
from mlgit.core.run import Run, State
from mlgit.errors import GitError, MlgitError, NotFoundError, UsageError
from mlgit.git.repo import Repo
from mlgit.store import records

LOG_BYTES = 1 << 20
"""A console log beyond twice this keeps its first and its last such piece."""
_SHORT = 64 << 10
"""Bytes of a file that Python's own reader of JSON takes."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, kw_only=True)
class Account:
    """All that a live folder tells."""

    run: Run
    provenance: Mapping[str, Any]
    """What else `run.yaml` says: command, host, packages."""
    series: Mapping[str, Series]
    output: bytes
    ended: bool
    """Whether the run said its own end."""


class Live:
    """An open live folder: append to it, and it is alive. Close it, or die, and it is not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self._lock = _open(folder / "lock")
            if lock(self._lock, fcntl.LOCK_SH | fcntl.LOCK_NB) is False:
                os.close(self._lock)
                raise MlgitError(f"The run {folder.name!r} is just being recovered.", fix="start a new one")
            self.history = _open(folder / "history.jsonl")
            self._events = _open(folder / "events.jsonl")
            self.output = _open(folder / "output.log")
        except FileNotFoundError:
            raise NotFoundError(
                f"There is no live run {folder.name!r}.", why="It has ended, or was recovered."
            ) from None
        _OPEN.add(self)

    def event(self, **content: Any) -> None:
        """Append one event. Raises `GitError` where the disk refuses."""
        import json

        _append(self._events, f"{json.dumps(content, default=str)}\n".encode())

    def sum_up(self, changes: Mapping[str, Any]) -> None:
        """Append a change of the run's metrics. Raises `GitError` where the disk refuses."""
        import json

        _append(self.history, f"{json.dumps({'_summary': changes}, default=str)}\n".encode())

    def close(self) -> None:
        """Let go of the folder; it stays on disk until it is a branch."""
        for fd in (self.history, self._events, self.output, self._lock):
            os.close(fd)
        self.history = self._events = self.output = self._lock = -1
        _OPEN.discard(self)


_OPEN: weakref.WeakSet[Live] = weakref.WeakSet()


def _let_go_in_child() -> None:
    """A forked child holds no run alive: a worker that outlives its parent must not hide the parent's death."""
    for live in list(_OPEN):
        if live._lock >= 0:
            os.close(live._lock)
            live._lock = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)


os.register_at_fork(after_in_child=_let_go_in_child)


def create(repo: Repo, run: Run, provenance: Mapping[str, Any]) -> Live:
    """A new live folder that begins as *run* says.

    Raises `MlgitError` when the id is taken, `GitError` when the disk refuses.
    """
    if not is_id(run.id):
        raise UsageError(f"{run.id[:80]!r} cannot be a run's id.", why="Letters, digits, '.', '_' and '-', at most 64.")
    folder = repo.own / "live" / run.id
    try:
        folder.mkdir(parents=True)
        opened = Live(folder)  # locked before `run.yaml` makes it a run that somebody could find dead
        begin = records.run_document(run, {**provenance, "host": os.uname().nodename, "mark": _mark()})
        (folder / "begin").write_bytes(records.encode(begin | {"params": run.params}))
        (folder / "begin").rename(folder / "run.yaml")
        return opened
    except FileExistsError:
        raise MlgitError(
            f"A run with the id {run.id!r} is alive, or waits to be recovered.",
            fix="mlgit recover, or choose another id",
        ) from None
    except OSError as exc:
        fix = "make room, or the folder writable"
        raise GitError(f"No run can be recorded below {repo.own}.", why=str(exc), fix=fix) from None


def is_id(text: str) -> bool:
    """Whether *text* can be a run's id: one component of a path and of a ref."""
    return bool(_ID.fullmatch(text)) and ".." not in text and not text.endswith((".", ".lock"))


def _mark() -> str:
    """What tells this machine's running kernel from every other: locks mean something only below one kernel."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return os.uname().nodename


def folder_of(repo: Repo, run_id: str) -> Path:
    """Where a run of this id lives while it lives."""
    return repo.own / "live" / run_id


def folders(repo: Repo) -> list[Path]:
    """Every live folder, of runs alive and dead."""
    try:
        return sorted(entry for entry in (repo.own / "live").iterdir() if (entry / "run.yaml").exists())
    except FileNotFoundError:
        return []


def is_alive(folder: Path) -> bool:
    """Whether some process on this machine holds the run."""
    claimed = claim(folder)
    if claimed is None:
        return folder.exists()
    os.close(claimed)
    return False


def is_ours(folder: Path) -> bool:
    """Whether the run began on this machine since it booted or on its disk alone, so that its lock can be believed."""
    try:
        begin = _begin(folder)
    except FileNotFoundError:
        return True  # it became a branch while we looked
    return bool(begin.get("mark") == _mark() or begin.get("host") == os.uname().nodename)


def _begin(folder: Path) -> dict[str, Any]:
    """How the run began: YAML in its JSON form, which costs no YAML reader. Raises `MlgitError` where it is damaged."""
    try:
        begin: dict[str, Any] = records.decode((folder / "run.yaml").read_bytes())
        records.run_of_document(begin)
        return begin
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        fix = f"look at {folder}, and remove it if nothing in it matters"
        raise MlgitError(f"{folder / 'run.yaml'} is damaged.", why=str(exc), fix=fix) from None


def lock(fd: int, operation: int) -> bool | None:
    """`flock`: whether the lock was had; None on a file system that has no locks, as some clusters' have not."""
    try:
        fcntl.flock(fd, operation)
    except BlockingIOError:
        return False
    except OSError as exc:
        if exc.errno in (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK):
            return None
        raise
    return True


def claim(folder: Path, *, unlockable: bool = False) -> int | None:
    """The folder's lock for its recovery, as a file descriptor to close; None where it is alive, gone or not ours.

    What somebody else runs in a shared repository is theirs to recover. Where there are no locks a run counts as alive,
    unless *unlockable*: a person has said that it is dead.
    """
    try:
        fd = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):
        return None
    had = lock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if had or (had is None and unlockable):
        return fd
    os.close(fd)
    return None


def read(folder: Path) -> Account:
    """All that the live folder tells, torn last lines left out. Raises `MlgitError` where it is damaged."""
    try:
        return _read(folder)
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        fix = f"look at {folder}, and remove it if nothing in it matters"
        raise MlgitError(f"{folder} is damaged.", why=f"{type(exc).__name__}: {exc}", fix=fix) from exc


def _read(folder: Path) -> Account:
    document = _begin(folder)
    params = document.pop("params")
    run, provenance = records.run_of_document(document)
    end: dict[str, Any] = {}
    logged: dict[tuple[str, str], ArtifactVersion] = {}
    used: dict[tuple[str, str], ArtifactVersion] = {}
    alerts: list[Mapping[str, Any]] = []
    for event in _lines(folder / "events.jsonl"):
        params |= event.get("params", {})
        end |= event.get("end", {})
        run = _renamed(run, event.get("set", {}))
        alerts += event.get("alerts", ())
        for kind, versions in (("logged", logged), ("used", used)):
            for item in event.get(kind, ()):
                versions[item["name"], item["hash"]] = ArtifactVersion.of(item)
    history = _History()
    history.read(folder / "history.jsonl")
    finished = end.get("time") or history.last_time or _last_change(folder, run.created)
    run = replace(
        run, params=params, metrics=history.summary, logged=tuple(logged.values()), used=tuple(used.values()),
        state=State(end.get("state", "crashed")), finished=max(finished, run.created),
    )  # fmt: skip
    if "error" in end:
        provenance |= {"error": end["error"]}
    if alerts:
        provenance |= {"alerts": alerts}
    if "exit_code" in end:
        provenance |= {"exit_code": end["exit_code"]}
    return Account(
        run=run, provenance=provenance, series=history.series(), output=_output(folder / "output.log"), ended=bool(end)
    )  # fmt: skip


def _output(path: Path) -> bytes:
    """What it printed; of very much only the beginning and the end, in whole lines."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size <= 2 * LOG_BYTES:
                return file.read()
            first = file.read(LOG_BYTES)
            file.seek(size - LOG_BYTES)
            last = file.read()
    except FileNotFoundError:
        return b""
    first, last = first[: first.rfind(b"\n") + 1 or None], last[last.find(b"\n") + 1 :]
    return first + f"… {size - len(first) - len(last):,} bytes left out …\n".encode() + last


def _renamed(run: Run, asked: Mapping[str, Any]) -> Run:
    """*run* as the script inside it wants it called and filed."""
    changes: dict[str, Any] = {key: asked[key] for key in ("name", "group", "job_type", "notes") if key in asked}
    changes |= {"tags": tuple(asked["tags"])} if "tags" in asked else {}
    changes |= {"project": refs.component(asked["project"], "project")} if "project" in asked else {}
    return replace(run, **changes)


def snapshot(folder: Path) -> Run:
    """A live run as it stands, for a listing."""
    return replace(read(folder).run, state=State.RUNNING, finished=None)


@dataclass
class _History:
    """Gathers rows: lines of one step are one row, the last value of each name counts."""

    summary: dict[str, Any] = field(default_factory=dict)
    last_time: float = 0.0
    _columns: dict[str, tuple[list[int], list[float], list[float], list[float]]] = field(default_factory=dict)

    def read(self, path: Path) -> None:
        for row in _lines(path):
            if "_summary" in row:
                self._sum_up(row["_summary"])
                continue
            step, runtime, moment = (_figure(row.pop(key, 0)) for key in ("_step", "_runtime", "_timestamp"))
            self.last_time = max(self.last_time, moment)
            for name, value in row.items():
                if type(value) is dict:
                    for inner, leaf in _leaves(value, f"{name}."):
                        self._put(inner, step, runtime, moment, leaf)
                else:
                    self._put(name, step, runtime, moment, value)

    def series(self) -> dict[str, Series]:
        return {name: Series(*columns) for name, columns in self._columns.items()}

    def _put(self, name: str, step: int, runtime: float, moment: float, value: Any) -> None:
        self.summary[name] = value
        if type(value) is not float:
            if type(value) is not int and type(value) is not bool:
                return
            value = value + 0 if type(value) is bool else value
        columns = self._columns.get(name)
        if columns is None:
            columns = self._columns[name] = ([], [], [], [])
        elif columns[0][-1] == step:
            columns[3][-1] = value
            return
        columns[0].append(step)
        columns[1].append(runtime)
        columns[2].append(moment)
        columns[3].append(value)

    def _sum_up(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            if value == {"$delete": True}:
                self.summary.pop(name, None)
            elif type(value) is dict:
                self.summary.update(_leaves(value, f"{name}."))
            else:
                self.summary[name] = value


def _figure(value: Any) -> Any:
    """A step or a time as a number, also where somebody else wrote the line."""
    return value if type(value) is int or type(value) is float else 0


def _leaves(tree: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if type(value) is dict and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file, a line each; a torn line is passed over."""
    import json

    try:
        fast = _fast_reader() if path.stat().st_size > _SHORT else json.loads
    except FileNotFoundError:
        return
    with path.open("rb") as file:
        for line in file:
            try:
                row = fast(line)
            except ValueError:
                try:
                    row = json.loads(line)  # NaN and Infinity, whole numbers beyond 64 bits
                except ValueError:
                    continue
            if type(row) is dict:
                yield row


def _fast_reader() -> Callable[[bytes], Any]:
    """A reader several times faster than Python's own; loading it costs as much as reading a thousand lines."""
    import orjson

    return orjson.loads


def _last_change(folder: Path, default: float) -> float:
    times = [entry.stat().st_mtime for entry in folder.iterdir() if entry.name != "lock"]
    return max(times, default=default)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)


def _append(fd: int, line: bytes) -> None:
    try:
        written = os.write(fd, line)
    except OSError as exc:
        raise GitError("The run's live folder cannot be written.", why=str(exc), fix="make room on the disk") from exc
    if written != len(line):
        os.write(fd, b"\n")  # what comes next begins a line of its own
        raise GitError("The run's live folder is full.", why="No room for a whole line.", fix="make room on the disk")
