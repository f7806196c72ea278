"""`mlgit data ls`: what the project keeps in versions."""

from __future__ import annotations

import time

import click

from mlgit.cli import output
from mlgit.cli.data import shown
from mlgit.core import figures


@click.command(short_help="List datasets and other artifacts.")
@click.option("--type", "wanted", metavar="TYPE", help="Only those of this type: dataset, model, ….")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def command(wanted: str | None, as_json: bool) -> None:
    """List the project's datasets, models and other artifacts, each with its newest version.

    \b
    Examples:
      mlgit data ls
      mlgit data ls --type dataset
      mlgit data ls --json | jq '.[].name'
    """
    from mlgit import wiring
    from mlgit.artifacts import telling

    place = wiring.place()
    known = telling.asked(place.repo, lambda told: told.newest(place.meant))
    newest = sorted((held for held in known if wanted in (None, held.version.type)), key=lambda held: -held.created)
    if as_json:
        output.as_json([shown.document(held) for held in newest])
        return
    projects = len({held.project for held in newest})
    rows = [
        (f"{held.project}/{held.collection}" if projects > 1 else held.collection, held.version.type,
         held.label, ", ".join(held.aliases), figures.size(held.version.size),
         f"{held.version.files:,}" if held.version.files else "", figures.ago(held.created, time.time()),
         shown.origin(held))
        for held in newest
    ]  # fmt: skip
    columns = ("name", "type", "newest", "aliases", "size", "files", "age", "by")
    output.table(
        columns,
        rows,
        right=("size", "files", "age"),
        empty="Nothing is kept in versions here: mlgit data add PATH, or mlgit pull.",
    )
