"""What has happened in a registry, as its tags and its stages' files say (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from mlgit.core.model import Stage
from mlgit.registry import decision
from mlgit.registry.automation.file import On
from mlgit.registry.ledger import DEPRECATED, Action, Ledger
from mlgit.registry.ledger import Event as Tagged
from mlgit.store import registry as store


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that happened; what is done of it is kept by its id."""

    id: str
    """The name of its tag; of a hold, what is held since when."""
    on: On
    model: str
    stage: str | None = None
    version: str | None = None
    instead: str | None = None
    """The version that the stage served until then."""
    when: float
    """Seconds since the epoch."""
    by: str = ""
    tag: str | None = None
    digest: str = ""
    """DVC's hash of what it is about."""
    why: str = ""
    pull: int | None = None
    approvers: tuple[str, ...] = ()
    emergency: bool = False

    @property
    def words(self) -> dict[str, str]:
        """What an input of a workflow may name of it."""
        return {
            "model": self.model, "stage": self.stage or "", "version": self.version or "", "event": self.on.value,
            "digest": self.digest, "tag": self.tag or "",
        }  # fmt: skip

    def plain(self, serves: str | None) -> dict[str, Any]:
        """The event for another program; *serves*: what its stage serves by now, for events may come late."""
        return {
            "type": f"model.{self.on.value}",
            "timestamp": datetime.fromtimestamp(self.when, UTC).isoformat().replace("+00:00", "Z"),
            "data": {
                "model": self.model, "stage": self.stage, "version": self.version, "instead": self.instead,
                "serves_now": serves, "digest": self.digest, "tag": self.tag, "by": self.by, "why": self.why,
                "pull": self.pull, "approvers": list(self.approvers), "emergency": self.emergency,
            },
        }  # fmt: skip


def since(
    ledgers: Iterable[Ledger], stages: Iterable[Stage], moment: float, done: Collection[str] = ()
) -> list[Event]:  # fmt: skip
    """What happened since *moment*, oldest first; *done*: the ids of what was told before, for what was held then."""
    stages = list(stages)
    found = [event for known in ledgers for event in _tagged(known) if event.when >= moment]
    found += [event for stage in stages if (event := _held(stage)) and event.when >= moment]
    return sorted((*found, *_lifted(stages, done)), key=lambda event: (event.when, event.id))


def _tagged(known: Ledger) -> Iterator[Event]:
    served: dict[str, list[str]] = {}
    assigned: dict[str, list[str]] = {}
    for tagged in known.history:
        if tagged.stage is None:
            if tagged.action is Action.REGISTER:
                yield _event(known, tagged, On.VERSION)
        elif tagged.version and tagged.stage != DEPRECATED:
            stands = assigned.setdefault(tagged.stage, [])
            was = stands[-1] if stands else None
            if tagged.version in stands:
                stands.remove(tagged.version)
            if tagged.action is Action.ASSIGN:
                stands.append(tagged.version)
            serves = stands[-1] if stands else None
            earlier = served.setdefault(tagged.stage, [])
            if (on := _on(was, serves, earlier)) is not None:
                yield _event(known, replace(tagged, version=serves or tagged.version), on, was)
            if serves:
                earlier.append(serves)


def _on(was: str | None, serves: str | None, earlier: Collection[str]) -> On | None:
    """What a stage's tag means, after which it *serves* something else than it *was*; *earlier*: all that it served."""
    if serves == was:
        return None  # said again, or taken back from beneath
    if serves is None:
        return On.EMPTIED
    return On.ROLLED_BACK if serves in earlier else On.PROMOTED


def _event(known: Ledger, tagged: Tagged, on: On, instead: str | None = None) -> Event:
    why = decision.of_message(tagged.tag.message) if tagged.stage else None
    version = known.versions.get(tagged.version or "")
    digest = why.digest if why and why.digest else str(store.told(version.message).get("hash", "")) if version else ""
    origin = why.origin if why else decision.Origin()
    declared = why.emergency_of(tagged.version) if why else None
    return Event(
        id=tagged.tag.name, on=on, model=known.model, stage=tagged.stage, version=tagged.version, instead=instead,
        when=tagged.tag.when, by=origin.merged_by or origin.author or tagged.tag.who, tag=tagged.tag.name,
        digest=digest, pull=origin.pull, approvers=origin.approvers, emergency=declared is not None,
        why=declared.why if declared else why.hold.why if why and why.hold else "",
    )  # fmt: skip


def _held(stage: Stage) -> Event | None:
    if stage.hold is None:
        return None
    try:
        when = datetime.fromisoformat(stage.hold.since).timestamp()
    except (ValueError, OverflowError):
        return None
    return Event(
        id=f"{stage.model}#{stage.stage}#held#{stage.hold.since}", on=On.HELD, model=stage.model, stage=stage.stage,
        version=stage.version, when=when, by=stage.hold.by, why=stage.hold.why,
    )  # fmt: skip


def _lifted(stages: Iterable[Stage], done: Collection[str]) -> Iterator[Event]:
    """The holds that were told of, and stand no more."""
    standing = {event.id: event for stage in stages if (event := _held(stage))}
    files: Mapping[tuple[str, str], Stage] = {(stage.model, stage.stage): stage for stage in stages}
    for told in done:
        model, *parts = told.split("#")
        if len(parts) != 3 or parts[1] != "held" or told in standing:
            continue
        stage, since = parts[0], parts[2]
        there = files.get((model, stage))
        yield Event(
            id=f"{model}#{stage}#lifted#{since}", on=On.LIFTED, model=model, stage=stage,
            version=there.version if there else None, when=datetime.fromisoformat(since).timestamp(),
        )  # fmt: skip
