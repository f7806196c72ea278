"""What the parts of a run under way share: its live folder, its record, its lock. Whatever they say goes through here.

A disk that refuses costs a word at the terminal, never a training.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlgit.core.run import Run, State
from mlgit.core.summary import Rule
from mlgit.errors import MlgitError, UsageError
from mlgit.git.repo import Repo
from mlgit.store import live
from mlgit.store.place import Place
from mlgit.tracking.notice import notify

if TYPE_CHECKING:
    from mlgit.store.telling import Account


class Journal:
    """One run's; `Nowhere` is that of a run which records nothing."""

    def __init__(self, home: Place, opened: live.Live, record: Run) -> None:
        self.home, self.live = home, opened
        self.record = replace(record, state=State.RUNNING, finished=None)
        """The run as it is called and filed now; its branch, once it has one."""
        self.lock = threading.RLock()  # a signal's handler may log in the midst of a row
        self.ended = False
        self.at_end: list[Callable[[], None]] = []
        """Called in turn when the run begins to end, however it ends."""
        self._said: set[str] = set()
        _JOURNALS.add(self)

    @property
    def repo(self) -> Repo:
        """The repository that the run is recorded in."""
        return self.home.repo

    @property
    def folder(self) -> Path:
        """The live folder."""
        return self.live.folder

    @property
    def project(self) -> str:
        """The run's project."""
        return self.record.project

    def check_open(self, what: str) -> None:
        """Raise `UsageError` where the run has ended: its *what* cannot change any more."""
        if self._is_over():
            raise UsageError(
                f"The run {self.record.name} has ended: its {what} is history.", fix="set or ask it before finish()"
            )

    def _is_over(self) -> bool:
        """Whether it has ended here, or been recorded by whoever it belongs to."""
        return self.ended or not os.fstat(self.live.history).st_nlink

    def event(self, what: str, **content: Any) -> None:
        """Append one event; a refusal is said of *what*."""
        try:
            self.live.event(**content)
        except MlgitError as exc:
            self.warn(what, f"{what} could not be stored: {exc}")

    def write(self, line: bytes) -> bool:
        """Append one line to the history; False where the disk refuses, which is said."""
        try:
            if (written := os.write(self.live.history, line)) == len(line):
                return True
            self.lost(OSError("no room for a whole line"), written)
        except OSError as exc:
            self.lost(exc)
        return False

    def lost(self, exc: OSError, written: int = 0) -> None:
        """Training goes on when the disk does not: say so once; what was *written* of the row is taken back."""
        self.warn("row", f"a row could not be stored ({exc}); rows are lost until there is room in {self.folder}")
        if written:
            live.take_back(self.live.history, written)

    def rule(self, rule: Rule, *, overwrite: bool) -> None:
        """Append how a metric is to be summed up."""
        try:
            self.live.rule(rule, overwrite=overwrite)
        except MlgitError as exc:
            self.warn("define_metric", f"define_metric: the rule could not be stored: {exc}")

    def so_far(self) -> Account | None:
        """What was said so far, read back."""
        from mlgit.store import telling

        try:
            return telling.read(self.folder)
        except (MlgitError, OSError):
            return None

    def warn(self, kind: str, text: str) -> None:
        """Say *text*, unless something of this *kind* was said before."""
        self.say_once(kind, f"{text} (said once)")

    def say_once(self, kind: str, text: str) -> None:
        """Say *text* unless something of this *kind* was said before."""
        if kind not in self._said:
            self._said.add(kind)
            notify(text)

    def call(self, endings: Iterable[Callable[[], None]]) -> None:
        """Call all of *endings*: one that fails keeps no other from its part, and no run from its branch."""
        for ending in endings:
            try:
                ending()
            except Exception as exc:  # noqa: BLE001  (a training does not fail over its record)
                notify(f"at the end of {self.record.name}: {type(exc).__name__}: {exc}")


class Nowhere(Journal):
    """Takes everything and keeps nothing, without a word."""

    def __init__(self, record: Run) -> None:
        self.record, self.lock, self.ended = record, threading.RLock(), False
        self.at_end = []
        _JOURNALS.add(self)

    def _is_over(self) -> bool:
        return self.ended

    def event(self, what: str, **content: Any) -> None:
        """Kept in memory alone."""

    def write(self, line: bytes) -> bool:
        """Kept in memory alone."""
        return True

    def rule(self, rule: Rule, *, overwrite: bool) -> None:
        """Kept in memory alone."""

    def so_far(self) -> None:
        """Nothing was kept that could be read again."""

    def say_once(self, kind: str, text: str) -> None:
        """Nobody is to be told."""


_JOURNALS: weakref.WeakSet[Journal] = weakref.WeakSet()


def _free_in_child() -> None:
    """A lock that another thread held at the moment of a fork would stay held in the child for ever."""
    for journal in list(_JOURNALS):
        journal.lock = threading.RLock()


os.register_at_fork(after_in_child=_free_in_child)
