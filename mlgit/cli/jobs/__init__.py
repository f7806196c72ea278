"""`mlgit jobs`: what was launched, from any machine."""

from __future__ import annotations

import click

from mlgit.cli.lazily import Lazily

# name → what it is for, by section. A verb lives in cli/jobs/<name>.py as `command`.
VERBS: dict[str, dict[str, str]] = {
    "Jobs": {
        "ls": "List jobs, and how they stand.",
        "show": "Show one job, its tasks and its run.",
        "logs": "Print what a job printed.",
        "cancel": "End jobs.",
        "retry": "Launch a job again; one that was cut off goes on.",
        "prune": "Forget old jobs that have ended.",
    },
}


@click.group(cls=Lazily, package=__name__, sections=VERBS, short_help="What was launched, and how it stands.")
def command() -> None:
    """What `mlgit launch` has launched: kept in git, and so known on every machine after `mlgit sync`.

    A JOB is named by its id or the beginning of it, its backend's own id, or its name; `latest` is the newest.

    \b
    Examples:
      mlgit jobs ls
      mlgit jobs logs -f latest
      mlgit jobs cancel k3f9a2xq
    """
