"""What a kind of gate is made of (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from mlgit.core.run import EMPTY
from mlgit.core.verdict import Outcome, Wait
from mlgit.registry.policy.evidence import Evidence, Need

S = TypeVar("S")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one gate makes of the evidence."""

    gate: str
    """What it asks: `accuracy ≥ 0.95`."""
    outcome: Outcome
    observed: str
    """What it saw."""
    said: str = ""
    """What is wrong, for the sentence `net v2 cannot be promoted to production: …`."""
    asks: str = ""
    """What would be right, after the words `the gate asks`."""
    fix: str = ""
    """What would make it pass; where empty: another version, or another gate."""
    inputs: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    """What it was judged by, as plain JSON."""
    waits: Wait | None = None
    """Whether time or people may still let it pass, as the version and the policy are."""


def unasked(gate: str, why: str) -> Finding:
    """The answer where *why* stands against looking at all."""
    return Finding(
        gate=gate, outcome=Outcome.ERROR, observed=why, said=f"what a gate needs could not be read: {why}", asks=gate,
        fix="try again",
    )  # fmt: skip


def outcome(passed: bool) -> Outcome:
    """The answer of a gate that knows only yes and no."""
    return Outcome.PASSED if passed else Outcome.FAILED


@dataclass(frozen=True, kw_only=True)
class Kind(Generic[S]):
    """One kind of gate. The first field of its settings is the key that it is known by in the file."""

    settings: type[S]
    judge: Callable[[S, Evidence], Finding]
    problem: Callable[[S], str] = lambda _: ""
    """Why what the file says cannot be meant; empty where it can."""
    needs: Callable[[S], frozenset[Need]] = lambda _: frozenset()
    """What has to be gathered for it."""
    again: Callable[[S, Evidence, Mapping[str, Any]], Evidence | None] = lambda _asked, _seen, _inputs: None
    """The evidence with what was gathered then, as the inputs of its verdict tell; None where they do not suffice.

    Raises `LookupError`, `TypeError`, `ValueError` or `AttributeError` where they are not what a verdict has.
    """
    compares: bool = False
    """Whether it is a contest with what the stage serves: not asked of a version that comes back."""
    is_firm: bool = False
    """Whether it is asked in an emergency, too: it says whose bytes these are, and not how good."""
