"""`mlgit unfreeze`: stages move again."""

from __future__ import annotations

import time

import click

from mlgit import wiring
from mlgit.cli import halted, proposed
from mlgit.cli.choose import MODEL, SERVING
from mlgit.wiring import promoting


@click.command()
@click.argument("models", type=MODEL, default="*", metavar="[MODEL]")
@click.argument("stages", type=SERVING, default="*", metavar="[STAGE]")
@proposed.DIRECT
@proposed.BASE
@proposed.JSON
def command(models: str, stages: str, direct: bool, base: str | None, as_json: bool) -> None:
    """Open a pull request that ends a freeze, named just as `mlgit freeze` was called.

    \b
    Examples:
      mlgit unfreeze
      mlgit unfreeze digits production --direct
    """
    from mlgit.core import refs
    from mlgit.registry.moving import freezing
    from mlgit.store import registry as store

    place = wiring.place()
    name = store.base_name(place.repo, base)
    act = halted.Act(
        change=freezing.unfreeze(models, stages, now=time.time()), title=f"Unfreeze {models} {stages}",
        branch=refs.freeze_branch(models, stages, lifts=True), already=f"{models} {stages} is not frozen.",
        plain={"models": models, "stages": stages},
    )  # fmt: skip
    at = promoting.brought(place, name, direct=direct)
    halted.do(place, name, act, at=at, direct=direct, as_json=as_json)
