"""Claims in git: `refs/mlgit/claims/<project>/<id>`, moved by compare-and-swap; and whose agents of them are alive.

The ref names a file and no commit: what it said before is nobody's business, and a sweep that runs for weeks leaves no
thousands of commits behind. It is this repository's alone, no sync sends it: `through` has it on a remote.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlgit.core import refs
from mlgit.core.sweep import Sweep, SweepState
from mlgit.documents.reader import load
from mlgit.documents.writer import as_data, dump
from mlgit.errors import GitError, MlgitError, RefusedError, UsageError
from mlgit.git.repo import Move, Repo, is_passing
from mlgit.store import live, locks
from mlgit.sweeps import record
from mlgit.sweeps.claims import Agent, Claims, Pace, holding, renew
from mlgit.tracking import names, threads

_PATIENCE = 60.0
"""Seconds for which a change is tried again, while others come before it."""
_NOTHING = Claims()
_PACE = Pace()


@dataclass
class Board:
    """Where the agents of *sweep* in this repository see one another."""

    repo: Repo
    sweep: Sweep
    _read: dict[str, Claims] = field(default_factory=dict)
    """What the ref's last tip says."""
    _settings: tuple[str, Sweep] | None = None

    @property
    def ref(self) -> str:
        return record.ref_of(self.sweep).replace(refs.SWEEPS, refs.CLAIMS, 1)

    def look(self) -> tuple[Sweep, Claims]:
        """The sweep and its claims as they are now: one question to git, where nothing has moved."""
        tips = self.repo.refs(record.ref_of(self.sweep), self.ref)
        tip = tips.get(record.ref_of(self.sweep))
        if tip and (self._settings is None or self._settings[0] != tip):
            self._settings = tip, record.at(self.repo, self.sweep, tip)
        return self._settings[1] if self._settings else self.sweep, self._claims(tips.get(self.ref))

    def change(self, change: Callable[[Claims], Claims]) -> Claims:
        """The claims after *change*, which is asked anew where somebody else was quicker. Raises `GitError`."""
        until, held = time.monotonic() + _PATIENCE, self._held()
        while True:
            tip = self.repo.refs(self.ref).get(self.ref)
            before = self._claims(tip)
            after = change(before)
            if after == before:
                return after
            try:
                self._write(tip, after)
            except GitError as exc:
                if not is_passing(exc, again=True):
                    raise
                if time.monotonic() > until:
                    if held is None or self._held() != held:
                        raise
                    self._lock.unlink(missing_ok=True)  # git holds it for milliseconds: whoever made it was killed
                    until, held = time.monotonic() + _PATIENCE, None
                time.sleep(random.uniform(0, 0.05))  # so that two do not meet again
            else:
                return after

    def ready(self, *, is_last: bool = False) -> bool:  # noqa: ARG002  (it always may)
        """Whether a change may be tried now."""
        return True

    def settle(self, state: SweepState) -> None:
        """Let the sweep be in *state*, unless somebody has ended it already."""
        over = (SweepState.STOPPED, SweepState.CANCELLED, SweepState.FINISHED)
        self.tell(lambda sweep: sweep if sweep.state in over else replace(sweep, state=state))

    def tell(self, change: Callable[[Sweep], Sweep]) -> Sweep:
        """The sweep after *change*. Raises `GitError`."""
        return record.change(self.repo, self.sweep, change)

    def lives(self, agent: Agent) -> bool | None:
        """Whether *agent*, or something that it ran, is alive; None where nobody here can tell."""
        free = is_free(self.repo, self.sweep, agent.id) if agent.home == home(self.repo) else None
        return None if free is None else not free

    def _claims(self, tip: str | None) -> Claims:
        if tip is None:
            return _NOTHING
        if tip not in self._read:
            with self.repo.reader() as reader:
                found = reader.read(tip)
            self._read = {tip: load(found[2] if found else b"", Claims, source=self.ref)}
        return self._read[tip]

    @property
    def _lock(self) -> Path:
        """What git makes while it moves the ref."""
        return self.repo.common_dir / f"{self.ref}.lock"

    def _held(self) -> tuple[int, int] | None:
        """Which lock there is; None: none."""
        try:
            now = self._lock.stat()
        except OSError:
            return None
        return now.st_ino, now.st_mtime_ns

    def _write(self, tip: str | None, claims: Claims) -> None:
        writer = self.repo.writer()
        oid = writer.blob(dump(as_data(claims)).encode())
        writer.flush()
        self.repo.move([Move(self.ref, tip, oid)], why="claims", logged=False)
        self._read = {oid: claims}


@dataclass(frozen=True, kw_only=True)
class Presence:
    """An agent that is there as long as its process, and those that hold its lock too, are."""

    agent: Agent
    lock: int
    """The lock, as a file descriptor: what a trial's process holds of it counts as its agent."""


@contextlib.contextmanager
def present(repo: Repo, sweep: Sweep, *, slots: int) -> Iterator[Presence]:
    """An agent of *sweep* in this process, until the block ends. Raises `MlgitError` where its lock can't be."""
    agent = Agent(id=names.run_id(), host=os.uname().nodename, pid=os.getpid(), home=home(repo), slots=slots)
    path = _lock(repo, sweep, agent.id)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as exc:
        raise MlgitError(f"{path.parent} cannot be written.", why=exc.strerror or str(exc)) from None
    try:
        locks.lock(fd, fcntl.LOCK_EX)
        yield Presence(agent=agent, lock=fd)
    finally:
        path.unlink(missing_ok=True)
        locks.let_go(fd)


@contextlib.contextmanager
def beating(board: holding.Board, agent: Agent, pace: Pace) -> Iterator[None]:
    """Signs of life of *agent* meanwhile, by a thread: it runs its trials itself and has no time for them.

    The *board* is this thread's alone.
    """
    done = threading.Event()

    def beat() -> None:
        while not done.wait(pace.beat):
            with contextlib.suppress(GitError, RefusedError):  # then the next one is heard
                board.change(lambda now: renew(now, agent, heard=time.time()) if now.of(agent.id) else now)

    with threads.deaf():
        thread = threading.Thread(target=beat, name="mlgit-beat", daemon=True)
        thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def is_free(repo: Repo, sweep: Sweep, agent: str) -> bool | None:
    """Whether nobody on this machine holds the lock of *agent*: not it, and nothing that it ran; None: no telling."""
    path = _lock(repo, sweep, agent)
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    except OSError:
        return None
    had = locks.lock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if had:
        path.unlink(missing_ok=True)  # it is dead for good: its id comes only once
        locks.let_go(fd)
    else:
        os.close(fd)
    return had


def pace(usual: Pace = _PACE) -> Pace:
    """How often agents do what costs something: as `MLGIT_SWEEP_{LOOK,BEAT,LEASE,BLOCK}_SECONDS` say, else as *usual*.

    Raises `UsageError`.
    """
    return Pace(**{name: positive(f"MLGIT_SWEEP_{name.upper()}_SECONDS", value) for name, value in vars(usual).items()})


def positive(variable: str, usual: float, of: str = "seconds") -> float:
    """The number *of* something that *variable* of the environment says, else the *usual* one. Raises `UsageError`."""
    text = os.environ.get(variable, "")
    try:
        found = float(text) if text else usual
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        raise UsageError(f"{variable} is {text!r}.", fix=f"a number of {of} above 0, or nothing")
    return found


def home(repo: Repo) -> str:
    """What tells this repository on this machine from any other."""
    place = f"{live.machine()}\0{repo.common_dir.resolve()}"
    return hashlib.sha256(place.encode(errors="surrogateescape")).hexdigest()[:12]


def _lock(repo: Repo, sweep: Sweep, agent: str) -> Path:
    return folder(repo, sweep) / "agents" / refs.component(agent, "agent")


def folder(repo: Repo, sweep: Sweep) -> Path:
    """Where what this machine has of *sweep* lies: locks, logs, files of params."""
    return repo.own / "sweeps" / sweep.id
