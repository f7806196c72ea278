"""`mlgit export`: runs for other programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from mlgit.cli import edits, output
from mlgit.cli.choose import RUN
from mlgit.cli.ls import document
from mlgit.core import escape, figures
from mlgit.core.run import Run


@click.command()
@click.argument("names", type=RUN, nargs=-1, metavar="[RUN]...")
@click.option("--to", "target", required=True, type=click.Path(path_type=Path), metavar="TARGET",
              help="A table: .csv, .parquet or .json; an archive: .zip or .tar.gz; else a folder.")  # fmt: skip
@edits.WHERE
@click.option("-a", "--all", "everywhere", is_flag=True, help="The runs of every project in the repository.")
@click.option("--history", is_flag=True, help="The step series too, in a table of their own: a row a value.")
@click.option("--files", is_flag=True, help="What each run recorded too: its log, media and saved files.")
@click.option("--artifacts", is_flag=True, help="The files of the artifacts that they logged, too.")
@click.option("--fetch", is_flag=True, help="Bring histories in full that only the DVC remote holds.")
@click.option("--json", "as_json", is_flag=True, help="Say what was written as JSON.")
def command(
    names: tuple[str, ...], target: Path, conditions: tuple[str, ...], everywhere: bool, history: bool, files: bool,
    artifacts: bool, fetch: bool, as_json: bool,
) -> None:  # fmt: skip
    """Write runs to TARGET for other programs: all of the project's, those that are named, or those of a condition.

    A table has a line a run, with a column for each param (params.lr) and metric (metrics.loss); --history puts a
    second one beside it, runs.history.csv. An archive or a folder has both tables, and a folder for the files of each
    run. What a spreadsheet would compute (=1+1) stands behind a quote in CSV.

    \b
    Examples:
      mlgit export --to runs.csv
      mlgit export --where 'tag = paper' --history --to runs.parquet
      mlgit export baseline latest --files --artifacts --to runs.zip
    """
    from mlgit import wiring
    from mlgit.index import query
    from mlgit.public import export

    place = wiring.place()
    if names or conditions:
        found = edits.chosen(place, names, conditions, everywhere=everywhere)
    else:
        found = query.runs(place.repo, project=None if everywhere else place.meant)
    wish = export.Wish(history=history, files=files, artifacts=artifacts, fetch=fetch)
    done = export.export(place.repo, found, target, wish, document=document, watch=_watched)
    if as_json:
        output.as_json({"runs": len(found), "written": list(map(str, done.written)),
                        "thinned": [run.id for run in done.thinned], "missing": list(done.missing)})  # fmt: skip
        return
    size = figures.size(sum(_size(path) for path in done.written))
    output.say(f"{figures.count(len(found), 'run')} in {' and '.join(map(str, done.written))}, {size}")
    if done.thinned:
        output.note(f"{len(done.thinned)} of the histories are thinned: the whole is not here. To fix: --fetch")
    if done.missing:
        output.note(f"not here: {output.some(done.missing)}. To fix: dvc pull, or mlgit sync where they were logged")


def _size(path: Path) -> int:
    return (
        sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) if path.is_dir() else path.stat().st_size
    )


def _watched(runs: Sequence[Run]) -> Iterator[Run]:
    """*runs*, with a bar where a person waits for them."""
    with output.progress("runs", len(runs)) as tell:
        for run in runs:
            yield run
            tell(1, escape.line(run.name, 30))
