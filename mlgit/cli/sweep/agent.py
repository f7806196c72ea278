"""`mlgit sweep agent`: one more to work on a sweep."""

from __future__ import annotations

import contextlib

import click

from mlgit import wiring
from mlgit.cli import choose, output
from mlgit.cli.interrupting import ctrl_c_by_any_name
from mlgit.cli.sweep import reaching, running
from mlgit.errors import UsageError
from mlgit.wiring import sweeping


@click.command(short_help="Work on a sweep, beside any number of other agents.")
@click.argument("sweep", type=choose.SweepName())
@click.option("--slots", type=click.IntRange(1, 256), default=1, show_default=True, metavar="N",
              help="Run N trials side by side.")  # fmt: skip
@click.option("--count", type=click.IntRange(1), metavar="N", help="End after N trials, whatever is left.")
@reaching.THROUGH
@click.option("--code", metavar="COMMIT[:FOLDER]",
              help="Work on this commit or branch of the remote, in a clone that is made for it.")  # fmt: skip
@click.option("--json", "json_", is_flag=True, help="Print the outcome as JSON.")
def command(sweep: str, slots: int, count: int | None, through: str | None, code: str | None, json_: bool) -> None:
    """Run trials of SWEEP (its id, its name, or `latest`) until none is left; without an end, until it is stopped.

    Agents of one repository share the trials among them, and need nobody who coordinates: one more may begin at any
    time, and what one runs that is killed, others run again. An agent waits while the sweep is paused, and as long as
    others have trials under way that could become its own.

    Agents of different clones do the same with --through: what they agree on lies on that remote then, and the runs of
    trials go there as they end. All agents of such a sweep go through the same remote. Where there is no clone, --code
    makes one of a URL, in a folder for temporary files, and removes it when its runs are on the remote.

    \b
    Examples:
      mlgit sweep agent latest
      mlgit sweep agent k3f9a2xq --slots 4
      mlgit sweep agent k3f9a2xq --count 1
      mlgit sweep agent k3f9a2xq --through origin
      mlgit sweep agent k3f9a2xq --through git@host:digits.git --code main
    """
    from mlgit.sweeps import record

    with contextlib.ExitStack() as ends:
        if code:
            if not through:
                raise UsageError("Of what is --code a commit?", fix="--through URL, the remote that has it")
            ends.enter_context(ctrl_c_by_any_name())
            through = ends.enter_context(sweeping.cloned(through, code, output.note))
        place = wiring.place()
        far = reaching.remote(place, through)
        running.work(place, record.joined(place, sweep, slots=slots, count=count), through=far, json_=json_)
