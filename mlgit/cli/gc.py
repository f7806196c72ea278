"""`mlgit gc`: free what nobody needs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from mlgit.cli import edits, output
from mlgit.core import figures
from mlgit.errors import UsageError

if TYPE_CHECKING:
    from mlgit.store.garbage import Garbage


@click.command()
@click.option("--hidden-for", metavar="TIME", default="90d", show_default=True,
              help="Drop runs that have been hidden for so long: 90d, 12h.")  # fmt: skip
@click.option("-y", "--yes", is_flag=True, help="Do it without asking.")
@click.option("--dry-run", is_flag=True, help="Say what would be freed; free nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print what was freed, or would be, as JSON.")
def command(hidden_for: str, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Free what takes room and nobody needs, after saying what that is.

    These are runs that were hidden and not restored in time, bytes of theirs in DVC's cache, what killed processes left
    behind, what trials of sweeps printed two weeks ago, what was remembered of files in folders that have gone, and
    bytes in mlgit's own cache that no run or pointer names any more. Git's own gc then packs loose objects and refs,
    and drops what has been unreachable for two weeks: until then a dropped run can still be found by its commit. Bytes
    of data that nobody names any more: mlgit data gc.

    Where nobody is at a terminal to be asked, nothing is freed without --yes.

    \b
    Examples:
      mlgit gc --dry-run
      mlgit gc --hidden-for 7d
    """
    from mlgit import wiring
    from mlgit.wiring import upkeep

    place = wiring.place()
    if (seconds := figures.seconds(hidden_for)) is None:
        raise UsageError(f"{hidden_for[:80]!r} is no time.", fix="write it like 90d, 12h or 1d12h")
    garbage = upkeep.garbage(place, time.time(), hidden_for=seconds)
    frees = yes and not dry_run
    if as_json:
        output.as_json(
            {
                "freed": frees, "hidden": [edits.known_by(run) for run in garbage.hidden],
                "leavings": list(map(str, garbage.leavings)), "pages": len(garbage.pages),
                "logs": len(garbage.logs), "log_bytes": garbage.log_bytes,
                "files": garbage.files, "file_bytes": garbage.file_bytes,
                "loose_refs": garbage.loose_refs, "loose_objects": garbage.loose_objects,
                "loose_bytes": garbage.loose_bytes,
            }
        )  # fmt: skip
    else:
        for line in _lines(garbage):
            output.say(line)
        if not garbage.is_anything:
            output.note("Nothing to free.")
            return
        if not (frees or dry_run):
            frees = _is_wanted()
    if frees:
        upkeep.free(place, garbage)
        if not as_json:
            output.say("freed")


def _lines(garbage: Garbage) -> Iterator[str]:
    if garbage.hidden:
        yield f"hidden runs to be dropped: {output.some(list(map(edits.label, garbage.hidden)))}"
    if garbage.files:
        files = figures.count(len(garbage.files), "file")
        yield f"{files} of DVC's that nobody names: {figures.size(garbage.file_bytes)}"
    if garbage.leavings:
        yield f"left by killed processes: {output.some(list(map(str, garbage.leavings)), 5)}"
    if garbage.logs:
        files = figures.count(len(garbage.logs), "file")
        yield f"what trials of sweeps printed long ago, {files}: {figures.size(garbage.log_bytes)}"
    if garbage.pages:
        yield f"what was remembered of files in {figures.count(len(garbage.pages), 'folder')} that went"
    if garbage.is_loose:
        yield (
            f"{garbage.loose_objects:,} loose objects ({figures.size(garbage.loose_bytes)}) and "
            f"{garbage.loose_refs:,} loose refs to be packed"
        )


def _is_wanted() -> bool:
    if not (output.is_terminal(sys.stdin) and output.is_terminal(sys.stderr)):
        output.note("nothing was freed; mlgit gc --yes frees it")
        return False
    return click.confirm("Free that?", default=False, err=True)
