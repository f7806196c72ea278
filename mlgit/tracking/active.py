"""A run in the hands of the script that makes it: log, config, summary, finish."""

from __future__ import annotations

import functools
import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from mlgit.core import escape, figures, secrets
from mlgit.core.compare import is_number
from mlgit.core.run import Run, State
from mlgit.errors import MlgitError, UsageError
from mlgit.store import live, result
from mlgit.store.own import Before
from mlgit.store.place import Place
from mlgit.tracking import values
from mlgit.tracking.alerting import Alerting
from mlgit.tracking.config import Config, ConfigNow
from mlgit.tracking.ending import exit_code
from mlgit.tracking.media.shelf import Shelf
from mlgit.tracking.metric import Metrics
from mlgit.tracking.notice import notify
from mlgit.tracking.summary import Summary
from mlgit.tracking.wish import Wish

MOST_BYTES = 1 << 20
"""Of one row; what is larger is looked at value by value."""


class ActiveRun(Metrics, Alerting):
    """One execution that is under way. Made by `mlgit.init()`; a context manager that finishes it.

    *owns* says whether the end of this object is the end of the run; a script inside `mlgit run` only takes part.
    """

    @property
    def config_static(self) -> ConfigNow:
        """Its params as they are now, to read."""
        return ConfigNow(dict(self.config))

    is_taken_up_again = False
    """Whether a script has finished it before, inside of the same `mlgit run`."""

    taken_up: ClassVar[Callable[[str, Path], ActiveRun]]
    """The run of an id, as the process has it that unpickles one."""

    def __init__(
        self, home: Place, opened: live.Live, record: Run, *, owns: bool = True, fixed: frozenset[str],
        wish: Wish = Wish(),  # noqa: B008  (it is frozen)
        before: Before | None = None, step: int | None = None,
    ) -> None:  # fmt: skip
        self._home, self._live, self._owns, self._wish = home, opened, owns, wish
        self._record = replace(record, state=State.RUNNING, finished=None)
        self._before, self._pid = before, os.getpid()
        self._step = self._first_step = step if step is not None else before.next_step if before else 0
        self._started = record.created + record.paused - (before.runtime if before and before.how == "fork" else 0)
        self._lock = threading.RLock()  # a signal's handler may log in the midst of a row
        self._finishing, self._preempting = threading.RLock(), False
        self._fast = self._first
        self._warned: set[str] = set()
        self._kept, self._patterns, self._alerted, self._sending = {}, {}, {}, []
        self._ended = False
        self.at_end: list[Callable[[], None]] = []
        """Called in turn when the run begins to end, however it ends."""
        self.after_end: list[Callable[[], None]] = []
        """Called in turn when it has ended and is a branch."""
        _RUNS.add(self)
        self.config = Config(
            dict(record.params), fixed, store=self._put_params, warn=self._warn, changes_allowed=wish.allow_val_change
        )
        """The run's params: read and set them as attributes or items."""
        self.summary = Summary(self._put_summary, record.metrics, keep=self._summary_keeper)
        """The run's metrics: the last value of everything logged, and whatever is set here."""

    @property
    def is_joined(self) -> bool:
        """Whether this process only takes part in a run that `mlgit run` began."""
        return not self._owns

    @property
    def is_inherited(self) -> bool:
        """Whether a fork has left it to this process, and it is for another one to end."""
        return os.getpid() != self._pid

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled, it is itself in this process, and in another one what takes part in it."""
        return type(self).taken_up, (self.id, self._home.settings.folder)

    @property
    def resumed(self) -> bool:
        """Whether it goes on from an earlier life of its own."""
        return self.is_taken_up_again or (self._before is not None and self._before.how != "fork")

    @property
    def starting_step(self) -> int:
        """The step that it began with: 0, or the one after the last that it goes on from."""
        return self._first_step

    @property
    def counts_from(self) -> float:
        """The moment that its own time counts from, in seconds since the epoch: what it ran before counts as run."""
        return self._started

    @property
    def step(self) -> int:
        """The step that the next `log()` without a step of its own belongs to."""
        return self._step

    def _set(self, changes: Mapping[str, Any]) -> None:
        self._check_open("name")
        try:
            self._live.event(set=dict(changes))
        except MlgitError as exc:
            self._warn(f"{' and '.join(changes)} could not be stored: {exc}")

    def _shown(self) -> Mapping[str, Any]:
        return self.summary

    # -- what it says

    def log(self, data: Mapping[str, Any], step: int | None = None, commit: bool | None = None) -> None:
        """Record metrics: `log({"loss": 0.3})`. Durable against `kill -9` when it returns.

        Without *step* each call is a step of its own; with `commit=False` the next call adds to the same one. An
        explicit *step* stays open until the step changes. A step that goes back is dropped with a warning, as in W&B.
        Raises `UsageError` after the end, `ValueError` for what is no mapping, for a key that is no text or a step
        that is no number, and `TypeError` for a value that cannot be stored; the whole row is then dropped.
        """
        now = time.time()
        with self._lock:
            if self._ended:
                raise UsageError(f"The run {self.name} has ended.", fix="log before finish(), or init() another run")
            if step is not None:
                if type(step) is not int:
                    step = values.step(step)
                if step < self._step:
                    self._warn(f"step {step} is behind the current step {self._step}: the row is dropped")
                    return None
                self._step = step
            at = self._step
            try:
                line = self._fast({**data, "_step": at, "_runtime": now - self._started, "_timestamp": now})
            except TypeError:
                line = b"null"
            try:
                note = self.summary.note
                is_odd = b"null" in line or b":{" in line or b'"_summary"' in line or len(line) > MOST_BYTES
                if is_odd or (b"[" in line and any(getattr(value, "ndim", 0) for value in data.values())):
                    data, line = self._slow(data, at, now)  # nan, for one, which a fast writer loses; pictures; arrays
                    note = self.summary.merge
                written = os.write(self._live.history, line)
            except OSError as exc:
                return self._lost(exc)
            if written != len(line):
                return self._lost(OSError("no room for a whole line"))
            note(data)
            if commit or (commit is None and step is None):
                self._step = at + 1
        return None

    def log_beside(
        self, data: Mapping[str, Any], *, step: int, time: float, params: Mapping[str, Any] | None = None
    ) -> None:  # fmt: skip
        """Record what another logger said at a *step* of its own, without a word on the run's own counter.

        It may come as long as the run is not a branch, also while it ends. What cannot be stored is said, not raised.
        """
        with self._lock:
            try:
                if params:
                    self._live.event(params=secrets.redact_params(values.as_params(params)))
                    self.config.note(params)
                if data:
                    data, line = self._slow(data, step, time)
                    if os.write(self._live.history, line) != len(line):
                        raise OSError("no room for a whole line")
                    self.summary.note(data)
            except (TypeError, ValueError, MlgitError) as exc:
                self._warn(f"{exc}")
            except OSError as exc:
                self._lost(exc)

    def _first(self, row: dict[str, Any]) -> bytes:
        """The first row's line: the writer of all rows is loaded now, so that a run that logs nothing does without."""
        import orjson

        options = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY
        self._fast = functools.partial(orjson.dumps, option=options)
        return self._fast(row)

    def _slow(self, data: Any, step: int, now: float) -> tuple[dict[str, Any], bytes]:
        """The row of *data* by the slow way, and its line: every value made plain, nan kept, pictures stored."""
        import json

        if not isinstance(data, Mapping):
            raise ValueError(f"log() takes a mapping of names to values, not {type(data).__name__}")
        for key in data:
            if not isinstance(key, str):
                raise ValueError(f"log(): the name {key!r} is no text")
        if "_summary" in data:
            raise ValueError("log(): the name '_summary' is mlgit's own")
        row = {
            values.text(key): values.plain(value, where=f"log(): {key}", keep=self._keeper(key, step))
            for key, value in data.items()
        }
        about = {"_step": step, "_runtime": now - self._started, "_timestamp": now}
        return row, f"{json.dumps(row | about)}\n".encode()

    def _keeper(self, key: str, step: int) -> values.Keep:
        """Stores pictures, tables and the like that are logged as *key* at *step*."""

        def keep(value: Any) -> Any:
            from mlgit.tracking.media import convert

            return convert.stored(value, Shelf(self._live.folder, key, step))

        return keep

    def _summary_keeper(self, key: str) -> values.Keep:
        """The same for what is set in the summary; a disk that refuses costs that value."""
        store = self._keeper(key, self._step)

        def keep(value: Any) -> Any:
            try:
                return store(value)
            except OSError as exc:
                self._lost(exc)
                return None

        return keep

    def _lost(self, exc: OSError) -> None:
        """Training goes on when the disk does not: say so once; the next row begins a line of its own."""
        self._warn(f"a row could not be stored ({exc}); rows are lost until there is room in {self._live.folder}")
        try:
            os.write(self._live.history, b"\n")
        except OSError:
            return

    def _warn(self, text: str) -> None:
        kind = text.split(" ", 1)[0]
        if kind not in self._warned:
            self._warned.add(kind)
            notify(f"{text} (said once)")

    def _say_once(self, kind: str, text: str) -> None:
        if kind not in self._warned:
            self._warned.add(kind)
            notify(text)

    def _put_summary(self, changes: Mapping[str, Any]) -> None:
        import json

        line = f"{json.dumps({'_summary': changes})}\n".encode()
        with self._lock:
            self._check_open("summary")
            try:
                if os.write(self._live.history, line) != len(line):
                    self._lost(OSError("no room for a whole line"))
            except OSError as exc:
                self._lost(exc)

    def _put_params(self, changes: Mapping[str, Any]) -> None:
        with self._lock:
            self._check_open("config")
            try:
                self._live.event(params=secrets.redact_params(changes))
            except MlgitError as exc:
                self._warn(f"params could not be stored: {exc}")

    def _check_open(self, what: str) -> None:
        if self._ended:
            raise UsageError(f"The run {self.name} has ended: its {what} is history.", fix="set it before finish()")

    def watch(
        self, models: Any, criterion: Any = None, log: str | None = "gradients",  # noqa: ARG002
        log_freq: int = 1000, idx: int | None = None, log_graph: bool = False,
    ) -> list[Any]:  # fmt: skip
        """Log histograms of the gradients and parameters of PyTorch models every *log_freq* batches, until the end.

        See `mlgit.tracking.watching.watch`. *criterion* is W&B's.
        """
        from mlgit.tracking import watching

        return watching.watch(self, models, log=log, log_freq=log_freq, idx=idx, log_graph=log_graph)

    def unwatch(self, models: Any = None) -> None:
        """Watch *models*, or all of them, no longer."""
        from mlgit.tracking import watching

        watching.unwatch(self, models)

    def _label(self, *_args: Any, **_kwargs: Any) -> None:
        """W&B's, by which libraries say who they are: nothing is done with it."""

    # -- its end

    def mark_preempting(self) -> None:
        """Say that the machine is about to be taken away: a run that does not end well now is `preempted`."""
        self._check_open("state")
        self._preempting = True
        try:
            self._live.event(preempting=True)
        except MlgitError as exc:
            self._warn(f"mark_preempting could not be stored: {exc}")

    def finish(
        self, exit_code: int | None = None, quiet: bool | None = None, *,  # noqa: ARG002
        error: str | None = None, state: State | None = None,
    ) -> None:  # fmt: skip
        """End the run and make it a branch; fsynced when this returns. A second call does nothing, but waits for that.

        *exit_code* other than 0 makes it `failed`; *quiet* is W&B's. Where git or the disk refuses, the run stays in
        its live folder, says so, and the next mlgit command tries again: a training does not fail over it.
        """
        from mlgit.tracking import ending

        if self.is_inherited:
            return
        with ending.undisturbed(), self._finishing:
            with self._lock:  # a row that another thread is writing is part of the run
                if self._ended:
                    return
                self._ended = True
            for call in self.at_end:
                call()
            taken_away = (ending.was_terminated() and not error) or (self._preempting and exit_code)
            self._end(state or _state(exit_code, taken_away=bool(taken_away)), exit_code, error)

    def _end(self, state: State, exit_code: int | None, error: str | None) -> None:
        try:
            about: dict[str, Any] = {"error": secrets.redact(error)[-20_000:]} if error else {}
            if self._owns:
                about |= {"state": state.value, "time": time.time()}
                about |= {"exit_code": exit_code} if exit_code else {}
            if about:
                self._live.event(end=about)
            if self._owns:  # still alive until it is a branch, so that nobody recovers it meanwhile
                self._record = result.record(self._home.repo, self._live.folder)
                self._tell(told(self._record))
        except (MlgitError, OSError) as exc:
            notify(f"the run {self.name} is not a branch yet: {exc}\nIt is kept in {self._live.folder}.")
        finally:
            self._live.close()
        for call in self.after_end:
            call()

    def _tell(self, text: str) -> None:
        """Say how it ended: in a notebook below the cell, else by a line."""
        from mlgit.tracking import wish

        if wish.is_silent() or not self.display():
            notify(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        if exc is None:
            self.finish()
        elif isinstance(exc, SystemExit):
            self.finish(exit_code(exc.code))
        else:
            import traceback

            code, state = (128 + 2, State.CRASHED) if isinstance(exc, KeyboardInterrupt) else (1, None)
            self.finish(code, error="".join(traceback.format_exception(kind, exc, tb)), state=state)


_RUNS: weakref.WeakSet[ActiveRun] = weakref.WeakSet()


def _free_in_child() -> None:
    """A lock that another thread held at the moment of a fork would stay held in the child for ever."""
    for run in list(_RUNS):
        run._lock = threading.RLock()
        run._finishing = threading.RLock()


os.register_at_fork(after_in_child=_free_in_child)


def _state(exit_code: int | None, *, taken_away: bool) -> State:
    return State.PREEMPTED if taken_away else State.FAILED if exit_code else State.FINISHED


def told(run: Run) -> str:
    """One line about a run that has become a branch."""
    numbers = [(name, value) for name, value in run.metrics.items() if is_number(value) and not name.startswith("_")]
    shown = ", ".join(f"{escape.line(name, 40)} {figures.number(value)}" for name, value in numbers[:4])
    return (
        f"{escape.line(run.name, 60)} {run.state.value} after {figures.duration(run.duration)}"
        + (f": {shown}" if shown else "")
        + (f"\nmlgit: {run.branch}")
    )
