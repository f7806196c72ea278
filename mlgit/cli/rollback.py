"""`mlgit rollback`: the way back, for a stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mlgit import wiring
from mlgit.cli import output, proposed, staged
from mlgit.cli.choose import EARLIER, MODEL, SERVING
from mlgit.cli.proposed import How
from mlgit.errors import UsageError
from mlgit.wiring import halting, promoting

if TYPE_CHECKING:
    from mlgit.core.model import Stage
    from mlgit.store.place import Place


@click.command()
@click.argument("model", type=MODEL)
@click.argument("stage", type=SERVING)
@click.option("--to", type=EARLIER, metavar="VERSION", help="Go back to this one, which STAGE served before.")
@click.option("--reason", default="", metavar="TEXT", help="Why; whoever meets the held stage reads it.")
@proposed.options
def command(model: str, stage: str, to: str | None, reason: str, base: str | None, how: How) -> None:
    """Open a pull request that lets STAGE serve what it served before, and holds it there.

    Without --to, that is the version before the present one, but for those that were taken back, deprecated, or came
    in an emergency. Its record and its bytes are checked first. It was let through once: gates and freezes are told,
    and do not stand in the way. No automation moves the stage until `mlgit hold MODEL STAGE --lift`. Of a stage that
    has come back already nothing is done; --to goes further.

    \b
    Examples:
      mlgit rollback digits production --reason 'v1.2.0 answers nonsense'
      mlgit rollback digits production --to v1.0.0 --direct
      mlgit rollback digits production --dry-run
    """
    from mlgit.core.model import Stage
    from mlgit.registry.moving.propose import Plan

    place = wiring.place()
    is_direct = how.direct and not how.dry_run
    at = None if how.dry_run else promoting.brought(place, base, direct=how.direct)
    found = halting.way_back(place, model, stage, to=to, why=reason, base=base, at=at)
    if isinstance(found, Stage):
        _done(place, found, base, how)
        return
    wanted = found.wanted

    def think(at: str) -> Plan:
        return halting.again(place, wanted, base=base, at=at)

    if not is_direct:
        proposed.propose(place, found, how)
        return
    try:
        made = promoting.direct(place, wanted, think, base=base)
    except UsageError:  # somebody else goes back at this moment, too
        at = promoting.brought(place, base, direct=True)
        there = halting.way_back(place, model, stage, to=to, why=reason, base=base, at=at)
        if not isinstance(there, Stage):
            raise
        _done(place, there, base, how)
        return
    proposed.tell_direct(place, made, base=base, as_json=how.as_json)


def _done(place: Place, stage: Stage, base: str | None, how: How) -> None:
    """Say that it has come back already; its tag is made, where whoever did it has died before that."""
    from mlgit.registry.moving import settle

    is_acting = (how.direct or how.wait) and not how.dry_run
    moved = promoting.settle_stages(place, base=base, only=(stage.model, stage.stage)) if is_acting else []
    if how.as_json:
        told = {"pull": None, "opened": False, "stages": [*map(settle.plain, moved)]}
        output.as_json(proposed.stands(stage) | told)
    else:
        output.say(proposed.held(stage))
        output.note(f"Further back: mlgit rollback {stage.model} {stage.stage} --to VERSION")
    staged.say(moved, quiet=how.as_json)
