"""`mlgit ls`: list runs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence

import click

from mlgit.cli import output
from mlgit.core import figures, query
from mlgit.core.compare import Goal, flatten, goal_of
from mlgit.core.run import Run, State
from mlgit.store.place import Place


@click.command()
@click.option("-f", "--filter", "conditions", multiple=True, metavar="CONDITION",
              help="Only where it holds: accuracy>0.9, state=failed, lr<=1e-3, name~lr, duration<5m, "
                   "created>2026-01-31; may be repeated.")  # fmt: skip
@click.option("-s", "--sort", default="-created", show_default=True, metavar="KEY",
              help="By a metric, param or field; -KEY: largest first.")  # fmt: skip
@click.option(
    "-n", "--limit", default=20, type=click.IntRange(min=0), show_default=True, help="So many at the most; 0 for all."
)
@click.option("-a", "--all", "everywhere", is_flag=True, help="Of every project in the repository.")
@click.option("--json", "as_json", is_flag=True, help="All that is known, as JSON.")
def command(conditions: tuple[str, ...], sort: str, limit: int, everywhere: bool, as_json: bool) -> None:
    """List this project's runs, newest first, with their metrics and the params in which they differ.

    \b
    Examples:
      mlgit ls
      mlgit ls --filter 'accuracy>0.9' --sort -accuracy
      mlgit ls --json | jq '.[0].metrics'
    """
    from mlgit import wiring
    from mlgit.index.query import runs

    place = wiring.place()
    wanted = [query.parse(text) for text in conditions]
    everywhere = everywhere or place.settings.document is None  # no mlgit.yaml: scripts name projects as they like
    known = runs(place.repo, project=None if everywhere else place.settings.project)
    query.check(known, [*(one.key for one in wanted), sort])
    fitting = query.ordered([run for run in known if all(one.holds(run) for one in wanted)], sort)
    shown = fitting[:limit] if limit else fitting
    if as_json:
        output.as_json([document(run) for run in shown])
        return
    metrics, params, spare = _columns(shown, place.settings.goals)
    plural = len({run.project for run in shown}) > 1
    now = time.time()
    output.table(
        ("run", *(("project",) if plural else ()), "state", "when", "took", *metrics, *params),
        [
            (
                run.branch.rpartition("/")[2] or f"{run.name} ({run.id})",
                *((run.project,) if plural else ()),
                _state(run, now),
                figures.ago(run.created, now),
                figures.duration(run.duration),
                *(_cell(run.scalars.get(name)) for name in metrics),
                *(_cell(flatten(run.params).get(name)) for name in params),
            )
            for run in shown
        ],
        right=("took", *metrics, *(name for name in params if _is_numeric(name, shown))),
        empty="No run fits." if known else _nothing(place),
        spare=spare,
    )
    if len(fitting) > len(shown):
        output.note(f"{len(fitting) - len(shown)} more: mlgit ls --limit 0")


def _state(run: Run, now: float) -> str:
    """Its state; of a run that goes on elsewhere, how old the word of it is."""
    if run.state is not State.RUNNING or run.seen is None:
        return run.state.value
    age = figures.ago(run.seen, now)
    return f"running, seen {age}" if age == "now" else f"running, seen {age} ago"


def _nothing(place: Place) -> str:
    """What to say where the project has no runs: how to make one, and which projects have some."""
    from mlgit.index.query import runs

    others = Counter(run.project for run in runs(place.repo))
    if not others:
        return "No runs yet. Make one: mlgit run -- python train.py"
    some = ", ".join(f"{count} in {project}" for project, count in others.most_common(3))
    return f"No runs of the project {place.settings.project} yet; {some}: mlgit ls --all"


def document(run: Run) -> dict[str, object]:
    """A run as a script sees it."""
    return {
        "id": run.id, "name": run.name, "project": run.project, "state": run.state.value, "branch": run.branch,
        "commit": run.commit, "source": run.source, "dirty": run.dirty, "created": figures.moment(run.created),
        "duration": None if run.duration is None else round(run.duration, 3),
        "group": run.group, "sweep": run.sweep, "job_type": run.job_type,
        "tags": list(run.tags), "notes": run.notes, "params": run.params, "metrics": run.metrics, "data": run.data,
        "artifacts": [{"name": one.name, "type": one.type, "hash": one.hash, "size": one.size} for one in run.logged],
    }  # fmt: skip


def _columns(runs: Sequence[Run], goals: Mapping[str, Goal]) -> tuple[list[str], list[str], list[str]]:
    """The metrics worth a column (at most four), the params that differ (at most five), and what to do without first.

    Metrics with a stated goal come first; else what most of the runs have.
    """
    counted = Counter(name for run in runs for name in run.scalars if not name.startswith("_"))
    metrics = sorted(
        counted, key=lambda name: (name not in goals, -counted[name], goal_of(name, {}) is None, name)
    )[:4]  # fmt: skip
    params = [flatten(run.params) for run in runs]
    known = Counter(key for one in params for key in one)
    differing = [key for key in known if len({repr(one.get(key)) for one in params}) > 1]
    differing = sorted(differing, key=lambda key: -known[key])[:5]
    spare = [(known[key], key) for key in reversed(differing)]
    spare += [(counted[name], name) for name in reversed(metrics) if name not in goals]
    return metrics, differing, [name for _, name in sorted(spare, key=lambda pair: pair[0])]


def _is_numeric(param: str, runs: Sequence[Run]) -> bool:
    """Whether the column holds numbers alone."""
    values = [flatten(run.params).get(param) for run in runs]
    return all(value is None or isinstance(value, int | float) for value in values)


def _cell(value: object) -> str:
    return "" if value is None else figures.number(value)
