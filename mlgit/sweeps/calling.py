"""W&B's sweeps from Python: `sweep()` makes one, `agent()` calls a function once a trial.

Agents in other threads and processes may work on the same sweep: each waits its turn until the run of the trial before
is there to be seen, so that no point is tried twice.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from mlgit.core import figures, refs, secrets, values
from mlgit.core.compare import Goal
from mlgit.core.job import JobState
from mlgit.core.run import State
from mlgit.core.sweep import Sweep
from mlgit.documents.writer import dump
from mlgit.errors import MlgitError, NotFoundError, UsageError
from mlgit.store.place import Place
from mlgit.sweeps import command, plan, record
from mlgit.sweeps import file as files
from mlgit.sweeps.plan import Trial
from mlgit.sweeps.search import suggest
from mlgit.sweeps.space import SweepFile
from mlgit.tracking import begin, names, pinned, session
from mlgit.tracking import wish as wishes
from mlgit.tracking.ending import exit_code
from mlgit.tracking.notice import notify
from mlgit.tracking.wish import Assigned

FAILURES, AT_FIRST_SECONDS = 3, 60.0
"""So many trials that fail so soon end an agent, as in W&B: something is wrong with all of them."""


def sweep(
    sweep: Mapping[str, Any] | Callable[[], Mapping[str, Any]],
    entity: str | None = None,
    project: str | None = None,
    prior_runs: list[str] | None = None,
) -> str:
    """The id of a new sweep that searches as *sweep* says: W&B's sweep configuration, as a dict or a function of one.

        sweep_id = mlgit.sweep({"method": "random", "parameters": {"lr": {"min": 0.001, "max": 0.1}}}, project="digits")
        mlgit.agent(sweep_id, train, count=20)

    It is kept in git at once; `agent(id, function)` runs its trials. *project* is that of mlgit.yaml unless the
    configuration or `MLGIT_PROJECT` names one. *entity* means nothing here; *prior_runs* and `early_terminate` are left
    aside, which is said. Raises `ConfigError` for what is no sweep, `UsageError` for names that cannot be, and for a
    configuration that holds a token.
    """
    content = values.plain(sweep() if callable(sweep) else sweep, where="sweep")
    if not isinstance(content, dict):
        raise UsageError(f"A sweep's configuration is a dict, not {type(content).__name__}.")
    place = begin.place_for(Path.cwd())
    text = dump(content)
    file = files.read(text, source="sweep()")
    if secrets.has_secret(text):
        raise UsageError(
            "The sweep's configuration holds what looks like a token.",
            why="It is kept in git.",
            fix="let the program read it from the environment",
        )
    made = Sweep(
        id=names.run_id(),
        name=file.name or "sweep",
        project=refs.project(project or file.project or wishes.variable("PROJECT") or place.settings.project),
        method=file.space.method.value,
        metric=file.metric.name if file.metric else None,
        goal=file.metric.goal if file.metric else Goal.MINIMIZE,
        created=time.time(),
        command=file.command or (),
        file=text,
    )
    if (again := pinned.sweep()) and _is_of(place, made, again):
        return again
    record.keep(place.repo, made)
    if file.early_terminate:
        notify("early_terminate is left aside: in this version every trial runs to its end")
    if prior_runs:
        notify("prior_runs are left aside: a sweep learns from its own trials")
    for word in file.aside:
        notify(word)
    if entity:
        notify(f"the entity {entity!r} means nothing here: whose the runs are, the repository says")
    notify(f"sweep {made.id} of {made.project}: {made.method}; mlgit sweep show {made.id}")
    return made.id


def agent(
    sweep_id: str,
    function: Callable[[], Any] | None = None,
    entity: str | None = None,
    project: str | None = None,
    count: int | None = None,
    forward_signals: bool = False,
    term_timeout: int | None = None,
    max_consecutive_failed_runs: int | None = None,
) -> None:
    """Run trials of a sweep: *function* is called once for each, and the run it begins has the trial's params.

        def train():
            with mlgit.init() as run:
                run.log({"loss": fit(lr=run.config.lr)})

        mlgit.agent(sweep_id, train, count=20)

    The params stand against the script's own. It ends after *count* trials, at the sweep's `run_cap` or target, or
    where nothing is left to try. A function that raises makes its run `failed`, and the next trial begins, unless
    *max_consecutive_failed_runs* of them failed in a row, or three within the first minute
    (`MLGIT_AGENT_DISABLE_FLAPPING=true` takes that back). Without *function*, the sweep's own program runs, a process a
    trial.

    *sweep_id* may be `project/id`; *project* stands against that, and is that of mlgit.yaml unless given. *entity*,
    *forward_signals* and *term_timeout* are W&B's and change nothing. Raises `NotFoundError` for a sweep that is not
    there, `UsageError` where there is neither a function nor a program, `MlgitError` where the program's trials could
    not be run.
    """
    if (again := pinned.sweep()) and function is not None:
        _once(again, sweep_id, function)
        return
    place = begin.place_for(Path.cwd())
    found = _find(place, sweep_id, project)
    if function is None:
        _run_program(place, found, count)
        return
    file = record.file_of(found)
    _Agent(place, found, file, function, count, max_consecutive_failed_runs).work()


def _once(again: str, sweep_id: str, function: Callable[[], Any]) -> None:
    """The one trial of the sweep *again* that is made again; its params are handed to its run. It is the end, too."""
    if str(sweep_id).rpartition("/")[2] != again:
        notify(f"sweep {sweep_id} is left aside: it is a trial of {again} that is made again")
        return
    function()
    session.finish()
    sys.exit(0)


def controller(*_args: Any, **_kwargs: Any) -> NoReturn:
    """There is none: raises `UsageError`, which says what there is instead."""
    raise UsageError(
        "There is no controller here: a sweep is searched where its agent runs.",
        why="What comes next is a function of the sweep's file and of the runs' branches, and of nothing else.",
        fix="mlgit.agent(sweep_id, function), or `mlgit sweep run FILE`",
    )


def _is_of(place: Place, made: Sweep, known: str) -> bool:
    """Whether *made* is what the sweep *known* was made of, as far as that is known here."""
    try:
        return record.find(place.repo, made.project, known).file == made.file
    except NotFoundError:
        return True


def _find(place: Place, text: str, project: str | None) -> Sweep:
    """The sweep that *text* (`id`, or W&B's `entity/project/id`) names. Raises `NotFoundError`."""
    *above, sweep_id = str(text).split("/")
    wanted = project or (above[-1] if above else place.settings.project)
    return record.find(place.repo, refs.project(wanted), sweep_id)


def _run_program(place: Place, found: Sweep, count: int | None) -> None:
    """Run the program of a sweep's file, a process a trial. Raises `MlgitError` where it could not be done."""
    import subprocess

    if not found.command:
        raise UsageError(
            f"The sweep {found.id} names no program.", fix="agent(sweep_id, function), or a `program` in its file"
        )
    earlier = record.trials(place.repo, found)[1] if count else []
    words = [sys.executable, "-m", "mlgit", "sweep", "run", "--resume", found.id]
    if count:
        words += ["--trials", str(len([trial for trial in earlier if not trial.interrupted]) + count)]
    if subprocess.run(words, check=False).returncode:
        raise MlgitError(f"The sweep {found.id} was not finished.", fix=f"mlgit sweep run --resume {found.id}")


class _Agent:
    def __init__(
        self, place: Place, sweep: Sweep, file: SweepFile, function: Callable[[], Any], count: int | None,
        most_failures: int | None,
    ) -> None:  # fmt: skip
        self.place, self.sweep, self.file, self.function = place, sweep, file, function
        self.count, self.most_failures = count, most_failures
        self.started = time.monotonic()
        self.begun = self.failures = self.in_a_row = 0
        self.without_run: list[Trial] = []

    def work(self) -> None:
        while self.count is None or self.begun < self.count:
            turn = _Turn(self.place.repo.own / "sweeps" / self.sweep.id / "lock")
            try:
                turn.take()
                trial = self.next()
                if isinstance(trial, str):
                    notify(f"sweep {self.sweep.id}: {trial}")
                    return
                self.begun += 1
                failed = self.run(trial, turn)
            finally:
                turn.give()
            self.failures += failed
            self.in_a_row = self.in_a_row + 1 if failed else 0
            if reason := self.hopeless():
                notify(f"sweep {self.sweep.id} was stopped: {reason}")
                return

    def next(self) -> Trial | str:
        """The next trial, or why there is none."""
        metric = self.file.metric
        earlier = [*record.trials(self.place.repo, self.sweep)[1], *self.without_run]
        seen = plan.seen(earlier, metric)
        best = plan.best_of(earlier, metric)
        if metric and best and metric.reached(best.value):
            return f"the target {figures.number(metric.target)} was reached"
        if self.file.run_cap is not None and len(seen) >= self.file.run_cap:
            return f"all of its {self.file.run_cap} trials are done"
        points = suggest(self.file.space, seen, 1, self.sweep.seed)
        if not points:
            return "every point of its space was tried"
        number = max((trial.number for trial in earlier), default=0) + 1
        name = plan.trial_name(self.sweep, number)
        return Trial(number=number, name=name, params=points[0], state=JobState.RUNNING)

    def run(self, trial: Trial, turn: _Turn) -> bool:
        """Whether *trial* failed. The turn is given away as soon as its run can be seen."""
        session.finish()  # one that was left open is not part of this
        told = ", ".join(f"{name}={figures.number(value)}" for name, value in trial.params.items())
        notify(f"trial {trial.name}: {told}")
        wish = {"name": trial.name, "group": self.sweep.name, "given": tuple(trial.params)}
        assigned = Assigned(
            sweep=self.sweep.id, project=self.sweep.project, params=self.tree(trial.params), wish=wish,
            begun=lambda _run: turn.give(),
        )  # fmt: skip
        token = session.assigned.set(assigned)
        code, error, state = 0, None, None
        try:
            self.function()
        except SystemExit as exc:
            code = exit_code(exc.code)
        except KeyboardInterrupt:
            state, error = State.CRASHED, traceback.format_exc()
            raise
        except Exception:  # noqa: BLE001  (whatever a training throws ends its trial, not the sweep)
            code, error = 1, traceback.format_exc()
            sys.stderr.write(error)
        finally:
            session.assigned.reset(token)
            for run in assigned.runs:
                run.finish(code, error=error, state=state)
            session.finish(code)
        if not assigned.runs:
            self.without_run.append(trial)
            notify(f"trial {trial.name}: the function began no run; it calls init()")
        return bool(code)

    def tree(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """*params* nested as the sweep's file nests them."""
        found: dict[str, Any] = json.loads(command.json_args(dict(params), self.file))
        return found

    def hopeless(self) -> str:
        """Why it is of no use to go on, or nothing."""
        if self.most_failures and self.in_a_row >= self.most_failures:
            return f"{self.in_a_row} trials failed one after another"
        soon = time.monotonic() - self.started < AT_FIRST_SECONDS
        if self.failures >= FAILURES and soon and wishes.variable("AGENT_DISABLE_FLAPPING") != "true":
            return f"{self.failures} trials failed within the first minute"
        return ""


class _Turn:
    """One agent's turn to begin a trial, held by the lock that `mlgit sweep run` holds too."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1

    def take(self) -> None:
        """Wait for it; say so once it takes a while."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        for waited in range(50):
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                time.sleep(0.002 * waited)
        notify("another agent is just beginning a trial of this sweep; this one waits for its turn")
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def give(self) -> None:
        """Let the next one begin; a second call does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
