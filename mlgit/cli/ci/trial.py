"""`mlgit ci trial`: the trials of one job."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.ci import job as job_
from mlgit.core import figures

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from mlgit.ci.bundles import Said
    from mlgit.ci.plan import Trial

_FAILED, _ENDED = 1, 128


@click.command(short_help="Do the trials of a job, and hand over each as it ends.")
@click.option("--plan", "plan_file", required=True, metavar="FILE", type=click.Path(path_type=Path, exists=True),
              help="What `mlgit ci plan -o FILE` wrote.")  # fmt: skip
@click.option("--sha256", metavar="DIGEST", help="What FILE has to have: the plan's output `digest`.")
@click.option("--job", required=True, metavar="N", type=click.IntRange(0), help="Which of its jobs, from 0.")
@click.option("--to", "folder", required=True, metavar="DIR", type=click.Path(path_type=Path),
              help="Where what is to be collected is put.")  # fmt: skip
@click.option("--progress", "seconds", type=click.FloatRange(min=0), metavar="SECONDS",
              help="Tell how the trial stands so often; 0: only at its end.  "
                   "[default: ci.progress_seconds in mlgit.yaml, or 60]")  # fmt: skip
@click.option("--rest", "is_rest", is_flag=True,
              help="Begin none; hand over what is there of those that were killed before they were.")  # fmt: skip
@click.option("--json", "json_", is_flag=True, help="Print what has become of each trial as JSON.")
def command(
    plan_file: Path, sha256: str | None, job: int, folder: Path, seconds: float | None, is_rest: bool, json_: bool
) -> None:  # fmt: skip
    """Run each trial of a job by `mlgit run`, one after the other; hand over its run as soon as it has ended.

    DIR gets a bundle of git's for each run, the bytes that DVC holds of it where no DVC remote takes them, and a word
    about what became of it. Nothing is pushed: `mlgit ci collect` does that for all jobs. Where DIR has the run of a
    trial that was begun before, a finished one is not begun again, and any other goes on; so does one whose bundle lies
    beside FILE, where `mlgit ci plan --after` has put it.

    While a trial logs, its metrics and curves come below its own output at an interval, and into the summary of the
    step ($GITHUB_STEP_SUMMARY), which so has them however the job ends.

    Ends with 1 where a trial has not finished. SIGTERM ends the trial under way, whose run is handed over as it is by
    then, and goes on another time; a second signal kills it. What the job was at that was killed itself, --rest hands
    over afterwards.

    \b
    Examples:
      mlgit ci trial --plan plan.json --job 0 --to handed/
      mlgit ci trial --plan plan.json --job 0 --to handed/ --rest
    """
    from mlgit.ci import page, settings, trials
    from mlgit.store import runs
    from mlgit.tracking.command import execute
    from mlgit.wiring import ci

    place = wiring.place()
    plan = job_.plan(plan_file, sha256)
    wanted = plan.of(job)
    places = {trial.number: at for at, trial in enumerate(wanted, 1)}
    on_github = output.in_job()
    fold, unfold = ("::group::", "::endgroup::\n") if on_github else ("", "")

    shown = page.Page(
        repo=place.repo, tell=output.note, goals=ci.goals(place, plan), summary=page.of_step(),
        seconds=settings.read(place.settings).progress_seconds if seconds is None else seconds,
    )  # fmt: skip
    titles = {trial.number: f"Trial {trial.number}: {trial.name}" for trial in wanted}

    def beside(trial: Trial) -> AbstractContextManager[Mapping[str, str]]:
        return shown.beside(trial.id, titles[trial.number], most_seconds=plan.minutes * 60)

    def begins(trial: Trial) -> None:
        sys.stdout.flush()
        sys.stderr.write(fold)
        output.note(f"Trial {trial.number}, {places[trial.number]} of {len(wanted)}: {trial.name}")

    def ends(said: Said) -> None:
        sys.stderr.write("" if is_rest else unfold)
        output.note(_line(said))
        run = runs.read(place.repo, said.commit) if said.commit else None
        shown.ended(titles[said.trial], run, seconds=said.seconds)

    work = trials.Work(
        repo=place.repo, plan=plan, folder=folder.absolute(), aside=(plan_file,), tell=output.note,
        before=plan_file.absolute().parent, begins=begins, ends=ends, beside=beside,
    )  # fmt: skip
    signals = trials.Signals()

    def act() -> list[Said]:
        return trials.rest(work, job) if is_rest else trials.do(work, job, signals)

    with execute.heeded(signals.take):
        if json_:
            with output.kept_for_us():
                told = act()
        else:
            told = act()
    if json_:
        output.as_json([asdict(said) for said in told])
    if signals.came:
        sys.exit(_ENDED + signals.came)
    if not is_rest and any(said.became not in trials.DONE for said in told):
        sys.exit(_FAILED)


def _line(said: Said) -> str:
    ended = f", exit code {said.exit_code}" if said.exit_code else ""
    return f"Trial {said.trial}: {said.became}{ended}, after {figures.duration(said.seconds)}"
