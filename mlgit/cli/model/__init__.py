"""`mlgit model`: registered models, from the run that made one to its bytes."""

from __future__ import annotations

import click

from mlgit.cli.lazily import Lazily

# name → what it is for, by section. A verb lives in cli/model/<name>.py as `command`.
VERBS: dict[str, dict[str, str]] = {
    "Versions": {
        "register": "Make a model that was logged the next version.",
        "ls": "List versions, the newest first, with their stages.",
        "versions": "The versions of a model, with their aliases and who made them.",
        "show": "Show one version: its run, scores and history.",
        "card": "The model card of a version, as Hugging Face reads it.",
        "compare": "What changed between two versions: metrics, data, size, code.",
        "history": "What happened to a model: versions, stages, by whom and when.",
        "alias": "Give versions other names, and take them off.",
        "deprecate": "Say that a version, or a model, should not be used any more.",
        "unregister": "Take back a version that was never promoted.",
    },
    "Bytes": {
        "get": "Bring the bytes of a version.",
        "sign": "Sign a version with a key, or through Sigstore.",
        "verify": "Check the bytes of a version, and who signed them.",
    },
}


@click.group(cls=Lazily, package=__name__, sections=VERBS, short_help="Register models and list their versions.")
def command() -> None:
    """Models, their versions and stages.

    A version is an annotated tag on the result of the run that made it, in GTO's format; `mlgit promote` moves
    stages.

    \b
    Examples:
      mlgit model register radiant-glade-12 --name digits
      mlgit model ls digits
      mlgit model get digits@production -o model/
    """
