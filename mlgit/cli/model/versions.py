"""`mlgit model versions`: the versions of one model."""

from __future__ import annotations

import time

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.choose import MODEL
from mlgit.cli.model import shown
from mlgit.cli.model.shown import BASE, JSON
from mlgit.core import figures


@click.command(short_help="The versions of a model, with their aliases and who made them.")
@click.argument("model", type=MODEL)
@click.option("-n", "--limit", default=50, type=click.IntRange(min=0), show_default=True,
              help="List so many at the most; 0 for all.")  # fmt: skip
@click.option("-p", "--page", default=1, type=click.IntRange(min=1), metavar="N", help="List the Nth so many.")
@BASE
@JSON
def command(model: str, limit: int, page: int, base: str | None, as_json: bool) -> None:
    """List the versions of MODEL, the newest first: their stages and aliases, scores, size, and who registered them.

    \b
    Examples:
      mlgit model versions digits
      mlgit model versions digits --json | jq '.[0].metrics'
    """
    from mlgit.registry.versions import shelf
    from mlgit.store import registry as store

    place = wiring.place()
    name = store.base_name(place.repo, base)
    every = shelf.lines(place.repo, model, base=name)
    names = shelf.aliases(place.repo, model, base=name)
    wanted = slice((page - 1) * limit, page * limit or None)
    called = {line.version: sorted(one for one, of in names.items() if of == line.version) for line in every}
    if as_json:
        output.as_json([shown.line(line) | {"aliases": called[line.version]} for line in every[wanted]])
    else:
        now = time.time()
        rows = [
            (line.version, shown.places(line), ", ".join(called[line.version]),
             shown.told(line.record, place.settings.goals), shown.form(line.record),
             figures.size(line.record.size) if line.record else "", figures.ago(line.tag.when, now), line.tag.who,
             line.record.description.partition("\n")[0] if line.record else "")
            for line in every[wanted]
        ]  # fmt: skip
        columns = ("version", "stages", "aliases", "metrics", "format", "size", "age", "by", "description")
        output.table(columns, rows, right=("size", "age"), spare=("description",))
    output.tell_rest(len(every) - (wanted.stop or len(every)), "version", page)
