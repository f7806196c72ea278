"""What `mlgit data push` and `pull` have in common: their options, and what neither of them moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mlgit.cli import output
from mlgit.cli.choose import ARTIFACT
from mlgit.cli.options import Decorator, together
from mlgit.dvc.pointers import Kept

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlgit.artifacts.wanting import Wanted


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


def tell_of_foreign(some: Sequence[Wanted], *, verb: str) -> None:
    """Say of *some*, which DVC keeps in another way than by content, what moves them: `dvc VERB`."""
    if labels := [one.label for one in some if one.kept is Kept.AS_DVC_2]:
        output.note(
            f"DVC 2 kept {output.some(labels, 3)}, in another form: dvc {verb} moves them; "
            "dvc cache migrate --dvc-files, or mlgit data add of each, brings them into that of today"
        )
    if labels := [one.label for one in some if one.kept is Kept.VERSIONED]:
        output.note(f"{output.some(labels, 3)}: kept in versions of the cloud's own; dvc {verb} moves them")
