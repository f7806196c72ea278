"""`mlgit data history`: the versions of one artifact."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from mlgit.cli import output
from mlgit.cli.choose import ARTIFACT
from mlgit.cli.data import shown
from mlgit.core import figures
from mlgit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlgit.artifacts.catalog import Held, Named
    from mlgit.artifacts.telling import Indexed


@click.command(short_help="Every version, who made it, and who used it.")
@click.argument("name", type=ARTIFACT)
@click.option("-n", "--limit", default=50, type=click.IntRange(min=0), show_default=True,
              help="List so many at the most; 0 for all.")  # fmt: skip
@click.option("-p", "--page", default=1, type=click.IntRange(min=1), metavar="N", help="List the Nth so many.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def command(name: str, limit: int, page: int, as_json: bool) -> None:
    """List the versions of the artifact NAME, the newest first: what they are called, who or which run made them, and
    which runs used them.

    Versions that nobody has shared yet have provisional numbers until mlgit sync. Who changed what else, tells git:
    git log -p refs/mlgit/artifacts/PROJECT/NAME.

    \b
    Examples:
      mlgit data history digits
      mlgit data history digits --json | jq '.[0].used_by'
      mlgit data history digits-model --limit 0
    """
    from mlgit import wiring
    from mlgit.artifacts import catalog, telling

    place = wiring.place()
    named = catalog.parse(name)
    if named.which != "latest":
        which = f"{named.project}/{named.name}" if named.project else named.name
        raise UsageError(f"{name[:80]} is one version: a history is an artifact's.", fix=f"mlgit data history {which}")
    project = named.project or place.meant
    wanted = slice((page - 1) * limit, page * limit or None)
    total, listed = telling.asked(place.repo, lambda known: _listed(known, named, project, wanted, whole=as_json))
    if not total:
        raise catalog.unknown(named, telling.names(place.repo, project=project))
    if as_json:
        output.as_json([_document(*one) for one in listed])
    else:
        _print(listed)
    output.tell_rest(total - (wanted.stop or total), "version", page)


def _listed(
    known: Indexed, named: Named, project: str | None, wanted: slice, *, whole: bool
) -> tuple[int, list[tuple[Held, list[str], int]]]:  # fmt: skip
    """How many versions there are, and those that are *wanted*, each with its newest users, and how many it has.

    The users are named as a person calls them, two of them; with *whole* all, by their ids. Raises `UsageError` where
    several projects have an artifact called so.
    """
    from mlgit.artifacts import catalog

    rolls = known.rolls(named.name, project) or ([] if named.project else known.rolls(named.name))
    if len(rolls) > 1:
        which = ", ".join(sorted(f"{one.project}/{named.name}" for one in rolls))
        raise UsageError(f"Several projects have a {named.name[:120]!r}.", fix=f"one of {which}")
    found = []
    for held in (held for roll in rolls for held in catalog.held(known, roll, roll.contents[::-1][wanted])):
        users = known.users(held.version.hash)
        found.append((held, known.run_ids(users) if whole else known.labels(users[:_SHOWN]), len(users)))
    return sum(len(one.contents) for one in rolls), found


_SHOWN = 2
"""So many of a version's users are named."""


def _print(listed: Sequence[tuple[Held, list[str], int]]) -> None:
    now = time.time()
    rows = [
        (held.label, "(hidden)" if held.version.deleted else ", ".join(held.aliases), figures.size(held.version.size),
         f"{held.version.files:,}" if held.version.files else "", figures.ago(held.created, now),
         shown.origin(held), output.some(users, _SHOWN, of=count), shown.about(held))
        for held, users, count in listed
    ]  # fmt: skip
    columns = ("version", "aliases", "size", "files", "age", "by", "used by", "description")
    output.table(columns, rows, right=("size", "files", "age"), spare=("description",))


def _document(held: Held, users: Sequence[str], _count: int) -> dict[str, object]:
    return {**shown.document(held), "hidden": held.version.deleted, "used_by": list(users)}
