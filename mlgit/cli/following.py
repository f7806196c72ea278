"""What follows when stages move, said; it never changes how the command ends that moved them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mlgit.cli import output
from mlgit.core import escape
from mlgit.errors import MlgitError

if TYPE_CHECKING:
    from mlgit.git.remote import Remote
    from mlgit.registry.automation.advancing import Passed
    from mlgit.registry.automation.running import Delivery
    from mlgit.store.place import Place


def follow(
    place: Place, *, since: float, base: str | None = None, remote: Remote | None = None, merged: str | None = None
) -> list[Delivery]:  # fmt: skip
    """Do what follows on what has happened since that moment, or since *merged* was made, and say so."""
    from mlgit.wiring import automating

    try:
        done = automating.follow(place, base=base, remote=remote, since=since, merged=merged)
    except MlgitError as exc:
        output.note(f"what follows waits: {exc}")
        return []
    for one in done:
        if one.done.how.value != "done" or not automating.is_own(one.automation):
            output.note(told(one))
    return done


def advance(
    place: Place, *, base: str | None = None, remote: Remote | None = None, dry_run: bool = False, quiet: bool = False
) -> list[Passed]:  # fmt: skip
    """Propose what proposes itself, and say so; unless *quiet*, also why nothing does.

    In a job of CI the pull request has its report at once: what a job's own token opens starts no workflow.
    """
    from mlgit import wiring
    from mlgit.wiring import advancing, reporting

    try:
        found = advancing.advance(place, base=base, remote=remote, dry_run=dry_run)
    except MlgitError as exc:
        output.note(f"nothing was proposed: {exc}")
        return []
    for one in found:
        name = f"{one.model} {one.version}" if one.version else one.model
        if one.is_moved or one.is_stuck or not quiet:
            output.note(f"{name} for {one.stage}: {escape.line(one.why, 500)}")
        if one.is_moved and one.pull and os.environ.get("GITHUB_ACTIONS") and wiring.on_github(place):
            try:
                reporting.report_on(place, one.pull)
            except MlgitError as exc:
                output.note(f"#{one.pull} has no report: {exc}")
    return found


def told(one: Delivery) -> str:
    """What became of one automation, in a line."""
    event, said = one.event, escape.line(one.done.said, 300)
    what = f"{one.automation}, after {event.on.value} of {event.model} {event.version or ''}".rstrip()
    if one.done.how.value == "done":
        return f"{what}: {said}"
    later = "it is tried again by mlgit registry reconcile" if one.done.how.value == "failed" else "given up"
    return f"{what}, failed ({later}): {said}"
