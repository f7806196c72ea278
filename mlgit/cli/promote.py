"""`mlgit promote`: propose a version for a stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.choose import MODEL
from mlgit.core import escape
from mlgit.errors import UsageError
from mlgit.wiring import promoting

if TYPE_CHECKING:
    from mlgit.registry.propose import Plan


@click.command()
@click.argument("version", type=MODEL, metavar="MODEL@VERSION")
@click.argument("stage")
@click.option("--base", metavar="BRANCH", help="The branch to promote on.  [default: main]")
@click.option("-n", "--dry-run", is_flag=True, help="Show the gates' verdicts and the files; open nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(version: str, stage: str, base: str | None, dry_run: bool, as_json: bool) -> None:
    """Open a pull request that lets STAGE serve a version, if the gates of registry/policy.yaml pass.

    The policy is the base branch's; STAGE is one that it lists, or any word where there is no policy. Exits with 4
    where a gate fails. Merging the pull request moves the stage.

    \b
    Examples:
      mlgit promote digits@v1.2.0 staging
      mlgit promote digits@v1.2.0 production --dry-run
    """
    model, at, number = version.partition("@")
    if not at:
        raise UsageError(
            f"{version[:120]!r} names no version.", fix="write MODEL@VERSION, as mlgit model ls lists them"
        )
    place = wiring.place()
    plan = promoting.promotion(place, model, number, stage, base=base)
    _show(plan, quiet=as_json)
    if dry_run:
        if as_json:
            output.as_json(_plain(plan) | {"pull": None})
        else:
            for path, text in plan.files.items():
                output.say(f"\n{path}\n{text.rstrip()}")
        if refused := plan.refusal:
            raise refused
        return
    if as_json and plan.refusal:
        output.as_json(_plain(plan) | {"pull": None, "opened": False})
    made = promoting.promote(place, plan)
    if as_json:
        output.as_json(_plain(plan) | {"pull": made.pull.number, "opened": made.opened})
    elif made.opened:
        output.say(f"#{made.pull.number} {made.pull.title}")
        output.note(f"Next: mlgit pr show {made.pull.number}, then mlgit pr merge {made.pull.number}")
    else:
        output.say(f"#{made.pull.number} {made.pull.title} is open already; its comment is up to date.")


_OUTCOMES = {"pass": "passed", "fail": "FAILED", "inconclusive": "INCONCLUSIVE", "error": "ERROR"}


def _show(plan: Plan, *, quiet: bool) -> None:
    if quiet:
        return
    if plan.candidate.unsafe:
        output.note(f"{plan.candidate.model} {plan.candidate.version} is UNSAFE to load: {plan.candidate.unsafe}.")
    if plan.candidate.drifted:
        name = f"{plan.candidate.model} {plan.candidate.version}"
        output.note(
            f"{name} was, or may have been, trained on OTHER DATA than its code names: "
            f"{escape.line(plan.candidate.drifted, 500)}."
        )
    if not plan.policy:
        output.note(f"{plan.base} has no registry/policy.yaml: no gate is asked.")
    for verdict in plan.verdicts:
        output.say(f"{_OUTCOMES[verdict.outcome.value]}  {verdict.gate}: {verdict.observed}  ({verdict.where})")


def _plain(plan: Plan) -> dict[str, object]:
    return {
        "model": plan.candidate.model, "version": plan.candidate.version, "stage": plan.stage, "base": plan.base,
        "champion": plan.champion.version if plan.champion else None, "branch": plan.branch,
        "changed_data": None if plan.candidate.changed_data is None else dict(plan.candidate.changed_data),
        "verdicts": [verdict.plain for verdict in plan.verdicts], "files": dict(plan.files),
    }  # fmt: skip
