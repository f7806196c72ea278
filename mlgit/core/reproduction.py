"""How a run came out that was made again: the verdict that it keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SAME, CLOSE = "bitwise", "within tolerance"
"""Verdicts that say that it came out again."""


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """`experiment/reproduction.yaml` of the run that makes another one again."""

    of: str = field(metadata={"help": "the id of the run that was made again"})
    verdict: str = field(metadata={"help": "bitwise, within tolerance or differs"})
    by: str = field(metadata={"help": "who had it made again"})
    relative: float = field(default=0.0, metadata={"help": "how far numbers may be apart, as a share"})
    absolute: float = field(default=0.0, metadata={"help": "how far numbers may be apart"})
    same: Mapping[str, int] = field(
        default_factory=dict, metadata={"help": "how many params, metrics, artifacts, … are the same to the last bit"}
    )
    differences: tuple[str, ...] = field(default=(), metadata={"help": "what is not, the first ones"})


@dataclass(frozen=True, kw_only=True)
class Made:
    """A reproduction, and the run that keeps it."""

    run: str
    """Its id."""
    created: float
    """When it began, in seconds since the epoch."""
    told: Reproduction
