"""What follows when stages move, said; it never changes how the command ends that moved them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlgit.cli import output
from mlgit.core import escape
from mlgit.errors import MlgitError

if TYPE_CHECKING:
    from mlgit.git.remote import Remote
    from mlgit.registry.automation.running import Delivery
    from mlgit.store.place import Place


def follow(place: Place, *, since: float, base: str | None = None, remote: Remote | None = None) -> None:
    """Do what follows on what has happened since that moment, and say so."""
    from mlgit.wiring import automating

    try:
        done = automating.follow(place, base=base, remote=remote, since=since)
    except MlgitError as exc:
        output.note(f"what follows waits: {exc}")
        return
    for one in done:
        output.note(told(one))


def told(one: Delivery) -> str:
    """What became of one automation, in a line."""
    event, said = one.event, escape.line(one.done.said, 300)
    what = f"{one.automation}, after {event.on.value} of {event.model} {event.version or ''}".rstrip()
    if one.done.how.value == "done":
        return f"{what}: {said}"
    later = "it is tried again by mlgit registry reconcile" if one.done.how.value == "failed" else "given up"
    return f"{what}, failed ({later}): {said}"
