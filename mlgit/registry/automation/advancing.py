"""Versions that propose themselves: the newest that a stage's gates let through, where nobody said otherwise.

A stage that is held stays; a version that the stage served before does not come back, nor does one whose pull request
somebody closed: those were answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from mlgit.core import refs
from mlgit.core.model import Stage
from mlgit.errors import MlgitError
from mlgit.forge.base import PullRequest, PullState
from mlgit.registry.automation.file import Advance
from mlgit.registry.ledger import Action, Ledger
from mlgit.registry.policy.file import Policy

MOST = 5
"""Versions of one model that are looked at, newest first: until one passes."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A version that may be proposed for a stage."""

    model: str
    version: str
    stage: str
    rule: Advance


Promote = Callable[[Candidate], tuple[int | None, bool]]
"""Promotes a candidate: (the pull request, whether anything was done). Raises `MlgitError` where it may not be."""


@dataclass(frozen=True, kw_only=True)
class Passed:
    """What became of a stage that a rule is about."""

    model: str
    stage: str
    version: str | None
    """What is proposed, or serves; None where nothing is."""
    why: str
    pull: int | None = None
    is_moved: bool = False
    """Whether anything was done."""

    @property
    def plain(self) -> dict[str, object]:
        """The same for a script."""
        return {
            "model": self.model, "stage": self.stage, "version": self.version, "why": self.why, "pull": self.pull,
            "moved": self.is_moved,
        }  # fmt: skip


Asked = Callable[[str], PullRequest | None]
"""Branch → the newest pull request that there was from it."""


def candidates(
    rules: Sequence[Advance], ledgers: Sequence[Ledger], stages: Mapping[tuple[str, str], Stage],
    policy: Policy | None, asked: Asked,
) -> Iterator[list[Candidate] | Passed]:  # fmt: skip
    """For each model and stage of *rules*: what may be proposed, best first; or why nothing may."""
    for rule in rules:
        for known in ledgers:
            is_meant = fnmatchcase(known.model, rule.models)
            if is_meant and (policy is None or rule.stage in policy.stages(known.model)):
                yield _of(rule, known, stages.get((known.model, rule.stage)), asked)


def _of(rule: Advance, known: Ledger, stands: Stage | None, asked: Asked) -> list[Candidate] | Passed:
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
    newer = [
        version
        for version in reversed(list(known.versions))
        if (rule.prereleases or "-" not in version)
        and version not in served
        and version not in known.deprecated
        and (serves is None or refs.version_key(version) > refs.version_key(serves))
    ]
    found = []
    for version in newer[:MOST]:
        pull = asked(refs.promotion_branch(model, version, stage))
        if pull is None:
            found.append(Candidate(model=model, version=version, stage=stage, rule=rule))
        elif pull.state is PullState.OPEN:  # only a newer one may be asked besides
            open_one = Passed(model=model, stage=stage, version=version, why="proposed already", pull=pull.number)
            return found or open_one
    if not found:
        return Passed(model=model, stage=stage, version=None, why="no newer version that nobody answered yet")
    return found


def advanced(found: Sequence[Candidate], propose: Promote) -> Passed:
    """The first of *found* that passes, proposed by *propose*; or why none passes."""
    why = ""
    for one in found:
        try:
            pull, is_moved = propose(one)
        except MlgitError as exc:
            why = why or exc.what
            continue
        how = f"#{pull} proposes it" if pull else "it serves now"
        return Passed(
            model=one.model, stage=one.stage, version=one.version, why=how, pull=pull, is_moved=is_moved
        )  # fmt: skip
    return Passed(model=found[0].model, stage=found[0].stage, version=None, why=why)
