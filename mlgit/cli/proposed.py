"""What becomes of a stage is shown, and proposed: what `mlgit promote` and `mlgit rollback` share."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from mlgit.cli import following, output, staged
from mlgit.core import escape
from mlgit.errors import UsageError
from mlgit.wiring import promoting

if TYPE_CHECKING:
    from mlgit.core.model import Stage
    from mlgit.registry.moving.direct import Direct
    from mlgit.registry.moving.propose import Plan, Promotion
    from mlgit.registry.moving.settle import Settled
    from mlgit.store.place import Place

BASE = click.option("--base", metavar="BRANCH", help="The branch to promote on.  [default: main]")
DRY_RUN = click.option("-n", "--dry-run", is_flag=True, help="Show the gates' verdicts and the files; open nothing.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
DIRECT = click.option("--direct", is_flag=True, help="Commit it on the base branch at once, without a pull request.")
_WAIT = click.option("--wait", is_flag=True, help="Wait until the pull request is merged and the stage serves it.")
_TIMEOUT = click.option("--timeout", "minutes", type=click.FloatRange(min=0), metavar="MINUTES",
                        help="Wait so long at most.  [default: for ever]")  # fmt: skip
_OUTCOMES = {"pass": "passed", "fail": "FAILED", "inconclusive": "INCONCLUSIVE", "error": "ERROR"}


@dataclass(frozen=True, kw_only=True)
class How:
    """In which way something is to be promoted."""

    dry_run: bool
    direct: bool
    wait: bool
    minutes: float | None
    as_json: bool


def options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say how; *command* gets the base branch, and the rest as one `How`."""

    @functools.wraps(command)
    def called(
        *, dry_run: bool, direct: bool, wait: bool, minutes: float | None, as_json: bool, **given: object
    ) -> None:  # fmt: skip
        if minutes is not None and not wait:
            raise UsageError("--timeout says how long to --wait.", fix="give both")
        command(how=How(dry_run=dry_run, direct=direct, wait=wait, minutes=minutes, as_json=as_json), **given)

    for option in (JSON, _TIMEOUT, _WAIT, DIRECT, DRY_RUN, BASE):
        called = option(called)
    return called


def propose(place: Place, plan: Plan, how: How) -> None:
    """Show *plan*, and, unless it is a dry run, open its pull request. Raises `GateFailedError`."""
    from mlgit.registry.moving import settle
    from mlgit.wiring import awaiting

    as_json = how.as_json
    show(plan, quiet=as_json)
    if how.dry_run:
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
        _tell(made, wait=how.wait)
    stages = awaiting.settled(place, made, minutes=how.minutes, tell=output.note) if how.wait else ()
    if as_json:
        told = {"pull": made.pull.number, "opened": made.opened, "rivals": [one.number for one in made.rivals]}
        output.as_json(_plain(plan) | told | ({"stages": [*map(settle.plain, stages)]} if how.wait else {}))
    staged.say(stages, quiet=as_json)


def _tell(made: Promotion, *, wait: bool) -> None:
    pull = made.pull
    is_open = "" if made.opened else " is open already; its comment is up to date."
    output.say(f"#{pull.number} {pull.title}{is_open}")
    for other in made.rivals:
        output.note(f"#{other.number} {other.title} is open, too: what is merged last is judged against the other.")
    if made.opened and not wait:
        output.note(f"Next: mlgit pr show {pull.number}, then mlgit pr merge {pull.number}")


def tell_merged(stages: Sequence[Settled], *, as_json: bool) -> None:
    """Say what became of *stages*, of which the base branch says so already."""
    from mlgit.registry.moving import settle

    if as_json:
        output.as_json({"pull": None, "opened": False, "stages": [*map(settle.plain, stages)]})
    staged.say(stages, quiet=as_json)


def tell_direct(place: Place, made: Direct, *, base: str | None, as_json: bool) -> None:
    """Say what came of a promotion without a pull request, and do what follows on it."""
    from mlgit.registry.moving import settle

    if made.plan:
        show(made.plan, quiet=as_json)
    if as_json:
        about = _plain(made.plan) if made.plan else {}
        told = {"pull": None, "opened": False, "commit": made.commit, "stages": [*map(settle.plain, made.stages)]}
        output.as_json(about | told)
    elif made.plan and made.commit:
        output.say(f"{made.plan.base} says so, as {made.commit[:10]}.")
    if any(one.tag for one in made.stages):
        following.follow(place, since=time.time(), base=base, merged=made.commit)
    staged.say(made.stages, quiet=as_json)


def held(stage: Stage) -> str:
    """That a stage is held, or not, by whom and why, in a sentence."""
    hold, where = stage.hold, f"{stage.stage} of {stage.model}"
    if hold is None:
        return f"{where} serves {stage.version}, and is not held."
    why = f": {escape.line(hold.why, 500)}" if hold.why else ""
    back = f", back from {escape.line(hold.instead)}" if hold.instead else ""
    return f"{where} is held at {stage.version}{back}, by {escape.line(hold.by)} since {escape.line(hold.since)}{why}."


def stands(stage: Stage) -> dict[str, object]:
    """How a stage stands, for a script."""
    from dataclasses import asdict

    return {
        "model": stage.model, "stage": stage.stage, "version": stage.version,
        "hold": asdict(stage.hold) if stage.hold else None,
        "emergency": asdict(stage.emergency) if stage.emergency else None,
    }  # fmt: skip


def show(plan: Plan, *, quiet: bool) -> None:
    """Say what *plan* is about, and what its gates say of it; an emergency also when *quiet*."""
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
        over = ", passed over" if verdict.told and not verdict.passed else ""
        word = "waits" if verdict.waits else _OUTCOMES[verdict.outcome.value] + over
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
