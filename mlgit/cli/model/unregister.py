"""`mlgit model unregister`: a version taken back."""

from __future__ import annotations

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.choose import MODEL
from mlgit.cli.model.shown import BASE, JSON


@click.command()
@click.argument("version", type=MODEL, metavar="MODEL@VERSION")
@BASE
@JSON
def command(version: str, base: str | None, as_json: bool) -> None:
    """Take back a version that was never promoted. The tag that says so stays; the number is not given again.

    \b
    Examples:
      mlgit model unregister digits@v1.2.0
    """
    from mlgit.errors import UsageError
    from mlgit.registry import ledger
    from mlgit.registry.versions import registering
    from mlgit.store import registry as store

    model, at, number = version.partition("@")
    if not at:
        raise UsageError(f"{version[:120]!r} names no version.", fix="write MODEL@VERSION")
    repo = wiring.place().repo
    number = ledger.version(number)
    tag = registering.unregister(repo, model, number, base=store.base_name(repo, base))
    if as_json:
        output.as_json({"model": model, "version": number, "tag": tag})
        return
    output.say(f"{model} {number} is taken back (tag {tag}).")
