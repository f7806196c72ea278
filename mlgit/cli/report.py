"""`mlgit report`: a change's run against its base's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlgit.cli import markdown, output
from mlgit.cli.choose import NUMBER
from mlgit.core.compare import MISSING, Change
from mlgit.errors import MlgitError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlgit.git.repo import Repo
    from mlgit.report.render import NoEvidence
    from mlgit.report.view import Chart, Compared


@click.command()
@click.argument("number", type=NUMBER, metavar="[N]", required=False)
@click.option("--base", metavar="REV", help="Compare with this commit, branch or run.  [default: main]")
@click.option("--head", metavar="REV", help="Report on this commit, branch or run.  [default: HEAD]")
@click.option("-o", "--output", "file", type=click.Path(dir_okay=False, path_type=Path),
              help="Write the Markdown into this file, its charts beside it; nothing is posted.")  # fmt: skip
@click.option(
    "--dry-run",
    is_flag=True,
    help="Print what would be posted on pull request N, and post nothing; without N, nothing is posted anyway.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON; nothing is posted.")
def command(
    number: int | None, base: str | None, head: str | None, file: Path | None, dry_run: bool, as_json: bool
) -> None:
    """Report on a change: its run against the run of what it is based on.

    With N, the number of a pull request, the report is posted there as one comment, which is updated in place. Without,
    it is printed as Markdown. The run of a commit is the one that it names by the trailer Mlgit-Evidence, else the
    newest that ran its code.

    \b
    Examples:
      mlgit report 7
      mlgit report --base main --head run/radiant-glade-12-k3f9a2
      mlgit report --base noble-river-3 --head radiant-glade-12 --output report.md
      mlgit report 7 --dry-run
    """
    from mlgit import wiring
    from mlgit.report import publish
    from mlgit.wiring import reporting

    if number is not None and (base or head):
        raise UsageError(
            "A pull request says itself what it compares.", fix="leave --base and --head out, or the number"
        )
    place = wiring.place()
    if number is not None and not (dry_run or file or as_json):
        posted = reporting.report_on(place, number)
        if not wiring.forge(place).capabilities.writable:
            markdown.say(posted)
            output.note(f"we may only read #{number}: nothing was posted")
            return
        output.say(posted.partition("\n")[0].lstrip("# "))
        output.note(f"on pull request #{number}")
        return
    if number is None:
        found = publish.between(place, base=base, head=head or "HEAD")
    else:
        found = publish.gather(place, publish.sides_of(place.repo, wiring.forge(place).get(number)))
    found = publish.named(found, lambda sweep_id: reporting.sweep(place, sweep_id))
    if as_json:
        output.as_json(_document(found))
    if file:
        files = _files(place.repo, found, file)
        _write(files)
        output.note(f"wrote {', '.join(map(str, files))}")
    elif not as_json:
        markdown.say(_markdown(found))


def _markdown(found: Compared | NoEvidence, charts: Sequence[Chart] = ()) -> str:
    from mlgit.report import render, view

    if isinstance(found, render.NoEvidence):
        return render.render_missing(found)
    return render.render(view.build(found, charts=charts))


def _files(repo: Repo, found: Compared | NoEvidence, file: Path) -> dict[Path, bytes]:
    """The Markdown and, beside it, its charts."""
    from mlgit.report import publish, render, view

    pictures = [] if isinstance(found, render.NoEvidence) else publish.draw(repo, found)
    charts = {file.with_name(f"{file.stem}-{each.name}"): each for each in pictures}
    links = [view.Chart(title=each.title, link=path.name) for path, each in charts.items()]
    return {file: _markdown(found, links).encode(), **{path: each.png for path, each in charts.items()}}


def _write(files: dict[Path, bytes]) -> None:
    for path, content in files.items():
        try:
            path.write_bytes(content)
        except OSError as exc:
            raise MlgitError(f"{path} cannot be written.", why=str(exc.strerror)) from None


def _document(found: Compared | NoEvidence) -> dict[str, Any]:
    from mlgit.report import render, view

    if isinstance(found, render.NoEvidence):
        return {"evidence": False, "commit": found.commit, "base": found.base.id if found.base else None}
    about = view.build(found)
    return {
        "evidence": True,
        "headline": about.headline,
        "head": about.head.id,
        "state": about.head.state.value,
        "base": about.base.id if about.base else None,
        "distance": about.distance,
        "metrics": [
            {"name": one.name, "base": _plain(one.base), "head": _plain(one.head), "delta": one.delta,
             "direction": one.direction.value, "goal": one.goal.value if one.goal else None}
            for one in about.metrics
        ],
        "params": [_change(one) for one in about.params],
        "data": [_change(one) for one in about.data],
        "reproduce": list(about.reproduce),
    }  # fmt: skip


def _change(change: Change) -> dict[str, Any]:
    return {"key": change.key, "base": _plain(change.base), "head": _plain(change.head)}


def _plain(value: Any) -> Any:
    return None if value is MISSING else value
