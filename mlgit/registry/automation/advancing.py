"""Versions that propose themselves: the newest that a stage's gates let through, where nobody said otherwise.

A stage that is held stays; a version that the stage served before does not come back, nor does one whose pull request
somebody closed: those were answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Generic, TypeVar

from mlgit.core import refs
from mlgit.core.model import Stage
from mlgit.errors import MlgitError
from mlgit.forge.base import PullRequest, PullState
from mlgit.registry.automation.file import Advance
from mlgit.registry.ledger import Action, Ledger
from mlgit.registry.policy.file import Policy

Plan = TypeVar("Plan")

MOST = 5
"""Versions of one model that are looked at, newest first: until one passes."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A version that may be proposed for a stage."""

    model: str
    version: str
    stage: str
    rule: Advance


@dataclass(frozen=True, kw_only=True)
class Hands(Generic[Plan]):
    """What this room cannot do by itself, handed over."""

    judge: Callable[[Candidate], Plan]
    """What promoting it would do. Raises `MlgitError` where its gates, or anything else about it, refuse."""
    asked: Callable[[str], PullRequest | None]
    """Branch → the newest pull request that there was from it."""
    promote: Callable[[Candidate, Plan], tuple[int | None, bool]]
    """Promotes it: (the pull request, whether anything was done). Raises `MlgitError` where it cannot be."""


@dataclass(frozen=True, kw_only=True)
class Passed:
    """What became of a stage that a rule is about."""

    model: str
    stage: str
    version: str | None
    """What is proposed, or serves, or would be; None where nothing is."""
    why: str
    pull: int | None = None
    is_moved: bool = False
    """Whether anything was done."""
    is_stuck: bool = False
    """Whether one passes, and could not be proposed."""

    @property
    def plain(self) -> dict[str, object]:
        """The same for a script."""
        return {
            "model": self.model, "stage": self.stage, "version": self.version, "why": self.why, "pull": self.pull,
            "moved": self.is_moved, "stuck": self.is_stuck,
        }  # fmt: skip


def candidates(
    rules: Sequence[Advance], ledgers: Sequence[Ledger], stages: Mapping[tuple[str, str], Stage],
    policy: Policy | None,
) -> Iterator[list[Candidate] | Passed]:  # fmt: skip
    """For each model and stage of *rules*, the first that is of both: what may be proposed, best first; or why none."""
    seen = set()
    for rule in rules:
        for known in ledgers:
            place = (known.model, rule.stage)
            is_meant = fnmatchcase(known.model, rule.models) and place not in seen
            if is_meant and (policy is None or rule.stage in policy.stages(known.model)):
                seen.add(place)
                yield _of(rule, known, stages.get(place))


def _of(rule: Advance, known: Ledger, stands: Stage | None) -> list[Candidate] | Passed:
    model, stage = known.model, rule.stage
    if known.is_deprecated:
        return Passed(model=model, stage=stage, version=None, why="nobody should use it any more")
    if stands and stands.hold:
        why = f"held by {stands.hold.by} since {stands.hold.since}" + (
            f": {stands.hold.why}" if stands.hold.why else ""
        )
        return Passed(model=model, stage=stage, version=None, why=why)
    served = {event.version for event in known.history if event.stage == stage and event.action is Action.ASSIGN}
    serves = stands.version if stands else known.stages.get(stage)
    found = [
        Candidate(model=model, version=version, stage=stage, rule=rule)
        for version in reversed(list(known.versions))
        if (rule.prereleases or "-" not in version)
        and version not in served
        and version not in known.deprecated
        and (serves is None or is_newer(version, serves))
    ]
    return found[:MOST] or Passed(model=model, stage=stage, version=None, why="no newer version")


def is_newer(version: str, serves: str) -> bool:
    """Whether *version* comes after what a stage *serves*."""
    return refs.version_key(version) > refs.version_key(serves)


def advanced(found: Sequence[Candidate], hands: Hands[Plan]) -> Passed:
    """The first of *found* that passes, proposed, unless it or a newer one waits for an answer; or why none passes.

    The forge is asked last, for most have gates in their way, and each question is a request.
    """
    why, answers = "", dict[str, PullRequest | None]()
    for at, one in enumerate(found):
        try:
            plan = hands.judge(one)
        except MlgitError as exc:
            why = why or exc.what
            continue
        for other in found[: at + 1]:
            if other.version not in answers:
                answers[other.version] = hands.asked(refs.promotion_branch(other.model, other.version, other.stage))
            if (pull := answers[other.version]) and pull.state is PullState.OPEN:
                return _passed(other, "proposed already", pull=pull.number)
        if answer := answers[one.version]:
            why = why or f"#{answer.number}, which proposed {one.version}, was {answer.state.value}"
            continue
        try:
            number, is_moved = hands.promote(one, plan)
        except MlgitError as exc:  # nothing that an older one would mend
            return _passed(one, str(exc), is_stuck=True)
        return _passed(one, f"#{number} proposes it" if number else "it serves now", pull=number, is_moved=is_moved)
    return Passed(model=found[0].model, stage=found[0].stage, version=None, why=why)


def _passed(one: Candidate, why: str, **how: Any) -> Passed:
    return Passed(model=one.model, stage=one.stage, version=one.version, why=why, **how)
