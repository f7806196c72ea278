"""`mlgit model ls`: what is registered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.choose import MODEL
from mlgit.cli.model import shown
from mlgit.cli.model.shown import BASE, JSON
from mlgit.core import figures

if TYPE_CHECKING:
    from mlgit.registry.versions.shelf import Page
    from mlgit.store.place import Place

_LIMIT = 20


@click.command(short_help="List models with what stages serve, or all versions of one.")
@click.argument("model", required=False, type=MODEL)
@click.option("-a", "--all", "is_whole", is_flag=True, help="List every version of each model.")
@click.option("-n", "--limit", type=click.IntRange(min=0),
              help="List so many models at the most, or versions of one; 0 for all.  "
                   f"[default: {_LIMIT}; all as JSON]")  # fmt: skip
@click.option("-p", "--page", default=1, type=click.IntRange(min=1), metavar="N", help="List the Nth so many.")
@BASE
@JSON
def command(
    model: str | None, is_whole: bool, limit: int | None, page: int, base: str | None, as_json: bool
) -> None:  # fmt: skip
    """List models: the newest version of each, and those that stages serve.

    The model to which something happened last comes first. Of MODEL every version is listed, the newest first; as JSON,
    every version of each model.

    \b
    Examples:
      mlgit model ls
      mlgit model ls digits
      mlgit model ls --all --limit 100
      mlgit model ls --json | jq '.[] | select(.stages != [])'
    """
    from mlgit.registry.stages import UNSETTLED

    place = wiring.place()
    most = (None if as_json else _LIMIT) if limit is None else limit or None
    found = _found(place, model, base, is_whole=is_whole or as_json, page=page, limit=most)
    if as_json:
        output.as_json_list(map(shown.line, found.lines))
        return
    lines = list(found.lines)
    rows = [
        (line.model, line.version, shown.places(line), shown.told(line.record, place.settings.goals),
         shown.form(line.record), line.record.run if line.record else "", figures.moment(line.tag.when)[:10])
        for line in lines
    ]  # fmt: skip
    columns = ("model", "version", "stages", "metrics", "format", "run", "registered")
    last = -(-found.total // (most or 1))
    output.table(columns, rows, empty=f"The last page is {last}." if last else "" if rows else _none(place))
    output.tell_rest(found.total - (page - 1) * (most or 0) - found.shown, "version" if model else "model", page)
    if any(stage.endswith(UNSETTLED) for line in lines for stage in line.stages):
        output.note("A stage is unsettled where its file and its tag differ. To fix: mlgit registry reconcile")


def _found(
    place: Place, model: str | None, base: str | None, *, is_whole: bool, page: int, limit: int | None
) -> Page:  # fmt: skip
    from mlgit.registry.versions import shelf
    from mlgit.store import registry as store

    name, skip = store.base_name(place.repo, base), (page - 1) * (limit or 0)
    if model is None:
        return shelf.page(place.repo, base=name, is_whole=is_whole, skip=skip, limit=limit)
    every = shelf.lines(place.repo, model, base=name)
    some = every[skip : None if limit is None else skip + limit]
    return shelf.Page(total=len(every), lines=some, shown=len(some))


def _none(place: Place) -> str:
    """Why there is nothing to be listed."""
    from mlgit.store import registry

    if registry.is_filed(place.repo):
        return "This clone has none of the models' tags: git fetch --tags brings the versions that registry/ names."
    return "No model is registered. `mlgit model register RUN` registers one."
