"""`mlgit pr open`: a run's code, or a branch, is proposed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.pr import given
from mlgit.wiring import reporting

if TYPE_CHECKING:
    from mlgit.report.proposal import Opened
    from mlgit.store.place import Place


@click.command()
@click.argument("what", metavar="[RUN|BRANCH]", required=False)
@click.option("-t", "--title", help="Its title.  [default: the run's name and metrics, or the last commit's subject]")
@click.option("-b", "--body", help="Its description, in Markdown.  [default: a word about the run, or none]")
@click.option("--base", metavar="BRANCH", help="The branch to merge into.  [default: main]")
@click.option("--draft", is_flag=True, help="Open it as a draft: it cannot be merged before `mlgit pr ready`.")
@click.option("--label", "labels", multiple=True, help="Give it a label; may be repeated.")
@given.AS_JSON
def command(
    what: str | None, title: str | None, body: str | None, base: str | None, draft: bool, labels: tuple[str, ...],
    as_json: bool,
) -> None:  # fmt: skip
    """Propose a run's code, or a branch, and report on it.

    Of a RUN, a branch `run/…` is made: the code as it ran, its params in the params file, the run named as evidence. A
    BRANCH (the current one, if none is named) is taken as it is. What is open already gets its report renewed, and the
    labels.

    \b
    Examples:
      mlgit pr open radiant-glade-12
      mlgit pr open feature/cosine --title "Cosine schedule" --draft
      mlgit pr open k3f9a2 --base develop --json
    """
    place = wiring.place()
    describe = None if body is None else lambda: body
    opened = reporting.propose(place, what, base=base, title=title, body=describe, draft=draft, labels=labels)
    tell_opened(place, opened, as_json=as_json)
    if not opened.is_new and (title is not None or body is not None):
        output.note(f"Its title and its description stay: mlgit pr edit {opened.pull.number} changes them.")


def tell_opened(place: Place, opened: Opened, *, as_json: bool) -> None:
    """Put the report onto a pull request that was opened now or before, and tell of it."""
    pull = opened.pull
    if not opened.is_new:
        output.note(f"#{pull.number} is already open for {pull.head}; its report is renewed.")
    if opened.untracked:
        few = output.some(opened.untracked)
        output.note(f"It brings along what was never committed: {few}. Take out what does not belong to main.")
    _report(place, pull.number)
    if as_json:
        output.as_json(given.plain(pull))
        return
    output.say(f"#{pull.number} {pull.title}")
    output.say(f"   {pull.head} → {pull.base}{', a draft' if pull.draft else ''}")
    output.say(f"   {pull.url}" if pull.url else f"   Look at it: mlgit pr show {pull.number}")


def _report(place: Place, number: int) -> None:
    """Put the report onto the pull request; a person sees that it takes a moment."""
    if not output.is_terminal(sys.stderr):
        reporting.report_on(place, number)
        return
    from rich.console import Console

    with Console(stderr=True).status("Comparing runs and drawing charts …"):
        reporting.report_on(place, number)
