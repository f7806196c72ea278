"""`mlgit sweep`: search over params, with runs as trials."""

from __future__ import annotations

import click

from mlgit.cli.lazily import Lazily

# name → what it is for, by section. A verb lives in cli/sweep/<name>.py as `command`.
VERBS: dict[str, dict[str, str]] = {
    "Sweeps": {
        "check": "Explain a sweep file, and count what it tries.",
        "run": "Run a sweep from a file in W&B's format.",
        "ls": "List the sweeps of this project, newest first.",
        "show": "Show the trials of a sweep, best first.",
    },
}


@click.group(cls=Lazily, package=__name__, sections=VERBS, short_help="Search over parameters.")
def command() -> None:
    """Search over params: each trial is a run, the search reads the runs' branches.

    \b
    Examples:
      mlgit sweep check sweep.yaml
      mlgit sweep run sweep.yaml --trials 20 --agents 2
      mlgit sweep ls
      mlgit sweep show latest
    """
