"""What gates are shown (pure): gathered before, only as far as a gate needs it."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from mlgit.core.compare import Goal
from mlgit.core.model import ModelVersion
from mlgit.core.reproduction import Made
from mlgit.core.run import EMPTY, Run
from mlgit.registry.ledger import Event


class Need(enum.Enum):
    """What takes some gathering, and is gathered only where a gate asks for it."""

    SIGNATURES = "signatures"
    COMMANDS = "commands"
    REVIEWS = "reviews"
    HISTORY = "history"
    """The model's tags: what served which stage, and when."""
    SEEDS = "seeds"
    EXAMPLES = "examples"
    ORIGIN = "origin"
    REPRODUCTIONS = "reproductions"


T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Sides(Generic[T]):
    """The same of both who are compared."""

    candidate: T
    champion: T


@dataclass(frozen=True, kw_only=True)
class Seeded:
    """A run of the setting that made a version."""

    run: str
    """Its id."""
    seed: str
    """What it was seeded with, as text; nothing where that is not known."""
    metrics: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Examples:
    """What a version scored on each example, by metric and by the example's id."""

    scores: Mapping[str, Mapping[str, float]] = field(default_factory=lambda: EMPTY)
    blank: Mapping[str, int] = field(default_factory=lambda: EMPTY)
    """By metric, how many examples have no number there: to leave out what is hard is no way to be better."""
    problem: str = ""
    """Why there are none."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The run that made a version, as git has it."""

    run: Run | None = None
    about: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    """What its `run.yaml` says."""
    has_code: bool = False
    """Whether its source commit is in the repository."""


NO_ORIGIN = Sides(candidate=Origin(), champion=Origin())
NO_SEEDS: Sides[Sequence[Seeded]] = Sides(candidate=(), champion=())
NO_EXAMPLES: Sides[Examples] = Sides(candidate=Examples(), champion=Examples())


@dataclass(frozen=True, kw_only=True)
class Vouched:
    """A signature that was looked at."""

    by: str
    why: str = ""
    """Why it does not count; empty where it does."""


@dataclass(frozen=True, kw_only=True)
class Ran:
    """How a program of a gate ended."""

    code: int | None = None
    """Its exit code; None where its time was over."""
    last: str = ""
    """The last line that it printed."""
    problem: str = ""
    """Why it could not be run."""


@dataclass(frozen=True, kw_only=True)
class Reviewed:
    """The pull request that asks for a promotion, and who says what of it."""

    number: int
    author: str
    head: str
    """The commit that is merged."""
    approvers: tuple[str, ...] = ()
    """Who approves just that commit, and may write; the author not among them."""
    against: tuple[str, ...] = ()
    """Who asks for changes still."""
    outdated: tuple[str, ...] = ()
    """Who approved another commit than that."""
    members: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: EMPTY)
    """Team → those of the approvers and of who is against it that belong to it."""
    with_comments: Reviewed | None = None
    """The same where comments that approve count, too; None where no gate takes them."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All that is known of a version that is to serve a stage."""

    stage: str
    candidate: ModelVersion
    champion: ModelVersion | None = None
    """What the stage serves now."""
    goals: Mapping[str, Goal] = field(default_factory=lambda: EMPTY)
    """Which way metrics are better, where the gate does not say."""
    is_return: bool = False
    """Whether the stage served the candidate before: going back is no contest with what serves now."""
    now: float = 0.0
    """When the gates are asked, in seconds since the epoch."""
    seeds: Sides[Sequence[Seeded]] = NO_SEEDS
    """The runs of the setting that made each, its own among them: of each seed the newest."""
    examples: Sides[Examples] = NO_EXAMPLES
    """What each scored on single examples."""
    origins: Sides[Origin] = NO_ORIGIN
    """The runs that made both."""
    reproductions: Sequence[Made] = ()
    """What came of making the candidate's run again, each time."""
    signatures: tuple[Vouched, ...] = ()
    """Those of the candidate's bytes, by the keys that the base branch trusts."""
    ran: Mapping[object, Ran] = field(default_factory=dict)
    """A gate's settings → how its program ended."""
    reviewed: Reviewed | None = None
    """The pull request; None where there is none yet."""
    history: tuple[Event, ...] = ()
    """What the model's tags tell, oldest first."""
    lacking: Mapping[Need, str] = field(default_factory=dict)
    """Why something that was needed could not be had: the gate fails that needs it, or is an error, and says so."""
