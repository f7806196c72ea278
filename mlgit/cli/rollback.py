"""`mlgit rollback`: the way back, for a stage."""

from __future__ import annotations

import click

from mlgit import wiring
from mlgit.cli import output, proposed
from mlgit.cli.choose import MODEL, SERVING
from mlgit.wiring import halting


@click.command()
@click.argument("model", type=MODEL)
@click.argument("stage", type=SERVING)
@click.option("--to", metavar="VERSION", help="Go back to this one, which STAGE served before.")
@click.option("--reason", default="", metavar="TEXT", help="Why; whoever meets the held stage reads it.")
@proposed.BASE
@proposed.DRY_RUN
@proposed.JSON
def command(
    model: str, stage: str, to: str | None, reason: str, base: str | None, dry_run: bool, as_json: bool
) -> None:  # fmt: skip
    """Open a pull request that lets STAGE serve what it served before, and holds it there.

    Without --to, that is the version before the present one, but for those that were taken back, deprecated, or came
    in an emergency. Its record and its bytes are checked first. It was let through once: gates and freezes are told,
    and do not stand in the way. No automation moves the stage until `mlgit hold MODEL STAGE --lift`. Of a stage that
    has come back already nothing is done; --to goes further.

    \b
    Examples:
      mlgit rollback digits production --reason 'v1.2.0 answers nonsense'
      mlgit rollback digits production --to v1.0.0
      mlgit rollback digits production --dry-run
    """
    from mlgit.core.model import Stage

    place = wiring.place()
    found = halting.way_back(place, model, stage, to=to, why=reason, base=base)
    if not isinstance(found, Stage):
        proposed.propose(place, found, dry_run=dry_run, as_json=as_json)
        return
    if as_json:
        output.as_json(proposed.stands(found) | {"pull": None, "opened": False})
        return
    output.say(proposed.held(found))
    output.note(f"Further back: mlgit rollback {model} {stage} --to VERSION")
