"""`mlgit data verify`: whether the bytes in the cache are those that they should be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mlgit.cli import output
from mlgit.cli.choose import ARTIFACT
from mlgit.core import figures
from mlgit.errors import UsageError

if TYPE_CHECKING:
    from mlgit.store.place import Place


@click.command(short_help="Read the cache again, and mend it from the remote.")
@click.argument("versions", nargs=-1, metavar="[NAME@VERSION]...", type=ARTIFACT)
@click.option("--all", "everything", is_flag=True, help="Everything that the caches of this repository hold.")
@click.option(
    "--repair", is_flag=True, help="Fetch what is damaged or missing from the DVC remote; what it lacks stays as it is."
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.pass_context
def command(ctx: click.Context, versions: Sequence[str], everything: bool, repair: bool, as_json: bool) -> None:
    """Read every byte of versions of data in the cache, and compare it with its hash; of what the pointers here name,
    where no version is given. Exits with 1 where something is damaged or missing and stays so.

    mlgit fsck looks at what git holds of runs, and whether their bytes are anywhere; this reads the bytes.

    \b
    Examples:
      mlgit data verify
      mlgit data verify digits@v3
      mlgit data verify --all --repair
    """
    from mlgit import wiring
    from mlgit.dvc import verifying

    if everything and versions:
        raise UsageError("--all is everything: no version can be named beside it.", fix="leave one of them out")
    place = wiring.place()
    folder = place.folder
    called = {} if everything else _called(place, versions)
    if everything:
        found = verifying.verify_all(place.repo, folder=folder)
    else:
        found = verifying.verify(place.repo, called, folder=folder)
    wrong = verifying.names(place.repo, found, called, folder=folder)
    back = set(verifying.repair(place.repo, found, folder=folder)) if repair and wrong else set[str]()
    if as_json:
        output.as_json(
            {
                "files": found.files, "size": found.size, "missing": list(found.missing),
                "damaged": [str(path) for path in found.damaged], "names": wrong, "repaired": sorted(back),
            }
        )  # fmt: skip
    else:
        for oid, paths in wrong.items():
            state = "missing" if oid in found.missing else "damaged"
            mended = " (fetched again)" if oid in back else ""
            output.say(f"{state}: {oid}{mended}{': ' + output.some(paths, 5) if paths else ''}")
        count = f"{found.files:,} files of the cache read, {figures.size(found.size)}"
        output.say(f"{count}: {len(found.damaged):,} damaged, {len(found.missing):,} missing")
        if wrong.keys() - back:
            output.note(
                "no DVC remote gave them: add them again where they are whole"
                if repair
                else "mlgit data verify --repair fetches them again where there is a DVC remote"
            )
    if wrong.keys() - back:
        ctx.exit(1)


def _called(place: Place, versions: Sequence[str]) -> dict[str, str]:
    """Hash → name of *versions*, or of what the pointers in the work tree name."""
    from mlgit.artifacts import log, wanting

    if not versions:
        return {one.content: one.label for one in wanting.held(place.repo)}
    found = [log.find(place.repo, one, project=place.meant) for one in versions]
    return {held.version.hash: held.name for held in found}
