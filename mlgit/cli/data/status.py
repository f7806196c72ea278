"""`mlgit data status`: how the data here stands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlgit.cli import output
from mlgit.core import figures
from mlgit.dvc.pointers import Kept

if TYPE_CHECKING:
    from mlgit.dvc.worktree.standing import Standing


@click.command(short_help="Say what has changed in the data here.")
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@click.option("--remote", "asks", is_flag=True, help="Ask the default DVC remote, too, what it has.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON, every changed file by name.")
def command(paths: tuple[Path, ...], asks: bool, as_json: bool) -> None:
    """Say of the data in the work tree, or of PATHs alone, what has changed since it was added, and whether the cache
    holds what its pointers name. Only files that have changed since they were last looked at are read.

    \b
    Examples:
      mlgit data status
      mlgit data status data/train --remote
      mlgit data status --json | jq '.[] | select(.state != "unchanged")'
    """
    from mlgit import wiring
    from mlgit.dvc.remotes import remote
    from mlgit.dvc.worktree import standing

    repo = wiring.place().repo
    known = [standing.standing(repo, one) for one in standing.tracked(repo, paths)]
    there: dict[str, set[str] | None] = {}
    for folder in dict.fromkeys(standing.folder(repo, one.tracked) for one in known) if asks else ():
        own = [one.tracked.out.hash for one in known if standing.folder(repo, one.tracked) == folder]
        there[folder] = remote.holding(repo, own, folder=folder, deep=True)
    rows = []
    for one in known:
        held = there.get(standing.folder(repo, one.tracked))
        pushed = None if held is None else one.tracked.out.hash in held
        rows.append(_document(one, repo.folder, pushed))
    if as_json:
        output.as_json(rows)
        return
    cells = [
        (row["path"], _state(row), f"{row['files']:,}" if row["files"] else "", figures.size(row["size"]), _places(row))
        for row in rows
    ]
    output.table(("path", "state", "files", "size", "where"), cells, right=("files", "size"),
                 empty="No data here: mlgit data add PATH.")  # fmt: skip
    if asks and None in there.values():
        output.note("There is no default DVC remote to ask: dvc remote add -d NAME URL")


def _document(one: Standing, top: Path, pushed: bool | None) -> dict[str, Any]:
    out = one.tracked.out
    return {
        "path": one.tracked.place.relative_to(top).as_posix(), "state": str(one.state), "hash": out.hash,
        "size": out.size, "files": out.nfiles, "added": list(one.added), "removed": list(one.removed),
        "changed": list(one.changed), "listed": one.is_listed, "uncached": one.uncached, "pushed": pushed,
        "kept": out.kept.name.lower(),
    }  # fmt: skip


def _state(row: dict[str, Any]) -> str:
    parts = [f"{len(row[name]):,} {name}" for name in ("added", "removed", "changed") if row[name]]
    if row["state"] == "changed" and row["files"] is not None and parts:
        return f"changed: {', '.join(parts)}"
    return str(row["state"])


def _places(row: dict[str, Any]) -> str:
    kept = Kept[row["kept"].upper()]
    if kept is not Kept.BY_CONTENT:
        return str(kept)
    files = row["files"] or 1
    cached = "not in cache" if row["uncached"] >= files else f"{row['uncached']:,} not in cache"
    said = [cached] if row["uncached"] else ["cached"]
    if row["pushed"] is not None:
        said.append("pushed" if row["pushed"] else "not pushed")
    return ", ".join(said)
