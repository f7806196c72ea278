"""`mlgit model ls`: what is registered."""

from __future__ import annotations

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.model import shown
from mlgit.cli.model.shown import BASE, JSON
from mlgit.core import figures


@click.command(short_help="List versions, the newest first, with their stages.")
@click.argument("model", required=False)
@BASE
@JSON
def command(model: str | None, base: str | None, as_json: bool) -> None:
    """List versions, the newest first, with the stages that serve them.

    \b
    Examples:
      mlgit model ls
      mlgit model ls digits --json
    """
    from mlgit.registry import shelf
    from mlgit.registry.stages import UNSETTLED
    from mlgit.store import registry as store

    place = wiring.place()
    lines = shelf.lines(place.repo, model, base=store.base_name(place.repo, base))
    if as_json:
        output.as_json([shown.line(line) for line in lines])
        return
    rows = [
        (line.model, line.version, shown.places(line), shown.told(line.record, place.settings.goals),
         shown.form(line.record), line.record.run if line.record else "", figures.moment(line.tag.when)[:10])
        for line in lines
    ]  # fmt: skip
    columns = ("model", "version", "stages", "metrics", "format", "run", "registered")
    output.table(columns, rows, empty="No model is registered. `mlgit model register RUN` registers one.")
    if any(stage.endswith(UNSETTLED) for line in lines for stage in line.stages):
        output.note("A stage is unsettled where its file and its tag differ. To fix: mlgit model settle")
