"""`mlgit model get`: its bytes."""

from __future__ import annotations

import os
from pathlib import Path

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.choose import MODEL
from mlgit.cli.model import signing
from mlgit.cli.model.shown import BASE, JSON
from mlgit.core import figures


@click.command(short_help="Bring the bytes of a version.")
@click.argument("version", type=MODEL, metavar="MODEL[@VERSION|@STAGE]")
@click.option("-o", "--output", "--to", "folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Put it into this folder.  [default: MODEL-VERSION]")  # fmt: skip
@click.option("--repo", metavar="URL", help="The repository that it is registered in.  [default: $MLGIT_REPO, or this]")
@click.option("--offline", is_flag=True, help="Ask nobody: what --repo said last, and what was brought before.")
@click.option("--verify", is_flag=True, help="Ask for a signature of somebody whom the base branch trusts.")
@BASE
@JSON
def command(
    version: str, folder: Path | None, repo: str | None, offline: bool, verify: bool, base: str | None, as_json: bool
) -> None:
    """Bring the bytes of a version, every one of them checked; of MODEL alone, what production serves, or the latest.

    With --repo, no clone is needed: of the repository only what this takes is fetched, into your cache, and a second
    time nothing that is there. In DIR, an older version of the model gives way to the one that is asked for.

    \b
    Examples:
      mlgit model get digits@v1.2.0
      mlgit model get digits@production -o model/
      mlgit model get churn@production --repo https://github.com/acme/churn
    """
    from mlgit.registry.served import models

    if not (repo or os.environ.get("MLGIT_REPO")):
        wiring.place()  # runs that died here are recorded first, as by any command
    found, told = models.brought(
        version, repo or "", lambda one, _: folder or Path(f"{one.model}-{one.version}"), base=base, offline=offline,
        verify=verify,
    )  # fmt: skip
    for line in told:
        output.note(f"Warning: {line}")
    if as_json:
        output.as_json({
            "model": found.name, "version": found.version, "stage": found.stage, "path": str(found.path),
            "digest": found.digest, "sha256": dict(found.sha256), "unsafe": found.unsafe,
            "signatures": [signing.plain(one) for one in found.signatures],
            "deprecated": found.deprecated or None, "away": found.away, "unsettled": found.unsettled,
        })  # fmt: skip
        return
    output.say(str(found.path))
    output.note(
        f"{found.name} {found.version}, {figures.size(found.size)}, verified; "
        f"{'; '.join(signing.told(found.signatures))}."
    )
    if found.deprecated:
        output.note(f"{found.deprecated}.")
    if found.unsafe:
        output.note(f"UNSAFE to load: {found.unsafe}.")
