"""`mlgit sweep ls`: the sweeps of this project."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.sweep import shown
from mlgit.core import figures
from mlgit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlgit.core.sweep import Sweep
    from mlgit.store.place import Place
    from mlgit.sweeps.plan import Trial
    from mlgit.sweeps.space import SweepFile


@click.command()
@click.option("--json", "json_", is_flag=True, help="Print it as JSON.")
def command(json_: bool) -> None:
    """List the sweeps of this project, newest first; without an mlgit.yaml, of all that scripts have named.

    \b
    Examples:
      mlgit sweep ls
      mlgit sweep ls --json
    """
    from mlgit.sweeps import record

    place = wiring.place()
    sweeps = record.known(place.repo, place.meant)
    found = [(sweep, _read(place, sweep)) for sweep in sweeps]
    if json_:
        output.as_json([
            _unread(sweep, told) if isinstance(told, ConfigError) else shown.document(sweep, *told)
            for sweep, told in found
        ])  # fmt: skip
        return
    several = len({sweep.project for sweep in sweeps}) > 1
    rows = [
        (
            sweep.id, sweep.name, *((sweep.project,) if several else ()), sweep.method, sweep.state.value,
            *(("?", sweep.metric or "", "") if isinstance(told, ConfigError) else _found(*told)),
            figures.ago(sweep.created, time.time()),
        )
        for sweep, told in found
    ]  # fmt: skip
    columns = ("id", "name", *(("project",) if several else ()), "method", "state", "trials", "metric", "best", "age")
    output.table(
        columns, rows, right=("trials", "best"), spare=("method", "age"), firm=("best",),
        empty=_nothing(place) if not rows else "",
    )  # fmt: skip
    for sweep, told in found:
        if isinstance(told, ConfigError):
            output.note(f"{sweep.id} cannot be read here: {told.what}")


def _read(place: Place, sweep: Sweep) -> tuple[SweepFile, list[Trial]] | ConfigError:
    """What *sweep* has come to, or what is wrong with its file, which another version of mlgit may have written."""
    from mlgit.sweeps import record

    try:
        return record.trials(place.repo, sweep)
    except ConfigError as exc:
        return exc


def _found(file: SweepFile, trials: Sequence[Trial]) -> tuple[str, str, str]:
    return str(len(trials)), shown.aim(file), shown.best(file, trials)


def _unread(sweep: Sweep, problem: ConfigError) -> dict[str, Any]:
    return shown.about(sweep) | {"metric": sweep.metric, "best": None, "trials": None, "problem": problem.what}


def _nothing(place: Place) -> str:
    """What to say where no sweep is listed: how to make one, or which projects have some."""
    from mlgit.sweeps import record

    others = Counter(sweep.project for sweep in record.known(place.repo, None))
    if not others:
        return "No sweeps yet; `mlgit sweep run FILE` starts one."
    some = ", ".join(f"{count} in {project}" for project, count in others.most_common(3))
    return f"No sweeps of the project {place.settings.project} yet, but {some}; their ids work here, too."
