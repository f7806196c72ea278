"""`mlgit model history`: what happened to a model."""

from __future__ import annotations

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.choose import MODEL, SERVING
from mlgit.cli.model import shown
from mlgit.cli.model.shown import JSON


@click.command(short_help="What happened to a model: versions, stages, by whom and when.")
@click.argument("model", type=MODEL)
@click.option("--stage", type=SERVING, metavar="STAGE", help="Only what was done to this stage.")
@click.option("-n", "--limit", default=50, type=click.IntRange(min=0), show_default=True,
              help="List so many at the most; 0 for all.")  # fmt: skip
@click.option("-p", "--page", default=1, type=click.IntRange(min=1), metavar="N", help="List the Nth so many.")
@JSON
def command(model: str, stage: str | None, limit: int, page: int, as_json: bool) -> None:
    """List what happened to MODEL, the newest first: registered, assigned to a stage, taken back, deprecated.

    All of it is read from the tags, as stock GTO does: gto history tells the same.

    \b
    Examples:
      mlgit model history digits
      mlgit model history digits --stage production --limit 1
    """
    from mlgit.registry.versions import shelf

    events = [event for event in shelf.history(wiring.place().repo, model) if stage in (None, event.stage)][::-1]
    wanted = slice((page - 1) * limit, page * limit or None)
    rows = [shown.event(event) for event in events[wanted]]
    if as_json:
        output.as_json(rows)
    else:
        cells = [[str(row[name] or "") for name in _COLUMNS] for row in rows]
        empty = f"Nothing was done to the stage {stage} of {model}." if stage else f"{model} has no history."
        output.table(_COLUMNS, cells, empty=empty)
    output.tell_rest(len(events) - (wanted.stop or len(events)), "event", page)


_COLUMNS = ("when", "what", "version", "stage", "by", "tag")
