"""`mlgit policy explain`: what a stage asks, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.choose import LISTED, MODEL
from mlgit.errors import UsageError
from mlgit.wiring import promoting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlgit.core.verdict import Verdict
    from mlgit.registry.policy.file import Placed, Policy
    from mlgit.store.place import Place


@click.command(short_help="Say what a stage asks, and what it would say of a version.")
@click.argument("version", type=MODEL, metavar="MODEL[@VERSION]")
@click.argument("stage", type=LISTED, required=False)
@click.option("--run", "runs", is_flag=True, help="Run the programs of gates, too.")
@click.option("--base", metavar="BRANCH", help="The branch whose policy counts.  [default: main]")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(version: str, stage: str | None, runs: bool, base: str | None, as_json: bool) -> None:
    """Say in words what STAGE, or every stage, asks of a model, and where that is written.

    Of MODEL@VERSION besides: what each gate would say of it now, by what, and what would make it pass; and where it
    serves already, or a stage is held. Nothing moves, and no program of a gate is run without --run. Exits with 0,
    whatever they say.

    \b
    Examples:
      mlgit policy explain digits
      mlgit policy explain digits@v1.2.0
      mlgit policy explain digits@v1.2.0 production
    """
    from mlgit.registry.policy import file
    from mlgit.registry.versions import shelf
    from mlgit.store import registry as store

    place = wiring.place()
    name = store.base_name(place.repo, base)
    policy = _policy(place, name)
    model, at, number = version.partition("@")
    stages = [stage] if stage else policy.stages(model) if policy else []
    answers: dict[str, list[Verdict]] = {}
    refused: dict[str, UsageError] = {}
    if at:
        number = shelf.find(place.repo, version, base=name).version
    for one in stages:
        gates = file.gates_of(policy, model, one)
        try:
            answers[one] = (
                list(promoting.promotion(place, model, number, one, base=base, only_looks=not runs).verdicts)
                if at else _asked(gates, one)
            )  # fmt: skip
        except UsageError as exc:
            answers[one], refused[one] = [], exc
    if as_json:
        output.as_json({
            "model": model, "version": number or None, "base": name,
            "stages": {one: [_plain(verdict, judged=bool(at)) for verdict in found] for one, found in answers.items()},
            "refused": {one: exc.what for one, exc in refused.items()},
        })  # fmt: skip
        return
    if policy is None:
        output.say(f"{name} has no {store.POLICY}: any stage takes any version. Next: mlgit policy init")
    elif not answers:
        output.say(f"{policy.source} lists no stage for {model}.")
    for one, found in answers.items():
        where = ", ".join(rule.where for rule in policy.asked(model, one)) if policy else ""
        said = refused[one].what if one in refused else "" if found else "takes any version"
        output.say(one + (f" ({where})" if where else "") + (f": {said}" if said else ""))
        _say(found, judged=bool(at))


def _policy(place: Place, base: str) -> Policy | None:
    """The policy of *base*; None where there is none."""
    from mlgit.registry.moving import propose
    from mlgit.store import registry as store

    with place.repo.reader() as reader:
        return propose.policy_at(reader, store.base_commit(place.repo, base))


def _asked(gates: Sequence[Placed], stage: str) -> list[Verdict]:
    """What *stage* asks: its gates, with nothing shown to them."""
    from mlgit.core.model import ModelVersion
    from mlgit.registry.policy import judging
    from mlgit.registry.policy.evidence import Evidence

    nothing = ModelVersion(model="", version="", project="", run="", commit="", artifact="", hash="")
    return judging.judge(gates, Evidence(stage=stage, candidate=nothing))


def _say(found: Sequence[Verdict], *, judged: bool) -> None:
    for verdict in found:
        if not judged:
            output.say(f"  {verdict.gate}  ({verdict.where})")
            continue
        how = "waits" if verdict.waits else verdict.outcome.value
        output.say(f"  {how}  {verdict.gate}: {verdict.observed}  ({verdict.where})")
        if not verdict.passed and verdict.fix:
            output.say(f"    to pass: {verdict.fix}")


def _plain(verdict: Verdict, *, judged: bool) -> dict[str, object]:
    if not judged:
        return {"gate": verdict.gate, "where": verdict.where}
    return verdict.plain | {"fix": verdict.fix or None}
