"""`mlgit model deprecate`: what nobody should use any more."""

from __future__ import annotations

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.choose import MODEL
from mlgit.cli.model.shown import BASE, JSON


@click.command(short_help="Say that a version, or a model, should not be used any more.")
@click.argument("version", type=MODEL, metavar="MODEL[@VERSION]")
@click.option("--why", "--reason", default="", metavar="TEXT", help="What is wrong with it, and what to use instead.")
@click.option("--undo", is_flag=True, help="It may be used again.")
@BASE
@JSON
def command(version: str, why: str, undo: bool, base: str | None, as_json: bool) -> None:
    """Say that a version, or of MODEL alone every one, should not be used any more. It stays, and so do the stages.

    Whoever gets or shows it reads why; it is not promoted any more. A tag says so, by whom and when, and mlgit sync
    shares it; stock GTO reads it too. Of a whole model it ends with the next thing that happens to it, as in GTO.

    \b
    Examples:
      mlgit model deprecate digits@v1.2.0 --why 'leaks the label; use v1.3.0'
      mlgit model deprecate digits --why 'digits-v2 takes its place'
      mlgit model deprecate digits@v1.2.0 --undo
    """
    from mlgit.registry.versions import deprecating, shelf
    from mlgit.store import registry as store

    repo = wiring.place().repo
    name = store.base_name(repo, base)
    model, number = version, None
    if any(mark in version for mark in "@#"):
        found = shelf.find(repo, version, base=name)
        model, number = found.model, found.version
    tag = deprecating.deprecate(repo, model, number, why=why, undo=undo)
    if as_json:
        output.as_json({"model": model, "version": number, "deprecated": not undo, "why": why or None, "tag": tag})
        return
    what = f"{model} {number}" if number else model
    output.say(f"{what} is deprecated{' no more' if undo else ''} (tag {tag}).")
    lines = () if undo else shelf.lines(repo, model, base=name)
    meant = [one for one in lines if number in (None, one.version)]
    serving = [f"{one.version} in {', '.join(one.stages)}" for one in meant if one.stages]
    if serving:
        output.note(f"Its stages stay: {'; '.join(serving)}. Next: mlgit promote {model}@VERSION STAGE")
