"""`mlgit pr show`: one, with all that was said."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlgit import wiring
from mlgit.cli import markdown, output
from mlgit.cli.pr import given
from mlgit.errors import MlgitError

if TYPE_CHECKING:
    from mlgit.forge.base import Forge, PullRequest
    from mlgit.report.changed import File
    from mlgit.report.page import Page
    from mlgit.report.templates import Own
    from mlgit.store.place import Place


@click.command()
@given.NUMBER_OF
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write it as one page of HTML that needs nothing else.",
)
@given.AS_JSON
def command(number: int, html: Path | None, as_json: bool) -> None:
    """Show a pull request with its files, comments, reviews and checks; as Markdown in a pipe. Pictures want --html.

    \b
    Examples:
      mlgit pr show 1
      mlgit pr show 1 > pr.md
      mlgit pr show 1 --html pr.html
    """
    from mlgit.report import conversation, templates

    place = wiring.place()
    forge = wiring.forge(place)
    pull = forge.get(number)
    files = _files(place, pull)
    if html:
        _write_page(html, forge, conversation.read(forge, pull, files=files), templates.at_hand(place))
        output.note(f"{html}: written, pictures included.")
    elif as_json:
        output.as_json(
            given.plain(pull)
            | {"files": [asdict(file) for file in files]}
            | {"comments": [given.plain(one) for one in forge.comments(number)]}
            | {"reviews": [given.plain(one) for one in forge.reviews(number)]}
            | {"checks": [given.plain(one) for one in forge.statuses(pull.head_commit)]}
        )
    else:
        markdown.say(conversation.markdown(conversation.read(forge, pull, files=files)))


def _files(place: Place, pull: PullRequest) -> list[File]:
    from mlgit.report import changed, publish

    sides = publish.sides_of(place.repo, pull)
    return changed.files(place.repo, sides.base, sides.head)


def _write_page(path: Path, forge: Forge, shown: Page, own: Own) -> None:
    from mlgit.report import page

    try:
        path.write_text(page.render(shown, forge.picture, own), encoding="utf-8")
    except OSError as exc:
        raise MlgitError(f"{path} cannot be written.", why=exc.strerror or str(exc)) from None
