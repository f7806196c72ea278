"""`mlgit sweep`: search over params, with runs as trials."""

from __future__ import annotations

import contextlib
import re
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlgit import wiring
from mlgit.cli import output, searching
from mlgit.core import figures
from mlgit.core.compare import is_number
from mlgit.core.sweep import Sweep
from mlgit.errors import MlgitError, NotFoundError, UsageError

if TYPE_CHECKING:
    from mlgit.sweeps.agent import Outcome
    from mlgit.sweeps.plan import Trial
    from mlgit.sweeps.record import Task
    from mlgit.sweeps.space import Metric, SweepFile


@click.group()
def command() -> None:
    """Search over params: each trial is a run, the search reads the runs' branches.

    \b
    Examples:
      mlgit sweep run sweep.yaml --trials 20 --agents 2
      mlgit sweep ls
      mlgit sweep show latest
    """


@command.command("run", short_help="Run a sweep from a file in W&B's format.")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option("--agents", type=click.IntRange(1, 256), help="Run so many trials side by side.  [default: 1]")
@click.option(
    "--trials", "--count", type=click.IntRange(1),
    help="Stop at so many trials in all, those before --resume among them; else at the file's run_cap.",
)  # fmt: skip
@click.option("--seed", type=int, help="What the search draws its points by: another seed, other trials.  [default: 0]")
@click.option("--resume", metavar="SWEEP",
              help="Go on with a sweep instead of FILE, to as many trials and with as many agents as before if no "
                   "others are given; trials that were interrupted run again.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Print the trials' command lines; run nothing.")
@click.option("--json", "json_", is_flag=True, help="Print the outcome as JSON.")
def run(
    file: Path | None, command: tuple[str, ...], agents: int | None, trials: int | None, seed: int | None,
    resume: str | None, dry_run: bool, json_: bool,
) -> None:  # fmt: skip
    """Run a sweep from FILE, in W&B's own format; what follows `--` replaces the file's command.

    Every trial runs to its end: `early_terminate` is read, said, and left aside.

    \b
    Examples:
      mlgit sweep run sweep.yaml --trials 20 --agents 2
      mlgit sweep run sweep.yaml --trials 8 -- python train.py --lr '{lr}'
      mlgit sweep run --resume k3f9a2xq
      mlgit sweep run --resume k3f9a2xq --trials 40
      mlgit sweep run sweep.yaml --dry-run
    """
    from mlgit.sweeps import record

    place = wiring.place()
    if resume:
        if file or command or seed is not None:
            raise UsageError("A sweep that goes on keeps its file, command and seed.", fix="give --resume SWEEP alone")
        task = record.resumed(place, resume, agents=agents, trials=trials)
    elif file is None:
        raise UsageError("Which sweep?", fix="mlgit sweep run FILE, or mlgit sweep run --resume SWEEP")
    else:
        task = record.new(
            place, _content(file), file, command, seed=seed or 0, agents=agents or 1, trials=trials
        )  # fmt: skip
    for word in _unused(task.file, task.sweep):
        output.note(word)
    if dry_run:
        _dry_run(task, json_)
        return
    with record.alone(task), _ctrl_c_by_any_name(), _display(task, json_) as tell:
        record.keep(place.repo, task.sweep)
        task = record.renewed(place.repo, task)
        try:
            outcome = wiring.run_sweep(place, task, tell)
        except KeyboardInterrupt:
            raise MlgitError("Interrupted.", fix=f"mlgit sweep run --resume {task.sweep.id}") from None
    if json_:
        output.as_json(_report(task.sweep, outcome.trials, task.file.metric) | {"ended": outcome.ended})
    else:
        _say_outcome(task, outcome)
    if outcome.ended == "interrupted":
        sys.exit(130)


@command.command("ls")
@click.option("--json", "json_", is_flag=True, help="Print it as JSON.")
def ls(json_: bool) -> None:
    """List the sweeps of this project, newest first.

    \b
    Examples:
      mlgit sweep ls
      mlgit sweep ls --json
    """
    from mlgit.sweeps import record

    place = wiring.place()
    found = [(sweep, *record.trials(place.repo, sweep)) for sweep in record.known(place.repo, place.settings.project)]
    if json_:
        output.as_json([_report(sweep, trials, file.metric) for sweep, file, trials in found])
        return
    rows = [
        (
            sweep.id, sweep.name, sweep.method, str(len(trials)), _metric_word(file.metric),
            _best_word(trials, file.metric), f"{figures.ago(sweep.created, time.time())}",
        )
        for sweep, file, trials in found
    ]  # fmt: skip
    columns = ("id", "name", "method", "trials", "metric", "best", "age")
    output.table(columns, rows, right=("trials", "best"), empty="No sweeps yet; `mlgit sweep run FILE` starts one.")


@command.command("show", short_help="Show the trials of a sweep, best first.")
@click.argument("sweep")
@click.option("--json", "json_", is_flag=True, help="Print it as JSON.")
def show(sweep: str, json_: bool) -> None:
    """Show the trials of SWEEP (its id, its name, or `latest`), best first.

    \b
    Examples:
      mlgit sweep show latest
      mlgit sweep show k3f9a2xq --json
    """
    from mlgit.sweeps import record

    place = wiring.place()
    found = record.find(place.repo, place.settings.project, sweep)
    file, trials = record.trials(place.repo, found)
    if json_:
        output.as_json(_report(found, trials, file.metric))
        return
    metric = f", {_metric_word(file.metric)}" if file.metric else ""
    output.say(f"{found.name} ({found.id}): {found.method}{metric}, seed {found.seed}, {figures.moment(found.created)}")
    if file.description:
        output.say(file.description)
    output.say(f"each trial: {' '.join(_word(word) for word in found.command) or 'a call of a Python function'}")
    output.gap()
    _say_table(trials, file.metric)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise NotFoundError(f"There is no sweep file {path}.") from None
    except OSError as exc:
        raise MlgitError(f"The sweep file {path} cannot be read.", why=exc.strerror or str(exc)) from exc


def _unused(file: SweepFile, sweep: Sweep) -> Iterator[str]:
    """What the file says and this version takes no heed of."""
    if file.early_terminate:
        yield "the sweep file's early_terminate is left aside: in this version every trial runs to its end"
    if file.entity:
        yield f"the sweep file's entity {file.entity!r} is an account of W&B's and means nothing here"
    if file.project and file.project != sweep.project:
        yield f"the sweep file's project is {file.project!r}; its runs are recorded here, under {sweep.project!r}"


@contextlib.contextmanager
def _ctrl_c_by_any_name() -> Iterator[None]:
    """SIGTERM and SIGHUP end a sweep as Ctrl-C does: running trials are told, what finished stays."""
    names = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.default_int_handler) for number in names}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# ----------------------------------------------------------------------------------------- output


def _dry_run(task: Task, json_: bool) -> None:
    lines, complete = wiring.sweep_lines(task)
    if json_:
        output.as_json({"trials": lines, "complete": complete})
        return
    for line in lines:
        output.say(line)
    if not complete:
        output.note("what comes after these depends on their results")


@contextlib.contextmanager
def _display(task: Task, json_: bool) -> Iterator[searching.Tell]:
    """What to do with news of a trial: a view for who watches, a line each for a pipe, nothing beside JSON."""
    if not json_:
        what = f"{task.sweep.name} ({task.sweep.id}): {task.sweep.method}"
        output.say(f"sweep {what}, {task.agents} agent{'s' if task.agents > 1 else ''}, seed {task.sweep.seed}")
        sys.stdout.flush()
    if json_:
        yield lambda _trial, _trials: None
    elif output.is_terminal():
        with searching.watching(task) as tell:
            yield tell
    else:
        yield lambda trial, _trials: _say(trial) if trial.state.ended else None


def _say(trial: Trial) -> None:
    output.say(searching.line(trial))
    sys.stdout.flush()


def _say_outcome(task: Task, outcome: Outcome) -> None:
    from mlgit.sweeps import plan

    metric = task.file.metric
    output.gap()
    _say_table(outcome.trials, metric)
    output.gap()
    failed = sum(trial.failed for trial in outcome.trials)
    notes = {
        "interrupted": "Interrupted; what finished stays, and the rest runs again.",
        "nothing left": "Every point of the space was tried.",
        "target reached": f"The target {figures.number(metric.target) if metric else ''} was reached.",
    }
    if outcome.ended in notes:
        output.say(notes[outcome.ended])
    if failed:
        output.say(f"{failed} of {len(outcome.trials)} trials failed.")
    best = plan.best_of(outcome.trials, metric)
    if best and best.run and metric:
        output.say(f"Best: {best.name}, {metric.name} {figures.number(best.value)}")
        output.note(f"Next: mlgit show {best.run.id}, or mlgit pr open {best.run.id}")
    if outcome.ended == "interrupted":
        output.note(f"Go on: {_resume(task.sweep, task.sweep.trials)}")
    elif outcome.ended == "done" and (more := _more(task.file, len(plan.seen(outcome.trials, metric)))):
        output.note(f"For more trials: {_resume(task.sweep, more)}")


def _resume(sweep: Sweep, trials: int | None) -> str:
    """The command that goes on with *sweep* until it has *trials*."""
    return f"mlgit sweep run --resume {sweep.id}{f' --trials {trials}' if trials else ''}"


def _more(file: SweepFile, done: int) -> int | None:
    """How many trials in all to suggest after so many *done*: twice as many, or all; None where all were."""
    bounds = [bound for bound in (file.run_cap, file.space.size) if bound is not None]
    more = min((2 * done, *bounds))
    return more if more > done else None


def _say_table(trials: Sequence[Trial], metric: Metric | None) -> None:
    from mlgit.sweeps import plan

    names = list(dict.fromkeys(name for trial in trials for name in trial.params))
    shown = metric.name if metric else ""
    rows = [
        (
            trial.name, trial.word,
            *((figures.number(trial.value) if trial.value is not None else "",) if metric else ()),
            *(figures.number(trial.params[name]) if name in trial.params else "" for name in names),
            figures.duration(trial.run.duration) if trial.run else "",
        )
        for trial in plan.ranked(trials, metric)
    ]  # fmt: skip
    columns = ("trial", "state", *((shown,) if metric else ()), *names, "time")
    numbers = [name for name in names if all(is_number(trial.params.get(name, 0)) for trial in trials)]
    output.table(columns, rows, right=(shown, *numbers, "time"), empty="No trials yet.")


def _word(word: str) -> str:
    """*word* of a command as a person writes it: macros bare, anything else as a shell needs it."""
    return word if re.fullmatch(r"\$\{[a-z_]+\}", word) else shlex.quote(word)


def _metric_word(metric: Metric | None) -> str:
    return f"{metric.name} ({metric.goal.value})" if metric else ""


def _best_word(trials: Sequence[Trial], metric: Metric | None) -> str:
    from mlgit.sweeps import plan

    best = plan.best_of(trials, metric)
    return figures.number(best.value) if best else ""


def _report(sweep: Sweep, trials: Sequence[Trial], metric: Metric | None) -> dict[str, Any]:
    from mlgit.sweeps import plan

    best = plan.best_of(trials, metric)
    return {
        "id": sweep.id,
        "name": sweep.name,
        "project": sweep.project,
        "method": sweep.method,
        "metric": metric and metric.name,
        "goal": metric and metric.goal.value,
        "seed": sweep.seed,
        "created": figures.moment(sweep.created),
        "command": list(sweep.command),
        "best": best and _trial(best),
        "trials": [_trial(trial) for trial in plan.ranked(trials, metric)],
    }


def _trial(trial: Trial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "name": trial.name,
        "run": trial.run and trial.run.id,
        "branch": trial.run and trial.run.branch,
        "state": trial.word,
        "value": trial.value,
        "params": dict(trial.params),
        "problem": trial.problem or None,
    }
