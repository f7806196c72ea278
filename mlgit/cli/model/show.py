"""`mlgit model show`: one version."""

from __future__ import annotations

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.choose import MODEL
from mlgit.cli.model import shown
from mlgit.cli.model.shown import BASE, JSON
from mlgit.core import figures


@click.command(short_help="Show one version: its run, scores and history.")
@click.argument("version", type=MODEL, metavar="MODEL[@VERSION|@STAGE]")
@BASE
@JSON
def command(version: str, base: str | None, as_json: bool) -> None:
    """Show one version: where it comes from, what it scored, what happened to it.

    \b
    Examples:
      mlgit model show digits@v1.2.0
      mlgit model show digits@production --json
    """
    from mlgit.documents import writer
    from mlgit.registry import ledger, shelf
    from mlgit.store import registry as store

    repo = wiring.place().repo
    name = store.base_name(repo, base)
    found = shelf.find(repo, version, base=name)
    line = next(item for item in shelf.lines(repo, found.model, base=name) if item.version == found.version)
    known = ledger.of(store.tags(repo, found.model), found.model)
    names = shelf.aliases(repo, found.model, base=name)
    called = sorted(one for one, of in names.items() if of == found.version)
    history = [shown.event(one) for one in known.history if one.version in (found.version, None)]
    if as_json:
        output.as_json(shown.line(line) | {"aliases": called, "history": history})
        return
    output.say(writer.dump(writer.as_data(found) | {"registered": figures.moment(found.registered)}).rstrip())
    output.say(f"stages: {', '.join(line.stages) or 'none'}")
    if called:
        output.say(f"aliases: {', '.join(called)}")
    output.say()
    for event in history:
        what = " ".join(filter(None, (event["what"], event["stage"])))
        output.say(f"{event['when']}  {what} by {event['by']} ({event['tag']})")
    if line.deprecated:
        output.note(f"{line.deprecated}.")
