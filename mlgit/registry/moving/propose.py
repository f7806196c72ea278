"""Before the merge: a version is proposed for a stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mlgit.core import refs
from mlgit.core.model import Emergency, Hold, ModelVersion, Stage
from mlgit.core.verdict import Verdict
from mlgit.errors import GateFailedError, HeldError, MlgitError, UsageError
from mlgit.forge.base import Forge, PullRequest, PullState, Status
from mlgit.forge.sticky import upsert
from mlgit.git.merge import try_tree
from mlgit.git.objects import Reader
from mlgit.git.repo import Move, Repo
from mlgit.registry import card, deliver, ledger
from mlgit.registry.evidence import gathering
from mlgit.registry.evidence.gathering import Case, Sources
from mlgit.registry.moving import commanded, waiving
from mlgit.registry.policy import file, judging, spells
from mlgit.registry.policy.evidence import Need
from mlgit.registry.policy.file import Policy
from mlgit.registry.stages import champion_of
from mlgit.registry.versions import deprecating
from mlgit.registry.versions.registering import record_of
from mlgit.store import registry as store

CONTEXT = "mlgit/gates"
"""The status under which a pull request's gates are told."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A promotion, thought through: everything that `open_pull` will do, and what the gates say of it."""

    candidate: ModelVersion
    champion: ModelVersion | None
    stage: str
    base: str
    base_commit: str
    files: Mapping[str, str]
    """Path → text: what the pull request changes."""
    verdicts: Sequence[Verdict]
    """One a gate."""
    policy: bool
    """Whether the base branch has a policy at all."""
    wanted: Stage
    """What the stage's file is to say."""
    lifted: Hold | None = None
    """The hold that it lifts."""
    asked_by: str = ""
    """Who asked for it by a comment, where a job does what that says."""

    @property
    def branch(self) -> str:
        """The pull request's branch."""
        wanted = self.wanted
        if wanted.emergency:
            return refs.emergency_branch(wanted.model, wanted.version, wanted.stage)
        if wanted.hold and wanted.hold.instead:
            return refs.back_branch(wanted.model, wanted.version, wanted.stage)
        return refs.promotion_branch(wanted.model, wanted.version, wanted.stage)

    @property
    def refusal(self) -> GateFailedError | None:
        """Why it may not even be proposed; None where every gate passed, or waits for people or time."""
        return judging.refusal(self.candidate, self.stage, [one for one in self.verdicts if not one.waits])

    @property
    def unmet(self) -> GateFailedError | None:
        """Why the stage may not move now; None where every gate passed."""
        return judging.refusal(self.candidate, self.stage, self.verdicts)


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """A plan and the pull request that proposes it."""

    plan: Plan
    pull: PullRequest
    opened: bool
    """Whether it was opened just now; else it was open already."""
    rivals: Sequence[PullRequest] = ()
    """What is open for the same stage: the gates are asked again of what is merged after another."""


def plan(
    repo: Repo, model: str, version: str, stage: str, *, base: str, sources: Sources, lift: bool = False,
    at: str | None = None, emergency: Emergency | None = None,
) -> Plan:  # fmt: skip
    """What promoting *version* to *stage* would do on the branch *base*, by the policy that stands there.

    *at*: the commit that counts for it, where it is another than what is known here.

    *lift* takes the hold from a stage that has one; in an *emergency* gates are told and not asked. Raises
    `NotFoundError` for what does not exist, `HeldError`, `UsageError` for what cannot be, `ConfigError` for a policy
    that cannot be read. A failing gate does not raise: it is in the verdicts.
    """
    number = ledger.version(version)
    declared = replace(emergency, version=number) if emergency else None
    wanted = Stage(model=model, stage=stage, version=number, emergency=declared)
    return of(repo, wanted, base=base, sources=sources, lift=lift, at=at)


def of(
    repo: Repo, wanted: Stage, *, base: str, sources: Sources, lift: bool = False, at: str | None = None
) -> Plan:  # fmt: skip
    """What it takes that the stage's file says what is *wanted*. Raises as `plan` does."""
    model, stage, number = wanted.model, ledger.name(wanted.stage, "stage"), wanted.version
    known = ledger.of(store.tags(repo, model), model)
    candidate = record_of(known, number)
    waived = waiving.waiver(known, wanted)
    if waived is None and (retired := deprecating.refusal(known, number)):
        raise retired
    commit = at or store.base_commit(repo, base)
    with repo.reader() as reader:
        if stage in (known_as := store.card_at(reader, commit, model).aliases):
            raise UsageError(
                f"{stage} is an alias of {model} {known_as[stage]}: no stage can be called so.",
                fix=f"mlgit model alias {model} --rm {stage}, or another stage",
            )
        policy = policy_at(reader, commit)
        gates = file.gates_of(policy, model, stage)
        champion = champion_at(reader, commit, model, stage, base=base)
        if champion and champion.version == number:
            raise UsageError(f"{model} {number} is in {stage} already, as {base} has it.")
        stands = store.stage_at(reader, commit, model, stage)
        hold = stands.hold if stands else None
        if hold and not lift and not wanted.hold:
            raise _held(wanted, hold)
        files = _files(reader, commit, candidate, wanted)
    champion = champion_of(known, stage) or champion
    if waived is not None:
        if wanted.emergency and (refused := waiving.forbidden(policy, wanted)):
            raise refused
        deliver.reachable(repo, candidate)
    is_return = spells.is_return(known.history, stage, number)
    case = Case(repo=repo, base=commit, stage=stage, candidate=candidate, champion=champion, is_return=is_return,
        is_waived=waived is not None,
    )  # fmt: skip
    verdicts = gathering.judge(case, gates, sources)
    if waived is not None:
        verdicts += deprecating.told(known, number)
    return Plan(
        candidate=candidate, champion=champion, stage=stage, base=base, base_commit=commit, files=files,
        verdicts=verdicts, policy=policy is not None, wanted=wanted,
        lifted=hold if hold and not wanted.hold else None,
    )  # fmt: skip


def champion_at(reader: Reader, commit: str, model: str, stage: str, *, base: str) -> ModelVersion | None:
    """What *stage* serves at the *commit* of *base*, or None. Raises `ConfigError`, `MlgitError` where a file lacks."""
    file = store.stage_at(reader, commit, model, stage)
    if file is None:
        return None
    found = store.version_at(reader, commit, model, file.version)
    if found is None:
        raise MlgitError(
            f"{store.stage_path(model, stage)} on {base} names {file.version}, which has no file beside it.",
            fix=f"add {store.version_path(model, file.version)} back from the history",
        )
    return found


def policy_at(reader: Reader, commit: str) -> Policy | None:
    """The policy at *commit*, or None where there is none. Raises `ConfigError`."""
    text = reader.blob(f"{commit}:{store.POLICY}")
    return None if text is None else file.read(text, source=store.POLICY)


def _held(wanted: Stage, hold: Hold) -> HeldError:
    why = f" It went back from {hold.instead}." if hold.instead else ""
    return HeldError(
        f"{wanted.model} {wanted.stage} is held by {hold.by} since {hold.since}: {hold.why or 'no reason given'}.",
        why=f"A held stage is moved by nothing that moves by itself, and by nobody who has not seen it.{why}",
        fix="--lift, to promote all the same, and lift the hold with it",
    )  # fmt: skip


def _files(reader: Reader, commit: str, candidate: ModelVersion, wanted: Stage) -> dict[str, str]:
    """What a promotion writes. Raises `UsageError` where a version's file is there and says something else."""
    model, number = candidate.model, candidate.version
    files = {store.stage_path(model, wanted.stage): store.stage_text(wanted)}
    if reader.blob(f"{commit}:{store.card_path(model)}") is None:
        files[store.card_path(model)] = store.card_text(store.Card(project=candidate.project))
    filed = store.version_at(reader, commit, model, number)
    if filed is None:
        files[store.version_path(model, number)] = store.version_text(candidate)
    else:
        agree(filed, candidate)
    return files


def agree(filed: ModelVersion, tagged: ModelVersion) -> None:
    """Raise `UsageError` where a version's file and its tag differ: one of them was changed."""
    if differing := store.differences(filed, tagged):
        raise UsageError(
            f"{store.version_path(tagged.model, tagged.version)} and the tag {tagged.model}@{tagged.version} differ "
            f"in {', '.join(differing)}.",
            why="A version never changes; one of the two was edited.",
            fix="put the file back from the tag's message, or register a new version",
        )


def promote(repo: Repo, forge: Forge, made: Plan, *, sources: Sources) -> Promotion:
    """Open the pull request of a plan, with its one comment; the one that is open already is brought up to date.

    Raises `GateFailedError` where a gate failed, before anything is made.
    """
    if refused := made.refusal:
        raise refused
    pull, opened = _open(forge, made), False
    if pull is None:
        pull, opened = _opened(repo, forge, made)
    elif _is_stuck(repo, made, pull := forge.get(pull.number)):
        _branch(repo, made)
        forge.share(made.branch)
        pull = forge.get(pull.number)
    beside = _beside(repo, made, sources)
    told = card.comment(made.candidate, made.champion, made.wanted, made.verdicts, sources.goals, beside)
    state, said = card.status(made.wanted, made.verdicts)
    status = Status(context=CONTEXT, state=state, description=said, commit=pull.head_commit)
    upsert(forge, pull.number, card.MARKER, told, status=status)
    return Promotion(plan=made, pull=pull, opened=opened, rivals=_rivals(forge, made))


def _open(forge: Forge, made: Plan) -> PullRequest | None:
    """The pull request of a plan, if it is open."""
    found = forge.pulls(state=PullState.OPEN, head=made.branch)
    return next((pull for pull in found if pull.base == made.base), None)


def _opened(repo: Repo, forge: Forge, made: Plan) -> tuple[PullRequest, bool]:
    """(the pull request of a plan, True), or (the one that somebody else has opened meanwhile, False)."""
    try:
        _branch(repo, made)
        body = card.body(made.wanted, made.champion, made.lifted)
        pull = forge.open(
            head=made.branch, base=made.base, title=card.title(made.wanted),
            body=commanded.marked(body, made.asked_by) if made.asked_by else body,
        )  # fmt: skip
        return pull, True
    except MlgitError:  # of two that push one branch, or open one pull request, at once, the forge refuses one
        if is_there := _open(forge, made):
            return is_there, False
        raise


def _is_stuck(repo: Repo, made: Plan, pull: PullRequest) -> bool:
    """Whether a pull request of ours cannot be merged any more; what somebody has built on it is theirs to mend."""
    words = ("log", "-2", "--format=%s", "--end-of-options", f"{made.base_commit}..{pull.head_commit}")
    is_ours = repo.git(*words).splitlines() == [card.title(made.wanted)]
    return is_ours and bool(try_tree(repo, made.base_commit, pull.head_commit)[1])


def _rivals(forge: Forge, made: Plan) -> tuple[PullRequest, ...]:
    """The open pull requests that propose something else for the stage, oldest first."""
    start, end = refs.promotion_branch(made.wanted.model, "|", made.stage).split("|")
    others = (pull for pull in forge.pulls() if pull.base == made.base and pull.head != made.branch)
    found = (pull for pull in others if pull.head.startswith(start) and pull.head.endswith(end))
    return tuple(sorted(found, key=lambda pull: pull.number))


def _beside(repo: Repo, made: Plan, sources: Sources) -> card.Beside:
    """What the pull request shows besides: how sure one can be of figures, and what of the code differs."""
    if made.champion is None:
        return card.Beside()
    case = Case(
        repo=repo, base=made.base_commit, stage=made.stage, candidate=made.candidate, champion=made.champion
    )  # fmt: skip
    seen = gathering.gather(case, frozenset({Need.SEEDS, Need.ORIGIN}), sources)
    new, old = (origin.run for origin in (seen.origins.candidate, seen.origins.champion))
    return card.Beside(seeds=seen.seeds, code=sources.changed(old, new) if old and new else None)


def _branch(repo: Repo, made: Plan) -> None:
    """The promotion's branch, one commit on the base; one that an earlier, closed promotion left is moved there."""
    ref = f"refs/heads/{made.branch}"
    changes = {path: text.encode() for path, text in made.files.items()}
    title = card.title(made.wanted)
    message = commanded.signed(title, made.asked_by) if made.asked_by else title
    commit = repo.commit(made.base_commit, changes, message)
    there = repo.refs(ref).get(ref)
    repo.move([Move(ref, there, commit)], why=f"promote {made.candidate.model}")
