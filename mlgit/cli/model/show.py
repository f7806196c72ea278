"""`mlgit model show`: one version."""

from __future__ import annotations

from dataclasses import replace

import click

from mlgit import wiring
from mlgit.cli import output, proposed
from mlgit.cli.choose import MODEL
from mlgit.cli.model import shown
from mlgit.cli.model.shown import BASE, JSON
from mlgit.core import escape, figures


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
    from mlgit.registry import ledger
    from mlgit.registry.versions import shelf
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
    output.say(f"stages: {shown.places(replace(line, deprecated=None)) or 'none'}")
    if called:
        output.say(f"aliases: {', '.join(called)}")
    output.say()
    for event in history:
        what = " ".join(filter(None, (event["what"], event["stage"])))
        past = f" in an EMERGENCY: {escape.line(event['emergency'], 500)}" if event["emergency"] else ""
        back = f", back from {escape.line(event['rolled_back_from'])}" if event["rolled_back_from"] else ""
        output.say(f"{event['when']}  {what} by {event['by']} ({event['tag']}){past}{back}")
    for stage in line.marked:
        if marked := stage.emergency:
            who, why = escape.line(marked.by), escape.line(marked.why, 500)
            output.note(f"It came to {stage.stage} in an EMERGENCY, by {who}: {why}.")
        if stage.hold:
            output.note(proposed.held(stage))
    if line.deprecated:
        output.note(f"{line.deprecated}.")
