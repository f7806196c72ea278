"""After the merge: the gates once more, on what was merged; then the tags that say where the stages are."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mlgit.core import refs
from mlgit.core.compare import Goal
from mlgit.core.model import ModelVersion
from mlgit.core.verdict import Verdict
from mlgit.errors import GateFailedError, MlgitError, NotFoundError, RefMovedError
from mlgit.git.objects import Reader
from mlgit.git.repo import Repo
from mlgit.registry import gate, ledger
from mlgit.registry.propose import agree, policy_at, record_of
from mlgit.store import registry as store

_TRIES = 5


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What became of one stage that a merge changed."""

    model: str
    stage: str
    version: str
    tag: str | None = None
    """The tag that says so; None where the stage did not move."""
    verdicts: Sequence[Verdict] = ()
    refusal: MlgitError | None = None
    """Why it did not move."""


def sentence(settled: Settled) -> str:
    """What happened, for a person; why, is for `refusal` to say."""
    what = f"{settled.model} {settled.version}"
    if settled.refusal:
        return f"{settled.stage} does not serve {what}: it was merged, and the stage did not move."
    return f"{settled.stage} serves {what} (tag {settled.tag})."


def settle(
    repo: Repo, commit: str, *, goals: Mapping[str, Goal], before: str | None = None, now: float | None = None
) -> list[Settled]:
    """Tag every stage that the merge *commit* changed and whose gates pass there; say of the others why not.

    *before*: the base branch before the merge, else the commit's first parent; it is its policy that is asked, where it
    has one. Doing it twice changes nothing. Raises `ConfigError` where a policy or a stage's file cannot be read: then
    no stage moves.
    """
    before = repo.resolve(f"{commit}^1") if before is None else before
    with repo.reader() as reader:
        merged, stood = policy_at(reader, commit), policy_at(reader, before) if before else None
        policy = merged if stood is None else stood  # no change lowers the gate that it goes through
        old = store.stages_at(reader, before) if before else {}
        new = store.stages_at(reader, commit)
        moved = [(model, stage) for model, stage in sorted(new) if new[model, stage] != old.get((model, stage))]
        return [
            _settle(
                repo, reader, commit, Settled(model=model, stage=stage, version=new[model, stage]), policy=policy,
                champion=_filed(reader, before, model, old.get((model, stage))), goals=goals, now=now,
            )
            for model, stage in moved
        ]  # fmt: skip


def _filed(reader: Reader, commit: str | None, model: str, version: str | None) -> ModelVersion | None:
    return store.version_at(reader, commit, model, version) if commit and version else None


def _settle(
    repo: Repo, reader: Reader, commit: str, wanted: Settled, *, policy: gate.Policy | None,
    champion: ModelVersion | None, goals: Mapping[str, Goal], now: float | None,
) -> Settled:  # fmt: skip
    model, stage = wanted.model, wanted.stage
    try:
        ledger.name(model, "model")
        ledger.name(stage, "stage")
        known = ledger.of(store.tags(repo), model)
        candidate = record_of(known, ledger.version(wanted.version))
        filed = store.version_at(reader, commit, model, wanted.version)
        if filed is None:
            raise NotFoundError(
                f"{store.stage_path(model, stage)} names {wanted.version}, which has no file.",
                fix="mlgit promote writes both",
            )
        agree(filed, candidate)
        gates = gate.gates_of(policy, stage, source=store.POLICY)
        verdicts = gate.evaluate(gates, filed, champion, goals)
    except MlgitError as exc:
        return replace(wanted, refusal=exc)
    if refused := gate.refusal(gates, filed, champion, stage, verdicts):
        fix = "revert the merge, or promote a version that passes"
        failed = GateFailedError(refused.what, why=refused.why, fix=fix)
        return replace(wanted, verdicts=verdicts, refusal=failed)
    return replace(wanted, verdicts=verdicts, tag=_assign(repo, model, stage, wanted.version, commit, now=now))


def _assign(repo: Repo, model: str, stage: str, version: str, merge: str, *, now: float | None) -> str:
    """The tag that says that *stage* serves *version*: the one that says so now, or a new one."""
    for _ in range(_TRIES):
        known = ledger.of(store.tags(repo), model)
        assigned = [event for event in known.history if event.stage == stage]
        if assigned and known.stages.get(stage) == version:
            return assigned[-1].tag.name
        ref = refs.stage_tag(model, stage, known.next_count)
        moment = known.next_time(time.time() if now is None else now)
        try:
            repo.tag(
                ref, known.versions[version].commit, f"{model} {version} is {stage}\n\nMerged by {merge}", when=moment
            )
        except RefMovedError:
            continue  # somebody else took the number
        return ref.removeprefix("refs/tags/")
    raise RefMovedError(f"The tags of {model} keep moving; {stage} was not tagged.", fix="try again")
