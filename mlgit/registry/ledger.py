"""What the tags say: versions, stages and their history (pure). The format is GTO's, so that stock `gto show` agrees.

`MODEL@vX.Y.Z` registers, `MODEL#STAGE#N` assigns, a `!` takes back; the state follows the tagger's time
(https://github.com/treeverse/gto, `gto/constants.py` and `gto/tag.py`). `MODEL@deprecated#N` deprecates a model until
something else happens to it, as in GTO; a version, for which GTO has no such tag, by a stage that no model can have.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from mlgit.core import refs
from mlgit.errors import UsageError
from mlgit.store.registry import Tag

Bump = Literal["major", "minor", "patch"]
BUMPS: tuple[Bump, ...] = ("major", "minor", "patch")
FIRST = "v1.0.0"
DEPRECATED = "deprecated"
"""What stands for a stage in the tags of deprecated versions."""

_NAME = r"[a-zA-Z0-9](?:[a-zA-Z0-9_/-]*[a-zA-Z0-9])?"
_IDENTIFIER = r"(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_SEMVER = rf"v(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-{_IDENTIFIER}(?:\.{_IDENTIFIER})*)?"
_TAG = re.compile(
    rf"(?P<model>(?:[a-zA-Z0-9_./-]+=)?{_NAME})"
    rf"(?:(?:#(?P<stage>{_NAME})|@(?P<version>{_SEMVER}))(?P<back>!?)|@(?P<deprecated>deprecated))(?:#(?P<count>\d+))?"
)


class Action(enum.Enum):
    """What a tag does."""

    REGISTER = "registered"
    UNREGISTER = "unregistered"
    ASSIGN = "assigned"
    UNASSIGN = "unassigned"
    DEPRECATE = "deprecated"


@dataclass(frozen=True, kw_only=True)
class Event:
    """One tag, understood."""

    model: str
    action: Action
    version: str | None = None
    stage: str | None = None
    count: int = 0
    serves: str | None = None
    """What its stage serves from then on."""
    tag: Tag

    @property
    def what(self) -> str:
        """What happened, in words: `registered`, `assigned`, `deprecated`, `deprecated no more`."""
        if self.stage == DEPRECATED:
            return "deprecated" if self.action is Action.ASSIGN else "deprecated no more"
        return self.action.value


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """One model as the tags have it."""

    model: str
    versions: Mapping[str, Tag] = field(default_factory=dict)
    """The versions that stand, oldest version first, each with its tag."""
    assigned: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Stage → the versions assigned to it and not taken back; the latest, which it serves, last."""
    deprecated: Mapping[str, Tag] = field(default_factory=dict)
    """The versions that nobody should use any more, each with the tag that says so."""
    history: tuple[Event, ...] = ()
    """Oldest first."""

    @property
    def is_deprecated(self) -> Tag | None:
        """The tag that deprecates the whole model; None where there is none, or something has happened since."""
        last = self.history[-1] if self.history else None
        return last.tag if last and last.action is Action.DEPRECATE else None

    @property
    def stages(self) -> dict[str, str]:
        """Stage → the version that it serves."""
        return {stage: versions[-1] for stage, versions in self.assigned.items()}

    @property
    def used(self) -> frozenset[str]:
        """Every version that was ever given; a number is not given twice."""
        return frozenset(event.version for event in self.history if event.version and event.action is Action.REGISTER)

    @property
    def next_count(self) -> int:
        """The next `#N`: one more than the highest of all the model's tags."""
        return 1 + max((event.count for event in self.history), default=0)

    @property
    def latest(self) -> str | None:
        """The highest version that is no pre-release, else the highest, or None where there is none."""
        released = [version for version in self.versions if "-" not in version]
        return next(reversed(released or list(self.versions)), None)

    def next_version(self, bump: Bump) -> str:
        """The version after the highest that was ever given."""
        if not self.used:
            return FIRST
        major, minor, patch, released, _ = refs.version_key(max(self.used, key=refs.version_key))
        if not released and bump == "patch":
            return f"v{major}.{minor}.{patch}"
        parts = {"major": (major + 1, 0, 0), "minor": (major, minor + 1, 0), "patch": (major, minor, patch + 1)}[bump]
        return "v" + ".".join(map(str, parts))

    def next_time(self, now: float) -> float:
        """When the next tag may be dated: the state follows whole seconds, so two tags never share one."""
        return max(now, max((event.tag.when for event in self.history), default=0) + 1)


def parse(tag: Tag) -> Event | None:
    """What *tag* does, or None if it is none of GTO's."""
    found = _TAG.fullmatch(tag.name)
    if found is None:
        return None
    if found["version"]:
        action = Action.UNREGISTER if found["back"] else Action.REGISTER
    elif found["stage"]:
        action = Action.UNASSIGN if found["back"] else Action.ASSIGN
    else:
        action = Action.DEPRECATE
    return Event(
        model=found["model"], action=action, version=found["version"], stage=found["stage"],
        count=int(found["count"] or 0), tag=tag,
    )  # fmt: skip


def read(tags: Iterable[Tag]) -> dict[str, Ledger]:
    """Every model's ledger, by name."""
    events: dict[str, list[Event]] = {}
    for tag in tags:
        if event := parse(tag):
            events.setdefault(event.model, []).append(event)
    return {model: _ledger(model, events[model]) for model in sorted(events)}


def of(tags: Iterable[Tag], model: str) -> Ledger:
    """The ledger of *model*, empty if there is no such model."""
    return read(tags).get(model) or Ledger(model=model)


def _ledger(model: str, events: list[Event]) -> Ledger:
    versions: dict[str, Tag] = {}
    assigned: dict[str, list[str]] = {}
    deprecations: dict[str, Tag] = {}
    known: list[Event] = []
    for event in sorted(events, key=lambda event: (event.tag.when, event.count, event.tag.name)):
        if event.action is Action.REGISTER and event.version:
            versions.setdefault(event.version, event.tag)
        elif event.action is Action.UNREGISTER and event.version:
            versions.pop(event.version, None)
        elif event.stage:
            version = next((name for name, tag in versions.items() if tag.commit == event.tag.commit), None)
            held = assigned.setdefault(event.stage, [])
            if version in held:
                held.remove(version)  # taken back, this uncovers the version before, as in GTO
            if version and event.action is Action.ASSIGN:
                held.append(version)
                if event.stage == DEPRECATED:
                    deprecations[version] = event.tag
            # the tag names the commit, not the version
            event = replace(event, version=version, serves=held[-1] if held else None)
        known.append(event)
    ordered = {version: versions[version] for version in sorted(versions, key=refs.version_key)}
    gone = assigned.pop(DEPRECATED, [])
    standing = {stage: tuple(held) for stage, held in assigned.items() if held}
    return Ledger(
        model=model, versions=ordered, assigned=standing, history=tuple(known),
        deprecated={version: deprecations[version] for version in gone if version in versions},
    )  # fmt: skip


_TAKEN = ("model", "versions", "policy", "keys", DEPRECATED)


def name(text: str, what: str) -> str:
    """*text*, if a model or a stage can be called so: in refs, paths and GTO's tags. Raises `UsageError`."""
    refs.component(text, what)
    if re.fullmatch(_NAME, text) and text not in _TAKEN:
        return text
    raise UsageError(
        f"{text!r} cannot be the name of a {what}.",
        why="GTO's tags take letters, digits, '_' and '-', with a letter or digit at both ends; "
        "model, versions, policy and keys are names of the registry's own files, deprecated one of its tags.",
        fix=f"call it {refs.slug(text) or what!r}" if text not in _TAKEN else "choose another",
    )


def version(text: str) -> str:
    """*text* as a version that GTO reads too: SemVer with its `v`. Raises `UsageError`."""
    candidate = refs.version(text)
    if re.fullmatch(_SEMVER, candidate):
        return candidate
    raise UsageError(
        f"{text[:80]!r} is no version.", why="In SemVer no number begins with 0.", fix="write it like v1.2.0-rc.1"
    )
