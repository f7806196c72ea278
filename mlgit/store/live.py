"""The live folder: what a run has said so far, in the kernel's hands before each call returns.

`<git common folder>/mlgit/live/<run id>/` holds, read back by `mlgit.store.telling`:

    run.yaml        how it began; `recorded` once it is a branch
    history.jsonl   a line a `log()`, in order; lines of one `_step` are one row
    events.jsonl    all else: params, artifacts, the end
    output.log, system.jsonl, media/, files/    what it printed, what the machine did, what it logged and saved
    code/           what its stages wrote and git holds, `dvc.lock` for one

and, of whoever works on it: `lock` (alive, see `store.locks`), `commit` (its end, its checkpoints), `turn` (rows of
several processes), `seat` (`tracking.together.sharing`), `branch` (`store.own`), `borrowed.*` (`store.borrow`),
`inner-runs` and `taken-over` (`tracking.handed`), `given.json` and `refused.json` (`tracking.command`).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import time
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mlgit import whole
from mlgit.core import refs, secrets
from mlgit.core.run import Run
from mlgit.core.summary import Rule
from mlgit.errors import GitError, MlgitError, NotFoundError, UsageError
from mlgit.git.repo import Repo
from mlgit.store import locks, records, telling

_RETIRED = "recorded"
"""What `run.yaml` is called once the run is recorded."""
_AT_ONCE = 60
"""Seconds after which a folder without a lock counts as left behind, not as being made."""
SPOKEN = ("history.jsonl", "events.jsonl")
"""The files that hold a run's words, by the run and by whoever edits it."""
_MACHINE_ID = Path("/etc/machine-id")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Live:
    """An open live folder: append to it, and it is alive. Close it, or die, and it is not."""

    def __init__(self, folder: Path, *, new: bool = False) -> None:
        self.folder = folder
        path = folder / ("lock.new" if new else "lock")
        with contextlib.ExitStack() as half_open:

            def opened(path: Path) -> int:
                half_open.callback(os.close, fd := _open(path))
                return fd

            try:
                self.lock = opened(path)
                if locks.lock(self.lock, fcntl.LOCK_SH | fcntl.LOCK_NB) is False:
                    raise MlgitError(f"The run {folder.name!r} is just being recovered.", fix="start a new one")
                if new:  # a lock that is there and held by nobody means a dead one
                    path.rename(folder / "lock")
                self.history, self._events, self.output = (opened(folder / name) for name in (*SPOKEN, "output.log"))
            except FileNotFoundError:
                why = "It has ended, or was recovered."
                raise NotFoundError(f"There is no live run {folder.name!r}.", why=why) from None
            half_open.pop_all()
        _OPEN.add(self)

    def event(self, **content: Any) -> None:
        """Append one event. Raises `GitError` where the disk refuses."""
        _append(self._events, _line(content))

    def row(self, content: Mapping[str, Any]) -> None:
        """Append one line to the history. Raises `GitError` where the disk refuses."""
        _append(self.history, _line(content))

    def set_metrics(self, changes: Mapping[str, Any]) -> None:
        """Append a change of the run's metrics. Raises `GitError` where the disk refuses."""
        self.row({"_summary": changes})

    def move(self, folder: Path) -> None:
        """Be at *folder* from now on: what was filled elsewhere becomes a run that outlives its process there."""
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            self.folder.rename(folder)
        except OSError as exc:
            raise MlgitError(f"A run with the id {folder.name!r} is alive.", why=str(exc)) from None
        self.folder = folder

    def rule(self, rule: Rule, *, overwrite: bool) -> None:
        """Append a rule for the run's metrics. Raises `GitError` where the disk refuses."""
        told = {"name": rule.name, **rule.document(), "overwrite": overwrite}
        self.row({"_summary": {}, "_rule": told})

    def close(self) -> None:
        """Let go of the folder; it stays on disk until it is a branch."""
        for fd in (self.history, self._events, self.output, self.lock):
            os.close(fd)
        self.history = self._events = self.output = self.lock = -1
        _OPEN.discard(self)


def prune(folder: Path, why: str) -> bool:
    """Have the live run of *folder* end as `pruned`, however it does; False where it had said its end before.

    Whoever calls this ends it. Raises `NotFoundError` where it has ended, `GitError` where the disk refuses.
    """
    opened = Live(folder)
    try:
        opened.event(pruned=why)
        return telling.is_pruned(folder)
    finally:
        opened.close()


_OPEN: weakref.WeakSet[Live] = weakref.WeakSet()


def _let_go_in_child() -> None:
    """A forked child holds no run alive: a worker that outlives its parent must not hide the parent's death."""
    for live in list(_OPEN):
        if live.lock >= 0:
            os.close(live.lock)
            live.lock = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)


os.register_at_fork(after_in_child=_let_go_in_child)


def create(
    repo: Repo, run: Run, provenance: Mapping[str, Any], *, below: str = "live",
    fill: Callable[[Path], None] = lambda _folder: None,
) -> Live:  # fmt: skip
    """A new live folder that begins as *run* says. *below* another folder than `live`, nobody takes it for a run yet.

    *fill* puts into it what must be there when others first see it. Raises `MlgitError` when the id is taken,
    `GitError` when the disk refuses.
    """
    if not is_id(run.id):
        raise UsageError(f"{run.id[:80]!r} cannot be a run's id.", why="Letters, digits, '.', '_' and '-', at most 64.")
    folder = repo.own / below / run.id
    opened = None
    try:
        with whole.at(folder) as scratch:
            scratch.mkdir()
            opened = Live(scratch, new=True)
            begin = records.run_document(run, {**provenance, **_here()})
            (scratch / "run.yaml").write_bytes(records.encode(begin | {"params": run.params}))
            fill(scratch)
    except OSError as exc:
        if opened:
            opened.close()
        if exc.errno in (errno.EEXIST, errno.ENOTEMPTY):
            what, fix = f"A run with the id {run.id!r} is alive, or waits to be recovered.", "mlgit recover"
            raise MlgitError(what, fix=f"{fix}, or choose another id") from None
        fix = "make room, or the folder writable"
        raise GitError(f"No run can be recorded below {repo.own}.", why=str(exc), fix=fix) from None
    opened.folder = folder
    return opened


def is_id(text: str) -> bool:
    """Whether *text* can be a run's id: one component of a path and of a ref."""
    return bool(_ID.fullmatch(text)) and ".." not in text and not text.endswith((".", ".lock"))


def _here() -> dict[str, str | None]:
    """What a run notes of where it begins: the machine's name and id, and the mark of the kernel that it runs."""
    return {"host": os.uname().nodename, "machine_id": _machine_id(), "mark": _mark()}


def machine() -> str:
    """What tells this machine from every other, as far as it can be told."""
    here = _here()
    return f"{here['host']}/{here['machine_id'] or here['mark']}"


def _mark() -> str | None:
    """What tells this machine's running kernel from every other; None where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None


def _machine_id() -> str | None:
    """What tells this machine from others of its name, boot after boot; None where it has no id, as many containers.

    machine-id(5) asks that nobody who could be elsewhere be told the id itself.
    """
    try:
        text = _MACHINE_ID.read_bytes().strip()
    except OSError:
        return None
    return hashlib.sha256(b"mlgit:" + text).hexdigest()[:32] if re.fullmatch(rb"[0-9a-f]{32}", text) else None


def folder_of(repo: Repo, run_id: str) -> Path:
    """Where a run of this id lives while it lives."""
    return repo.own / "live" / run_id


def folders(repo: Repo) -> list[Path]:
    """Every live folder, of runs alive and dead."""
    try:
        return sorted(entry for entry in (repo.own / "live").iterdir() if _is_run(entry))
    except FileNotFoundError:
        return []


def _is_run(entry: Path) -> bool:
    """Whether it is a run: a folder that is being made is called otherwise, and one that is being removed is none."""
    try:
        return is_id(entry.name) and (entry / "run.yaml").exists()
    except PermissionError:
        return True  # of somebody who lets nobody look


def retire(folder: Path, *, undo: bool = False) -> None:
    """Let nobody take the live folder for a run any more; or again, to *undo* that."""
    names = ("run.yaml", _RETIRED)
    before, after = reversed(names) if undo else names
    (folder / before).rename(folder / after)


def remove(folder: Path) -> None:
    """Remove the live folder; what a script put beside ours goes with it."""
    try:
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name == "lock"):
            entry.unlink()
        folder.rmdir()
    except OSError:  # a folder in it
        import shutil

        shutil.rmtree(folder, ignore_errors=True)


def sweep(repo: Repo) -> None:
    """Remove what was left by those who died as they made, held or removed a live folder."""
    for entry in (repo.own / "live").iterdir():
        with contextlib.suppress(PermissionError):  # somebody else's, for them to remove
            if not _is_run(entry):
                _remove_left(entry)
    for lock in (repo.common_dir / refs.LIVE).glob("*.lock"):
        if not folder_of(repo, lock.stem).exists():
            with contextlib.suppress(FileNotFoundError, PermissionError):
                lock.unlink()


def _remove_left(entry: Path) -> None:
    """Remove a folder that is no run, unless somebody is at work in it: in a new one the lock comes second."""
    if (claimed := locks.claim(entry)) is not None:
        remove(entry)
        locks.let_go(claimed)
    elif not (entry / "lock").exists() and _age(entry) > _AT_ONCE:
        remove(entry)


def _age(entry: Path) -> float:
    """Seconds since something came into or out of a folder; 0 if it is gone."""
    try:
        return time.time() - entry.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def is_ours(folder: Path) -> bool:
    """Whether the run began below this kernel, or on this machine before it booted, so that its lock can be believed.

    Locks may mean something below one kernel only. Two machines of a shared disk may have one name, and those that
    were made from one image one id, so it takes both; the name alone for a run that noted no id.
    """
    try:
        begin = telling.begin(folder)
    except FileNotFoundError:
        return True  # it became a branch while we looked
    here = _here()
    if here["mark"] and begin.get("mark") == here["mark"]:
        return True
    return (begin.get("host"), begin.get("machine_id", here["machine_id"])) == (here["host"], here["machine_id"])


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)


def take_back(fd: int, written: int) -> None:
    """Take back the *written* bytes of a line that had no room, so that what comes next begins a line of its own."""
    with contextlib.suppress(OSError):
        end = os.lseek(fd, 0, os.SEEK_CUR)
        if os.fstat(fd).st_size == end:
            os.ftruncate(fd, end - written)
        else:  # somebody wrote after us
            os.write(fd, b"\n")


def _line(content: Mapping[str, Any]) -> bytes:
    """*content* as a line, without the secrets that only this process knows: another may have to record it."""
    import json

    safe = secrets.redact_params(content) if secrets.hidden() else content
    return f"{json.dumps(safe, default=str)}\n".encode()


def _append(fd: int, line: bytes) -> None:
    try:
        written = os.write(fd, line)
    except OSError as exc:
        raise GitError("The run's live folder cannot be written.", why=str(exc), fix="make room on the disk") from exc
    if written != len(line):
        take_back(fd, written)
        raise GitError("The run's live folder is full.", why="No room for a whole line.", fix="make room on the disk")
