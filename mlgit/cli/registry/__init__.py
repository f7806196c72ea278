"""`mlgit registry`: what was live when, who approved it on what evidence, and whether that holds."""

from __future__ import annotations

import click

from mlgit.cli.lazily import Lazily

# name → what it is for, by section. A verb lives in cli/registry/<name>.py as `command`.
VERBS: dict[str, dict[str, str]] = {
    "Audit": {
        "log": "What happened, by whom and why; what was live at a moment.",
        "verify": "Whether every live stage is what its records say.",
    },
    "What follows": {
        "automations": "What follows on what, and what came of it.",
    },
    "Drift": {
        "observe": "Record what a target really runs.",
        "status": "Whether files, tags and targets agree.",
        "reconcile": "Let every stage serve what its file says now.",
    },
}


@click.group(cls=Lazily, package=__name__, sections=VERBS, short_help="Audit the registry, and find what drifted.")
def command() -> None:
    """Who let which version serve which stage, when and on what evidence, from git alone; and whether that holds.

    \b
    Examples:
      mlgit registry log --model digits
      mlgit registry log --at 2026-03-01
      mlgit registry verify
      mlgit registry status
    """
