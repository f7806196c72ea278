"""Options that the verbs of `mlgit registry` share."""

from __future__ import annotations

import click

from mlgit.cli.choose import MODEL

BASE = click.option("--base", metavar="BRANCH", help="The branch whose files count.  [default: main]")
JSON = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
MODELS = click.argument("model", type=MODEL, required=False)
