"""A run in the hands of the script that makes it: log, config, summary, finish."""

from __future__ import annotations

import functools
import os
import platform
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Concatenate, ParamSpec, Self, TypeVar

from mlgit.core import escape, figures, secrets, values
from mlgit.core.run import Run, State
from mlgit.errors import MlgitError, UsageError
from mlgit.public import notebook
from mlgit.store import result
from mlgit.store.own import Before
from mlgit.tracking import seen
from mlgit.tracking.configs import as_params
from mlgit.tracking.ending import outcome
from mlgit.tracking.media.shelf import UnreadableError
from mlgit.tracking.notice import notify
from mlgit.tracking.run import turns
from mlgit.tracking.run.alerting import Alerts
from mlgit.tracking.run.config import Config, ConfigNow
from mlgit.tracking.run.identity import Identity
from mlgit.tracking.run.journal import Journal
from mlgit.tracking.run.lines import Lines
from mlgit.tracking.run.metric import Rules
from mlgit.tracking.run.modelling import Modelled
from mlgit.tracking.run.saving import Saved
from mlgit.tracking.run.summary import Summary
from mlgit.tracking.run.watching import Watched
from mlgit.tracking.wish import Settings, Wish

P = ParamSpec("P")
R = TypeVar("R")


def _by(part: str, method: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[ActiveRun, P], R]:
    """What the *part* of a run answers to this *method*."""

    @functools.wraps(method)
    def call(self: ActiveRun, /, *args: P.args, **kwargs: P.kwargs) -> R:
        found: R = getattr(getattr(self, part), method.__name__)(*args, **kwargs)
        return found

    return call


class ActiveRun(Identity):
    """One execution that is under way: what `mlgit.init()` returns. A context manager that finishes it.

        with mlgit.init(project="digits", config={"lr": 0.1}) as run:
            run.log({"loss": 0.3})

    An exception that leaves the block makes it `failed`, Ctrl-C `crashed`.

    - What it says: `log`, `config`, `summary`, `define_metric`, `watch`, `alert`.
    - What it keeps: `log_artifact`, `log_model`, `log_code`, `save`; what lies in `dir` goes with it too.
    - What it takes up: `use_artifact`, `use_model`, `restore`.
    - What it is called: `id`, `name`, `project`, `group`, `tags`, `notes`; `url` and `path` say where it is.
    - Where it stands: `step`, `start_time`, `resumed`. It ends with `finish`.
    """

    is_taken_up_again = False
    """Whether a script has finished it before, inside of the same `mlgit run`."""
    is_command = False
    """Whether the process of this script is the one that `mlgit run` waits for."""

    taken_up: ClassVar[Callable[[str, Path], ActiveRun]]
    """Looks up the run of an id in the process that unpickles it; set by `mlgit.tracking.session`."""

    def __init__(
        self, journal: Journal, *, owns: bool = True, fixed: frozenset[str],
        wish: Wish = Wish(), before: Before | None = None, step: int | None = None,
    ) -> None:  # fmt: skip
        """Made by `mlgit.init()`.

        *owns* says whether the end of this object is the end of the run; a script inside `mlgit run` only takes part.
        """
        self._journal, self._owns, self._wish, self._before, self._pid = journal, owns, wish, before, os.getpid()
        record = journal.record
        self._step = self._first_step = step if step is not None else before.next_step if before else 0
        self._row: tuple[int, float] | None = None
        """Step and moment of the last row."""
        self._started = record.created + record.paused - (before.runtime if before and before.how == "fork" else 0)
        self._finishing, self._preempting = threading.RLock(), False
        self._lines = Lines(journal, started=self._started, takes_whole_tables=wish.takes_whole_tables)
        self._turns = turns.Unknown()
        self._has_turn = self._is_row_open = False
        self.at_end = journal.at_end
        """Called in turn when the run begins to end, however it ends."""
        self.after_end: list[Callable[[], None]] = []
        """Called in turn when it has ended and is a branch."""
        _RUNS.add(self)
        self._config = Config(
            dict(record.params), fixed, store=self._put_params, changes_allowed=wish.allow_val_change,
            warn=None if record.reproduces else journal.warn,  # the run that it makes again was told the same
        )  # fmt: skip
        self._summary = Summary(
            self._put_summary, record.metrics, row=self._last_row,
            keep=lambda key: self._lines.summary_keeper(key, self._step),
        )  # fmt: skip
        self._rules = Rules(journal, self._summary, step=lambda: self._step)
        self._files, self._artifacts, self._alerts = Saved(journal), Modelled(journal), Alerts(journal)
        self._models = Watched(self)

    define_metric = _by("_rules", Rules.define_metric)
    save = _by("_files", Saved.save)
    restore = _by("_files", Saved.restore)
    write_logs = _by("_files", Saved.write_logs)
    alert = _by("_alerts", Alerts.alert)
    watch = _by("_models", Watched.watch)
    unwatch = _by("_models", Watched.unwatch)
    log_artifact = _by("_artifacts", Modelled.log_artifact)
    use_artifact = _by("_artifacts", Modelled.use_artifact)
    upsert_artifact = _by("_artifacts", Modelled.upsert_artifact)
    finish_artifact = _by("_artifacts", Modelled.finish_artifact)
    link_artifact = _by("_artifacts", Modelled.link_artifact)
    log_model = _by("_artifacts", Modelled.log_model)
    use_model = _by("_artifacts", Modelled.use_model)
    link_model = _by("_artifacts", Modelled.link_model)
    log_code = _by("_artifacts", Modelled.log_code)

    @property
    def config(self) -> Config:
        """The run's params, to read and set by attribute or item: `run.config.lr`, `run.config["lr"]`.

        `run.config = {"lr": 0.1}` updates them: those that it does not name stay.
        """
        return self._config

    @config.setter
    def config(self, params: Mapping[str, Any]) -> None:
        self._config.update(params, allow_val_change=True)

    @property
    def summary(self) -> Summary:
        """The run's metrics: the last value of everything logged, and whatever is set here: `run.summary["best"] = 1`.

        `define_metric` has it hold the minimum, maximum or mean instead. What is assigned to it as a whole updates it.
        """
        return self._summary

    @summary.setter
    def summary(self, metrics: Mapping[str, Any]) -> None:
        self._summary.update(metrics)

    @property
    def dir(self) -> str:
        """A folder for files of the script's own that go with the run; made at first need."""
        return self._files.dir

    @property
    def config_static(self) -> ConfigNow:
        """Its params as they are now, to read."""
        return ConfigNow(dict(self.config))

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
        return type(self).taken_up, (self.id, self._journal.home.settings.folder)

    @property
    def resumed(self) -> bool:
        """Whether it goes on from an earlier life of its own."""
        return self.is_taken_up_again or (self._before is not None and self._before.how != "fork")

    @property
    def settings(self) -> Settings:
        """What was settled for it and what was given, by W&B's names."""
        settings, root = Settings.of(self._wish), Path(self._wish.folder or "").absolute()
        began = time.strftime("%Y%m%d_%H%M%S", time.localtime(self.start_time))
        settings.update(
            run_id=self.id, run_name=self.name, run_group=self.group, run_job_type=self.job_type, project=self.project,
            entity=self.entity, run_notes=self.notes, run_tags=self.tags, sweep_id=self.sweep_id, resumed=self.resumed,
            run_url=self.url, project_url=self.project_url, sweep_url=self.sweep_url, x_start_time=self.start_time,
            run_mode="offline-run" if self.offline else "run", program=sys.argv[0], host=platform.node(),
            root_dir=str(root), wandb_dir=str(root / "wandb"),  # scripts clear it away, so nothing of ours is in it
            sync_dir=self.sync_dir, files_dir=self.sync_dir and f"{self.sync_dir}/files", log_dir=self.sync_dir,
            _offline=self.offline, _noop=self.disabled, _shared=self._wish.mode == "shared",
            _jupyter=notebook.is_notebook(), timespec=began, _start_datetime=began, is_local=True, deployment="local",
        )  # fmt: skip
        return settings

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

    def _shown(self) -> Mapping[str, Any]:
        return self.summary

    # -- what it says

    def log(self, data: Mapping[str, Any], step: int | None = None, commit: bool | None = None) -> None:
        """Record metrics: `log({"loss": 0.3})`. Durable against `kill -9` when it returns.

        Without *step* each call is a step of its own; with `commit=False` the next call adds to the same one. An
        explicit *step* stays open until the step changes. A step that goes back is dropped with a warning, as in W&B.
        Raises `UsageError` after the end, `TypeError` for what is no mapping, for a key that is no text, a step that is
        no number, or a value that cannot be stored, `ValueError` for the name `_summary`, and `FileNotFoundError` for a
        picture whose file is gone; the whole row is then dropped.
        """
        with self._journal.lock:
            if self._has_turn:  # asked for in the midst of a row, by a signal's handler for one
                self._write(data, step, commit)
                return
            self._has_turn = True
            try:
                if self._turns.taken():
                    self._write(data, step, commit)
                else:
                    self._write_in_turn(data, step, commit)
            finally:
                self._turns.let_go()
                self._has_turn = False

    def _write_in_turn(self, data: Mapping[str, Any], step: int | None, commit: bool | None) -> None:
        """A row of a run that perhaps several processes share."""
        journal = self._journal
        if type(self._turns) is turns.Unknown:
            journal.check_open("history")
            self._turns = turns.look(journal.folder, shares=self.is_inherited)
            if self._turns.taken():
                self._write(data, step, commit)
                return
        with turns.turn(journal.folder) as next_step:
            if step is None and not self._is_row_open:
                self._step = max(self._step, next_step)
            self._write(data, step, commit)
        self._is_row_open = not commit and (step is not None or commit is not None)

    def _write(self, data: Mapping[str, Any], step: int | None, commit: bool | None) -> None:
        """A row; nobody else writes one meanwhile."""
        journal = self._journal
        now = time.time()
        if journal.ended:
            raise UsageError(f"The run {self.name} has ended.", fix="log before finish(), or init() another run")
        if step is not None:
            if type(step) is not int:
                step = values.step(step)
            if step < self._step:
                journal.warn("step", f"step {step} is behind the current step {self._step}: the row is dropped")
                return
            self._step = step
        at = self._step
        try:
            row, line = self._lines.of(data, at, now)
            written = os.write(journal.live.history, line)
        except UnreadableError:
            raise
        except OSError as exc:
            journal.lost(exc)
            return
        if written != len(line):
            journal.lost(OSError("no room for a whole line"), written)
            return
        (self._summary._note if row is data else self._summary._merge)(row)
        self._row = at, now
        if commit or (commit is None and step is None):
            self._step = at + 1

    def _last_row(self) -> dict[str, Any]:
        """What every row holds, of the last one; nothing before the first."""
        if self._row is None:
            return {}
        step, moment = self._row
        return {"_step": step, "_runtime": moment - self._started, "_timestamp": moment}

    def log_beside(
        self, data: Mapping[str, Any], *, step: int, time: float, params: Mapping[str, Any] | None = None
    ) -> None:  # fmt: skip
        """Record what another logger said at a *step* of its own; the run's step counter does not move.

        May be called until the run has become a branch. What cannot be stored is warned of, not raised.
        """
        journal = self._journal
        with journal.lock:
            try:
                if params:
                    journal.event("params", params=secrets.redact_params(as_params(params)))
                    self._config._note(params)
                if data:
                    data, line = self._lines.slow(data, step, time)
                    if journal.write(line):
                        self._summary._note(data)
            except (TypeError, ValueError) as exc:
                journal.warn(str(exc), str(exc))
            except OSError as exc:
                journal.lost(exc)

    def _put_summary(self, changes: Mapping[str, Any]) -> None:
        import json

        with self._journal.lock:
            self._journal.check_open("summary")
            self._journal.write(f"{json.dumps({'_summary': changes})}\n".encode())

    def _put_params(self, changes: Mapping[str, Any]) -> None:
        with self._journal.lock:
            self._journal.check_open("config")
            self._journal.event("params", params=secrets.redact_params(changes))

    # -- its end

    def mark_preempting(self) -> None:
        """Say that the machine is about to be taken away: a run that does not end well now is `preempted`."""
        self._journal.check_open("state")
        self._preempting = True
        self._journal.event("mark_preempting", preempting=True)

    def call_off(self, why: str) -> None:
        """Have it end as `pruned`: whatever its script logs next raises `TrialPruned`."""
        with self._journal.lock:
            if not self._journal.ended:
                self._journal.event("pruned", pruned=why)
                self._turns.close()
                self._turns = turns.CalledOff(why)

    def finish(
        self, exit_code: int | None = None, quiet: bool | None = None, *,  # noqa: ARG002  (W&B's)
        error: str | None = None, state: State | None = None,
    ) -> None:  # fmt: skip
        """End the run and make it a branch; fsynced when this returns. A second call does nothing, but waits for that.

        *exit_code* other than 0 makes it `failed`; *quiet* is W&B's and changes nothing. Where git or the disk refuses,
        the run stays in its live folder, says so, and the next mlgit command tries again: a training goes on.
        """
        from mlgit.tracking import ending

        if self.is_inherited:
            return
        journal = self._journal
        with ending.undisturbed(), self._finishing:
            with journal.lock:  # a row that another thread is writing is part of the run
                if journal.ended:
                    return
                journal.ended = True
            journal.call(self.at_end)
            taken_away = (ending.was_terminated() and not error) or (self._preempting and exit_code)
            self._end(state or _state(exit_code, taken_away=bool(taken_away)), exit_code, error)

    def _end(self, state: State, exit_code: int | None, error: str | None) -> None:
        journal = self._journal
        try:
            about: dict[str, Any] = {"error": secrets.redact(error)[-20_000:]} if error else {}
            went = {"state": state.value} | ({"exit_code": exit_code} if exit_code else {})
            if self._owns:
                seen.tell(journal.repo, journal.live, journal.record, state)
                about |= went | {"time": time.time()}
            elif self.is_command:  # counts where mlgit run does not live to say it
                journal.live.event(went=went)
            if about:
                journal.live.event(end=about)
            if self._owns:  # still alive until it is a branch, so that nobody recovers it meanwhile
                journal.record = result.record(journal.repo, journal.folder, journal.live.lock)
                self._tell(last_words(journal.record))
        except (MlgitError, OSError) as exc:
            where = (
                f"It is kept in {journal.folder}." if journal.folder.exists() else "Its folder was removed: it is lost."
            )
            notify(f"the run {self.name} is not a branch yet: {exc}\n{where}")
        finally:
            journal.live.close()
            with journal.lock:
                self._turns.close()
                self._turns = turns.Alone()  # to be told that it has ended
        journal.call(self.after_end)

    def _tell(self, text: str) -> None:
        """Say how it ended: in a notebook below the cell, else by a line."""
        from mlgit.tracking import wish

        if wish.is_silent() or not self.display():
            notify(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        code, error, state = outcome(exc)
        self.finish(code, error=error, state=state)


_RUNS: weakref.WeakSet[ActiveRun] = weakref.WeakSet()


def _free_in_child() -> None:
    """What another thread held at the moment of a fork would stay held in the child; the run is shared from now on."""
    for run in list(_RUNS):
        run._finishing = threading.RLock()
        run._turns.close()
        run._turns, run._has_turn = turns.Unknown(), False


os.register_at_fork(after_in_child=_free_in_child)


def _state(exit_code: int | None, *, taken_away: bool) -> State:
    return State.PREEMPTED if taken_away else State.FAILED if exit_code else State.FINISHED


def last_words(run: Run, exit_code: int = 0) -> str:
    """One line about a run that has become a branch, and the branch; *exit_code* is its command's."""
    shown = figures.headlines(run)
    return (
        f"{escape.line(run.name, 60)} {run.state.value} after {figures.duration(run.duration)}"
        + (f", exit code {exit_code}" if exit_code else "")
        + (f": {shown}" if shown else "")
        + (f"\nmlgit: {run.branch}")
    )
