"""`mlgit archive`: fold old runs."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mlgit.cli import edits, output, tidying
from mlgit.cli.choose import RUN
from mlgit.core import figures
from mlgit.core.run import Run
from mlgit.errors import UsageError

if TYPE_CHECKING:
    from mlgit.store.place import Place

_NAMED = 5
"""Runs that are named one by one when they are archived."""


@click.command()
@click.argument("names", type=RUN, nargs=-1, metavar="[RUN]...")
@click.option("--older-than", metavar="TIME", help="Those that ended longer ago than TIME: 90d, 12h.")
@click.option("--keep", metavar="N", type=click.IntRange(min=0), help="All but the N newest.")
@edits.WHERE
@click.option("--auto/--no-auto", default=None, help="Let mlgit fold the oldest by itself from now on, or never.")
@click.option("--dry-run", is_flag=True, help="Say which runs would be archived; archive none.")
@click.option("--json", "as_json", is_flag=True, help="Print what was archived, or would be, as JSON.")
def command(
    names: tuple[str, ...], older_than: str | None, keep: int | None, conditions: tuple[str, ...], auto: bool | None,
    dry_run: bool, as_json: bool,
) -> None:  # fmt: skip
    """Fold runs: one ref a month in place of a branch a run, which keeps git fast. They are found as before.

    Every command, report and script sees an archived run as it does others, and edits it; mlgit unarchive gives it its
    branch back. Of RUN, --older-than, --keep and --where, a run has to fit all that are given. What is under way,
    checked out, or proposed by an open pull request stays. Once there are more branches than archive.limit in
    mlgit.yaml says (2,000), mlgit ls and mlgit sync offer to fold the oldest; the answer is remembered, and --auto or
    --no-auto changes it.

    \b
    Examples:
      mlgit archive --older-than 90d
      mlgit archive --keep 500 --where 'not tag = paper' --dry-run
      mlgit archive radiant-glade-12
      mlgit archive --auto
    """
    from mlgit import wiring
    from mlgit.store import archive
    from mlgit.wiring import upkeep

    place = wiring.place()
    if auto is not None:
        if not dry_run:
            tidying.remember(place.repo, auto=auto)
        now = "would be" if dry_run else "are"
        output.note(f"from now on old runs {now} folded {'by themselves' if auto else 'only by mlgit archive RUN'}")
        if not (names or conditions or older_than or keep is not None):
            return
    found = _chosen(place, names, older_than, keep, conditions)
    can, why = upkeep.archivable(place, found)
    if names and (stays := [run for run in found if run.id in why]):
        raise UsageError(f"{edits.label(stays[0])} cannot be archived: {why[stays[0].id]}.")
    if not dry_run:
        with output.progress("archiving", len(can), quiet=as_json) as advance:
            can = upkeep.fold(place, can, lambda count: advance(count, "archiving"))
    if as_json:
        output.as_json([{**edits.known_by(run), "archive": archive.month_of(run)} for run in can])
        return
    _tell(can, [run for run in found if run.id in why and not run.archive], why, dry_run=dry_run)


def _chosen(
    place: Place, names: Sequence[str], older_than: str | None, keep: int | None, conditions: Sequence[str]
) -> list[Run]:
    from mlgit.index import query

    if not names and not conditions and older_than is None and keep is None:
        raise UsageError("Which runs?", fix="mlgit archive RUN, --older-than 90d, --keep 500 or --where CONDITION")
    asks_all = keep is not None or not (names or conditions)
    known = query.unfolded(place.repo, project=place.meant) if asks_all else []
    found = edits.chosen(place, names, conditions) if names or conditions else known
    if older_than is not None:
        if (seconds := figures.seconds(older_than)) is None:
            raise UsageError(f"{older_than[:80]!r} is no time.", fix="write it like 90d, 12h or 1d12h")
        since = time.time() - seconds
        found = [run for run in found if run.heard < since]
    if keep is not None:
        newest = {run.id for run in known[:keep]}
        found = [run for run in found if run.id not in newest]
    return found


def _tell(done: Sequence[Run], left: Sequence[Run], why: dict[str, str], *, dry_run: bool) -> None:
    many = len(done) > _NAMED
    for run in () if many else done:
        output.say(f"{run.branch} {'would be' if dry_run else 'is'} archived")
    if many:
        output.say(f"{figures.count(len(done), 'run')} {'would be' if dry_run else 'are'} archived")
    for reason in dict.fromkeys(why[run.id] for run in left):
        labels = [edits.label(run) for run in left if why[run.id] == reason]
        output.note(f"{output.some(labels, _NAMED)} stay{'s' * (len(labels) == 1)}: {reason}")
    if not done:
        output.note("Nothing to archive.")
    elif not dry_run and not many:
        output.note(f"undo: {shlex.join(('mlgit', 'unarchive', *map(edits.label, done)))}")
