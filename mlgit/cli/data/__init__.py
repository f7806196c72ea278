"""`mlgit data`: datasets and other artifacts, by name and version."""

from __future__ import annotations

import click

from mlgit.cli.lazily import Lazily

# name → what it is for, by section. A verb lives in cli/data/<name>.py as `command`.
VERBS: dict[str, dict[str, str]] = {
    "Names and versions": {
        "add": "Keep files or folders as a version.",
        "ls": "List datasets and other artifacts.",
        "history": "Every version, who made it, and who used it.",
        "tag": "Give versions other names, and take them off.",
        "rm": "Hide versions; restore brings them back.",
        "restore": "Bring hidden versions back.",
    },
    "What lies here": {
        "status": "Say what has changed in the data here.",
        "diff": "Compare versions of data.",
        "checkout": "Bring a version to where it was added, or elsewhere.",
        "pull": "Bring bytes from a DVC remote.",
        "push": "Send bytes to a DVC remote.",
    },
    "The cache": {
        "verify": "Read the cache again, and mend it from the remote.",
        "gc": "Free bytes in the cache that nobody names.",
    },
}


@click.group(cls=Lazily, package=__name__, sections=VERBS, short_help="Datasets by name and version.")
def command() -> None:
    """Datasets, and whatever else is kept in versions: what runs logged, and what people added.

    A version is named `digits:v2`, `digits:latest` or by another alias, or `digits:<hash>`.

    \b
    Examples:
      mlgit data add data/digits
      mlgit data ls
      mlgit data status
      mlgit data history digits
    """
