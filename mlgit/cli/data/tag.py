"""`mlgit data tag`: other names of versions."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from mlgit.cli import output
from mlgit.cli.choose import ARTIFACT
from mlgit.cli.data import shown
from mlgit.cli.tag import Signed, signed
from mlgit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlgit.artifacts.catalog import Held
    from mlgit.store.place import Place


@click.command(cls=Signed, short_help="Give versions other names, and take them off.")
@click.argument("words", type=ARTIFACT, nargs=-1, required=True, metavar="NAME:VERSION +ALIAS... -ALIAS...")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be changed; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the aliases before and after, as JSON.")
def command(words: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Give a version aliases (+ALIAS) and take them off (-ALIAS). One that another version has moves to this one.

    What undoes it is printed. An alias like an option stands after two dashes: mlgit data tag digits:v2 -- -h.

    \b
    Examples:
      mlgit data tag digits:v2 +gold -candidate
      mlgit data tag digits:latest +paper
    """
    from mlgit import wiring
    from mlgit.artifacts import amend, catalog, log

    place = wiring.place()
    added, gone = signed(words, "+"), signed(words, "-")
    names = [word for word in words if not word.startswith(("+", "-"))]
    if len(names) != 1 or not (added or gone):
        raise UsageError("One version and its aliases are asked for.", fix="mlgit data tag NAME:v2 +gold -old")
    held = log.find(place.repo, names[0], project=place.meant)
    name = shown.called(held, place.meant)
    if held.collection != held.version.name:
        raise UsageError(f"{held.collection} holds links.", fix=f"mlgit data tag {held.version.name}:VERSION")
    if absent := [alias for alias in gone if alias not in held.aliases]:
        raise UsageError(f"{held.name} is not called {', '.join(absent)}.", fix=f"it is: {', '.join(held.aliases)}")
    new = [catalog.checked_alias(alias) for alias in dict.fromkeys(added) if alias not in held.aliases]
    after = [*(alias for alias in held.aliases if alias not in gone), *new]
    before = _owners(place, held, new)
    if (new or gone) and not dry_run:
        amend.call(place.repo, held, new, gone)
    if as_json:
        output.as_json({"name": held.name, "before": list(held.aliases), "after": after})
        return
    said = " ".join([*(f"+{alias}" for alias in new), *(f"-{alias}" for alias in gone)]) or "nothing to change"
    output.say(f"{name}{' would be' if dry_run else ''}: {said}  (now {', '.join(after) or 'no aliases'})")
    if not dry_run:
        _tell_undo(name, new, gone, before)


def _owners(place: Place, held: Held, aliases: Sequence[str]) -> list[tuple[str, str]]:
    """The versions that are called by one of *aliases* now, each with that."""
    from mlgit.artifacts import telling

    rolls = telling.asked(place.repo, lambda known: known.rolls(held.collection, held.project))
    owned = ((roll, roll.owners[alias], alias) for roll in rolls for alias in aliases if alias in roll.owners)
    where = shown.called(held, place.meant).removesuffix(held.name)
    return [(f"{where}{held.collection}:v{roll.numbers[content]}", alias) for roll, content, alias in owned]


def _tell_undo(name: str, new: Sequence[str], gone: Sequence[str], before: Sequence[tuple[str, str]]) -> None:
    """Print the commands that bring back what was: who lost an alias gets it again, which takes it off this one."""
    lost = [alias for _, alias in before]
    words = [*(f"+{alias}" for alias in gone), *(f"-{alias}" for alias in new if alias not in lost)]
    commands = [[name, *words]] if words else []
    commands += [[name, f"+{alias}"] for name, alias in before]
    for one in commands:
        output.note(f"undo: {shlex.join(('mlgit', 'data', 'tag', *one))}")
