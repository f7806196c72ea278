"""`mlgit ci`: what a commit asks CI for, and what CI does about it."""

from __future__ import annotations

import click

from mlgit.cli.lazily import Lazily

# name → what it is for, by section. A verb lives in cli/ci/<name>.py as `command`.
VERBS: dict[str, dict[str, str]] = {
    "For a commit": {
        "plan": "Show what CI does for a commit, before or after it is pushed.",
    },
}


@click.group(cls=Lazily, package=__name__, sections=VERBS, short_help="Train by commits: what CI does for one.")
def command() -> None:
    """Train by commits: a commit asks for runs or a sweep, and CI makes them.

    \b
    Examples:
      mlgit ci plan
      mlgit ci plan --sweep sweeps/lr.yaml
    """
