"""`mlgit data push`: bytes to a DVC remote."""

from __future__ import annotations

import sys

import click

from mlgit.cli import output
from mlgit.cli.data import moving
from mlgit.dvc.pointers import Kept
from mlgit.errors import MlgitError

_MOST = 5
"""So many failures are told one by one."""


@click.command(short_help="Send bytes to a DVC remote.")
@moving.options(
    dry_run="Say what the remote lacks; send nothing.", as_json="Print what was sent, or would be, as JSON."
)
def command(names: tuple[str, ...], far: str, jobs: int | None, dry_run: bool, as_json: bool) -> None:
    """Send to a DVC remote what it lacks of the versions or paths named, or of everything that lies here.

    The remote is asked for each file, whatever was sent before, and afterwards for what has arrived: what is torn
    there goes anew. A push that was cut off is taken up by the next. mlgit sync sends the bytes of what it pushes by
    itself.

    \b
    Examples:
      mlgit data push
      mlgit data push digits@v3 data/train
      mlgit data push -r archive --dry-run
    """
    from mlgit import wiring
    from mlgit.artifacts import wanting

    place = wiring.place()
    meant = list(wanting.named(place.repo, names, project=place.meant) if names else wanting.everything(place.repo))
    foreign = [one for one in meant if one.kept is not Kept.BY_CONTENT]
    wanted = [one for one in meant if not one.stays and one.kept is Kept.BY_CONTENT]
    labels = {one.content: one.label for one in wanted}
    sent, stays, files, size = list[str](), dict[str, str](), 0, 0
    for group in wanting.grouped(place.repo, wanted, far.lower()):
        pushed = wanting.push(place.repo, group, jobs=jobs, dry_run=dry_run)
        sent, stays = [*sent, *pushed.sent], stays | pushed.stays
        files, size = files + pushed.files, size + pushed.size
    if as_json:
        output.as_json(
            {
                "done": not dry_run, "files": files, "bytes": size,
                "pushed": [{"hash": one, "name": labels[one]} for one in sent],
                "stuck": [{"hash": one, "name": labels[one], "why": why} for one, why in stays.items()],
            }
        )  # fmt: skip
    elif sent:
        output.say(f"{wanting.told(files, size)} {'would be' if dry_run else 'are'} pushed:")
        for one in sent:
            output.say(f"  {labels[one]}")
    elif wanted and not stays:
        output.say("Nothing to push: all that lies here is there.")
    for kept in meant if names and not as_json else ():
        if kept.stays:
            why = "it is imported" if kept.is_imported else "its pointer, or the stage that made it, says push: false"
            output.note(f"{kept.label} is kept here: {why}")
    moving.tell_of_foreign(foreign, verb="push")
    if stays:
        lines = [f"{labels[one]}: {why}" for one, why in stays.items()]
        fix = "what is damaged here: mlgit data verify; else try again, or look at the remote"
        raise MlgitError(f"{len(stays):,} did not get there whole.", why="\n".join(lines[:_MOST]), fix=fix)
    if foreign:
        sys.exit(1)
