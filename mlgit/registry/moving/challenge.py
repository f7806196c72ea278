"""A new run against what a stage serves, and against what is proposed for it: whether its model is to take over.

Nothing is registered for that: a version is only what is proposed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlgit.core import refs
from mlgit.core.model import ModelVersion
from mlgit.core.run import Run
from mlgit.core.verdict import Verdict
from mlgit.forge.base import Forge
from mlgit.git.repo import Repo
from mlgit.registry import ledger
from mlgit.registry.evidence import gathering
from mlgit.registry.evidence.gathering import Case, Sources
from mlgit.registry.ledger import Bump
from mlgit.registry.moving import contest
from mlgit.registry.moving.propose import champion_at, policy_at
from mlgit.registry.policy import file
from mlgit.registry.policy.file import Placed
from mlgit.registry.versions import registering
from mlgit.store import registry as store


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is to be taken over, by what."""

    model: str
    stage: str
    base: str
    """The branch that promotions go to."""
    sources: Sources
    artifact: str | None = None
    """Which of the run's models, where it logged several."""
    bump: Bump = "minor"


@dataclass(frozen=True, kw_only=True)
class Challenge:
    """How a run's model stands to a stage."""

    run: Run
    candidate: ModelVersion
    """The version that it is, or would be."""
    is_registered: bool
    champion: ModelVersion | None
    """What the stage serves."""
    verdicts: Sequence[Verdict]
    is_won: bool
    why: str
    """What decided it."""
    changed: tuple[str, ...] = ()
    """The data that both were trained on, and that are not the same: then their figures may not be of one kind."""


def best(found: Sequence[Run], repo: Repo, wish: Wish) -> Run:
    """The one of the runs *found* that no other beats. Raises as `contest.weights` does."""
    first, *others = found
    if not others:
        return first
    weighed = contest.weights(_gates(repo, wish), wish.sources.goals)
    for other in others:
        if contest.held(other.metrics, first.metrics, weighed, against=first.name).is_won:
            first = other
    return first


def look(repo: Repo, forge: Forge, run: Run, wish: Wish) -> Challenge:
    """How the model of *run* stands. Raises `NotFoundError`, `ConfigError`, `UsageError` for what cannot be said."""
    candidate, is_registered = registering.draft(
        repo, run, model=wish.model, bump=wish.bump, artifact=wish.artifact
    )  # fmt: skip
    gates = _gates(repo, wish)
    with repo.reader() as reader:
        base = store.base_commit(repo, wish.base)
        champion = champion_at(reader, base, wish.model, wish.stage, base=wish.base)
        stands = store.stage_at(reader, base, wish.model, wish.stage)
    case = Case(repo=repo, base=base, stage=wish.stage, candidate=candidate, champion=champion)
    verdicts = gathering.judge(case, gates, wish.sources)
    found = _contest(repo, forge, candidate, champion, gates, wish)
    if found.is_won and (failed := next((one for one in verdicts if not one.passed and not one.waits), None)):
        why = f"the gate {failed.where} asks for {failed.gate}, and saw {failed.observed}"
        found = contest.Contest(is_won=False, why=why)
    if found.is_won and stands and (hold := stands.hold):
        why = f"{wish.stage} is held by {hold.by} since {hold.since}{f': {hold.why}' if hold.why else ''}"
        found = contest.Contest(is_won=False, why=why)
    both = champion.data if champion else {}
    return Challenge(
        run=run, candidate=candidate, is_registered=is_registered, champion=champion, verdicts=verdicts,
        is_won=found.is_won, why=found.why,
        changed=tuple(name for name in sorted(both) if candidate.data.get(name, both[name]) != both[name]),
    )  # fmt: skip


def _gates(repo: Repo, wish: Wish) -> Sequence[Placed]:
    with repo.reader() as reader:
        policy = policy_at(reader, store.base_commit(repo, wish.base))
    return file.gates_of(policy, wish.model, ledger.name(wish.stage, "stage"))


def _contest(
    repo: Repo, forge: Forge, candidate: ModelVersion, champion: ModelVersion | None, gates: Sequence[Placed],
    wish: Wish,
) -> contest.Contest:  # fmt: skip
    """Against the *champion*, then against each version that is proposed in its place already."""
    against = [(champion, f"{champion.version}, now in {wish.stage}")] if champion else []
    against += [(one, f"{one.version}, which #{number} proposes") for number, one in _proposed(repo, forge, wish)]
    lacks = contest.unmeasured(candidate.metrics, gates, wish.sources.goals)
    told = contest.Contest(is_won=not lacks, why=lacks or f"{wish.stage} serves no {wish.model} yet")
    if champion and champion.version == candidate.version:
        return contest.Contest(is_won=False, why=f"{candidate.version} is in {wish.stage} already")
    for number, (other, name) in enumerate(against):
        if other.version == candidate.version:
            continue
        found = contest.held(candidate.metrics, other.metrics, contest.weights(gates, wish.sources.goals), against=name)
        if not found.is_won:
            return found
        told = found if number == 0 else told
    return told


def _proposed(repo: Repo, forge: Forge, wish: Wish) -> list[tuple[int, ModelVersion]]:
    """The versions that open pull requests propose for the stage."""
    known = ledger.of(store.tags(repo, wish.model), wish.model)
    branches = {refs.promotion_branch(wish.model, number, wish.stage): number for number in known.versions}
    return [
        (pull.number, registering.record_of(known, branches[pull.head]))
        for pull in forge.pulls()
        if pull.base == wish.base and pull.head in branches
    ]
