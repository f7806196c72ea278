"""What `mlgit data push` and `pull` have in common: their options."""

from __future__ import annotations

import click

from mlgit.cli.choose import ARTIFACT
from mlgit.cli.options import Decorator, together


def options(*, dry_run: str, as_json: str) -> Decorator:
    """The arguments of a command that moves bytes; *dry_run* and *as_json* are the help of these."""
    return together(
        click.argument("names", nargs=-1, type=ARTIFACT, metavar="[NAME@VERSION|PATH]..."),
        click.option("-r", "--remote", "far", default="", metavar="NAME", help="A DVC remote; the default one else."),
        click.option("-j", "--jobs", type=click.IntRange(min=1),
                     help="So many files at once; as the remote is set up else."),
        click.option("-n", "--dry-run", is_flag=True, help=dry_run),
        click.option("--json", "as_json", is_flag=True, help=as_json),
    )  # fmt: skip
