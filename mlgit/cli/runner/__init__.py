"""`mlgit runner`: GitHub's runners on machines of one's own."""

from __future__ import annotations

import click

from mlgit.cli.lazily import Lazily

# name → what it is for, by section. A verb lives in cli/runner/<name>.py as `command`.
VERBS: dict[str, dict[str, str]] = {
    "Runners": {
        "start": "Start runners in a queue, or as many as jobs wait for.",
        "ls": "List runners, as GitHub and their backends see them.",
        "stop": "End runners.",
    },
}


@click.group(cls=Lazily, package=__name__, sections=VERBS, short_help="GitHub's runners on your own machines.")
def command() -> None:
    """GitHub's runners as jobs of a queue: on this machine, in docker, on a Slurm or Kubernetes cluster.

    Each is registered just in time, does one job of a workflow, and is gone. The program is GitHub's own, and you have
    it: a queue says where it lies.

    \b
    Examples:
      mlgit runner start --on gpu --labels gpu
      mlgit runner start --on gpu --labels gpu --watch --max 4
      mlgit runner ls
      mlgit runner stop --all
    """
