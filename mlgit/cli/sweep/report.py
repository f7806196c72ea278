"""`mlgit sweep report`: what a sweep has found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlgit import wiring
from mlgit.cli import markdown, output
from mlgit.cli.choose import NUMBER, SweepName
from mlgit.cli.sweep.shown import wait
from mlgit.errors import MlgitError, UsageError
from mlgit.wiring import reporting

if TYPE_CHECKING:
    from mlgit.core.findings import Findings
    from mlgit.report.templates import Own


@click.command(short_help="What a sweep has found: the best, and what drove it.")
@click.argument("sweep", default="latest", type=SweepName())
@click.option("-o", "--output", "file", type=click.Path(dir_okay=False, path_type=Path),
              help="Write it into this file: Markdown with its charts beside it, or, where it ends in .html, one page "
                   "that needs nothing beside it.")  # fmt: skip
@click.option(
    "--pr", "number", type=NUMBER, metavar="N", help="Post it on pull request N: one comment, kept up to date."
)
@click.option("--json", "json_", is_flag=True, help="Print it as JSON.")
def command(sweep: str, file: Path | None, number: int | None, json_: bool) -> None:
    """Report on SWEEP (its id, its name, or `latest`, which is the default): the best trial, how the search went, which
    params mattered, and, of several metrics, the points that no other beats.

    Charts are drawn where they can be shown: in a file, or on a pull request. Importance is the share of the metric's
    variance that a random forest ascribes to a param (fANOVA); beside it stand Spearman's correlation and the number of
    trials that it rests on.

    \b
    Examples:
      mlgit sweep report
      mlgit sweep report k3f9a2xq -o report.md
      mlgit sweep report latest -o report.html
      mlgit sweep report latest --pr 7
      mlgit sweep report --json | jq '.importance[0].params'
    """
    from mlgit.report import findings as reports
    from mlgit.report import templates

    if number is not None and (file or json_):
        raise UsageError("A report is posted, written or printed.", fix="give one of --pr, --output and --json")
    place = wiring.place()
    with wait("Weighing what the trials tell …"):
        found = reporting.sweep_findings(place, sweep)
    if number is not None:
        with wait("Drawing charts …"):
            reporting.post_findings(place, found, number)
        output.say(reports.headline(found))
        output.note(f"on pull request #{number}")
        return
    if json_:
        output.as_json(reports.document(found))
    if file:
        with wait("Drawing charts …"):
            files = _files(found, templates.at_hand(place), file)
        for path, content in files.items():
            try:
                path.write_bytes(content)
            except OSError as exc:
                raise MlgitError(f"{path} cannot be written.", why=exc.strerror or str(exc)) from None
        output.note(f"wrote {', '.join(map(str, files))}")
    elif not json_:
        markdown.say(reports.render(found, on_terminal=output.is_terminal(), own=templates.at_hand(place)))


def _files(found: Findings, own: Own, file: Path) -> dict[Path, bytes]:
    """The report and, where it is Markdown, its charts beside it."""
    from mlgit.report import findings as reports
    from mlgit.report import page
    from mlgit.report.view import Chart

    pictures = {f"{file.stem}-{each.name}": each for each in reports.draw(found)}
    charts = [Chart(title=each.title, link=name) for name, each in pictures.items()]
    text = reports.render(found, charts=charts, own=own)
    if file.suffix.lower() in (".html", ".htm"):
        links = {name: each.png for name, each in pictures.items()}
        body = text.partition("\n")[2]  # its heading is the page's
        shown = page.Page(title=reports.headline(found), posts=[page.Post(author="", did="", when="", body=body)])
        return {file: page.render(shown, links.get, own).encode()}
    return {file: text.encode(), **{file.with_name(name): each.png for name, each in pictures.items()}}
