"""A run becomes a version of a model: a tag on its result, which never moves."""

from __future__ import annotations

import contextlib
import difflib
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mlgit.artifacts import log as artifacts
from mlgit.core import drifted, refs
from mlgit.core.artifact import ArtifactVersion
from mlgit.core.model import ModelVersion
from mlgit.core.model_card import ModelCard
from mlgit.core.run import EMPTY, Run, State
from mlgit.errors import MlgitError, NotFoundError, RefMovedError, UsageError
from mlgit.git.repo import Repo
from mlgit.registry import ledger
from mlgit.registry.ledger import Bump, Ledger
from mlgit.registry.versions.fields import checked
from mlgit.store import registry as store
from mlgit.store import runs


def register(
    repo: Repo, run: Run, *, model: str, version: str | None = None, bump: Bump = "minor", artifact: str | None = None,
    description: str = "", fields: Mapping[str, Any] = EMPTY, force: bool = False,
    chosen: ArtifactVersion | None = None, now: float | None = None,
) -> ModelVersion:  # fmt: skip
    """Make the model that *run* logged a version of *model*: an annotated tag on the run's result commit.

    Without *version* it is the next one by *bump*; *artifact* says which, where the run logged several models, or
    *chosen* is it; *fields* are those of its model card; *force* takes a run that did not finish. Raises `UsageError`
    for what cannot be, `NotFoundError` where the bytes are gone.
    """
    ledger.name(model, "model")
    said = checked(fields)
    _usable(run, force=force)
    chosen = chosen or _model_of(run, artifact)
    thought, tried = None, ""
    while True:
        known = ledger.of(store.tags(repo, model), model)
        number = _free(known, run, chosen, version=version, bump=bump)
        if number == tried:
            raise UsageError(
                f"There is a tag {model}@{number} already, and it is no version.",
                why="A version is an annotated tag on a commit.", fix=f"git tag -d {model}@{number}, or --version",
            )  # fmt: skip
        tried = number
        thought = thought or replace(_draft(repo, model, run, chosen), description=description, fields=said)
        made = _numbered(thought, known, number, now=now)
        commit, moment = run.commit, made.registered
        if any(event.tag.commit == commit for event in known.history):  # GTO reads one version a commit
            commit = repo.commit(commit, {}, f"{model} {number}: a second version from this run", when=moment)
        with contextlib.suppress(RefMovedError):  # somebody else took the number: another is free, or none is asked for
            repo.tag(refs.version_tag(model, number), commit, store.message(made), when=moment)
            return made


def draft(
    repo: Repo, run: Run, *, model: str, bump: Bump = "minor", artifact: str | None = None
) -> tuple[ModelVersion, bool]:  # fmt: skip
    """(the version of *model* that *run* would be, or is, whether it is registered). Raises as `register` does."""
    ledger.name(model, "model")
    known = ledger.of(store.tags(repo, model), model)
    _usable(run, force=False)
    chosen = _model_of(run, artifact)
    if is_there := _registered_as(known, run, chosen):
        return record_of(known, is_there), True
    return _numbered(_draft(repo, model, run, chosen), known, known.next_version(bump)), False


def _numbered(thought: ModelVersion, known: Ledger, number: str, *, now: float | None = None) -> ModelVersion:
    moment = round(known.next_time(time.time() if now is None else now), 3)
    return replace(thought, version=number, registered=moment)


def _draft(repo: Repo, model: str, run: Run, chosen: ArtifactVersion) -> ModelVersion:
    """What *chosen* is as a version of *model*, which has no number yet."""
    found = _described(repo, run, chosen)
    return ModelVersion(
        model=model, version="", project=run.project, run=run.id, commit=run.commit, artifact=chosen.name,
        hash=chosen.hash, sha256=found.sha256, size=chosen.size,
        metrics=run.metrics, params=run.params, data=run.data,
        changed_data=_changed_data(repo, run),
        card=replace(found, sha256=EMPTY, size=0),
    )  # fmt: skip


def _registered_as(known: Ledger, run: Run, chosen: ArtifactVersion) -> str | None:
    """The version of *known* that is the bytes *chosen* of *run*, if there is one."""
    for number, tag in known.versions.items():
        record = store.of_message(tag.message)
        if record and (record.run, record.hash) == (run.id, chosen.hash):
            return number
    return None


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
    if is_there := _registered_as(known, run, chosen):
        raise UsageError(
            f"The run {run.name} is {known.model} {is_there} already.", fix="name another version with --version"
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

    The number is not given again. Raises `UsageError` for a version that a stage has or had, or that is on *base*, also
    by an alias.
    """
    known = ledger.of(store.tags(repo, model), model)
    number = ledger.version(version)
    target = stands(known, number)
    staged = [
        one.stage for one in known.history if one.version == number and one.stage not in (None, ledger.DEPRECATED)
    ]
    filed, called = False, list[str]()
    if base is not None:
        commit = store.base_commit(repo, base)
        with repo.reader() as reader:
            filed = reader.blob(f"{commit}:{store.version_path(model, number)}") is not None
            called = [name for name, to in store.card_at(reader, commit, model).aliases.items() if to == number]
    branches = f"refs/heads/promote/{model}/"
    proposed = repo.refs(f"{branches}{number}/") | repo.refs(f"{branches}emergency/{number}/")
    if staged or filed or proposed:
        why = f"It is proposed by {next(iter(proposed))}." if proposed and not staged else ""
        raise UsageError(
            f"{model} {number} was promoted; a promoted version stays.", why=why, fix="promote another in its place"
        )
    if called:
        off = " ".join(f"--rm {name}" for name in called)
        raise UsageError(f"{model} {number} is called {', '.join(called)}.", fix=f"mlgit model alias {model} {off}")
    name = f"{model}@{number}!#{known.next_count}"
    moment = known.next_time(time.time() if now is None else now)
    repo.tag(f"refs/tags/{name}", target, f"{model} {number} is taken back", when=moment)
    return name


def stands(known: Ledger, number: str) -> str:
    """The commit of a version that stands. Raises `NotFoundError`."""
    if number in known.versions:
        return known.versions[number].commit
    if not known.versions:
        raise NotFoundError(f"There is no model {known.model!r}.", fix="mlgit model register RUN --name NAME")
    close = next(iter(difflib.get_close_matches(number, known.versions, 1)), known.latest)
    raise NotFoundError(f"{known.model} has no version {number}.", fix=f"did you mean {known.model}@{close}?")


def record_of(known: Ledger, number: str) -> ModelVersion:
    """What the tag of a version that stands says. Raises `NotFoundError`, `UsageError` for a tag without a record."""
    stands(known, number)
    tag = known.versions[number]
    found = store.of_message(tag.message)
    if found is None or (found.model, found.version) != (known.model, number):
        raise UsageError(
            f"The tag {tag.name} holds no record of {known.model} {number}.",
            why="It was not made by mlgit model register, or was changed since.",
            fix="register the run under a new version",
        )
    return found
