"""`mlgit group`: file runs under a group."""

from __future__ import annotations

import click

from mlgit.cli import edits
from mlgit.cli.choose import RUN
from mlgit.cli.edits import Edited
from mlgit.errors import UsageError


@click.command()
@click.argument("words", type=RUN, nargs=-1, required=True, metavar="RUN... GROUP")
@edits.WHERE
@click.option("--clear", is_flag=True, help="Take the runs, all that are named, out of their groups.")
@edits.DRY_RUN
@edits.JSON
def command(words: tuple[str, ...], conditions: tuple[str, ...], clear: bool, dry_run: bool, as_json: bool) -> None:
    """File runs under GROUP, the last word: a commit on each run's branch, in your name. What undoes it is printed.

    \b
    Examples:
      mlgit group seed-1 seed-2 seed-3 baseline
      mlgit group --where 'lr = 1e-3 and tag = paper' lr-ablation
      mlgit group --clear seed-3
    """
    from mlgit import wiring

    names, group = (words, None) if clear else (words[:-1], words[-1].strip())
    if group == "":
        raise UsageError("A group has a name.", fix="mlgit group --clear RUN takes it out of its group")
    if not names and not conditions:
        raise UsageError(f"Which runs are to be in {words[-1]!r}?", fix="mlgit group RUN... GROUP")
    place = wiring.place()
    runs = edits.chosen(place, names, conditions)
    why = f"group {group}" if group else "out of its group"
    done = edits.edited(place, runs, "group", lambda _: group, why=why, dry_run=dry_run)
    edits.tell(done, words=_words, undo=_undo, dry_run=dry_run, as_json=as_json)


def _words(one: Edited) -> str:
    return f"in {one.after}" if one.after else f"out of {one.before}"


def _undo(one: Edited) -> list[str]:
    return edits.word(str(one.before)) if one.before else ["--clear"]
