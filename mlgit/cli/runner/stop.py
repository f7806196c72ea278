"""`mlgit runner stop`: end runners."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.choose import RUNNER
from mlgit.core import figures
from mlgit.errors import MlgitError, NotFoundError, UsageError

if TYPE_CHECKING:
    from mlgit.launch.runners.stands import Runner


@click.command()
@click.argument("names", type=RUNNER, nargs=-1, metavar="[NAME]...")
@click.option("--all", "every", is_flag=True, help="All that are jobs of this project.")
@click.option("--dead", is_flag=True, help="Those whose job has ended, or that never came.")
@click.option("-y", "--yes", is_flag=True, help="Busy ones too, without asking: the jobs that they do fail.")
@click.option("--json", "as_json", is_flag=True, help="Print what became of each as JSON.")
def command(names: tuple[str, ...], every: bool, dead: bool, yes: bool, as_json: bool) -> None:
    """End runners: GitHub forgets them, and their jobs end.

    One that does a job stays until that is done, unless you say that it shall not.

    \b
    Examples:
      mlgit runner stop mlgit-gpu-k3f9a2xq
      mlgit runner stop --all
      mlgit runner stop --all --yes
      mlgit runner stop --dead
    """
    from mlgit.launch.runners import keeping, stands
    from mlgit.launch.runners.stands import Stand
    from mlgit.wiring import runners

    if (bool(names), every, dead).count(True) != 1:
        raise UsageError("Which runners?", fix="their names, --all, or --dead; mlgit runner ls lists them")
    place = wiring.place()
    pools = runners.pools(place)
    looked = keeping.look(place, pools)
    if names:
        some = _named(looked.runners, names)
    elif every:
        some = [one for one in looked.runners if one.stand is not Stand.ELSEWHERE]
    else:
        some = [one for one in looked.runners if one.stand in stands.TO_REPLACE]
    busy = [one.name for one in some if one.stand is Stand.BUSY]
    told = keeping.stop(place, pools, some, also_busy=yes or (bool(busy) and _ask(busy)))
    if as_json:
        output.as_json(told)
    for name, what in () if as_json else told.items():
        output.say(f"{name} {what}")
    if not told:
        output.note("There are none.")
    for name in told.keys() & looked.unsure.keys():
        output.note(f"whether the job of {name} ends is not known here: {looked.unsure[name]}")
    left = [name for name, what in told.items() if what == keeping.STAYS]
    if left and not sys.stdin.isatty():
        raise MlgitError(f"{output.some(left, 3)} {keeping.STAYS}.", fix="--yes breaks that off")


def _named(there: list[Runner], names: tuple[str, ...]) -> list[Runner]:
    """Those of the *names*. Raises `NotFoundError`."""
    known = {one.name: one for one in there}
    for name in names:
        if name not in known:
            raise NotFoundError(f"There is no runner {name[:80]!r}.", fix="mlgit runner ls lists them")
    return [known[name] for name in dict.fromkeys(names)]


def _ask(busy: list[str]) -> bool:
    """Whether the jobs of *busy* runners are to be broken off."""
    if not sys.stdin.isatty():
        return False
    what = f"{output.some(busy, 3)} {'is' if len(busy) == 1 else 'are'} busy"
    return click.confirm(f"{what}: break off {figures.count(len(busy), 'job')}?", default=False, err=True)
