"""`mlgit show`: one run."""

from __future__ import annotations

import heapq
import sys
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from itertools import groupby
from operator import itemgetter, lt
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mlgit.cli import output
from mlgit.cli.choose import RUN
from mlgit.cli.ls import document
from mlgit.core import again, drifted, escape, figures
from mlgit.core.compare import flatten
from mlgit.core.history import MOST_ROWS, Logged, Series
from mlgit.core.objects import described
from mlgit.core.run import Run

if TYPE_CHECKING:
    from mlgit.git.repo import Repo
    from mlgit.store.runs import Told

T = TypeVar("T")
_MOST_CURVES = 100
"""Metrics whose curves are worth the time that it takes to read them."""


@click.command()
@click.argument("run", type=RUN, default="latest")
@click.option("--history", is_flag=True, help="The step series instead, tab-separated: step, then a column a metric.")
@click.option(
    "--system",
    is_flag=True,
    help="What the machine did instead, likewise: seconds since it began, then a column a measure.",
)
@click.option(
    "--objects", is_flag=True, help="The texts, lists, pictures, … that were logged instead, a line of JSON each."
)
@click.option("--media", is_flag=True, help="The files of the pictures, tables, … instead: name and size.")
@click.option(
    "--into", type=click.Path(file_okay=False, path_type=Path), help="Copy the files of --media into this folder."
)
@click.option("--fetch", is_flag=True,
              help="With --history, --system or --objects: bring what only the DVC remote holds of it.")  # fmt: skip
@click.option("--log", is_flag=True, help="What it printed instead.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print it as JSON, with where and how it ran; with another of these, a line for each row, file or line of "
    "its output.",
)
def command(
    run: str, history: bool, system: bool, objects: bool, media: bool, into: Path | None, fetch: bool, log: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Show one run: metrics, params, where its code and its files are.

    RUN is its name, id, branch or result commit, or how one of them begins; `latest`, the newest, unless given.

    A long history is printed whole where its bytes are in DVC's cache, else as its branch holds it, thinned.

    \b
    Examples:
      mlgit show
      mlgit show radiant-glade-12 --log
      mlgit show radiant-glade-12 --history > curves.tsv
      mlgit show radiant-glade-12 --history --json | jq .loss
      mlgit show radiant-glade-12 --media --into pictures
    """
    from mlgit import wiring
    from mlgit.index import query
    from mlgit.store import runs

    place = wiring.place()
    repo = place.repo
    found = runs.complete(repo, query.find(repo, run, project=place.meant))
    if log:
        _print_log(runs.output(repo, found), as_json=as_json)
    elif history:
        _print_series(_whole(runs.history(repo, found, full=True, fetch=fetch)), by_step=True, as_json=as_json)
    elif system:
        _print_series(_whole(runs.system(repo, found, full=True, fetch=fetch)), by_step=False, as_json=as_json)
    elif objects:
        _print_objects(_whole(runs.objects(repo, found, full=True, fetch=fetch)))
    elif media or into:
        _print_media(repo, found, into, as_json=as_json)
    elif as_json:
        about = runs.provenance(repo, found) if found.commit else {}
        output.as_json({**document(found), "provenance": about})
    else:
        about = runs.provenance(repo, found) if found.commit else {}
        _print(found, about, _artifacts(repo, found), _curves(repo, found))


def _print_log(printed: str, *, as_json: bool) -> None:
    if not as_json:
        click.echo(escape.terminal(printed), nl=False)
        return
    for line in StringIO(printed):
        output.json_line({"line": line.removesuffix("\n")})


def _whole(told: Told[T]) -> Told[T]:
    """*told*; where it is only a part, a person hears so."""
    if not told.is_full:
        output.note("Thinned: the whole is not here. To fix: --fetch brings it, where the DVC remote holds it")
    return told


def _print_series(columns: Mapping[str, Series], *, by_step: bool, as_json: bool) -> None:
    """A row for each step, or second, in their order; in JSON under W&B's names for the two."""
    axes = {name: one.steps if by_step else [round(at, 3) for at in one.runtimes] for name, one in columns.items()}
    if as_json:
        for at, row in _rows(axes, columns):
            output.json_line({"_step" if by_step else "_runtime": at, **row})
        return
    click.echo("\t".join(("step" if by_step else "seconds", *map(escape.cell, columns))))
    write = sys.stdout.write
    for at, row in _rows(axes, columns):
        write("\t".join((str(at), *(repr(row[name]) if name in row else "" for name in columns))) + "\n")


def _rows(
    axes: Mapping[str, Sequence[float]], columns: Mapping[str, Series]
) -> Iterator[tuple[float, dict[str, float]]]:
    """What the series say, row by row; of a place that one names twice, what it said last."""
    first = next(iter(axes.values()), ())
    if all(axis == first for axis in axes.values()) and all(map(lt, first, first[1:])):
        for at, *cells in zip(first, *(one.values for one in columns.values()), strict=True):
            yield at, dict(zip(columns, cells, strict=True))
        return
    told = [_cells(name, axes[name], one.values) for name, one in columns.items()]
    for at, row in groupby(heapq.merge(*told, key=itemgetter(0)), key=itemgetter(0)):
        yield at, {name: value for _, name, value in row}


def _cells(name: str, axis: Sequence[float], values: Sequence[float]) -> list[tuple[float, str, float]]:
    """In the order of the steps, though a second process, or a clock that was set, may have said them in another."""
    return sorted(((at, name, value) for at, value in zip(axis, values, strict=True)), key=itemgetter(0))


def _print_objects(objects: Mapping[str, Sequence[Logged]]) -> None:
    lines = (
        (one.step, {"step": one.step, "name": name, "value": one.value}) for name in objects for one in objects[name]
    )
    for _, line in sorted(lines, key=itemgetter(0)):
        output.json_line(line)
    if not objects:
        output.note("It logged nothing but numbers.")


def _print_media(repo: Repo, run: Run, into: Path | None, *, as_json: bool) -> None:
    """The files by name and size, copied *into* a folder if there is one; in JSON with where they then are."""
    from mlgit.public import files

    found = {name: file for name, file in files.of_run(repo, run).items() if name.startswith("media/")}
    if not found and "media" in run.held:
        output.note("Its media are not here. To fix: mlgit sync where it ran, then dvc pull its media.dvc here")
        return
    copies = {name: into / name.removeprefix("media/") for name in found} if into else {}
    for name, copy in copies.items():
        found[name].bring(copy)
    if as_json:
        for name, file in found.items():
            copied = {"copy": str(copies[name])} if into else {}
            output.json_line({"name": name, "size": file.size, **copied})
    elif into is None:
        rows = [(name, figures.size(file.size)) for name, file in found.items()]
        output.table(("file", "size"), rows, right=("size",), empty="It logged no media.")
    else:
        output.say(f"{figures.count(len(found), 'file')} in {into}")


def _rows_kept(run: Run, about: Mapping[str, Any]) -> str:
    """How many rows were logged, and what became of series that were longer than a branch's tables hold."""
    rows = max([about.get("rows", 0), *about.get("thinned", {}).values()])
    whole = "; all of them in history.parquet, which DVC holds" if "history.parquet" in run.held else ""
    if about.get("thinned"):
        kept = f"at most {MOST_ROWS:,} a metric kept: spikes, nan and the last among them"
        return f"{figures.count(rows, 'row')} logged, {kept}{whole}"
    many = about.get("metrics_without_table")
    return (
        figures.count(rows, "row") + (f", {figures.count(many, 'metric')} without a table{whole}" if many else "")
        if rows
        else ""
    )


def _curves(repo: Repo, run: Run) -> Mapping[str, str]:
    """How each metric went, as bars, for a person at a terminal that has room for them; by name."""
    from mlgit.store import runs

    names = run.scalars.keys()
    if not output.draws() or len(names) > _MOST_CURVES:
        return {}
    told = runs.history(repo, run)
    return {name: figures.sparkline(one.steps, one.values) for name, one in told.items() if name in names}


def _few(lines: Sequence[str]) -> str:
    """*lines* below one another, the first ten."""
    more = [f"… and {len(lines) - 10:,} more"] if len(lines) > 10 else []
    return f"\n{'':<9}".join((*lines[:10], *more))


def _artifacts(repo: Repo, run: Run) -> list[str]:
    """A line for each artifact that the run used or logged: its version, and the names that this has now."""
    from mlgit.artifacts import telling

    told = [*(("used", one) for one in run.used), *(("logged", one) for one in run.logged)]
    known = telling.all_known_as(repo, [version for _, version in told], project=run.project)
    rows: list[tuple[str, str, str]] = []
    for what, version in told:
        held = known.get((version.name, version.hash))
        aliases = f", {', '.join(held.aliases)}" if held and held.aliases else ""
        about = f"{held.version.type if held else version.type}, {figures.size(version.size)}{aliases}"
        rows.append((what, held.name if held else version.name, f"{about}  {version.hash}"))
        if version.card and (brief := version.card.brief):
            rows.append(("", "", brief))
    width = max((len(name) for _, name, _ in rows), default=0)
    return [f"{what:<6}  {name:<{width}}  {about}" for what, name, about in rows]


def _stages(told: Any) -> list[str]:
    """A line for each stage of a pipeline: whether it ran, and how long."""
    stages = told.items() if isinstance(told, Mapping) else ()
    return [
        f"{name}: {one.get('did')}"
        + (f" with exit code {one['exit_code']}" if one.get("exit_code") else "")
        + (f", {figures.duration(seconds)}" if one.get("did") != "unchanged" else "")
        for name, one in stages
        if isinstance(one, Mapping) and isinstance(seconds := one.get("seconds"), int | float)
    ]


def _print(run: Run, about: Mapping[str, Any], artifacts: Sequence[str], curves: Mapping[str, str]) -> None:
    command = about.get("command", [])
    facts = {
        "run": f"{run.name}  ({run.id})",
        "state": run.state.value + (f", exit code {about['exit_code']}" if about.get("exit_code") else ""),
        "when": f"{figures.moment(run.created)}" + (f", for {figures.duration(run.duration)}" if run.finished else ""),
        "branch": run.branch,
        "code": (run.source or "")[:10] + (" (uncommitted changes taken along)" if run.dirty else ""),
        "command": " ".join(map(str, command)),
        "again": again.reproduce(run) if run.commit and command else "",
        "parent": run.parent or "",
        "reruns": run.reruns or "",
        "original": run.reproduces or "",
        "stages": _few(_stages(about.get("stages"))),
        "group": run.group or "",
        "sweep": run.sweep or "",
        "job type": run.job_type or "",
        "tags": ", ".join(run.tags),
        "notes": run.notes or "",
        "history": _rows_kept(run, about),
        "left out": _few(about.get("left_out", ())),
    }
    for key, value in facts.items():
        if value:
            output.say(f"{key:<9}{value}")
    told = {name: described(value) for name, value in run.objects.items()}
    params, became = flatten(run.params), drifted.words(about)
    for title, values in (("metrics", run.scalars), ("objects", told), ("params", params), ("data", run.data)):
        if values:
            output.say(f"\n{title}")
            width = min(40, max(map(len, values)))
            for name, value in sorted(values.items()):
                curve = curves.get(name, "") if title == "metrics" else ""
                note = f"  {became[name]}" if title == "data" and name in became else ""
                output.say(f"  {name:<{width}}  {figures.number(value):<{11 if curve else 0}}{curve}{note}")
    if artifacts:
        output.say("\nartifacts")
        for line in artifacts:
            output.say(f"  {line}")
    for alert in about.get("alerts", ()):
        output.say(f"\n{alert.get('level', '')} {alert.get('title', '')}: {alert.get('text', '')}")
    if error := about.get("error"):
        output.say(f"\n{error}")
