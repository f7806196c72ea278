"""Before the merge: a run becomes a version, and a version is proposed for a stage."""

from __future__ import annotations

import difflib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mlgit.artifacts import log as artifacts
from mlgit.core import drifted, refs
from mlgit.core.artifact import ArtifactVersion
from mlgit.core.compare import Goal
from mlgit.core.model import ModelVersion, Stage
from mlgit.core.model_card import ModelCard
from mlgit.core.run import EMPTY, Run, State
from mlgit.core.verdict import Verdict
from mlgit.errors import GateFailedError, MlgitError, NotFoundError, RefMovedError, UsageError
from mlgit.forge.base import Forge, PullRequest, PullState, Status, StatusState, upsert
from mlgit.git.objects import Reader
from mlgit.git.repo import Move, Repo
from mlgit.registry import card, gate, ledger
from mlgit.registry.ledger import Bump, Ledger
from mlgit.store import registry as store
from mlgit.store import runs

CONTEXT = "mlgit/gates"
"""The status under which a pull request's gates are told."""


def register(
    repo: Repo, run: Run, *, model: str, version: str | None = None, bump: Bump = "minor", artifact: str | None = None,
    description: str = "", force: bool = False, now: float | None = None,
) -> ModelVersion:  # fmt: skip
    """Make the model that *run* logged a version of *model*: an annotated tag on the run's result commit.

    Without *version* it is the next one by *bump*; *artifact* says which, where the run logged several models; *force*
    takes a run that did not finish. Raises `UsageError` for what cannot be, `NotFoundError` where the bytes are gone.
    """
    ledger.name(model, "model")
    known = ledger.of(store.tags(repo), model)
    _usable(run, force=force)
    chosen = _model_of(run, artifact)
    number = _free(known, run, chosen, version=version, bump=bump)
    moment = known.next_time(time.time() if now is None else now)
    commit = run.commit
    if any(event.tag.commit == commit for event in known.history):  # GTO reads one version a commit
        commit = repo.commit(commit, {}, f"{model} {number}: a second version from this run", when=moment)
    found = _described(repo, run, chosen)
    made = ModelVersion(
        model=model, version=number, project=run.project, run=run.id, commit=run.commit, artifact=chosen.name,
        hash=chosen.hash, sha256=found.sha256, size=chosen.size, registered=round(moment, 3),
        description=description, metrics=run.metrics, params=run.params, data=run.data,
        changed_data=_changed_data(repo, run),
        card=replace(found, sha256=EMPTY, size=0),
    )  # fmt: skip
    try:
        repo.tag(refs.version_tag(model, number), commit, store.message(made), when=moment)
    except RefMovedError:
        raise UsageError(f"{model} {number} exists already; a version never changes.") from None
    return made


def _usable(run: Run, *, force: bool) -> None:
    if run.state is State.RUNNING or not run.commit:
        raise UsageError(f"The run {run.name} is still running.", fix="register it when it has finished")
    if run.state is not State.FINISHED and not force:
        raise UsageError(
            f"The run {run.name} {run.state.value}; its model may be half-trained.", fix="--force, if you know better"
        )


def _model_of(run: Run, artifact: str | None) -> ArtifactVersion:
    """The model that *run* logged; the last content, where one name was logged more than once."""
    models = {version.name: version for version in run.logged if version.type == "model"}
    if artifact is None and len(models) == 1:
        return next(iter(models.values()))
    if not models:
        raise UsageError(
            f"The run {run.name} logged no model.",
            fix='log_artifact(path, name="…", type="model") in the script, and run it again',
        )
    if artifact is None:
        raise UsageError(f"The run {run.name} logged {len(models)} models: {', '.join(models)}.", fix="--artifact NAME")
    if artifact not in models:
        raise UsageError(f"The run {run.name} logged no model {artifact!r}.", fix=f"it logged: {', '.join(models)}")
    return models[artifact]


def _free(known: Ledger, run: Run, chosen: ArtifactVersion, *, version: str | None, bump: Bump) -> str:
    """The version to give. Raises `UsageError` where it was given before, or the same bytes of the run were."""
    if version is not None:
        number = ledger.version(version)
        if number in known.used:
            gone = "" if number in known.versions else ", and taken back; a number is not given twice"
            raise UsageError(
                f"{known.model} {number} exists already{gone}.", fix=f"the next one would be {known.next_version(bump)}"
            )
        return number
    for number, tag in known.versions.items():
        record = store.of_message(tag.message)
        if record and (record.run, record.hash) == (run.id, chosen.hash):
            raise UsageError(
                f"The run {run.name} is {known.model} {number} already.", fix="name another version with --version"
            )
    return known.next_version(bump)


def _described(repo: Repo, run: Run, chosen: ArtifactVersion) -> ModelCard:
    """What is known of the model, with its sha256 manifest. Raises `MlgitError` where it is not what was logged."""
    found = artifacts.described(repo, chosen, folder=run.folder)
    if chosen.card is None:
        return found
    if chosen.card.sha256 != found.sha256:
        raise MlgitError(
            f"{chosen.name} of run {run.name} is not what was logged.", why="Its sha256 differs from the run's record.",
            fix="do not use it; log the model again",
        )  # fmt: skip
    return replace(chosen.card, unsafe=found.unsafe)


def _changed_data(repo: Repo, run: Run) -> Mapping[str, str] | None:
    """What *run* says of data that were not what its code names; None where nobody can have looked."""
    if run.state not in (State.FINISHED, State.FAILED):
        return None
    try:
        about = runs.provenance(repo, run)
    except NotFoundError:
        return None
    return None if "imported" in about else drifted.words(about)


def unregister(repo: Repo, model: str, version: str, *, base: str | None = None, now: float | None = None) -> str:
    """Take a version back that was never promoted, by a tag that says so; return that tag.

    The number is not given again. Raises `UsageError` for a version that a stage has or had, or that is on *base*.
    """
    known = ledger.of(store.tags(repo), model)
    number = ledger.version(version)
    target = _registered(known, number)
    staged = [event.stage for event in known.history if event.version == number and event.stage]
    filed = base is not None and repo.read(store.base_commit(repo, base), store.version_path(model, number)) is not None
    proposed = repo.refs(f"refs/heads/promote/{model}/{number}/")
    if staged or filed or proposed:
        why = f"It is proposed by {next(iter(proposed))}." if proposed and not staged else ""
        raise UsageError(
            f"{model} {number} was promoted; a promoted version stays.", why=why, fix="promote another in its place"
        )
    name = f"{model}@{number}!#{known.next_count}"
    moment = known.next_time(time.time() if now is None else now)
    repo.tag(f"refs/tags/{name}", target, f"{model} {number} is taken back", when=moment)
    return name


def _registered(known: Ledger, number: str) -> str:
    """The commit of a version that stands. Raises `NotFoundError`."""
    if number in known.versions:
        return known.versions[number].commit
    if not known.versions:
        raise NotFoundError(f"There is no model {known.model!r}.", fix="mlgit model register RUN --name NAME")
    close = next(iter(difflib.get_close_matches(number, known.versions, 1)), known.latest)
    raise NotFoundError(f"{known.model} has no version {number}.", fix=f"did you mean {known.model}@{close}?")


def record_of(known: Ledger, number: str) -> ModelVersion:
    """What the tag of a version that stands says. Raises `NotFoundError`, `UsageError` for a tag without a record."""
    _registered(known, number)
    tag = known.versions[number]
    found = store.of_message(tag.message)
    if found is None or (found.model, found.version) != (known.model, number):
        raise UsageError(
            f"The tag {tag.name} holds no record of {known.model} {number}.",
            why="It was not made by mlgit model register, or was changed since.",
            fix="register the run under a new version",
        )
    return found


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
    gates: Sequence[gate.Placed]
    verdicts: Sequence[Verdict]
    """One a gate."""
    policy: bool
    """Whether the base branch has a policy at all."""

    @property
    def branch(self) -> str:
        """The pull request's branch."""
        return refs.promotion_branch(self.candidate.model, self.candidate.version, self.stage)

    @property
    def refusal(self) -> GateFailedError | None:
        """Why it may not be, or None where every gate passed."""
        return gate.refusal(self.gates, self.candidate, self.champion, self.stage, self.verdicts)


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """A plan and the pull request that proposes it."""

    plan: Plan
    pull: PullRequest
    opened: bool
    """Whether it was opened just now; else it was open already."""


def plan(repo: Repo, model: str, version: str, stage: str, *, base: str, goals: Mapping[str, Goal]) -> Plan:
    """What promoting *version* to *stage* would do on the branch *base*, by the policy that stands there.

    Raises `NotFoundError` for what does not exist, `UsageError` for what cannot be, `ConfigError` for a policy that
    cannot be read. A failing gate does not raise: it is in the verdicts.
    """
    ledger.name(stage, "stage")
    known = ledger.of(store.tags(repo), model)
    number = ledger.version(version)
    candidate = record_of(known, number)
    commit = store.base_commit(repo, base)
    with repo.reader() as reader:
        policy = policy_at(reader, commit)
        gates = gate.gates_of(policy, stage, source=store.POLICY)
        now_serves = store.stages_at(reader, commit).get((model, stage))
        if now_serves == number:
            raise UsageError(f"{model} {number} is in {stage} already, as {base} has it.")
        champion = store.version_at(reader, commit, model, now_serves) if now_serves else None
        if now_serves and champion is None:
            raise MlgitError(
                f"{store.stage_path(model, stage)} on {base} names {now_serves}, which has no file beside it.",
                fix=f"add {store.version_path(model, now_serves)} back from the history",
            )
        files = _files(reader, commit, candidate, stage)
    verdicts = gate.evaluate(gates, candidate, champion, goals)
    return Plan(
        candidate=candidate, champion=champion, stage=stage, base=base, base_commit=commit, files=files,
        gates=gates, verdicts=verdicts, policy=policy is not None,
    )  # fmt: skip


def policy_at(reader: Reader, commit: str) -> gate.Policy | None:
    """The policy at *commit*, or None where there is none. Raises `ConfigError`."""
    text = reader.blob(f"{commit}:{store.POLICY}")
    return None if text is None else gate.read(text, source=store.POLICY)


def _files(reader: Reader, commit: str, candidate: ModelVersion, stage: str) -> dict[str, str]:
    """What a promotion writes. Raises `UsageError` where a version's file is there and says something else."""
    model, number = candidate.model, candidate.version
    files = {store.stage_path(model, stage): store.stage_text(Stage(model=model, stage=stage, version=number))}
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


def promote(repo: Repo, forge: Forge, made: Plan, *, goals: Mapping[str, Goal]) -> Promotion:
    """Open the pull request of a plan, with its one comment; the one that is open already is brought up to date.

    Raises `GateFailedError` where a gate failed, before anything is made.
    """
    if refused := made.refusal:
        raise refused
    pull = next(iter(forge.pulls(state=PullState.OPEN, head=made.branch)), None)
    opened = pull is None or pull.base != made.base
    if pull is None or pull.base != made.base:
        _branch(repo, made)
        pull = forge.open(
            head=made.branch, base=made.base, title=card.title(made.candidate, made.stage),
            body=card.body(made.candidate, made.champion, made.stage),
        )  # fmt: skip
    told = card.comment(made.candidate, made.champion, made.stage, made.verdicts, goals)
    count = len(made.verdicts)
    passed = f"{count} gate{'' if count == 1 else 's'} passed" if count else "no gate is asked"
    status = Status(context=CONTEXT, state=StatusState.SUCCESS, description=passed, commit=pull.head_commit)
    upsert(forge, pull.number, card.MARKER, told, status=status)
    return Promotion(plan=made, pull=pull, opened=opened)


def _branch(repo: Repo, made: Plan) -> None:
    """The promotion's branch, one commit on the base; one that an earlier, closed promotion left is moved there."""
    ref = f"refs/heads/{made.branch}"
    changes = {path: text.encode() for path, text in made.files.items()}
    commit = repo.commit(made.base_commit, changes, card.title(made.candidate, made.stage))
    there = repo.refs(ref).get(ref)
    repo.move([Move(ref, there, commit)], why=f"promote {made.candidate.model}")
