"""`--through`: the remote by which the agents of several clones see one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mlgit.cli import output

if TYPE_CHECKING:
    from mlgit.core.sweep import Sweep
    from mlgit.git.remote import Remote
    from mlgit.store.place import Place
    from mlgit.sweeps.claims import claiming, through

THROUGH = click.option(
    "--through", metavar="REMOTE", envvar="MLGIT_SWEEP_THROUGH", show_envvar=True,
    help="Agree with the agents of other clones through this remote, URL or path.",
)  # fmt: skip


def remote(place: Place, name: str | None) -> Remote | None:
    """The remote *name*, whose sweeps are known here from now on; None where none is named. Raises `MlgitError`."""
    if not name:
        return None
    from mlgit import wiring
    from mlgit.sweeps.claims import through

    found = through.reach(place.repo, name)
    found = wiring.remote(place, name) if found.is_known else found
    through.bring(found)
    return found


def board(place: Place, sweep: Sweep, far: Remote | None) -> claiming.Board | through.Board:
    """Where the agents of *sweep* see one another: here, or on the remote *far*."""
    from mlgit.sweeps.claims import claiming, through

    return through.Board(far, sweep, output.note) if far else claiming.Board(place.repo, sweep)
