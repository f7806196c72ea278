"""`mlgit hold`: nothing that moves by itself moves this stage."""

from __future__ import annotations

import click

from mlgit import wiring
from mlgit.cli import halted, proposed
from mlgit.cli.choose import MODEL, SERVING
from mlgit.wiring import halting, promoting


@click.command()
@click.argument("model", type=MODEL)
@click.argument("stage", type=SERVING)
@click.option("--reason", default="", metavar="TEXT", help="Why; whoever meets the held stage reads it.")
@click.option("--lift", is_flag=True, help="Lift the hold; the version stays.")
@proposed.DIRECT
@proposed.BASE
@proposed.JSON
def command(
    model: str, stage: str, reason: str, lift: bool, direct: bool, base: str | None, as_json: bool
) -> None:  # fmt: skip
    """Open a pull request that holds STAGE where it is, or lifts that.

    Automations leave a held stage alone, and so does `mlgit promote` without --lift. The stage's file says who holds
    it, and why. A pull request that was open before conflicts with it there. `mlgit rollback` is not kept back.

    \b
    Examples:
      mlgit hold digits production --reason 'the fair, until Friday'
      mlgit hold digits production --lift --direct
    """
    from mlgit.core import refs
    from mlgit.store import registry as store

    place = wiring.place()
    name = store.base_name(place.repo, base)
    at = promoting.brought(place, name, direct=direct)
    if lift:
        change, now = halting.lift(place, model, stage, base=name, at=at)
    else:
        change, now = halting.hold(place, model, stage, why=reason, base=name, at=at)
    word = "Lift the hold of" if lift else "Hold"
    act = halted.Act(
        change=change, branch=refs.hold_branch(model, stage, lifts=lift), title=f"{word} {model} {stage}",
        why=reason, already=proposed.held(now), plain=proposed.stands(now),
    )  # fmt: skip
    halted.do(place, name, act, at=at, direct=direct, as_json=as_json)
