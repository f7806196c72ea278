"""What a gate found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One gate's answer, in words that a comment, a terminal and a status can all use."""

    gate: str
    """What the gate asks: `accuracy ≥ 0.95`."""
    passed: bool
    observed: str
    """What it saw: `0.944 (champion v1.0.0: 0.961)`."""
    where: str
    """Where the gate is written: `registry/policy.yaml:7`."""
