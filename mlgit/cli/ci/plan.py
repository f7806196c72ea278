"""`mlgit ci plan`: what CI does for a commit."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.core import figures
from mlgit.errors import MlgitError
from mlgit.wiring import ci

if TYPE_CHECKING:
    from mlgit.ci.plan import Plan

_SHOWN = 20
FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(short_help="Show what CI does for a commit, before or after it is pushed.")
@click.argument("commit", required=False, default="HEAD")
@click.option("--run", "runs", multiple=True, metavar="'NAME=VALUE…'",
              help="As if the commit asked for this run, its params as in an Mlgit-Run; may be repeated.")  # fmt: skip
@click.option("--sweep", type=click.Path(), metavar="FILE", help="As if the commit asked for the sweep in FILE.")
@click.option(
    "--anew",
    default="",
    metavar="KEY",
    help="Have runs of --run that are none that were made of COMMIT before; KEY tells this time from others.",
)
@click.option("--part", type=click.IntRange(1), default=1, metavar="N",
              help="The N-th part, where one matrix does not hold all, or a search needs results.")  # fmt: skip
@click.option("--go", type=click.IntRange(1), default=1, metavar="N",
              help="Begin the part for the N-th time, for those alone that were stopped.")  # fmt: skip
@click.option("--after", "remote_name", metavar="REMOTE",
              help="Leave out what REMOTE has; what was begun there goes on from a bundle beside FILE.")  # fmt: skip
@click.option("-o", "--to", "to", type=FILE, metavar="FILE", help="Write the whole plan there, for each job to read.")
@click.option("--output", "outputs", type=FILE, envvar="GITHUB_OUTPUT", metavar="FILE",
              help="Add what a workflow's further jobs need to know.  [default: $GITHUB_OUTPUT]")  # fmt: skip
@click.option("--summary", type=FILE, envvar="GITHUB_STEP_SUMMARY", metavar="FILE",
              help="Add the plan as Markdown.  [default: $GITHUB_STEP_SUMMARY]")  # fmt: skip
@click.option("--json", "json_", is_flag=True, help="Print the plan as JSON.")
def command(
    commit: str, runs: tuple[str, ...], sweep: str | None, anew: str, part: int, go: int,
    remote_name: str | None, to: Path | None, outputs: Path | None,
    summary: Path | None, json_: bool,
) -> None:  # fmt: skip
    """Show what CI does for COMMIT (HEAD), by its trailers: which trials, on which runners, how long at most.

    All is read from the commit: mlgit.yaml and the sweep file as they are there, whatever lies in the work tree. The
    same commit has the same plan anywhere, so this is what CI will do. A commit that asks for nothing is no error.

    \b
    Examples:
      mlgit ci plan
      mlgit ci plan --run 'lr=0.1 epochs=20' --run lr=0.01
      mlgit ci plan --sweep sweeps/lr.yaml
      mlgit ci plan 1a2b3c4 --json
      mlgit ci plan --run yes --anew "$GITHUB_RUN_ID"
      mlgit ci plan "$GITHUB_SHA" --after origin -o plan.json
    """
    from mlgit.ci import begun, code, plan, told

    place = wiring.place()
    held = code.of(place, commit)
    wanted = ci.wanted(place, runs, sweep, anew=anew) or ci.asked(held)
    remote = wiring.remote(place, remote_name) if remote_name else None
    found = ci.plan(place, held, wanted, part=part, go=go, remote=remote)
    if to:
        _put(to, plan.written(found), adding=False)
        begun.hand_on(place.repo, found, to.absolute().parent)
    if outputs:
        _put(outputs, "".join(f"{name}={value}\n" for name, value in plan.outputs(found).items()))
    if summary:
        _put(summary, told.markdown(found))
    if json_:
        output.as_json(asdict(found))
    else:
        say(found)


def say(plan: Plan) -> None:
    """*plan* for a person: one line, the first trials, and what is left out."""
    from mlgit.ci import told

    output.say(plan.what)
    if plan.trials:
        output.gap()
        output.table(told.columns(plan), told.rows(plan, _SHOWN), right=("trial", "job"), firm=("trial",))
    if len(plan.trials) > _SHOWN:
        output.note(f"{len(plan.trials) - _SHOWN:,} more trials: --json has all")
    if plan.later:
        output.note(f"{figures.count(len(plan.later), 'trial')} more in a further dispatch: --part {plan.part + 1}")
    elif plan.goes_on:
        output.note("what comes after these depends on their results")
    for text in plan.notes:
        output.note(text)


def _put(path: Path, text: str, *, adding: bool = True) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a" if adding else "w", encoding="utf-8", newline="") as file:  # as its digest has it
            file.write(text)
    except OSError as exc:
        raise MlgitError(f"{path} cannot be written.", why=exc.strerror or str(exc)) from None
