"""`mlgit policy`: what stages ask."""

from __future__ import annotations

import click

from mlgit.cli.lazily import Lazily

# name → what it is for, by section. A verb lives in cli/policy/<name>.py as `command`.
VERBS: dict[str, dict[str, str]] = {
    "Policy": {
        "init": "Write a policy to begin with.",
        "check": "Find all that is wrong with a policy.",
        "explain": "Say what a stage asks, and what it would say of a version.",
    },
}


@click.group(cls=Lazily, package=__name__, sections=VERBS, short_help="What stages ask of a version.")
def command() -> None:
    """What stages ask of a version before they serve it: registry/policy.yaml on the base branch.

    \b
    Examples:
      mlgit policy init
      mlgit policy check
      mlgit policy explain digits@v1.2.0 production
    """
