"""`mlgit report`: a change's run against its base's."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlgit.cli import markdown, output
from mlgit.cli.choose import NUMBER
from mlgit.core.compare import MISSING, Change
from mlgit.errors import MlgitError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlgit.core.artifact import ArtifactVersion
    from mlgit.core.stats import Summary
    from mlgit.git.repo import Repo
    from mlgit.report.render import NoEvidence
    from mlgit.report.templates import Own
    from mlgit.report.view import Chart, Compared
    from mlgit.wiring.reporting import Reported


@click.command()
@click.argument("number", type=NUMBER, metavar="[N]", required=False)
@click.option("--base", metavar="REV", help="Compare with this commit, branch or run.  [default: main]")
@click.option("--head", metavar="REV", help="Report on this commit, branch or run.  [default: HEAD]")
@click.option("--format", "format_", type=click.Choice(("md", "html", "json")),
              help="Markdown, one HTML page with its charts inside, or data.  [default: as -o, or md]")  # fmt: skip
@click.option("-o", "--output", "file", type=click.Path(dir_okay=False, path_type=Path),
              help="Write it into this file, the charts of Markdown beside it; nothing is posted.")  # fmt: skip
@click.option(
    "--dry-run",
    is_flag=True,
    help="Print what would be posted on pull request N, and post nothing; without N, nothing is posted anyway.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json; nothing is posted.")
def command(
    number: int | None, base: str | None, head: str | None, format_: str | None, file: Path | None, dry_run: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Report on a change: its run against the run of what it is based on.

    With N, the number of a pull request, the report is posted there as one comment, which is updated in place. Without,
    it is printed as Markdown. In a job of GitHub's whose token may only read, as for a fork, it goes into the job's
    summary instead. The run of a commit is the one that it names by the trailer Mlgit-Evidence, else the
    newest that ran its code; runs that differ from it in their seed alone are told together with it.

    Templates in the project's templates/report/ are taken before those of mlgit that have the same name.

    \b
    Examples:
      mlgit report 7
      mlgit report --base main --head run/radiant-glade-12-k3f9a2
      mlgit report --base noble-river-3 --head radiant-glade-12 -o report.html
      mlgit report 7 --dry-run
      mlgit report --format json | jq .metrics
    """
    from mlgit import wiring
    from mlgit.report import publish, templates
    from mlgit.wiring import reporting

    if number is not None and (base or head):
        raise UsageError(
            "A pull request says itself what it compares.", fix="leave --base and --head out, or the number"
        )
    kind = "json" if as_json else format_ or _KINDS.get(file.suffix.lower() if file else "", "md")
    if as_json and format_ not in (None, "json"):
        raise UsageError(f"--json and --format {format_} contradict each other.", fix="give one of them")
    place = wiring.place()
    if number is not None and not (dry_run or file or as_json or format_):
        _tell(reporting.report_where_allowed(place, wiring.forge(place), number), number)
        return
    sweep_of = cache(lambda sweep_id: reporting.sweep(place, sweep_id))
    if number is None:
        found = publish.between(place, base=base, head=head or "HEAD", sweep_of=sweep_of)
        own = templates.at_hand(place)
    else:
        sides = publish.sides_of(place.repo, wiring.forge(place).get(number))
        found, own = publish.gather(place, sides, sweep_of), templates.at(place, sides.base)
    found = publish.named(found, sweep_of)
    if file:
        files = _files(place.repo, found, own, file, kind)
        _write(files)
        output.note(f"wrote {', '.join(map(str, files))}")
    elif kind == "json":
        output.as_json(_document(found))
    elif kind == "html":
        output.say(_html(place.repo, found, own).removesuffix("\n"))
    else:
        markdown.say(_markdown(found, own))


def _tell(told: Reported, number: int) -> None:
    """Say where the report is; in a job of GitHub's that may only read, it is in the summary, and all is well.

    Raises what the forge said, where somebody else finds out by this that they may only read.
    """
    from mlgit.cli.ci import job

    if told.posted:
        output.say(markdown.headline(told.text))
        output.note(f"on pull request #{number}")
        return
    markdown.say(told.text)
    if job.has_summary():
        job.summarize(told.text)
        job.tell_unposted(told)
    elif told.refused:
        raise told.refused
    else:
        output.note(f"we may only read #{number}: nothing was posted")


_KINDS = {".html": "html", ".htm": "html", ".json": "json"}


def _markdown(found: Compared | NoEvidence, own: Own, charts: Sequence[Chart] = ()) -> str:
    from mlgit.report import render, view

    if isinstance(found, render.NoEvidence):
        return render.render_missing(found, own=own)
    return render.render(view.build(found, charts=charts), own=own)


def _html(repo: Repo, found: Compared | NoEvidence, own: Own) -> str:
    """The page, its charts inside."""
    from mlgit.report import page, publish, render, view

    pictures = [] if isinstance(found, render.NoEvidence) else publish.draw(repo, found)
    links = {each.name: each.png for each in pictures}
    text = _markdown(found, own, [view.Chart(title=each.title, link=each.name) for each in pictures])
    headline = None if isinstance(found, render.NoEvidence) else view.build(found).headline
    body = text.partition("\n")[2] if text.startswith("### ") else text  # a heading is the page's
    shown = page.Page(
        title=headline or "No run speaks for this change yet", posts=[page.Post(author="", did="", when="", body=body)]
    )
    return page.render(shown, links.get, own)


def _files(repo: Repo, found: Compared | NoEvidence, own: Own, file: Path, kind: str) -> dict[Path, bytes]:
    """The report and, where it is Markdown, its charts beside it."""
    from mlgit.report import publish, render, view

    if kind == "html":
        return {file: _html(repo, found, own).encode()}
    if kind == "json":
        return {file: output.json_text(_document(found)).encode(errors="replace")}
    pictures = [] if isinstance(found, render.NoEvidence) else publish.draw(repo, found)
    charts = {file.with_name(f"{file.stem}-{each.name}"): each for each in pictures}
    links = [view.Chart(title=each.title, link=path.name) for path, each in charts.items()]
    return {file: _markdown(found, own, links).encode(), **{path: each.png for path, each in charts.items()}}


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
        "seeds": {"base": about.seeds[0], "head": about.seeds[1]},
        "metrics": [
            {"name": one.name, "base": _plain(one.base), "head": _plain(one.head), "delta": one.delta,
             "direction": one.direction.value, "goal": one.goal.value if one.goal else None,
             "base_over": _over(one.base_over), "head_over": _over(one.head_over),
             "p": one.chance, "test": one.test or None, "insufficient": one.is_insufficient}
            for one in about.metrics
        ],
        "certainty": about.certainty,
        "production": {"version": found.champion.name, "run": found.champion.run,
                       "metrics": dict(found.champion.metrics)} if found.champion else None,
        "params": [_change(one) for one in about.params],
        "data": [_change(one) for one in about.data],
        "environment": [_change(one) for one in about.environment],
        "artifacts": [
            {"name": one.name, "type": one.type, "base": _content(one.base), "head": _content(one.head)}
            for one in about.artifacts
        ],
        "machine_time": about.cost,
        "alerts": [{"title": one.title, "text": one.text, "level": one.level} for one in about.alerts],
        "sweep": {"id": about.sweep.id, "name": about.sweep.name, "trials": about.sweep.count,
                  "lost": about.sweep.lost, "pruned": about.sweep.pruned, "metric": about.sweep.metric,
                  "best": about.sweep.best.id if about.sweep.best else None, "place": about.sweep.place}
        if about.sweep else None,
        "reproduce": list(about.reproduce),
    }  # fmt: skip


def _change(change: Change) -> dict[str, Any]:
    return {"key": change.key, "base": _plain(change.base), "head": _plain(change.head)}


def _over(over: Summary | None) -> dict[str, Any] | None:
    return {"n": over.n, "mean": over.mean, "low": over.low, "high": over.high} if over else None


def _content(version: ArtifactVersion | None) -> dict[str, Any] | None:
    return {"hash": version.hash, "size": version.size} if version else None


def _plain(value: Any) -> Any:
    return None if value is MISSING else value
