"""`mlgit freeze`: stages stand still for a while."""

from __future__ import annotations

import time
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import click

from mlgit import wiring
from mlgit.cli import halted, output, proposed
from mlgit.cli.choose import LISTED, MODEL
from mlgit.cli.moments import Moment
from mlgit.core import escape, figures
from mlgit.errors import UsageError
from mlgit.wiring import halting, promoting

if TYPE_CHECKING:
    from mlgit.registry.policy.freezes import Freeze


@click.command()
@click.argument("models", type=MODEL, default="*", metavar="[MODEL]")
@click.argument("stages", type=LISTED, default="*", metavar="[STAGE]")
@click.option(
    "--until", type=Moment(ahead=True), metavar="WHEN", help="When it ends: 2026-12-27T18:00 (UTC), 12h or 2d."
)
@click.option("--reason", default="", metavar="TEXT", help="Why; whoever is kept back reads it.")
@click.option("--ls", "lists", is_flag=True, help="List what is frozen.")
@proposed.DIRECT
@proposed.BASE
@proposed.JSON
def command(
    models: str, stages: str, until: float | None, reason: str, lists: bool, direct: bool, base: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Open a pull request that lets stages stand still: all, those of MODEL, or its STAGE; * and ? as in file names.

    registry/freezes.yaml says so, and every promotion is kept back by it from the merge on; `mlgit rollback` and an
    emergency are told of it. It ends by itself at --until, else by `mlgit unfreeze`. What comes back every week is
    for the policy to say.

    \b
    Examples:
      mlgit freeze --until 2026-12-27 --reason 'nobody is here'
      mlgit freeze digits production --until 12h --direct
      mlgit freeze --ls
    """
    from mlgit.core import refs
    from mlgit.registry.moving import freezing
    from mlgit.store import registry as store

    place = wiring.place()
    name = store.base_name(place.repo, base)
    if lists:
        if until is not None or reason or direct:
            raise UsageError(
                "--ls lists what is frozen, and freezes nothing.", fix="leave out --until, --reason, --direct"
            )
        _list(freezing.known(place.repo, base=name), models, stages, as_json=as_json)
        return
    new = halting.freeze(place, models, stages, until=until, why=reason)
    act = halted.Act(
        change=freezing.freeze(new), branch=refs.freeze_branch(models, stages, lifts=False),
        title=f"Freeze {models} {stages}", why=f"{models} {stages} is {new}.", plain=halted.plain(new),
        already=f"{models} {stages} is {escape.line(str(new))} already.",
    )  # fmt: skip
    at = promoting.brought(place, name, direct=direct)
    halted.do(place, name, act, at=at, direct=direct, as_json=as_json)
    if not any(fnmatchcase(model, models) for model in store.models(place.repo)):
        output.note(f"No model is called {models!r} so far: mlgit model ls")


def _list(found: tuple[Freeze, ...], models: str, stages: str, *, as_json: bool) -> None:
    now = time.time()
    every = (models, stages) == ("*", "*")
    meant = [one for one in found if not one.is_over(now) and (every or one.covers(models, stages))]
    if as_json:
        output.as_json([halted.plain(one) for one in meant])
        return
    rows = [
        (one.models, one.stages, figures.moment(one.since), figures.moment(one.until) if one.until else "lifted",
         one.by, one.why)
        for one in meant
    ]  # fmt: skip
    output.table(("models", "stages", "since", "until", "by", "why"), rows, empty="Nothing is frozen.")
