"""An agent of a sweep at work: what is seen of it, and how it ends."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mlgit.cli import output, searching
from mlgit.cli.interrupting import ctrl_c_by_any_name
from mlgit.cli.sweep import shown
from mlgit.core import figures
from mlgit.core.sweep import Sweep
from mlgit.errors import MlgitError
from mlgit.wiring import sweeping

if TYPE_CHECKING:
    from mlgit.git.remote import Remote
    from mlgit.store.place import Place
    from mlgit.sweeps.agent import Outcome
    from mlgit.sweeps.plan import Trial
    from mlgit.sweeps.record import Task
    from mlgit.sweeps.space import SweepFile


def work(place: Place, task: Task, *, through: Remote | None, json_: bool) -> None:
    """Be an agent of *task* until there is nothing left for it to do, and say what came of it."""
    from mlgit.sweeps import record

    if task.count is None and not record.has_end(task.file, task.sweep.trials):
        output.note(
            f"This search has no end of its own: Ctrl-C ends this agent, `mlgit sweep stop {task.sweep.id}` all"
        )
    with ctrl_c_by_any_name(), _display(place, task, json_) as tell:
        try:
            outcome = sweeping.run_sweep(place, task, tell, through=through, say=output.note)
        except KeyboardInterrupt:
            raise MlgitError("Interrupted.", fix=f"mlgit sweep run --resume {task.sweep.id}") from None
    if json_:
        output.as_json(shown.document(task.sweep, task.file, outcome.trials) | {"ended": outcome.ended})
    else:
        _say_outcome(task, outcome)
    if outcome.ended == "interrupted":
        sys.exit(130)


def unused(file: SweepFile, sweep: Sweep) -> Iterator[str]:
    """What the file says and means nothing here, or something else."""
    yield from file.aside
    if file.project and file.project != sweep.project:
        yield f"the sweep file's project is {file.project!r}; its runs are recorded here, under {sweep.project!r}"


@contextlib.contextmanager
def _display(place: Place, task: Task, json_: bool) -> Iterator[searching.Tell]:
    """What to do with news of a trial: a view for who watches, a line each for a pipe, nothing beside JSON."""
    if not json_:
        what = f"{task.sweep.name} ({task.sweep.id}): {task.sweep.method}"
        output.say(f"sweep {what}, {figures.count(task.agents, 'agent')}, seed {task.sweep.seed}")
        sys.stdout.flush()
    if json_:
        yield lambda _trial, _trials: None
    elif output.is_terminal():
        with searching.watching(task, sweeping.sweep_metric(place, task)) as tell:
            yield tell
    else:
        yield lambda trial, _trials: _say(trial) if trial.state.ended else None


def _say(trial: Trial) -> None:
    output.say(searching.line(trial))
    sys.stdout.flush()


def _say_outcome(task: Task, outcome: Outcome) -> None:
    from mlgit.sweeps import judging, plan

    file, target = task.file, plan.target(task.file)
    output.gap()
    shown.table(file, outcome.trials)
    output.gap()
    failed = sum(trial.failed for trial in outcome.trials)
    notes = {
        "interrupted": "Interrupted; what finished stays, and the rest runs again.",
        "nothing left": "Every point of the space was tried.",
        "stopped": f"The sweep was stopped; `mlgit sweep resume {task.sweep.id}` takes that back.",
        "cancelled": f"The sweep was cancelled; `mlgit sweep resume {task.sweep.id}` takes that back.",
        "target reached": f"{target[0].upper()}{target[1:]} was reached.",
        "budget used up": shown.used(file, outcome.trials),
    }
    if outcome.ended in notes:
        output.say(notes[outcome.ended])
    if failed:
        output.say(f"{failed} of {len(outcome.trials)} trials failed.")
    best = judging.best(file, outcome.trials)
    if best and best.run:
        output.say(f"Best: {best.name}, {shown.found(file, outcome.trials)}")
        output.note(f"Next: mlgit sweep report {task.sweep.id}, or mlgit sweep apply {task.sweep.id}")
    if outcome.ended == "interrupted":
        output.note(f"Go on: {_resume(task.sweep, task.sweep.trials)}")
    elif (
        outcome.ended == "done"
        and task.count is None
        and (more := _more(file, len(plan.seen(outcome.trials, file.metrics))))
    ):
        output.note(f"For more trials: {_resume(task.sweep, more)}")


def _resume(sweep: Sweep, trials: int | None) -> str:
    """The command that goes on with *sweep* until it has *trials*."""
    return f"mlgit sweep run --resume {sweep.id}{f' --trials {trials}' if trials else ''}"


def _more(file: SweepFile, done: int) -> int | None:
    """How many trials in all to suggest after so many *done*: twice as many, or all; None where all were."""
    from mlgit.sweeps import judging

    bounds = [bound for bound in (file.run_cap, judging.size(file)) if bound is not None]
    more = min((2 * done, *bounds))
    return more if more > done else None
