"""`mlgit data history`: the versions of one artifact."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from mlgit.cli import edits, output
from mlgit.cli.choose import ARTIFACT
from mlgit.cli.data import shown
from mlgit.core import figures
from mlgit.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlgit.artifacts.catalog import Held
    from mlgit.core.run import Run
    from mlgit.store.place import Place


@click.command(short_help="Every version, who made it, and who used it.")
@click.argument("name", type=ARTIFACT)
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def command(name: str, as_json: bool) -> None:
    """List the versions of the artifact NAME, the newest first: what they are called, who or which run made them, and
    which runs used them.

    Versions that nobody has shared yet have provisional numbers until mlgit sync. Who changed what else, tells git:
    git log -p refs/mlgit/artifacts/PROJECT/NAME.

    \b
    Examples:
      mlgit data history digits
      mlgit data history digits --json | jq '.[0].used_by'
    """
    from mlgit import wiring
    from mlgit.artifacts import catalog, telling

    place = wiring.place()
    named = catalog.parse(name)
    project = named.project or place.meant
    several = catalog.by_project(telling.of(place.repo, named.name, project=project), named.name)
    if len(several) > 1:
        which = ", ".join(sorted(f"{known[0].project}/{named.name}" for known in several))
        raise UsageError(f"Several projects have a {named.name[:120]!r}.", fix=f"one of {which}")
    known = several[0][::-1] if several else []
    if not known:
        some = output.some(sorted(telling.names(place.repo, project=project)), 8)
        fix = f"there are: {some}" if some else "mlgit data add PATH"
        raise NotFoundError(f"There is no artifact {named.name[:120]!r}.", fix=fix)
    users = _users(place, known)
    if as_json:
        output.as_json([_document(held, users[held.version.hash]) for held in known])
        return
    rows = [
        (held.label, "(hidden)" if held.version.deleted else ", ".join(held.aliases), figures.size(held.version.size),
         f"{held.version.files:,}" if held.version.files else "", figures.ago(held.created, time.time()),
         shown.origin(held), output.some([edits.label(run) for run in users[held.version.hash]], 2),
         shown.about(held))
        for held in known
    ]  # fmt: skip
    columns = ("version", "aliases", "size", "files", "age", "by", "used by", "description")
    output.table(columns, rows, right=("size", "files", "age"), spare=("description",))


def _users(place: Place, known: Sequence[Held]) -> Mapping[str, list[Run]]:
    """Content → the runs that used it, the newest first."""
    from mlgit.core.condition import Operation, Predicate
    from mlgit.index import query

    names = tuple({held.version.name for held in known})
    using = query.search(place.repo, Predicate("used", Operation.EQUAL, names), is_checked=False).runs
    return {
        held.version.hash: [run for run in using if any(one.hash == held.version.hash for one in run.used)]
        for held in known
    }


def _document(held: Held, users: Sequence[Run]) -> dict[str, object]:
    return {**shown.document(held), "hidden": held.version.deleted, "used_by": [run.id for run in users]}
