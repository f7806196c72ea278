"""`mlgit diff`: what changed between two runs."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import click

from mlgit.cli import differing, edits, output
from mlgit.cli.choose import RUN
from mlgit.core import drifted, figures
from mlgit.core.compare import Direction, changes, metric_deltas
from mlgit.core.run import Run
from mlgit.errors import NotFoundError

if TYPE_CHECKING:
    from mlgit.git.repo import Repo
    from mlgit.report.changed import File

_MOST_ROWS = 20
_BESIDE = 48
"""So wide are the other columns of the metrics, with the gaps between them."""
_ENVIRONMENT = (
    "command", "cwd", "python", "packages", "sources", "runtime", "libraries", "system", "host", "environment", "lock",
    "seeds",
)  # fmt: skip
"""What `run.yaml` says of where and how a run happened."""


@click.command()
@click.argument("base", type=RUN)
@click.argument("head", type=RUN)
@click.option("--all", "everything", is_flag=True,
              help="Show metrics that are the same, too, and every row of a long table.")  # fmt: skip
@click.option("--code", is_flag=True, help="Show the change of code instead, as git diff does.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON, all of it, or with --code the patch.")
def command(base: str, head: str, everything: bool, code: bool, as_json: bool) -> None:
    """What changed from BASE to HEAD: metrics, better or worse by their goal; params; data; code; environment.

    Both are runs, by name, id or branch, or `latest`. The goals are those of mlgit.yaml, else what a name suggests. The
    environment is the command, the machine, Python, its packages, seeds and variables.

    \b
    Examples:
      mlgit diff baseline latest
      mlgit diff baseline latest --code
      mlgit diff baseline latest --json | jq .environment
    """
    from mlgit import wiring
    from mlgit.index import query
    from mlgit.report import changed
    from mlgit.store import runs

    place = wiring.place()
    repo = place.repo
    one, two = query.find_all(repo, (base, head), project=place.meant)
    if code:
        _say_patch(changed.patch(repo, runs.source(repo, one), runs.source(repo, two)), one, two, as_json=as_json)
        return
    deltas = metric_deltas(one.scalars, two.scalars, place.settings.goals)
    params, data = changes(one.params, two.params), changes(_data(repo, one), _data(repo, two))
    files = _files(repo, one, two)
    environment = changes(_environment(repo, one), _environment(repo, two)) if one.commit and two.commit else ()
    if as_json:
        output.as_json(
            {
                "base": one.id, "head": two.id, "same_code": one.tree == two.tree,
                "metrics": [differing.plain_metric(delta) for delta in deltas],
                "params": list(map(differing.plain_change, params)), "data": list(map(differing.plain_change, data)),
                "code": [{"path": file.path, "added": file.added, "removed": file.removed} for file in files],
                "environment": list(map(differing.plain_change, environment)),
            }
        )  # fmt: skip
        return
    names = _heads(one, two)
    differing.say_metrics(names, [delta for delta in deltas if everything or delta.direction is not Direction.SAME])
    most = None if everything else _MOST_ROWS
    for title, rows in (("param", params), ("data", data), ("environment", environment)):
        cells = [(row.key, figures.number(row.base), figures.number(row.head)) for row in rows]
        differing.say((title, *names), cells, most)
    differing.say(("code", "lines"), [(file.path, file.told) for file in files], most)
    output.gap()
    output.note(
        "The code is the same." if one.tree == two.tree else f"The code differs: mlgit diff {base} {head} --code"
    )


def _say_patch(patch: str, one: Run, two: Run, *, as_json: bool) -> None:
    if as_json:
        output.as_json({"base": one.id, "head": two.id, "patch": patch})
    elif not patch:
        output.note("The code is the same.")
    elif output.is_terminal():
        output.say(patch)
    else:
        output.raw(f"{patch}\n")  # git apply takes it, line ends of Windows too


def _files(repo: Repo, one: Run, two: Run) -> list[File]:
    """The files of their code that differ; none where a shallow clone lacks one of the two."""
    from mlgit.report import changed
    from mlgit.store import runs

    try:
        return changed.between(repo, runs.source(repo, one), runs.source(repo, two))
    except NotFoundError as exc:
        output.note(f"{exc.what} To fix: {exc.fix}")
        return []


def _data(repo: Repo, run: Run) -> dict[str, str]:
    """What it ran on: files that DVC held, and artifacts, each by its content, and whether that was not as named."""
    from mlgit.store import runs

    became = drifted.words(runs.provenance(repo, run)) if run.commit else {}
    files = {path: f"{run.data.get(path, '')} ({text})".strip() for path, text in became.items()}
    return {**run.data, **files, **{f"artifact {version.name}": version.hash for version in run.used}}


def _environment(repo: Repo, run: Run) -> dict[str, Any]:
    """Where and how it ran."""
    from mlgit.store import runs

    about = runs.surroundings(repo, run)
    found = {name: about[name] for name in _ENVIRONMENT if name in about}
    return found | ({"command": " ".join(map(str, about["command"]))} if "command" in about else {})


def _heads(one: Run, two: Run) -> tuple[str, str]:
    """What the two are called above their columns; on a terminal so shortly that there is room for both."""
    names, labels = (one.name, two.name), (edits.label(one), edits.label(two))
    if output.is_terminal():
        most = max(15, (shutil.get_terminal_size().columns - _BESIDE) // 2)
        names, labels = _shortened(names, most), _shortened(labels, most)
    return names if names[0] != names[1] else labels


def _shortened(names: tuple[str, str], most: int) -> tuple[str, str]:
    return output.shortened(names[0], most), output.shortened(names[1], most)
