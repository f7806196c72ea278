"""`mlgit note`: write down what a person has to say of a run."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from mlgit.cli import edits, output
from mlgit.cli.choose import RUN
from mlgit.cli.edits import Edited
from mlgit.core.run import Run
from mlgit.errors import MlgitError, UsageError

if TYPE_CHECKING:
    from mlgit.git.repo import Repo


@click.command()
@click.argument("words", type=RUN, nargs=-1, metavar="RUN [TEXT]")
@click.option(
    "-m", "--message", metavar="TEXT", help="The text, for all RUNs that are named; it may begin with a dash."
)
@click.option("-a", "--append", is_flag=True, help="Below what is there, as a paragraph of its own.")
@click.option("--clear", is_flag=True, help="Take the notes of all RUNs away.")
@edits.WHERE
@edits.DRY_RUN
@edits.JSON
def command(
    words: tuple[str, ...], message: str | None, append: bool, clear: bool, conditions: tuple[str, ...], dry_run: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Let RUN's note be TEXT, or what stands in standard input for -: a commit on its branch, in your name.

    With no TEXT git's editor opens with the note that it has; where nobody is at a terminal, the note is printed. With
    --message or --clear there may be several RUNs. What undoes it is said.

    \b
    Examples:
      mlgit note latest 'diverges after epoch 3: try warm-up'
      mlgit note latest --append 'warm-up helped'
      mlgit note radiant-glade-12
      mlgit note radiant-glade-12 - < findings.md
      mlgit note --where 'state = failed' --append --message 'the disk was full'
    """
    from mlgit import wiring

    place = wiring.place()
    if message is not None and clear:
        raise UsageError("One text at a time.", fix="give --message TEXT, or --clear")
    is_given = message is not None or clear
    if not is_given and (len(words) > 2 or conditions):
        raise UsageError("A TEXT goes onto one RUN.", fix="for several: mlgit note RUN RUN --message TEXT")
    names, given = (words, message) if is_given else (words[:1], words[1] if len(words) > 1 else None)
    runs = edits.chosen(place, names, conditions)
    if given is None and not clear and (as_json or not (output.is_terminal() and output.is_terminal(sys.stdin))):
        _show(runs[0], as_json=as_json)
        return
    before = "" if append else runs[0].notes or ""
    said = "" if clear else _written(place.repo, before) if given is None else _read(given)

    def note(now: Run) -> str | None:
        return ("\n\n".join(filter(None, (now.notes if append else "", said.strip())))) or None

    done = edits.edited(place, runs, "notes", note, why="note", dry_run=dry_run)
    edits.tell(done, words=_words, undo=_undo, dry_run=dry_run, as_json=as_json)


def _show(run: Run, *, as_json: bool) -> None:
    if as_json:
        output.as_json({"id": run.id, "name": run.name, "notes": run.notes})
    elif run.notes:
        output.say(run.notes)


def _read(text: str) -> str:
    return sys.stdin.read() if text == "-" else text


def _written(repo: Repo, before: str) -> str:
    """What a person makes of *before* in the editor that git would open; *before* where it was not saved."""
    try:
        written = click.edit(before, editor=repo.git("var", "GIT_EDITOR"), extension=".md", require_save=True)
    except click.ClickException as exc:
        raise MlgitError("The note stays as it is.", why=exc.message, fix="mlgit note RUN TEXT") from None
    return before if written is None else written


def _words(one: Edited) -> str:
    return str(one.after) if one.after else "no note any more"


def _undo(one: Edited) -> list[str]:
    return ["--message", str(one.before)] if one.before else ["--clear"]
