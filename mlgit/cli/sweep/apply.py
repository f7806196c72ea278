"""`mlgit sweep apply`: the best params as a pull request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.choose import RUN, SweepName
from mlgit.cli.sweep import best
from mlgit.cli.sweep.shown import wait
from mlgit.core import figures
from mlgit.errors import NotFoundError, UsageError
from mlgit.wiring import reporting

if TYPE_CHECKING:
    from mlgit.core.findings import Findings, Point


@click.command(short_help="Open a pull request with the best params.")
@click.argument("sweep", default="latest", type=SweepName())
@click.option(
    "--trial",
    type=RUN,
    metavar="N|RUN",
    help="Take the params of this trial, by its number or its run.  [default: the best]",
)
@click.option("--base", metavar="BRANCH", help="The branch to merge into.  [default: main]")
@click.option("--draft", is_flag=True, help="Open it as a draft: it cannot be merged before `mlgit pr ready`.")
@click.option("--dry-run", is_flag=True, help="Print what would be proposed; open nothing.")
@click.option("--json", "json_", is_flag=True, help="Print the pull request as JSON.")
def command(sweep: str, trial: str | None, base: str | None, draft: bool, dry_run: bool, json_: bool) -> None:
    """Propose the best params of SWEEP (its id, its name, or `latest`, which is the default).

    The pull request is the one of `mlgit pr open` for the trial's run: its code as it ran, its params in the params
    file that mlgit.yaml names (comments, order and all other keys stay; what the file lacks is added), and the run as
    evidence. Its description is the sweep's report. What is open already is said, and stays.

    \b
    Examples:
      mlgit sweep apply
      mlgit sweep apply k3f9a2xq --trial 12 --draft
      mlgit sweep apply latest --dry-run
    """
    from mlgit.cli.pr import open as opening

    place = wiring.place()
    with wait("Weighing what the trials tell …"):
        found = reporting.sweep_findings(place, sweep, with_importance=not dry_run)
    point = _chosen(found, trial)
    if found.is_running:
        output.note("The sweep goes on: a better trial may come.")
    if dry_run:
        _foresee(point, reporting.to_write(place, point), json_=json_)
        return
    for pull, other in reporting.applied(place, found):
        if other.run != point.run:
            what = f"#{pull.number} proposes {other.name} of the same sweep"
            output.note(f"{what}; to withdraw it: mlgit pr close {pull.number}")
    with wait("Drawing charts …"):
        opened = reporting.apply(place, found, point, base=base, draft=draft)
    opening.tell_opened(place, opened, as_json=json_)


def _chosen(found: Findings, trial: str | None) -> Point:
    """The point of that name, or the best. Raises `NotFoundError`, and `UsageError` for one that does not count."""
    if trial is None:
        return best.of(found)
    point = next((point for point in found.points if trial in point.called), None)
    if point is None:
        raise NotFoundError(
            f"The sweep {found.sweep.name} ({found.sweep.id}) has no trial {trial[:80]!r}.",
            fix=f"mlgit sweep show {found.sweep.id} lists them",
        )
    if not point.counts:
        why = point.problem or f"it is {point.state}"
        raise UsageError(
            f"{point.name} does not tell how good its params are: {why}.",
            fix=f"mlgit pr open {point.run} proposes it all the same" if point.run else "take another trial",
        )
    return point


def _foresee(point: Point, files: Mapping[str, bytes], *, json_: bool) -> None:
    texts = {path: content.decode(errors="replace") for path, content in files.items()}
    if json_:
        output.as_json({"trial": point.name, "run": point.run, "files": texts})
        return
    output.say(f"{point.name}: {figures.count(len(texts), 'file')} would be written")
    for path, text in texts.items():
        output.gap()
        output.say(f"{path}:")
        for line in text.splitlines():
            output.say(f"   {line}")
