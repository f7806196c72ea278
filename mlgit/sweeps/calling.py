"""W&B's sweeps from Python: `sweep()` makes one, `agent()` calls a function once a trial.

Such an agent is one like any other (`sweeps.agent`), with one slot: so agents in threads, in processes and at the
command line, and those of other clones, share a sweep among them, and no point is tried twice.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from mlgit.core import figures, refs, secrets, values
from mlgit.core.compare import Goal
from mlgit.core.job import JobState
from mlgit.core.run import Run, State
from mlgit.core.sweep import Sweep
from mlgit.documents.writer import dump
from mlgit.errors import MlgitError, NotFoundError, TrialPruned, UsageError
from mlgit.git.loose import Loose
from mlgit.git.remote import Remote
from mlgit.index import query
from mlgit.store import recover
from mlgit.store.place import Place
from mlgit.sweeps import agent as agents
from mlgit.sweeps import claims, command, plan, record, watching
from mlgit.sweeps import file as files
from mlgit.sweeps.agent.slots import Launcher
from mlgit.sweeps.claims import claiming
from mlgit.sweeps.claims import through as remotes
from mlgit.sweeps.claims.holding import Board
from mlgit.sweeps.plan import Trial
from mlgit.sweeps.pruning import Eye
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
    configuration or `MLGIT_PROJECT` names one. *entity* means nothing here; *prior_runs* are left aside, which is
    said. Raises `ConfigError` for what is no sweep, `UsageError` for names that cannot be, and for a
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
    *,
    through: str | None = None,
) -> None:
    """Run trials of a sweep: *function* is called once for each, and the run it begins has the trial's params.

        def train():
            with mlgit.init() as run:
                run.log({"loss": fit(lr=run.config.lr)})

        mlgit.agent(sweep_id, train, count=20)

    The params stand against the script's own. It ends after *count* trials, at the sweep's `run_cap` or target, or
    where nothing is left to try. A function that raises makes its run `failed`, and the next trial begins, unless
    *max_consecutive_failed_runs* of them failed in a row, or three within the first minute
    (`MLGIT_AGENT_DISABLE_FLAPPING=true` takes that back). Where the sweep stops trials early, the next `log()` of one
    that goes badly raises `mlgit.errors.TrialPruned`, which is no `Exception`. Without *function*, the sweep's own
    program runs, a process a trial.

    Agents of different clones share a sweep *through* a remote, its URL or its path: what they agree on lies there, and
    runs go there as they end. Without it, `MLGIT_SWEEP_THROUGH` may name one.

    *sweep_id* may be `project/id`; *project* stands against that, and is that of mlgit.yaml unless given. *entity*,
    *forward_signals* and *term_timeout* are W&B's and change nothing. Raises `NotFoundError` for a sweep that is not
    there, `UsageError` where there is neither a function nor a program and for a remote that there is not, `GitError`
    where that cannot be reached, `MlgitError` where the program's trials could not be run.
    """
    if (again := pinned.sweep()) and function is not None:
        _once(again, sweep_id, function)
        return
    place = begin.place_for(Path.cwd())
    name = through or wishes.variable("SWEEP_THROUGH")
    far = remotes.reach(place.repo, name) if name else None
    if far:
        remotes.bring(far)
    found = _find(place, sweep_id, project)
    if function is None:
        _run_program(found, count, name)
    else:
        _call(place, found, function, count, max_consecutive_failed_runs, far)


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
    wanted = project or (above[-1] if above else place.meant)
    return record.find(place.repo, wanted and refs.project(wanted), sweep_id)


def _run_program(found: Sweep, count: int | None, through: str | None) -> None:
    """Run the program of a sweep's file, a process a trial. Raises `MlgitError` where it could not be done."""
    import subprocess

    if not found.command:
        raise UsageError(
            f"The sweep {found.id} names no program.", fix="agent(sweep_id, function), or a `program` in its file"
        )
    words = [sys.executable, "-m", "mlgit", "sweep", "agent", found.id, *(["--count", str(count)] if count else [])]
    if subprocess.run([*words, *(["--through", through] if through else [])], check=False).returncode:
        raise MlgitError(f"The sweep {found.id} was not finished.", fix=f"mlgit sweep agent {found.id}")


def _call(
    place: Place, found: Sweep, function: Callable[[], Any], count: int | None, most_failures: int | None,
    far: Remote | None,
) -> None:  # fmt: skip
    """Be an agent whose trials are calls of *function*, one after the other."""
    task = record.Task(
        sweep=found, file=record.file_of(found), folder=Path.cwd(), scratch=claiming.folder(place.repo, found),
        count=count,
    )  # fmt: skip
    rule, alive = _Rule(most_failures), watching.Alive(place.repo, found)
    pace = claiming.pace(remotes.PACE if far else claims.Pace())
    calls = _Calls(task, function, Eye.over(place, task, alive, seconds=pace.look))
    launcher = Launcher(
        submit=calls.run, state=lambda state: state, cancel=lambda _: None, tail=lambda _: "",
        pause=lambda: time.sleep(0.02),
    )  # fmt: skip

    news = query.News(place.repo, found.id)

    def runs(known: Mapping[str, str]) -> list[Run]:
        recover.recover_all(place.repo, notify)
        return news.of(known)

    def board(say: Callable[[str], None] = notify) -> Board:
        return remotes.Board(far, found, say, every=pace.look) if far else claiming.Board(place.repo, found)

    seen = board()
    try:
        with claiming.present(place.repo, found, slots=1) as me, claiming.beating(board(_unsaid), me.agent, pace):
            outcome = agents.run(
                task, me.agent, seen, launcher, runs, lambda *_: None, pace=pace, enough=rule.hear,
                alive=alive.look, tidy=Loose(place.repo, found.project).gather,
            )  # fmt: skip
    finally:
        if isinstance(seen, remotes.Board):
            seen.say_what_is_left()
    if outcome.ended == "interrupted":
        raise KeyboardInterrupt
    if said := _said(task, outcome):
        notify(f"sweep {found.id}{said}")


def _unsaid(_: str) -> None:
    """That the remote is away is said once, by who claims."""


def _said(task: record.Task, outcome: agents.Outcome) -> str:
    """What a person is told of how it ended."""
    words = {
        "given up": f" was stopped: {outcome.why}",
        "stopped": f": it was stopped; `mlgit sweep resume {task.sweep.id}` takes that back",
        "cancelled": f": it was cancelled; `mlgit sweep resume {task.sweep.id}` takes that back",
        "target reached": f": {plan.target(task.file)} was reached",
        "budget used up": ": its budget is used up",
        "nothing left": ": every point of its space was tried",
    }
    if outcome.ended == "done" and task.count is None:
        return f": all of its {task.file.run_cap} trials are done"
    return words.get(outcome.ended, "")


class _Calls:
    """Trials as calls of a function, in this thread: each has ended when it was begun."""

    def __init__(self, task: record.Task, function: Callable[[], Any], eye: Eye | None) -> None:
        self.sweep, self.file, self.function, self.eye = task.sweep, task.file, function, eye

    def run(self, trial: Trial) -> JobState:
        session.finish()  # one that was left open is not part of this
        told = ", ".join(f"{name}={figures.number(value)}" for name, value in trial.params.items())
        notify(f"trial {trial.name}: {told}")
        wish = {"name": trial.name, "group": self.sweep.name, "given": tuple(trial.params)}
        assigned = Assigned(
            sweep=self.sweep.id, project=self.sweep.project, params=self.tree(trial.params), wish=wish
        )  # fmt: skip
        token = session.assigned.set(assigned)
        code, error, state = 0, None, None
        try:
            with self.eye.on(trial, assigned.runs) if self.eye else contextlib.nullcontext():
                self.function()
        except TrialPruned as exc:
            notify(f"trial {trial.name} is stopped early: {exc}")
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
        if not assigned.runs and not code:
            notify(f"trial {trial.name}: the function began no run; it calls init()")
        return JobState.FAILED if code else JobState.SUCCEEDED

    def tree(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """*params* nested as the sweep's file nests them."""
        found: dict[str, Any] = json.loads(command.json_args(dict(params), self.file))
        return found


class _Rule:
    """When it is of no use to go on, as in W&B."""

    def __init__(self, most_failures: int | None) -> None:
        self.most_failures = most_failures
        self.started = time.monotonic()
        self.failures = self.in_a_row = 0

    def hear(self, trial: Trial) -> str:
        """Why to end after *trial*, or nothing."""
        failed = trial.state is JobState.FAILED
        self.failures += failed
        self.in_a_row = self.in_a_row + 1 if failed else 0
        if self.most_failures and self.in_a_row >= self.most_failures:
            return f"{self.in_a_row} trials failed one after another"
        soon = time.monotonic() - self.started < AT_FIRST_SECONDS
        if self.failures >= FAILURES and soon and wishes.variable("AGENT_DISABLE_FLAPPING") != "true":
            return f"{self.failures} trials failed within the first minute"
        return ""
