"""`mlgit queues`: where jobs can run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.core import figures


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(as_json: bool) -> None:
    """List the queues of mlgit.yaml, each with its backend, its settings, and what jobs there have and may have.

    The backends themselves are queues by their own names, with settings as they come.

    \b
    Examples:
      mlgit queues
      mlgit queues --json
    """
    from mlgit.documents.writer import as_data
    from mlgit.launch import backends, queues
    from mlgit.store import jobs

    place = wiring.place()
    found = queues.read(place.settings)
    found |= {name: queues.find(place.settings, name) for name in backends.NAMES if name not in found}
    known = jobs.known(place.repo, place.settings.project)
    told = [
        {
            "name": one.name, "backend": one.kind, "settings": as_data(one.settings),
            "defaults": as_data(one.defaults), "limits": as_data(one.limits),
            "jobs": sum(job.queue == one.name and not job.state.ended for job in known),
        }
        for one in found.values()
    ]  # fmt: skip
    if as_json:
        output.as_json(told)
        return
    rows = [
        (str(one["name"]), str(one["backend"]), *(_words(one[part]) for part in ("settings", "defaults", "limits")),
         str(one["jobs"]))
        for one in told
    ]  # fmt: skip
    columns = ("queue", "backend", "settings", "defaults", "limits", "jobs")
    output.table(columns, rows, right=("jobs",), spare=("settings",))


def _words(told: Any) -> str:
    """Settings on a line, those inside of one in brackets."""
    if isinstance(told, Mapping):
        words = {
            name: f"({_words(value)})" if isinstance(value, Mapping) else _words(value) for name, value in told.items()
        }
        return ", ".join(f"{name} {value}" for name, value in words.items())
    return " ".join(map(_words, told)) if isinstance(told, list) else figures.number(told)
