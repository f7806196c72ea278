"""`sync_tensorboard`: what a script writes for TensorBoard goes into its run, by whatever library it is written.

Nothing of those libraries is replaced. Python tells of each file that is opened; the event files among them, and what
native code holds open, are read as they grow.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlgit.tracking import threads
from mlgit.tracking.events import eventfile
from mlgit.tracking.events.eventfile import MARK, EventFile
from mlgit.tracking.notice import notify
from mlgit.tracking.run.active import ActiveRun

SPLITS = frozenset(("train", "training", "validation", "valid", "val", "eval", "evaluation", "test", "dev"))
"""Folders of these names are parts of one run, as Keras and TensorFlow's estimators make them."""
SECONDS = 1.0
"""Between two looks at the files."""
_PATIENCE = 5.0
"""Seconds that the end of a run waits for a writer's worker."""


@dataclass
class Names:
    """What tags are called in a run: `train/loss` for the tag `loss` of the folder `train` below its *root*."""

    root: Path | None = None

    def prefix(self, folder: Path) -> str:
        """What stands before the tags of *folder*. The first folder is the root, unless it is a part: then the next."""
        if self.root is None:
            self.root = folder.parent if folder.name in SPLITS else folder
        if self.root.is_relative_to(folder):
            return ""
        common = Path(os.path.commonpath((self.root, folder)))
        inside = folder.relative_to(common).as_posix()
        return "" if inside == "." else f"{inside}/"


# ------------------------------------------------------------------------------------------ following


@dataclass
class _Wanted:
    """Whether anybody wants event files, and those that were opened and have no run yet."""

    by_hand: bool = False
    root: Path | None = None
    opened: dict[str, None] = field(default_factory=dict)
    is_heard: bool = False


_wanted = _Wanted()
_followers: list[Follower] = []


def _hear(event: str, args: tuple[Any, ...]) -> None:
    """Python's word of a file that is opened; it comes for every one, so most are done with at once."""
    if event == "open" and (_followers or _wanted.by_hand) and isinstance(args[0], str | bytes):
        path, mode, flags = os.fsdecode(args[0]), args[1], args[2]
        if MARK in path and (any(letter in mode for letter in "wax+") if mode else flags & (os.O_WRONLY | os.O_RDWR)):
            _wanted.opened[os.path.abspath(path)] = None  # noqa: PTH100  (a path is made where there is time)


def _listen() -> None:
    if not _wanted.is_heard:
        _wanted.is_heard = True
        sys.addaudithook(_hear)  # it cannot be taken back, and costs nothing that could be measured


def _held_open() -> Iterator[str]:
    """The event files that this process holds open for writing, native code's among them."""
    with suppress(OSError):
        for entry in os.scandir("/proc/self/fd"):
            with suppress(OSError):
                target = str(Path(entry.path).readlink())
                if MARK in target and os.access(target, os.R_OK) and _is_for_writing(entry.name):
                    yield target


def _is_for_writing(fd: str) -> bool:
    import fcntl

    return bool(fcntl.fcntl(int(fd), fcntl.F_GETFL) & (os.O_WRONLY | os.O_RDWR))


class Follower:
    """Reads the event files of one run as they grow, in a thread of its own, and to their ends when the run ends."""

    def __init__(self, run: ActiveRun, root: Path | None = None) -> None:
        self.run = run
        self._names = Names(root)
        self._files: dict[str, tuple[EventFile, str]] = {}
        self._said: set[str] = set()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="mlgit-tensorboard", daemon=True)
        with threads.deaf():
            self._thread.start()

    def finish(self) -> None:
        """Read what is left, also what writers still hold back."""
        self._over.set()
        if threading.current_thread() is not self._thread:
            self._thread.join()
        _flush_writers()
        self._look()
        for file, _ in self._files.values():
            if file.torn:
                self._say(f"{file.path.name} ends in the midst of a record")
        if self in _followers:
            _followers.remove(self)

    def _follow(self) -> None:
        while not self._over.wait(SECONDS):
            self._look()

    def _look(self) -> None:
        with self._lock:
            if _followers and _followers[-1] is self:  # the newest run has what is new
                self._take(_wanted.opened, _held_open())
            for file, prefix in list(self._files.values()):
                try:
                    for event in file.read():
                        self._log(event, prefix)
                except OSError as exc:
                    self._say(f"{file.path} cannot be read: {exc.strerror}")
                if file.broken or file.damaged:
                    lost = "what follows is lost" if file.broken else "records with wrong checksums are lost"
                    self._say(f"{file.path.name} is damaged: {lost}")

    def _take(self, opened: dict[str, None], held: Iterable[str]) -> None:
        """Follow what was opened since the last look, in that order, and what is held open."""
        for path in list(opened):
            self._add(path)
            opened.pop(path, None)
        for path in held:
            self._add(path)

    def _add(self, path: str) -> None:
        if path not in self._files and not any(path in other._files for other in _followers):
            place = Path(path)
            self._files[path] = EventFile(place), self._names.prefix(place.parent)

    def _log(self, event: eventfile.Event, prefix: str) -> None:
        row = {f"{prefix}{tag}": value for tag, value in event.values.items()}
        self.run.log_beside(
            {**row, "global_step": event.step} if row else {}, step=event.step, time=event.time, params=event.params
        )
        for what in event.left_out:
            self._say(f"left out of the run, being nothing to log: TensorBoard's {what}")

    def _say(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            notify(text)


def _flush_writers() -> None:
    """Let every writer of TensorBoard's or tensorboardX's that is alive give its events to the disk."""
    if not any(name in sys.modules for name in ("tensorboard.summary.writer.event_file_writer", "tensorboardX")):
        return
    import gc

    for one in gc.get_objects():
        kind = type(one)
        if kind.__name__ == "EventFileWriter" and kind.__module__.partition(".")[0] in ("tensorboard", "tensorboardX"):
            with suppress(OSError, ValueError, RuntimeError, AttributeError):  # closed already, or its folder is gone
                if kind.__module__.startswith("tensorboardX"):
                    _wait_for_worker(one._event_queue)
                one.flush()


def _wait_for_worker(queue: Any) -> None:
    """tensorboardX flushes what its worker has written, and leaves behind what still waits for that.

    A worker that waits for more holds the queue's lock for reading; seen so twice, it has written all that came before.
    """
    until, idle = time.monotonic() + _PATIENCE, 0
    while idle < 2 and time.monotonic() < until:
        if is_busy := queue._rlock.acquire(block=False):
            queue._rlock.release()
        idle = 0 if is_busy or queue._buffer or not queue.empty() else idle + 1
        time.sleep(0.001)


def follow(run: ActiveRun) -> None:
    """Take what is written for TensorBoard from now on into *run*, until it ends."""
    _listen()
    follower = Follower(run, _wanted.root)
    _followers.append(follower)
    run.at_end.append(follower.finish)


def is_wanted() -> bool:
    """Whether `patch()` asked for every run to take along what is written for TensorBoard."""
    return _wanted.by_hand


# -------------------------------------------------------------------------------- W&B's names for it


def want(root: Path | None) -> None:
    """Take what is written for TensorBoard from now on into runs; tags are called by their folder below *root*."""
    _wanted.by_hand, _wanted.root = True, root
    _listen()


def unwant() -> None:
    """Undo `want`: later runs take nothing along."""
    _wanted.by_hand, _wanted.root = False, None
    _wanted.opened.clear()


def is_followed(run: ActiveRun) -> bool:
    """Whether *run* takes along what is written."""
    return any(follower.run is run for follower in _followers)
