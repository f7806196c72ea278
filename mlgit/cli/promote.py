"""`mlgit promote`: propose a version for a stage."""

from __future__ import annotations

import click

from mlgit import wiring
from mlgit.cli import proposed
from mlgit.cli.choose import MODEL
from mlgit.errors import UsageError
from mlgit.wiring import halting, promoting


@click.command()
@click.argument("version", type=MODEL, metavar="MODEL@VERSION")
@click.argument("stage")
@click.option("--lift", is_flag=True, help="Lift the hold of STAGE with it, where it has one.")
@click.option("--emergency", is_flag=True, help="Go past the gates: they are told, and not asked. Needs --reason.")
@click.option("--reason", default="", metavar="TEXT", help="Why it is an emergency; the stage's history keeps it.")
@proposed.BASE
@proposed.DRY_RUN
@proposed.JSON
def command(
    version: str, stage: str, lift: bool, emergency: bool, reason: str, base: str | None, dry_run: bool, as_json: bool
) -> None:  # fmt: skip
    """Open a pull request that lets STAGE serve a version, if the gates of registry/policy.yaml pass.

    The policy is the base branch's; STAGE is one that it lists, or any word where there is no policy. Exits with 4
    where a gate fails. Merging the pull request moves the stage. A held stage is left alone without --lift.

    An emergency goes past the gates, and is said wherever the promotion is, and in the stage's history for ever. Not
    even that lets through a version that was edited, bytes that nobody has, or a broken signature.

    \b
    Examples:
      mlgit promote digits@v1.2.0 staging
      mlgit promote digits@v1.2.0 production --dry-run
      mlgit promote digits@v1.2.1 production --emergency --reason 'v1.2.0 crashes'
    """
    model, at, number = version.partition("@")
    if not at:
        raise UsageError(
            f"{version[:120]!r} names no version.", fix="write MODEL@VERSION, as mlgit model ls lists them"
        )
    if reason and not emergency:
        raise UsageError("--reason says why it is an emergency.", fix="--emergency with it, or neither")
    place = wiring.place()
    declared = halting.emergency(place, reason) if emergency else None
    plan = promoting.promotion(place, model, number, stage, base=base, lift=lift, emergency=declared)
    proposed.propose(place, plan, dry_run=dry_run, as_json=as_json)
