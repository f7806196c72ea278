"""A run: one execution, config in, metrics out. The record that every room hands to the next."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
from types import MappingProxyType
from typing import Any, TypeGuard

from mlgit.core.artifact import ArtifactVersion
from mlgit.core.compare import Goal, flatten, goal_of
from mlgit.core.refs import branch
from mlgit.core.summary import Rule, is_object, rule_for

EMPTY: Mapping[str, Any] = MappingProxyType({})
_RANKS = {Goal.MAXIMIZE: 1, Goal.MINIMIZE: 2, None: 3}
LATEST = 253402300799.0
"""The end of the year 9999, in seconds since the epoch: where the calendar ends."""


class State(enum.Enum):
    """Where a run stands. A killed process leaves `crashed`, an exception `failed`, SIGTERM `preempted`.

    `pruned`: its sweep ended it, since other trials did better.
    """

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CRASHED = "crashed"
    PREEMPTED = "preempted"
    PRUNED = "pruned"


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a run is known by: the content of its result commit's `Mlgit-Result` trailer.

    `ref`, `commit` and `archive` say where it was read; they are not part of the record itself. A run that is still
    alive has none of them.
    """

    id: str
    name: str
    project: str
    state: State = State.RUNNING
    created: float = 0.0
    """Seconds since the epoch."""
    finished: float | None = None
    """Seconds since the epoch."""
    paused: float = 0.0
    """Seconds between its beginning and its end in which nobody ran it: it was resumed."""
    seen: float | None = None
    """Of a run that is under way, when this record was made, in seconds since the epoch."""
    group: str | None = None
    sweep: str | None = None
    job_type: str | None = None
    tags: tuple[str, ...] = ()
    notes: str | None = None
    parent: str | None = None
    """The id of the run that this one forks, or goes on from."""
    reruns: str | None = None
    """The id of the run whose recipe this one follows, by `mlgit rerun`: it has nothing of what that one made."""
    reproduces: str | None = None
    """The id of the run that this one makes again: it is no evidence of its own."""
    source: str | None = None
    """The commit that holds the code as it ran."""
    tree: str | None = None
    """The tree of that commit, without `experiment/`: equal code, equal tree."""
    dirty: bool = False
    folder: str = ""
    """The project's folder in the repository, `""` for the root."""
    params: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    given: tuple[str, ...] = ()
    """The params that came from outside (`-p`, a sweep): with any, the code alone does not make this run again."""
    metrics: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    rules: Mapping[str, Rule] = field(default_factory=lambda: EMPTY)
    """What `define_metric` said of its metrics, by name."""
    data: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    """What DVC held when it ran: path → content hash."""
    held: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    """What DVC holds of its own files: path below `experiment/` → content hash."""
    used: tuple[ArtifactVersion, ...] = ()
    logged: tuple[ArtifactVersion, ...] = ()
    ref: str = ""
    """Its branch; of an archived run, the one that it had and will have again."""
    commit: str = ""
    archive: str = ""
    """The ref of the month that it is folded into; `""` where it has a branch."""

    @property
    def scalars(self) -> dict[str, Any]:
        """Its metrics by dotted name (`loss.min`), but for its objects: what can stand in a cell."""
        return flatten({name: value for name, value in self.metrics.items() if not is_object(value)})

    @cached_property
    def headlines(self) -> dict[str, int]:
        """The names of its scalars, those first that say most about it, and their ranks.

        0: a rule says what is good, or sums it up; 1, 2: by its name, high or low is good. None is among them that is
        hidden, that others are only drawn over, or that no script has logged (`_step`).
        """
        axes = {rule.step_metric for rule in self.rules.values()}
        ranks: dict[str, int] = {}
        for name, value in self.metrics.items():
            rule = rule_for(self.rules, name)
            if name.startswith("_") or name in axes or is_object(value) or (rule and rule.hidden):
                continue
            rank = 0 if rule and (rule.goal or rule.summary) else _RANKS[goal_of(name, {})]
            ranks |= dict.fromkeys(flatten({name: value}), rank)
        return dict(sorted(ranks.items(), key=itemgetter(1)))

    @property
    def objects(self) -> dict[str, Any]:
        """Those of its metrics that are pictures, tables and the like."""
        return {name: value for name, value in self.metrics.items() if is_object(value)}

    @property
    def duration(self) -> float | None:
        """Seconds for which it ran, or None while it runs."""
        return None if self.finished is None else max(0.0, self.finished - self.created - self.paused)

    @property
    def heard(self) -> float:
        """When it was last heard of, in seconds since the epoch."""
        return self.finished or self.seen or self.created

    @property
    def branch(self) -> str:
        """The short name of its branch, as `git switch` takes it: `exp/digits/radiant-glade-12-k3f9a2`."""
        return branch(self.ref)


def is_time(value: object) -> TypeGuard[float]:
    """Whether *value* is a time that a calendar has, in seconds since the epoch."""
    return isinstance(value, int | float) and 0 <= value <= LATEST


def in_calendar(seconds: float) -> float:
    """The time *seconds* after the epoch; the nearest that there is, where a broken clock or record says another."""
    return seconds if 0 <= seconds <= LATEST else LATEST if seconds > LATEST else 0.0  # nan is the epoch
