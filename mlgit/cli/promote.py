"""`mlgit promote`: propose a version for a stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mlgit import wiring
from mlgit.cli import output, staged
from mlgit.cli.choose import MODEL
from mlgit.core import escape
from mlgit.errors import UsageError
from mlgit.wiring import promoting

if TYPE_CHECKING:
    from mlgit.registry.direct import Direct
    from mlgit.registry.propose import Plan, Promotion


@click.command()
@click.argument("version", type=MODEL, metavar="MODEL@VERSION")
@click.argument("stage")
@click.option("--base", metavar="BRANCH", help="The branch to promote on.  [default: main]")
@click.option("-n", "--dry-run", is_flag=True, help="Show the gates' verdicts and the files; open nothing.")
@click.option("--direct", is_flag=True, help="Commit it on the base branch at once, without a pull request.")
@click.option("--wait", is_flag=True, help="Wait until the pull request is merged and the stage serves it.")
@click.option("--timeout", "minutes", type=click.FloatRange(min=0), metavar="MINUTES",
              help="Wait so long at most.  [default: for ever]")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(
    version: str, stage: str, base: str | None, dry_run: bool, direct: bool, wait: bool, minutes: float | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Open a pull request that lets STAGE serve a version, if the gates of registry/policy.yaml pass.

    The policy is the base branch's; STAGE is one that it lists, or any word where there is no policy. Exits with 4
    where a gate fails. Merging the pull request moves the stage.

    With --direct the stage moves at once, if the gates pass and the branch takes a commit of yours: on the remote
    origin, where there is one. Where somebody commits there meanwhile, the gates are asked again.

    With --wait it ends when the stage serves the version (0), when the pull request is closed or the time is over (1),
    or when a gate fails by then (4). Doing it again opens nothing twice, and waits on.

    \b
    Examples:
      mlgit promote digits@v1.2.0 staging
      mlgit promote digits@v1.2.0 production --dry-run
      mlgit promote digits@v1.2.0 staging --direct
      mlgit promote digits@v1.2.0 production --wait --timeout 60
    """
    if minutes is not None and not wait:
        raise UsageError("--timeout says how long to --wait.", fix="give both")
    from mlgit.registry import settle
    from mlgit.wiring import awaiting

    place = wiring.place()
    model, number = promoting.version_of(place, version, base=base)
    if wait and (found := awaiting.merged(place, model, number, stage, base=base)) is not None:
        if as_json:
            output.as_json({"pull": None, "opened": False, "stages": [*map(settle.plain, found)]})
        staged.say(found, quiet=as_json)
        return
    if direct and not dry_run:
        _direct(promoting.direct(place, model, number, stage, base=base), as_json=as_json)
        return
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
    if not as_json:
        _tell(made, wait=wait)
    stages = awaiting.settled(place, made, minutes=minutes, tell=output.note) if wait else ()
    if as_json:
        told = {"pull": made.pull.number, "opened": made.opened}
        output.as_json(_plain(plan) | told | ({"stages": [*map(settle.plain, stages)]} if wait else {}))
    staged.say(stages, quiet=as_json)


def _tell(made: Promotion, *, wait: bool) -> None:
    pull = made.pull
    if not made.opened:
        output.say(f"#{pull.number} {pull.title} is open already; its comment is up to date.")
        return
    output.say(f"#{pull.number} {pull.title}")
    if not wait:
        output.note(f"Next: mlgit pr show {pull.number}, then mlgit pr merge {pull.number}")


def _direct(made: Direct, *, as_json: bool) -> None:
    from mlgit.registry import settle

    if made.plan:
        _show(made.plan, quiet=as_json)
    if as_json:
        about = _plain(made.plan) if made.plan else {}
        told = {"pull": None, "opened": False, "commit": made.commit, "stages": [*map(settle.plain, made.stages)]}
        output.as_json(about | told)
    elif made.plan and made.commit:
        output.say(f"{made.plan.base} says so, as {made.commit[:10]}.")
    staged.say(made.stages, quiet=as_json)


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
        how = "waits" if verdict.waits else _OUTCOMES[verdict.outcome.value]
        output.say(f"{how}  {verdict.gate}: {verdict.observed}  ({verdict.where})")


def _plain(plan: Plan) -> dict[str, object]:
    return {
        "model": plan.candidate.model, "version": plan.candidate.version, "stage": plan.stage, "base": plan.base,
        "champion": plan.champion.version if plan.champion else None, "branch": plan.branch,
        "changed_data": None if plan.candidate.changed_data is None else dict(plan.candidate.changed_data),
        "verdicts": [verdict.plain for verdict in plan.verdicts], "files": dict(plan.files),
    }  # fmt: skip
