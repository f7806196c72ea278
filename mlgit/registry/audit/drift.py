"""How stages stand: what their files ask for, what their tags serve, and what targets were seen to run (pure)."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mlgit.core import figures
from mlgit.core.model import Stage
from mlgit.registry.ledger import Ledger
from mlgit.registry.policy import freezes
from mlgit.registry.policy.file import Policy
from mlgit.registry.policy.freezes import Freeze
from mlgit.store import registry as store
from mlgit.store.observed import Observation


class State(enum.Enum):
    """How a stage stands, on a target where one was observed. The first that is so is told."""

    OUT_OF_SYNC = "OutOfSync"
    """File and tag differ, or a target runs something else."""
    UNKNOWN = "Unknown"
    """Nobody has said what runs, or not for longer than was asked."""
    HELD = "Held"
    FROZEN = "Frozen"
    SYNCED = "Synced"


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One stage, on one target."""

    model: str
    stage: str
    target: str
    """Empty: none was observed."""
    state: State
    wanted: str
    """The version that its file names; empty: it has none."""
    served: str
    """The version of its tag."""
    runs: tuple[str, ...]
    """The versions that were seen to run, a digest where it is of none."""
    seen: float | None
    why: str


@dataclass(frozen=True, kw_only=True)
class Desired:
    """What should be, as git has it."""

    files: Mapping[tuple[str, str], Stage]
    served: Mapping[tuple[str, str], str]
    """(model, stage) → the version that its tags let it serve."""
    ledgers: Mapping[str, Ledger]
    """Of the models that were observed: to know a version by its digest."""
    freezes: Sequence[Freeze]
    policy: Policy | None = None


def standings(
    desired: Desired, seen: Sequence[Observation], *, now: float, max_age: float | None = None
) -> list[Standing]:  # fmt: skip
    """Every stage that has a file, serves something or was observed, once a target; in order of their names.

    *max_age*: what was seen so many seconds ago is not known any more.
    """
    of: dict[tuple[str, str], list[Observation]] = {}
    for one in seen:
        of.setdefault((one.model, one.stage), []).append(one)
    return [
        _standing(desired, place, one, now, max_age)
        for place in sorted({*desired.files, *desired.served, *of})
        for one in sorted(of.get(place, [None]), key=lambda one: one.target if one else "")
    ]


def _standing(
    desired: Desired, place: tuple[str, str], one: Observation | None, now: float, max_age: float | None
) -> Standing:
    model, stage = place
    file, known = desired.files.get(place), desired.ledgers.get(model) or Ledger(model=model)
    wanted, served = file.version if file else "", desired.served.get(place, "")
    runs = tuple(dict.fromkeys(_named(known, digest, served) for digest in one.digests)) if one else ()
    freeze = freezes.standing(desired.freezes, model, stage, now)
    told: dict[State, str] = {}
    if file and wanted != served:
        told[State.OUT_OF_SYNC] = f"its file says {wanted}, its tag {served or 'nothing'}"
    elif other := [version for version in runs if version != served]:
        part = f"{len(other)} of {len(runs)} versions there" if len(runs) > 1 else "it"
        told[State.OUT_OF_SYNC] = f"{part} should be {served or 'nothing'}: {', '.join(other)}"
    if one is None:
        told[State.UNKNOWN] = "nobody has observed what runs"
    elif max_age is not None and now - one.seen > max_age:
        told[State.UNKNOWN] = f"last seen {figures.ago(one.seen, now)} ago"
    if file and file.hold:
        told[State.HELD] = f"held by {file.hold.by}{f': {file.hold.why}' if file.hold.why else ''}"
    if freeze:
        told[State.FROZEN] = str(freeze)
    state = next((state for state in State if state in told), State.SYNCED)
    why = [told[state] for state in State if state in told]
    if served and desired.policy and stage not in desired.policy.stages(model):
        why.append(f"{desired.policy.source} lists no such stage: nothing moves it")
    return Standing(
        model=model, stage=stage, target=one.target if one else "", state=state, wanted=wanted, served=served,
        runs=runs, seen=one.seen if one else None, why="; ".join(why),
    )  # fmt: skip


def _named(known: Ledger, digest: str, served: str) -> str:
    """The version of *known* that *digest* is of, the one that is *served* sooner than others; else the digest."""
    found = [version for version, some in digests(known) if digest in some]
    return served if served in found else next(iter(found), digest[:12])


def digests(known: Ledger) -> Iterator[tuple[str, set[str]]]:
    """The versions of *known*, newest first, each with what it is known by: its hash, the sha256 of its only file."""
    for version, tag in [*known.versions.items()][::-1]:
        told = store.told(tag.message)
        some, files = {str(told.get("hash", "")).removesuffix(".dir")}, told.get("sha256")
        if isinstance(files, dict) and len(files) == 1:
            some |= set(map(str, files.values()))
        yield version, some
