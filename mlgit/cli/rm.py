"""`mlgit rm`: hide runs, and bring them back."""

from __future__ import annotations

import click

from mlgit.cli import output
from mlgit.cli.choose import RUN
from mlgit.core import refs
from mlgit.errors import NotFoundError, UsageError


@click.command()
@click.argument("names", type=RUN, nargs=-1, metavar="RUN...")
@click.option("--undo", is_flag=True, help="Bring hidden runs back: those that are named, or all if none is.")
@click.option("--hidden", is_flag=True, help="List what is hidden.")
def command(names: tuple[str, ...], undo: bool, hidden: bool) -> None:
    """Hide runs from every listing and report. Nothing is destroyed: --undo brings them back.

    \b
    Examples:
      mlgit rm radiant-glade-12
      mlgit rm --hidden
      mlgit rm --undo radiant-glade-12
    """
    from mlgit import wiring
    from mlgit.index import query
    from mlgit.store import runs

    place = wiring.place()
    trash = place.repo.refs(refs.TRASH)
    if hidden:
        output.table(("hidden run",), [(ref.removeprefix(refs.TRASH),) for ref in trash], empty="Nothing is hidden.")
    elif undo:
        chosen = {ref: tip for ref, tip in trash.items() if not names or any(_fits(ref, name) for name in names)}
        if not chosen:
            raise NotFoundError("Nothing that is hidden fits.", fix="mlgit rm --hidden lists it")
        for branch in runs.restore(place.repo, chosen):
            output.say(f"{branch} is back")
    elif not names:
        raise UsageError("Which run?", fix="mlgit rm RUN, or mlgit rm --undo")
    else:
        found = query.find_all(place.repo, names, project=place.meant)
        if alive := [run.name for run in found if not run.commit]:
            raise UsageError(f"{', '.join(alive)} is still running.", fix="end it first")
        runs.hide(place.repo, found)
        for run in found:
            output.say(f"{run.branch} is hidden; mlgit rm --undo {run.branch.rpartition('/')[2]} brings it back")


def _fits(ref: str, name: str) -> bool:
    branch = ref.removeprefix(refs.TRASH)
    last = branch.rpartition("/")[2]
    return name in (branch, last) or last.startswith(name) or (len(name) >= 6 and last.endswith(f"-{name[:6]}"))
