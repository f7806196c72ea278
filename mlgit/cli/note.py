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
@click.argument("run", type=RUN)
@click.argument("text", required=False)
@click.option("-m", "--message", metavar="TEXT", help="The text, where it begins with a dash.")
@click.option("-a", "--append", is_flag=True, help="Below what is there, as a paragraph of its own.")
@click.option("--clear", is_flag=True, help="Take its note away.")
@edits.DRY_RUN
@edits.JSON
def command(
    run: str, text: str | None, message: str | None, append: bool, clear: bool, dry_run: bool, as_json: bool
) -> None:
    """Let RUN's note be TEXT, or what stands in standard input for -: a commit on its branch, in your name.

    With no TEXT git's editor opens with the note that it has; where nobody is at a terminal, the note is printed. What
    undoes it is said.

    \b
    Examples:
      mlgit note latest 'diverges after epoch 3: try warm-up'
      mlgit note latest --append 'warm-up helped'
      mlgit note radiant-glade-12
      mlgit note radiant-glade-12 - < findings.md
    """
    from mlgit import wiring

    place = wiring.place()
    (found,) = edits.chosen(place, (run,), ())
    given = [one for one in (text, message) if one is not None]
    if len(given) + clear > 1:
        raise UsageError("One text at a time.", fix="give TEXT, or --message TEXT, or --clear")
    if not given and not clear and (as_json or not (output.is_terminal() and output.is_terminal(sys.stdin))):
        _show(found, as_json=as_json)
        return
    said = "" if clear else _read(given[0]) if given else _written(place.repo, "" if append else found.notes or "")

    def note(now: Run) -> str | None:
        return ("\n\n".join(filter(None, (now.notes if append else "", said.strip())))) or None

    done = edits.edited(place, [found], "notes", note, why="note", dry_run=dry_run)
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
