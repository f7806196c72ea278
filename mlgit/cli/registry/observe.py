"""`mlgit registry observe`: what a target really runs."""

from __future__ import annotations

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.choose import MODEL
from mlgit.cli.registry.options import JSON
from mlgit.core import figures
from mlgit.errors import UsageError


@click.command(short_help="Record what a target really runs.")
@click.argument("target")
@click.argument("model", type=MODEL, metavar="MODEL@STAGE")
@click.option("--digest", "digests", multiple=True, metavar="SHA",
              help="Of what it runs: sha256 of a model that is one file, or DVC's hash; once a replica.")  # fmt: skip
@click.option("--version", "versions", multiple=True, metavar="V", help="The version, where the target tells it.")
@click.option("--by", default="", metavar="WHO", help="Who has looked.  [default: you, as git knows you]")
@JSON
def command(
    target: str, model: str, digests: tuple[str, ...], versions: tuple[str, ...], by: str, as_json: bool
) -> None:  # fmt: skip
    """Record what TARGET (a cluster, a region, a device) really runs as MODEL@STAGE, for mlgit registry status.

    It is a commit on a ref of its own, refs/mlgit/observed/TARGET, so what ran where is kept; mlgit sync shares it. A
    target of several replicas is given each digest that one of them runs.

    \b
    Examples:
      mlgit registry observe eu-west digits@production --version v1.2.0
      mlgit registry observe eu-west digits@production --digest $SHA256
    """
    from mlgit.wiring import auditing

    name, mark, stage = model.replace("#", "@", 1).partition("@")
    if not mark or not stage:
        raise UsageError(f"{model[:120]!r} names no stage.", fix=f"write {name[:60]}@production")
    place = wiring.place()
    who = by or place.repo.identity.partition(" <")[0]
    seen = auditing.observe(place, target, name, stage, digests=digests, versions=versions, by=who)
    if as_json:
        output.as_json({"target": target, "model": name, "stage": stage, "digests": list(seen.digests),
                        "seen": figures.moment(seen.seen), "by": seen.by})  # fmt: skip
    else:
        output.say(f"{target} runs {', '.join(one[:12] for one in seen.digests)} as {name} {stage}.")
        output.note("mlgit sync shares it; mlgit registry status compares.")
