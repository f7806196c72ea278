"""`mlgit data gc`: free the bytes of data that nobody names any more."""

from __future__ import annotations

import sys
import time

import click

from mlgit.cli import output
from mlgit.core import figures
from mlgit.errors import UsageError


@click.command(short_help="Free bytes in the cache that nobody names.")
@click.option("--older-than", metavar="TIME", default="14d", show_default=True,
              help="Spare what was added, or added again, since then.")  # fmt: skip
@click.option("-y", "--yes", is_flag=True, help="Do it without asking.")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be freed; free nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print what was freed, or would be, as JSON.")
def command(older_than: str, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Free bytes in the caches of this repository that nobody names, after saying how many.

    Named is what a run read, used or made (archived and hidden ones too), what a version of an artifact is, what a
    pointer says in a work tree, in what is staged or stashed, or anywhere in the history of a branch or a tag, and what
    the registry holds. A cache outside of the repository may be that of others: it is left alone.

    Where nobody is at a terminal to be asked, nothing is freed without --yes.

    \b
    Examples:
      mlgit data gc --dry-run
      mlgit data gc --older-than 60d --yes
    """
    from mlgit import wiring
    from mlgit.dvc import cache
    from mlgit.wiring import upkeep

    if (seconds := figures.seconds(older_than)) is None:
        raise UsageError(f"{older_than[:80]!r} is no time.", fix="write it like 14d or 12h")
    place, before = wiring.place(), time.time() - seconds
    paths, others = upkeep.unneeded(place, before)
    size = sum(path.stat().st_size for path in paths)
    frees = yes and not dry_run
    if not as_json:
        for other in others:
            output.note(f"{other} lies outside of the repository, and is left alone")
        if not paths:
            output.note("Nothing to free.")
            return
        output.say(f"{figures.count(len(paths), 'file')} of the cache that nobody names: {figures.size(size)}")
        if not (frees or dry_run):
            frees = _is_wanted()
    gone = cache.drop(upkeep.unneeded(place, before)[0], before) if frees else 0  # a question takes its time
    if as_json:
        told = [path.parent.name + path.name for path in paths]
        output.as_json({"freed": frees, "files": told, "bytes": size, "left_alone": list(map(str, others))})
    elif frees:
        output.say(f"{gone:,} freed")


def _is_wanted() -> bool:
    if not (output.is_terminal(sys.stdin) and output.is_terminal(sys.stderr)):
        output.note("nothing was freed; mlgit data gc --yes frees it")
        return False
    return click.confirm("Free that?", default=False, err=True)
