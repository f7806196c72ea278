"""`mlgit fsck`: whether all that mlgit keeps is whole."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

import click

from mlgit.cli import output
from mlgit.core import figures
from mlgit.errors import MlgitError

if TYPE_CHECKING:
    from mlgit.store.check import Finding


@click.command()
@click.option("--remote", is_flag=True, help="Compare with the remote too, and ask the default DVC remote.")
@click.option("--to", metavar="REMOTE", default="origin", show_default=True, help="The remote that --remote means.")
@click.option("--repair", is_flag=True, help="Repair what can be.")
@click.option("--json", "as_json", is_flag=True, help="Print what is wrong as JSON.")
def command(remote: bool, to: str, repair: bool, as_json: bool) -> None:
    """Look whether every run reads, its message says what its YAML says, and all that it needs is there.

    Also whether the archive keeps what it lists, the bytes of artifacts are in DVC's cache or, with --remote, on its
    remote, the index says what git says, and nothing is in the way that a killed process left. Of each thing that is
    wrong it says where that is and what mends it; --repair does that where mlgit can, and loses nothing by it.

    Ends with 1 where something is wrong and was not repaired.

    \b
    Examples:
      mlgit fsck
      mlgit fsck --remote
      mlgit fsck --repair
    """
    from mlgit import wiring
    from mlgit.store import check
    from mlgit.wiring import upkeep

    place = wiring.place()
    count = check.count(place.repo)
    with output.progress("reading runs", count, quiet=as_json) as advance:
        found = list(upkeep.findings(place, to if remote else None, lambda more: advance(more, "reading runs")))
    repaired = []
    for finding in found if repair else ():
        with contextlib.suppress(MlgitError, OSError):  # it stays wrong, and is told as that
            if finding.repair:
                finding.repair()
                repaired.append(finding)
    if as_json:
        output.as_json(
            [
                {
                    "where": finding.where, "what": finding.what, "fix": finding.fix,
                    "repairable": finding.repair is not None, "repaired": finding in repaired,
                }
                for finding in found
            ]
        )  # fmt: skip
    else:
        rows = [(one.where, one.what, _mend(one, is_done=one in repaired)) for one in found]
        output.table(
            ("where", "what is wrong", "what mends it"),
            rows,
            empty=f"All is well with {figures.count(count, 'run')}.",
        )
    if len(repaired) < len(found):
        sys.exit(1)


def _mend(finding: Finding, *, is_done: bool) -> str:
    return "repaired" if is_done else "mlgit fsck --repair" if finding.repair else finding.fix
