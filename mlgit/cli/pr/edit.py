"""`mlgit pr edit`: what it is called, and what it says of itself."""

from __future__ import annotations

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.pr import given
from mlgit.errors import UsageError


@click.command()
@given.NUMBER_OF
@click.option("-t", "--title", help="Its new title.")
@click.option("-b", "--body", help="Its new description, in Markdown; '' for none.")
@click.option("--label", "labels", multiple=True, help="Give it a label, beside those that it has; may be repeated.")
@given.AS_JSON
def command(number: int, title: str | None, body: str | None, labels: tuple[str, ...], as_json: bool) -> None:
    """Change the title or the description of a pull request, or give it labels; what is not named stays.

    \b
    Examples:
      mlgit pr edit 1 --title "Cosine schedule, with warm-up"
      mlgit pr edit 1 --label model --label ready
    """
    if title is None and body is None and not labels:
        raise UsageError("Nothing is to be changed.", fix="name what: --title, --body, --label")
    pull = wiring.forge(wiring.place()).edit(number, title=title, body=body, labels=labels)
    if as_json:
        output.as_json(given.plain(pull))
    else:
        labelled = f" ({', '.join(pull.labels)})" if pull.labels else ""
        output.say(f"#{number} {pull.title}{labelled}")
