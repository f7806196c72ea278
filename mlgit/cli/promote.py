"""`mlgit promote`: propose a version for a stage."""

from __future__ import annotations

import click

from mlgit import wiring
from mlgit.cli import proposed
from mlgit.cli.choose import LISTED, MODEL
from mlgit.cli.proposed import How
from mlgit.errors import UsageError
from mlgit.wiring import halting, promoting


@click.command()
@click.argument("version", type=MODEL, metavar="MODEL@VERSION")
@click.argument("stage", type=LISTED)
@click.option("--lift", is_flag=True, help="Lift the hold of STAGE with it, where it has one.")
@click.option("--emergency", is_flag=True, help="Go past the gates: they are told, and not asked. Needs --reason.")
@click.option("--reason", default="", metavar="TEXT", help="Why it is an emergency; the stage's history keeps it.")
@proposed.options
def command(version: str, stage: str, lift: bool, emergency: bool, reason: str, base: str | None, how: How) -> None:
    """Open a pull request that lets STAGE serve a version, if the gates of registry/policy.yaml pass.

    The policy is the base branch's; STAGE is one that it lists, or any word where there is no policy. Exits with 4
    where a gate fails. Merging the pull request moves the stage. A held stage is left alone without --lift.

    With --direct the stage moves at once, if the gates pass and the branch takes a commit of yours: on the remote
    origin, where there is one. Where somebody commits there meanwhile, the gates are asked again.

    With --wait it ends when the stage serves the version (0), when the pull request is closed or the time is over (1),
    or when a gate fails by then (4). Doing it again opens nothing twice, and waits on.

    An emergency goes past the gates, and is said wherever the promotion is, and in the stage's history for ever. Not
    even that lets through a version that was edited, bytes that nobody has, or a broken signature.

    \b
    Examples:
      mlgit promote digits@v1.2.0 staging
      mlgit promote digits@v1.2.0 production --dry-run
      mlgit promote digits@v1.2.0 staging --direct
      mlgit promote digits@v1.2.0 production --wait --timeout 60
      mlgit promote digits@v1.2.1 production --emergency --reason 'v1.2.0 crashes'
    """
    from mlgit.core.model import Stage
    from mlgit.registry import ledger
    from mlgit.registry.moving.propose import Plan
    from mlgit.wiring import awaiting

    if reason and not emergency:
        raise UsageError("--reason says why it is an emergency.", fix="--emergency with it, or neither")
    place = wiring.place()
    model, number = promoting.version_of(place, version, base=base)
    declared = halting.emergency(place, reason) if emergency else None

    def think(at: str | None = None) -> Plan:
        return promoting.promotion(
            place, model, number, stage, base=base, lift=lift, emergency=declared, at=at
        )  # fmt: skip

    if how.wait and (found := awaiting.merged(place, model, number, stage, base=base)) is not None:
        proposed.tell_merged(found, as_json=how.as_json)
    elif how.direct and not how.dry_run:
        wanted = Stage(model=model, stage=ledger.name(stage, "stage"), version=number, emergency=declared)
        made = promoting.direct(place, wanted, think, base=base)
        proposed.tell_direct(place, made, base=base, as_json=how.as_json)
    else:
        at = None if how.dry_run else promoting.brought(place, base)
        proposed.propose(place, think(at), how)
