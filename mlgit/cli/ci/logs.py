"""`mlgit ci logs`: what the jobs of CI printed."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.choose import CI_RUN
from mlgit.core import escape
from mlgit.core.job import JobState
from mlgit.errors import NotFoundError, UsageError
from mlgit.forge.github import workflow_runs

if TYPE_CHECKING:
    from mlgit.ci.underway import Underway
    from mlgit.forge.github.workflow_runs import Job
    from mlgit.wiring.underway import Ci

_INTERVAL = 5.0
_LATE, _MOMENT = 3, 2.0
"""Looks for a log after all has ended, and seconds between them: GitHub takes a moment to keep it."""
_NAMED = 5
"""Jobs that are named one by one."""


@click.command(short_help="Print what the jobs of CI printed.")
@click.argument("run", type=CI_RUN, required=False)
@click.option("--job", metavar="JOB", help="Of this job: plan, collect, or one of the matrix, by its number from 0.")
@click.option("--trial", type=click.IntRange(1), metavar="N", help="Of this trial alone, by its number from 1.")
@click.option("--failed", is_flag=True, help="Of the jobs that failed, the steps that did.")
@click.option("-f", "--follow", is_flag=True, help="Go on until it has ended, job after job as each ends.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each job.")
def command(run: str | None, job: str | None, trial: int | None, failed: bool, follow: bool, as_json: bool) -> None:
    """Print what the jobs of RUN printed: all of them, or those that you name. RUN is what `mlgit ci status` takes.

    GitHub hands out what a job prints when it has ended, not before. Colours and what else would steer your terminal
    is left out.

    \b
    Examples:
      mlgit ci logs --failed
      mlgit ci logs lr-3 --trial 3
      mlgit ci logs idea --job collect
      mlgit ci logs -f
    """
    from mlgit.cli.ci import awaited
    from mlgit.wiring import underway

    if sum((job is not None, trial is not None, failed)) > 1:
        raise UsageError("--job, --trial and --failed each say which jobs are meant.", fix="give one of them")
    ci = underway.ci(wiring.place())
    one = awaited.begun(ci, run) if follow else ci.find(run)
    with awaited.left_alone(one):
        looks = awaited.looks(ci, one, _INTERVAL)
        _print(ci, looks, _Wish(job=job, trial=trial, failed=failed, follow=follow, as_json=as_json))


@dataclass(frozen=True, kw_only=True)
class _Wish:
    """Which jobs are meant, and how they are told."""

    job: str | None
    trial: int | None
    failed: bool
    follow: bool
    as_json: bool

    @property
    def is_of_one(self) -> bool:
        """Whether it is about one job alone."""
        return self.job is not None or self.trial is not None

    def meant(self, found: Underway) -> list[Job]:
        """Those of *found*, in turn. Raises `NotFoundError` for one that it has not and never will."""
        if self.failed:
            return found.failed
        if not self.is_of_one:
            return found.in_turn
        one = next((job for job in found.in_turn if job.name == self.job), None)
        for lot in found.lots:
            if self.trial in [trial.number for trial in lot.trials] or str(lot.number) == self.job:
                one = one or lot.job
        if one is None and found.run.state.ended:
            if self.trial is not None and found.plan is None:
                what = f"Which job of {found.run.id} did the trial {self.trial} is not known."
                raise NotFoundError(what, why="Its plan is not to be had from GitHub.", fix="give its --job")
            what = f"job {self.job[:80]!r}" if self.job is not None else f"trial {self.trial}"
            raise NotFoundError(
                f"{found.run.id} has no {what}.", fix=f"mlgit ci status {found.run.id} shows what it has"
            )
        return [one] if one else []

    def cut(self, job: Job, log: str) -> list[str]:
        """The lines of *job*'s *log* that are meant."""
        if self.failed and (steps := [one for one in job.steps if one.state.ended and _is_bad(one)]):
            return workflow_runs.of_steps(log, steps) or workflow_runs.lines(log)
        lines = workflow_runs.lines(log)
        return of_trial(lines, self.trial) if self.trial is not None else lines


def _is_bad(step: workflow_runs.Step) -> bool:
    return step.state is not JobState.SUCCEEDED and not step.is_skipped


def of_trial(lines: Sequence[str], number: int) -> list[str]:
    """Those of a job's *lines* that its trial *number* printed, as `mlgit ci trial` marks them; all without marks."""
    begins = [at for at, line in enumerate(lines) if re.match(r"##\[group\]Trial \d+, \d+ of \d+: ", line)]
    start = next((at for at in begins if lines[at].startswith(f"##[group]Trial {number}, ")), None)
    if start is None:
        return list(lines)
    end = next((at for at in begins if at > start), len(lines))
    told = [at for at in range(start, end) if lines[at].startswith(f"Trial {number}: ")]
    return list(lines[start : told[-1] + 1 if told else end])


def _print(ci: Ci, looks: Iterator[Underway], wish: _Wish) -> None:
    told: set[int] = set()
    for found in looks:
        waiting = _tell_new(ci, found, wish, told)
        if not wish.follow or (wish.is_of_one and told):
            break
    for _ in range(_LATE if wish.follow and waiting else 0):
        time.sleep(_MOMENT)
        waiting = _tell_new(ci, found, wish, told)
    if wish.failed and not told and not waiting:
        output.note(f"nothing of {found.run.id} has failed")
    for job in waiting[:_NAMED]:
        name, state = escape.line(found.label(job), 80), job.state.value
        output.note(
            f"{name} {state}: GitHub has nothing that it printed" if job.state.ended
            else f"{name} is {state}: GitHub shows what it prints once it has ended"
        )  # fmt: skip


def _tell_new(ci: Ci, found: Underway, wish: _Wish, told: set[int]) -> list[Job]:
    """Print those of the jobs that are meant that have ended and are not *told*; which are not to be had yet."""
    meant = wish.meant(found)
    waiting = []
    for job in meant:
        if job.id in told:
            continue
        if job.state.ended and (log := ci.actions.log(job.id)):
            _tell(found, job, wish.cut(job, log), wish, is_one_of_several=len(meant) > 1)
            told.add(job.id)
        else:
            waiting.append(job)
    return waiting


def _tell(found: Underway, job: Job, raw: Sequence[str], wish: _Wish, *, is_one_of_several: bool) -> None:
    lines = [line for one in raw if (line := workflow_runs.read(one)) is not None]
    if wish.as_json:
        lot = next((lot for lot in found.lots if lot.job is job), None)
        output.json_line({
            "job": job.name, "id": job.id, "state": job.state.value,
            "trials": [one.number for one in lot.trials] if lot else [], "lines": lines,
        })  # fmt: skip
    else:
        if is_one_of_several:
            output.say(f"--- {escape.line(found.label(job), 80)}: {job.state.value} ---")
        for line in lines:
            output.say(line)
    sys.stdout.flush()
