"""The account of a registry: tags, and changes of its files, as one list of what happened (pure).

A stage moves by its tag; a commit that asked for it is part of the same entry. What has no tag is told by itself: a
hold, a freeze, a policy, and a stage's file that says what was never served.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property

from mlgit.core import escape
from mlgit.core.model import Emergency, Hold, Stage
from mlgit.errors import ConfigError
from mlgit.registry import decision
from mlgit.registry.audit.changes import FREEZES, Change, History
from mlgit.registry.decision import Decision, Origin
from mlgit.registry.ledger import DEPRECATED, Action, Event, Ledger
from mlgit.registry.policy import freezes
from mlgit.registry.stages import OURS
from mlgit.store import registry as store


class What(enum.Enum):
    """What happened, in the words of the account."""

    REGISTERED = "registered"
    UNREGISTERED = "unregistered"
    DEPRECATED = "deprecated"
    RESTORED = "deprecated no more"
    PROMOTED = "promoted"
    RETURNED = "rolled back"
    EMPTIED = "emptied"
    ASSIGNED = "assigned with GTO"
    UNASSIGNED = "taken back with GTO"
    UNSERVED = "merged, never served"
    HELD = "held"
    LIFTED = "hold lifted"
    FROZEN = "frozen"
    THAWED = "unfrozen"
    POLICY = "policy changed"
    EDITED = "edited"


SERVES = frozenset({What.PROMOTED, What.RETURNED, What.ASSIGNED})
"""After these a stage serves the version that they name."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing that happened."""

    when: float
    """Seconds since the epoch, by the clock of who did it."""
    what: What
    model: str = ""
    stage: str = ""
    version: str = ""
    who: str = ""
    """Who asked for it in a commit; where no commit did, who made the tag."""
    why: str = ""
    commit: str = ""
    """On the base branch."""
    tag: str = ""
    policy: str = ""
    """Of a changed policy: its blob."""
    message: str = field(default="", repr=False)
    """The tag's."""

    @cached_property
    def decision(self) -> Decision | None:
        """What the tag of a stage records; None where it records nothing."""
        return decision.of_message(self.message) if self.message and self.stage else None

    @property
    def origin(self) -> Origin:
        """The pull request, as far as it is known."""
        return self.decision.origin if self.decision else Origin()

    @property
    def emergency(self) -> Emergency | None:
        """Why the gates were told and not asked."""
        return self.decision.emergency_of(self.version) if self.decision else None

    @property
    def by(self) -> str:
        """Who asked for it."""
        return self.origin.author or self.who

    @property
    def reason(self) -> str:
        """Why, as far as anybody said so."""
        if self.emergency:
            return f"EMERGENCY: {self.emergency.why} ({self.emergency.by})"
        hold = self.decision.hold if self.decision else None
        return self.why or (hold.why if hold else "")


def account(ledgers: Iterable[Ledger], history: History, since: float = -math.inf) -> list[Entry]:
    """All that *ledgers* and *history* tell, oldest first; what has its turn from *since* on."""
    known = list(ledgers)
    asked: dict[tuple[str, str], list[Change]] = {}
    for change in history.changes:
        if where := stage_path(change.path):
            asked.setdefault(where, []).append(change)
    tagged = [(event.tag.when, 1, entry) for one in known for event, entry in _of_tags(one, asked, history.order)]
    events = [event for one in known for event in one.history]
    written = [
        (change.turn, 2 if stage_path(change.path) else 0, entry) for change, entry in _of_changes(history, events)
    ]
    return [entry for when, _, entry in sorted([*tagged, *written], key=lambda one: one[:2]) if when >= since]


def commit_of(message: str) -> str:
    """The commit on the base branch for which a stage's tag was made; empty where the tag was not made here."""
    return next((line.removeprefix(OURS).strip() for line in message.split("\n") if line.startswith(OURS)), "")


def stage_path(path: str) -> tuple[str, str] | None:
    """The model and the stage whose file *path* is; None of any other file."""
    folder, _, rest = path.partition("/")
    model, _, name = rest.partition("/")
    is_stage = folder == store.FOLDER and name.endswith(".yaml") and "/" not in name and name != "model.yaml"
    return (model, name.removesuffix(".yaml")) if is_stage else None


def _of_tags(
    known: Ledger, asked: Mapping[tuple[str, str], Sequence[Change]], order: Mapping[str, int]
) -> Iterator[tuple[Event, Entry]]:
    served: set[tuple[str, str]] = set()
    for event in known.history:
        stage, version = event.stage or "", event.version or ""
        commit = commit_of(event.tag.message) if stage else ""
        if commit and event.action is Action.UNASSIGN and event.serves and stage != DEPRECATED:
            continue  # a stage is emptied by a tag for each version that it ever served; the last one does it
        number = order.get(commit, -1)
        change = next(
            (one for one in reversed(asked.get((known.model, stage), ())) if order[one.commit] <= number), None
        )
        what = _what(event, is_ours=bool(commit), is_return=(stage, version) in served)
        about = event.tag.message.partition("\n\n")[2].split(f"\n{store.TRAILER}")[0] if not commit else ""
        yield event, Entry(
            when=event.tag.when, what=what, model=known.model, stage="" if stage == DEPRECATED else stage,
            version=version, who=change.who if change else event.tag.who, tag=event.tag.name, commit=commit,
            why=about if not about.startswith(store.TRAILER) else "", message=event.tag.message,
        )  # fmt: skip
        served.add((stage, version))


def _what(event: Event, *, is_ours: bool, is_return: bool) -> What:
    match event.action:
        case Action.REGISTER:
            return What.REGISTERED
        case Action.UNREGISTER:
            return What.UNREGISTERED
        case Action.DEPRECATE:
            return What.DEPRECATED
        case Action.ASSIGN if event.stage == DEPRECATED:
            return What.DEPRECATED
        case Action.UNASSIGN if event.stage == DEPRECATED:
            return What.RESTORED
        case Action.ASSIGN if is_ours:
            return What.RETURNED if is_return else What.PROMOTED
        case Action.ASSIGN:
            return What.ASSIGNED
        case Action.UNASSIGN:
            return What.EMPTIED if is_ours else What.UNASSIGNED


def _of_changes(history: History, events: Sequence[Event]) -> Iterator[tuple[Change, Entry]]:
    """What the tags do not tell."""
    moves: dict[tuple[str, str], list[tuple[int, Event]]] = {}
    for event in events:
        if event.stage and (number := history.order.get(commit_of(event.tag.message))) is not None:
            moves.setdefault((event.model, event.stage), []).append((number, event))
    later: dict[tuple[str, str], int] = {}
    found: list[tuple[Change, Entry]] = []
    for change in reversed(history.changes):
        if where := stage_path(change.path):
            number = history.order[change.commit]
            until = later.get(where, len(history.order))
            served = [event for at, event in moves.get(where, ()) if number <= at < until]
            made = list(_of_stage(change, where, served))
            # A hold that came with a move is told after it: tags are dated a second apart, and so may be late.
            turns = [event.tag.when for event in served if commit_of(event.tag.message) == change.commit]
            change = replace(change, turn=max([change.turn, *turns]))
            if _moves(change, where):
                later[where] = number
        else:
            made = list(_of_file(change))
        found += [(change, entry) for entry in reversed(made)]
    yield from reversed(found)


def _moves(change: Change, where: tuple[str, str]) -> bool:
    """Whether *change* has a stage's file name another version."""
    try:
        before, after = stage_said(change.before, where), stage_said(change.after, where)
    except ConfigError:
        return True
    return (before.version if before else "") != (after.version if after else "")


def _of_stage(change: Change, where: tuple[str, str], moves: Sequence[Event]) -> Iterator[Entry]:
    """What a change of a stage's file did that its *moves* do not tell: the tags until it named another version."""
    model, stage = where
    try:
        before, after = stage_said(change.before, where), stage_said(change.after, where)
    except ConfigError as exc:
        yield _entry(change, What.EDITED, model=model, stage=stage, why=f"{change.subject}: {exc.what}")
        return
    was, now = (one.version if one else "" for one in (before, after))
    wanted = Action.ASSIGN if now else Action.UNASSIGN
    if was != now and not any(move.action is wanted and (not now or move.version == now) for move in moves):
        yield _entry(change, What.UNSERVED, model=model, stage=stage, version=now, why=change.subject)
    yield from _of_hold(change, before.hold if before else None, after.hold if after else None, after, where)
    if was == now and before and after and before.emergency != after.emergency and after.emergency:
        yield _entry(change, What.EDITED, model=model, stage=stage, version=now, why=change.subject)


def stage_said(text: bytes | None, where: tuple[str, str]) -> Stage | None:
    """What a stage's file says; None where there is none. Raises `ConfigError`."""
    return None if text is None else store.stage_of(text, *where)


def _of_hold(
    change: Change, before: Hold | None, after: Hold | None, said: Stage | None, where: tuple[str, str]
) -> Iterator[Entry]:
    model, stage = where
    version = said.version if said else ""
    if after and after != before:
        yield _entry(change, What.HELD, model=model, stage=stage, version=version, why=after.why, who=after.by)
    elif before and not after:
        yield _entry(change, What.LIFTED, model=model, stage=stage, version=version, why=change.subject)


def _of_file(change: Change) -> Iterator[Entry]:
    if change.path == store.POLICY:
        yield _entry(change, What.POLICY, why=change.subject, policy=change.blob)
        return
    if change.path == FREEZES:
        with suppress(ConfigError):
            before, after = freezes.read(change.before), freezes.read(change.after)
            for what, some, others in ((What.FROZEN, after, before), (What.THAWED, before, after)):
                for one in some:
                    if one not in others:
                        why = one.why if what is What.FROZEN else change.subject
                        who = one.by if what is What.FROZEN else ""
                        yield _entry(change, what, model=one.models, stage=one.stages, why=why, who=who)
            return
    model = change.path.split("/")[1] if change.path.count("/") > 1 else ""
    yield _entry(change, What.EDITED, model=model, why=f"{change.path}: {change.subject}")


def _entry(
    change: Change, what: What, *, model: str = "", stage: str = "", version: str = "", why: str = "", who: str = "",
    policy: str = "",
) -> Entry:  # fmt: skip
    return Entry(
        when=change.when, what=what, model=model, stage=stage, version=version, who=who or change.who,
        why=escape.line(why, 500), commit=change.commit, policy=policy,
    )  # fmt: skip
