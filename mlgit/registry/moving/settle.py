"""The stages' tags: what a merge would do to them, what it did, and what the base branch says now.

GTO keeps the versions of a stage on top of one another: it is empty when every one of them was taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from mlgit.core import escape
from mlgit.core.model import Emergency, Hold, ModelVersion, Stage
from mlgit.core.verdict import Outcome, Verdict
from mlgit.errors import ConfigError, GateFailedError, MlgitError, NotFoundError, UsageError
from mlgit.forge.base import Forge, Status, StatusState
from mlgit.forge.rules import remarks
from mlgit.git.merge import merged_tree
from mlgit.git.objects import Reader
from mlgit.git.repo import Repo
from mlgit.registry import decision, ledger
from mlgit.registry.decision import Decision, Origin
from mlgit.registry.evidence import gathering, grounds
from mlgit.registry.evidence.gathering import Case, Sources
from mlgit.registry.moving import tagging, waiving
from mlgit.registry.moving.propose import CONTEXT, agree, policy_at
from mlgit.registry.policy import file, judging, spells
from mlgit.registry.policy.file import Policy
from mlgit.registry.stages import champion_of, last
from mlgit.registry.versions import catalogue, deprecating
from mlgit.registry.versions.registering import record_of
from mlgit.store import registry as store


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What becomes of one stage."""

    model: str
    stage: str
    version: str | None
    """What it is to serve; None where its file is gone."""
    tag: str | None = None
    """The tag that says so; None where the stage did not move."""
    verdicts: Sequence[Verdict] = ()
    decision: Decision | None = None
    """What its tag is to say of why it moves; None where it says so, or does not move."""
    refusal: MlgitError | None = None
    """Why it does not move."""
    overtaken: bool = False
    """Whether the base branch has said something else since."""
    emergency: Emergency | None = None
    """Why its gates were told and not asked, where they were."""
    back: Hold | None = None
    """The hold that came with it, where it goes back to a version that was served before."""


Asked = Callable[[Settled], Origin]
"""Tells who asked for what becomes of a stage."""


def is_refused(settled: Settled) -> bool:
    """Whether gates said no, so that the merge is to be taken back; where one could not be asked, it is asked again."""
    bars = [verdict for verdict in settled.verdicts if verdict.bars]
    return isinstance(settled.refusal, GateFailedError) and (
        not bars or any(verdict.outcome is not Outcome.ERROR for verdict in bars)
    )


def sentence(settled: Settled) -> str:
    """What happened, for a person; why, is for `refusal` to say."""
    what = f"{settled.model} {settled.version}" if settled.version else f"no {settled.model}"
    if settled.overtaken:
        return f"{settled.stage} was to serve {what}; its file says something else since, and that is what counts."
    if settled.refusal:
        return f"{settled.stage} does not serve {what}: it was merged, and the stage did not move."
    tag = f" (tag {settled.tag})" if settled.tag else ""
    if settled.emergency:
        over = [verdict.gate for verdict in settled.verdicts if not verdict.passed]
        past = f" Passed over: {', '.join(over)}." if over else ""
        who, why = escape.line(settled.emergency.by), escape.line(settled.emergency.why, 500)
        return f"EMERGENCY: {settled.stage} serves {what}{tag}, declared by {who}: {why}.{past}"
    if settled.back:
        again = f"{settled.stage} serves {what} again{tag}, in place of {escape.line(settled.back.instead)}"
        return f"{again}, and is held: mlgit hold {settled.model} {settled.stage} --lift"
    return f"{settled.stage} serves {what}{tag}."


def plain(settled: Settled) -> dict[str, Any]:
    """*settled* for a script."""
    return {
        "model": settled.model, "stage": settled.stage, "version": settled.version, "tag": settled.tag,
        "overtaken": settled.overtaken, "verdicts": [verdict.plain for verdict in settled.verdicts],
        "refused": str(settled.refusal) if settled.refusal else None,
        "emergency": asdict(settled.emergency) if settled.emergency else None,
        "rolled_back_from": settled.back.instead if settled.back else None,
    }  # fmt: skip


def tell(forge: Forge, commit: str, stages: Sequence[Settled]) -> None:
    """Say by the status of the gates on *commit* what they say of *stages*, those that it changes."""
    refused = min((one for one in stages if one.refusal), key=waits, default=None)
    state = StatusState.SUCCESS if not refused else StatusState.PENDING if waits(refused) else StatusState.FAILURE
    told = "asked again before the merge: all passed" if stages else "it moves no stage"
    if over := [verdict.gate for stage in stages for verdict in stage.verdicts if verdict.told and not verdict.passed]:
        told = f"passes over {', '.join(over)}"
    if any(stage.emergency for stage in stages):
        told = f"EMERGENCY: {told}"
    said = refused.refusal.what if refused and refused.refusal else told
    status = Status(context=CONTEXT, state=state, description=said, commit=commit)
    forge.set_status(status, remarks=remarks(verdict for stage in stages for verdict in stage.verdicts))


def waits(one: Settled) -> bool:
    """Whether people or time may still let it pass."""
    return isinstance(one.refusal, GateFailedError) and all(verdict.waits for verdict in one.verdicts if verdict.bars)


def settle(
    repo: Repo, commit: str, *, sources: Sources, before: str | None = None, tip: str | None = None,
    asked: Asked | None = None, now: float | None = None,
) -> list[Settled]:  # fmt: skip
    """Tag every stage that the merge *commit* changed and whose gates pass there; say of the others why not.

    *before*: the base branch before the merge, else the commit's first parent; it is its policy that is asked, where it
    has one. *tip*: where that branch stands now; a stage that was changed since is left alone. *asked*: who asked for
    it. Doing it twice changes nothing.

    Raises `ConfigError` where a policy or a stage's file cannot be read: then no stage moves.
    """
    before = repo.resolve(f"{commit}^1") if before is None else before
    with repo.reader() as reader:
        merged = policy_at(reader, commit)
        changed = list(_changed(reader, before, commit))
        stood = policy_at(reader, before) if before and changed else None
        policy = merged if stood is None else stood  # no change lowers the gate that it goes through
        models = {wanted.model for wanted, _ in changed}
        latest = store.stages_at(reader, tip or commit, models=models)
        found = []
        for wanted, champion in changed:
            if latest.get((wanted.model, wanted.stage)) != wanted.version:
                found.append(replace(wanted, overtaken=True))
                continue
            judged = _judge(
                repo, reader, commit, wanted, base=before or commit, policy=policy, champion=champion, sources=sources
            )  # fmt: skip
            found.append(_tagged(repo, judged, commit, asked, now=now))
        return found


def foresee(repo: Repo, base: str, head: str, *, sources: Sources, at: str | None = None) -> list[Settled]:
    """What would become of the stages if the commit *head* were merged into the branch *base*; nothing moves.

    The policy is the one that stands on *base*, if it has one; *at*: where that stands, should it not be known here.
    Raises `MlgitError` for a conflict, `ConfigError` where a policy or a stage's file could not be read.
    """
    commit = at or store.base_commit(repo, base)
    return foresee_in(repo, commit, merged_tree(repo, commit, head, f"refs/heads/{base}"), sources=sources)


def foresee_in(repo: Repo, commit: str, tree: str, *, sources: Sources) -> list[Settled]:
    """The same of *tree* (or a commit that has it), which is what the merge into *commit* would make."""
    with repo.reader() as reader:
        changed = list(_changed(reader, commit, tree))
        stood = policy_at(reader, commit) if changed else None
        policy = policy_at(reader, tree) if stood is None else stood
        return [
            _judge(repo, reader, tree, wanted, base=commit, policy=policy, champion=champion, sources=sources)
            for wanted, champion in changed
        ]


def reconcile(
    repo: Repo, base: str, *, sources: Sources, dry_run: bool = False, asked: Asked | None = None,
    only: tuple[str, str] | None = None, now: float | None = None,
) -> list[Settled]:  # fmt: skip
    """Let the tags say what the branch *base* says now, of every stage of which they say something else.

    *only*: of that model and stage. The gates are asked again, by the policy that stands now; what the commit that asks
    for it has changed of that itself does not count. A stage whose file is gone is emptied, unless its tag
    was made with stock GTO. Raises `ConfigError` for a registry that cannot be read, `UsageError` where *base* lags
    behind its remote.
    """
    commit = store.base_commit(repo, base)
    remote = repo.resolve(f"refs/remotes/origin/{base}")
    if remote and remote != commit and not repo.is_ancestor(remote, commit):
        raise UsageError(
            f"{base} lacks what is on origin/{base}: its stages may be old.", fix=f"git switch {base} && git pull"
        )
    with repo.reader() as reader:
        merged = policy_at(reader, commit)
        found = []
        for wanted in unsettled(repo, store.stages_at(reader, commit)):
            if only not in (None, (wanted.model, wanted.stage)):
                continue
            judged_at = grounds.base_of(repo, commit, wanted.model, wanted.stage, deepen=sources.deepen)
            try:
                stood = policy_at(reader, judged_at)
            except ConfigError as exc:
                why = f"At {judged_at[:10]}, before the commit that asks for it: {exc.what}"
                fix = f"change {store.POLICY} once more, by itself: what stands then counts"
                refusal = UsageError("The policy that it is judged by cannot be read.", why=why, fix=fix)
                found.append(replace(wanted, refusal=refusal))
                continue
            judged = _judge(
                repo, reader, commit, wanted, base=judged_at, policy=merged if stood is None else stood, champion=None,
                sources=sources,
            )  # fmt: skip
            found.append(judged if dry_run else _tagged(repo, judged, commit, asked, now=now))
        return found


def unsettled(repo: Repo, stages: Mapping[tuple[str, str], str]) -> list[Settled]:
    """What the files ask for, of the stages of which files and tags disagree.

    *stages*: (model, stage) → version, as the files have it.
    """
    served = {(model, stage): one for model, some in catalogue.stages(repo).items() for stage, one in some.items()}
    places = set(stages) | {place for place, one in served.items() if one.is_ours}
    return [
        Settled(model=place[0], stage=place[1], version=stages.get(place))
        for place in sorted(places)
        if (served[place].version if place in served else None) != stages.get(place)
    ]


def _changed(
    reader: Reader, before: str | None, after: str
) -> Iterator[tuple[Settled, ModelVersion | None]]:  # fmt: skip
    """The stages that are not at *after* as they were at *before*, each with the version that it had there."""
    models = store.changed(reader, before, after) if before else None
    new = store.stages_at(reader, after, models=models)
    try:
        old = store.stages_at(reader, before, models=models) if before else {}
    except ConfigError:
        old = {}  # what is merged may be what mends it
    for model, stage in sorted(new.keys() | old.keys()):
        was, now = old.get((model, stage)), new.get((model, stage))
        if was != now:
            champion = store.version_at(reader, before, model, was) if before and was else None
            yield Settled(model=model, stage=stage, version=now), champion


def _judge(
    repo: Repo, reader: Reader, tree: str, wanted: Settled, *, base: str, policy: Policy | None,
    champion: ModelVersion | None, sources: Sources,
) -> Settled:  # fmt: skip
    """*wanted*, with what the gates say of it by *policy*, which stands at *base*, or with the tag that says so."""
    model, stage, version = wanted.model, wanted.stage, wanted.version
    if version is None:
        return wanted
    try:
        ledger.name(model, "model")
        ledger.name(stage, "stage")
        known = ledger.of(store.tags(repo, model), model)
        candidate = record_of(known, ledger.version(version))
        filed = store.version_at(reader, tree, model, version)
        if filed is None:
            raise NotFoundError(
                f"{store.stage_path(model, stage)} names {version}, which has no file.",
                fix="mlgit promote writes both",
            )
        agree(filed, candidate)
        if known.stages.get(stage) == version:
            return replace(wanted, tag=last(known, stage).tag.name)
        said = store.stage_at(reader, tree, model, stage) or Stage(model=model, stage=stage, version=version)
        waived = waiving.waiver(known, said)
        if said.emergency and said.emergency == waived and (refused := waiving.forbidden(policy, said)):
            return replace(wanted, refusal=refused)
        if waived is None and (retired := deprecating.refusal(known, version)):
            return replace(wanted, refusal=retired)
        gates = file.gates_of(policy, model, stage)
        is_return = spells.is_return(known.history, stage, version)
        champion = champion_of(known, stage) or champion  # what was merged and refused never was one
        case = Case(repo=repo, base=base, stage=stage, candidate=filed, champion=champion, is_return=is_return,
            is_waived=waived is not None,
        )  # fmt: skip
        verdicts = tuple(gathering.judge(case, gates, sources))
        if waived is not None:
            verdicts += tuple(deprecating.told(known, version))
    except MlgitError as exc:
        return replace(wanted, refusal=exc)
    wanted = replace(
        wanted, emergency=waived if isinstance(waived, Emergency) else None,
        back=waived if isinstance(waived, Hold) else None,
    )  # fmt: skip
    if refused := judging.refusal(filed, stage, verdicts):
        return replace(wanted, verdicts=verdicts, refusal=refused)
    made = Decision(
        commit=tree, digest=filed.hash, instead=champion.version if champion else None,
        policy=_policy_of(reader, base, tree), gates=decision.told(verdicts), hold=said.hold,
        emergency=said.emergency,
    )  # fmt: skip
    return replace(wanted, verdicts=verdicts, decision=made)


def _policy_of(reader: Reader, *commits: str) -> str | None:
    """The blob of the policy at the first of *commits* that has one."""
    found = (reader.read(f"{commit}:{store.POLICY}") for commit in commits)
    return next((blob[0] for blob in found if blob), None)


def _tagged(repo: Repo, judged: Settled, commit: str, asked: Asked | None, *, now: float | None) -> Settled:
    """*judged* after its tag was made, if nothing is in the way."""
    if isinstance(judged.refusal, GateFailedError):
        fix = "revert the merge, or promote a version that passes"
        if not is_refused(judged):
            fix = "mlgit registry reconcile asks again: once it can be asked, the stage moves"
        return replace(judged, refusal=GateFailedError(judged.refusal.what, why=judged.refusal.why, fix=fix))
    if judged.refusal or judged.tag:
        return judged
    if judged.version is None:
        return replace(judged, tag=tagging.empty(repo, judged.model, judged.stage, commit, now=now))
    why = replace(
        judged.decision or Decision(commit=commit), commit=commit, origin=asked(judged) if asked else Origin()
    )
    tag = tagging.assign(repo, judged.model, judged.stage, judged.version, why, now=now)
    return replace(judged, decision=None, tag=tag)
