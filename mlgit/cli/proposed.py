"""What becomes of a stage is shown, and proposed: what `mlgit promote` and `mlgit rollback` share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mlgit.cli import output
from mlgit.core import escape
from mlgit.wiring import promoting

if TYPE_CHECKING:
    from mlgit.core.model import Stage
    from mlgit.registry.propose import Plan
    from mlgit.store.place import Place

BASE = click.option("--base", metavar="BRANCH", help="The branch to promote on.  [default: main]")
DRY_RUN = click.option("-n", "--dry-run", is_flag=True, help="Show the gates' verdicts and the files; open nothing.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
_OUTCOMES = {"pass": "passed", "fail": "FAILED", "inconclusive": "INCONCLUSIVE", "error": "ERROR"}


def propose(place: Place, plan: Plan, *, dry_run: bool, as_json: bool) -> None:
    """Show *plan*, and, unless it is a *dry run*, open its pull request. Raises `GateFailedError`."""
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


def held(stage: Stage) -> str:
    """That a stage is held, or not, by whom and why, in a sentence."""
    hold, where = stage.hold, f"{stage.stage} of {stage.model}"
    if hold is None:
        return f"{where} serves {stage.version}, and is not held."
    why = f": {escape.line(hold.why, 500)}" if hold.why else ""
    back = f", where it came back to from {escape.line(hold.instead)}" if hold.instead else ""
    return f"{where} is held at {stage.version}{back}, by {escape.line(hold.by)} since {escape.line(hold.since)}{why}."


def stands(stage: Stage) -> dict[str, object]:
    """How a stage stands, for a script."""
    from dataclasses import asdict

    return {
        "model": stage.model, "stage": stage.stage, "version": stage.version,
        "hold": asdict(stage.hold) if stage.hold else None,
        "emergency": asdict(stage.emergency) if stage.emergency else None,
    }  # fmt: skip


def _show(plan: Plan, *, quiet: bool) -> None:
    if plan.wanted.emergency:
        output.note(f"EMERGENCY: {escape.line(plan.wanted.emergency.why, 500)}. Gates are told and not asked.")
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
    if plan.lifted:
        output.note(f"It lifts the hold of {escape.line(plan.lifted.by)}: {escape.line(plan.lifted.why, 500)}.")
    if not plan.policy:
        output.note(f"{plan.base} has no registry/policy.yaml: no gate is asked.")
    for verdict in plan.verdicts:
        word = _OUTCOMES[verdict.outcome.value] + (", passed over" if verdict.told and not verdict.passed else "")
        output.say(f"{word}  {verdict.gate}: {verdict.observed}  ({verdict.where})")


def _plain(plan: Plan) -> dict[str, object]:
    hold, emergency = plan.wanted.hold, plan.wanted.emergency
    return {
        "model": plan.candidate.model, "version": plan.candidate.version, "stage": plan.stage, "base": plan.base,
        "champion": plan.champion.version if plan.champion else None, "branch": plan.branch,
        "changed_data": None if plan.candidate.changed_data is None else dict(plan.candidate.changed_data),
        "verdicts": [verdict.plain for verdict in plan.verdicts], "files": dict(plan.files),
        "emergency": emergency.why if emergency else None, "rolled_back_from": hold.instead if hold else None,
        "lifts": plan.lifted is not None,
    }  # fmt: skip
