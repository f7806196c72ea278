"""What the gates of a stage are to be shown, looked up once; and the gates asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mlgit.core.compare import Goal
from mlgit.core.condition import Operation, Predicate
from mlgit.core.model import ModelVersion
from mlgit.core.run import EMPTY, Run
from mlgit.core.verdict import Verdict
from mlgit.errors import MlgitError, NotFoundError
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.registry import ledger
from mlgit.registry.evidence import checking, scored
from mlgit.registry.policy import freezes, judging
from mlgit.registry.policy.evidence import Evidence, Need, Origin, Reviewed, Seeded, Sides, Vouched
from mlgit.registry.policy.file import Placed
from mlgit.registry.policy.gates import approvals, command
from mlgit.registry.trust import trusting, vouching
from mlgit.store import registry as store
from mlgit.store import reproductions, runs


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where evidence comes from that this room cannot look up by itself."""

    goals: Mapping[str, Goal] = field(default_factory=lambda: EMPTY)
    """Which way metrics are better, as the project's file says."""
    now: float | None = None
    """When the gates are asked; None: the clock says."""
    repeats: Callable[[Run], Sequence[Seeded]] = lambda run: (Seeded(run=run.id, seed="", metrics=run.scalars),)
    """A run and those of its setting: the same code, command and params, and each seed once."""
    changed: Callable[[Run, Run], Sequence[tuple[str, str]] | None] = lambda _one, _two: None
    """The files of the code of two runs that differ, each with how; None where that is not known."""
    bring: Callable[[Run], None] = lambda _run: None
    """Have the runs of its project that others pushed, where a clone lacks them."""
    fetch: Callable[[Sequence[str]], None] = lambda _commits: None
    """Have these commits, where a clone is shallow."""
    deepen: Callable[[str], None] = lambda _commit: None
    """Have the past of a commit, where a clone is shallow."""
    bring_signatures: Callable[[ModelVersion], None] = lambda _version: None
    """Have the signatures of a version, where a clone lacks them. Raises `MlgitError`."""
    reviewed: Callable[[Case, Sequence[approvals.Settings]], Reviewed | None] = lambda _case, _gates: None
    """The pull request that asks for it, as these gates look at it; None where there is none. Raises `MlgitError`."""
    only_looks: bool = False
    """Whether no program is run."""

    @property
    def moment(self) -> float:
        """When the gates are asked, in seconds since the epoch."""
        return time.time() if self.now is None else self.now


@dataclass(frozen=True, kw_only=True)
class Case:
    """A version that is to serve a stage, and where it is judged."""

    repo: Repo
    base: str
    """The commit whose policy and registry count."""
    stage: str
    candidate: ModelVersion
    champion: ModelVersion | None
    """What the stage serves now."""
    is_return: bool = False
    """Whether the stage served the candidate before."""
    is_waived: bool = False
    """Whether the gates are told and not asked (`registry.waiving`)."""
    gates: Sequence[Placed] = ()
    """What is asked."""


def judge(case: Case, gates: Sequence[Placed], sources: Sources) -> list[Verdict]:
    """One verdict for each of *gates* that is asked in this *case*."""
    asked = judging.asked(gates, is_return=case.is_return)
    seen = gather(replace(case, gates=asked), judging.needs(asked), sources)
    return [*judging.judge(asked, seen, told=case.is_waived), *_frozen(case, seen)]


def _frozen(case: Case, seen: Evidence) -> list[Verdict]:
    """That the stage stands still for once, where it does."""
    with case.repo.reader() as reader:
        found = freezes.read(reader.blob(f"{case.base}:{freezes.SOURCE}"))
    standing = freezes.standing(found, case.candidate.model, case.stage, seen.now)
    return [freezes.verdict(standing, seen.now, told=case.is_waived)] if standing else []


def gather(case: Case, needs: frozenset[Need], sources: Sources) -> Evidence:
    """What is known, with what *needs* names besides; what cannot be had is said to be lacking."""
    seen = Evidence(
        stage=case.stage, candidate=case.candidate, champion=case.champion, goals=sources.goals,
        is_return=case.is_return, now=sources.moment,
    )  # fmt: skip
    for need in sorted(needs, key=lambda one: str(one.value)):
        seen = _GATHER[need](seen, case, sources)
    return seen


def _seeds(seen: Evidence, case: Case, sources: Sources) -> Evidence:
    """The seeds of both who are compared."""

    def of(version: ModelVersion | None) -> Sequence[Seeded]:
        run = runs.read(case.repo, version.commit) if version else None
        return sources.repeats(run) if run else ()

    if case.champion is None:
        return seen
    try:
        return replace(seen, seeds=Sides(candidate=of(case.candidate), champion=of(case.champion)))
    except MlgitError as exc:
        return lacking(seen, Need.SEEDS, f"the runs of other seeds cannot be read: {exc.what}")


def _examples(seen: Evidence, case: Case, _: Sources) -> Evidence:
    """What both who are compared have scored on single examples."""
    if case.champion is None:
        return seen
    try:
        one, other = (scored.examples(case.repo, version) for version in (case.candidate, case.champion))
    except MlgitError as exc:
        return lacking(seen, Need.EXAMPLES, f"the tables of examples cannot be read: {exc.what}")
    return replace(seen, examples=Sides(candidate=one, champion=other))


def _signatures(seen: Evidence, case: Case, sources: Sources) -> Evidence:
    """Who has signed the candidate's bytes, by the keys of the base branch."""
    try:
        sources.bring_signatures(case.candidate)
        checked = vouching.verify(case.repo, case.candidate, trusting.trusted_at(case.repo, case.base))
    except MlgitError as exc:
        return lacking(seen, Need.SIGNATURES, exc.what)
    return replace(seen, signatures=tuple(Vouched(by=one.by, why=one.why) for one in checked))


def _commands(seen: Evidence, case: Case, sources: Sources) -> Evidence:
    """How the programs of the gates end, one after the other."""
    if sources.only_looks:
        return lacking(seen, Need.COMMANDS, "it is not run to have a look")
    asked = [placed.gate for placed in case.gates if isinstance(placed.gate, command.Settings)]
    trial = checking.Trial(
        repo=case.repo, base=case.base, stage=case.stage, candidate=case.candidate, champion=case.champion
    )  # fmt: skip
    return replace(seen, ran={gate: checking.run(trial, gate) for gate in asked})


def _reviews(seen: Evidence, case: Case, sources: Sources) -> Evidence:
    """Who approves the pull request."""
    asked = [placed.gate for placed in case.gates if isinstance(placed.gate, approvals.Settings)]
    try:
        return replace(seen, reviewed=sources.reviewed(case, asked))
    except MlgitError as exc:
        return lacking(seen, Need.REVIEWS, " ".join(filter(None, (exc.what, exc.why))))


def _history(seen: Evidence, case: Case, _: Sources) -> Evidence:
    model = case.candidate.model
    return replace(seen, history=ledger.of(store.tags(case.repo, model), model).history)


def _origin(seen: Evidence, case: Case, sources: Sources) -> Evidence:
    """The runs that made both who are compared."""

    def of(version: ModelVersion | None) -> Origin:
        run = runs.read(case.repo, version.commit) if version and case.repo.resolve(version.commit) else None
        if run is None:
            return Origin()
        if run.source and case.repo.resolve(run.source) is None:
            sources.fetch([run.source])
        try:
            about = runs.provenance(case.repo, run)
        except NotFoundError:
            about = {}
        return Origin(run=run, about=about, has_code=bool(run.source and case.repo.resolve(run.source)))

    try:
        return replace(seen, origins=Sides(candidate=of(case.candidate), champion=of(case.champion)))
    except MlgitError as exc:
        return lacking(seen, Need.ORIGIN, f"the run that made it cannot be read: {exc.what}")


def _reproductions(seen: Evidence, case: Case, sources: Sources) -> Evidence:
    """What came of making the candidate's run again."""
    run_id = case.candidate.run
    try:
        if run := runs.read(case.repo, case.candidate.commit):
            sources.bring(run)
        again = Predicate("reproduces", Operation.EQUAL, (run_id,))
        made = query.search(case.repo, again, ("-created",), limit=_MOST_AGAIN).runs if run_id else []
        return replace(seen, reproductions=reproductions.read(case.repo, made))
    except MlgitError as exc:
        return lacking(seen, Need.REPRODUCTIONS, f"the runs that make it again cannot be read: {exc.what}")


_MOST_AGAIN = 100
"""Runs that make one again, which are looked at."""


_GATHER: Mapping[Need, Callable[[Evidence, Case, Sources], Evidence]] = {
    Need.SEEDS: _seeds,
    Need.EXAMPLES: _examples,
    Need.ORIGIN: _origin,
    Need.REPRODUCTIONS: _reproductions,
    Need.HISTORY: _history,
    Need.SIGNATURES: _signatures,
    Need.COMMANDS: _commands,
    Need.REVIEWS: _reviews,
}  # fmt: skip
"""How to have what is needed: the evidence so far → the evidence with it, or with why it is lacking."""


def lacking(seen: Evidence, need: Need, why: str) -> Evidence:
    """*seen*, with *why* what *need* stands for could not be had."""
    return replace(seen, lacking={**seen.lacking, need: why})
