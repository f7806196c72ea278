"""What the registry's history comes to, for the commands of `mlgit registry`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

from mlgit.core import refs
from mlgit.errors import ConfigError, MlgitError, NotFoundError, UsageError
from mlgit.registry import ledger
from mlgit.registry.audit import changes, drift, happened, reading
from mlgit.registry.policy import file, freezes
from mlgit.registry.versions import catalogue
from mlgit.store import observed
from mlgit.store import registry as store

if TYPE_CHECKING:
    from mlgit.core.compare import Goal
    from mlgit.core.model import ModelVersion
    from mlgit.registry.audit.drift import Standing
    from mlgit.registry.audit.happened import Entry
    from mlgit.registry.audit.room import Finding
    from mlgit.registry.audit.standing import Live
    from mlgit.store.observed import Observation
    from mlgit.store.place import Place
    from mlgit.store.registry import Tag


def account(
    place: Place, *, base: str | None = None, model: str | None = None, stage: str | None = None, most: int
) -> list[Entry]:  # fmt: skip
    """What happened to *model*, or to all of the registry, oldest first: the last *most*. Raises `NotFoundError`."""
    _whole(place)
    commit = store.base_commit(place.repo, store.base_name(place.repo, base))
    if model is None:
        return reading.newest(place.repo, commit, most, stage)
    known = [one for name, one in ledger.read(_tags(place, model)).items() if name == model]
    found = happened.account(known, changes.of(place.repo, commit, model))
    return [one for one in found if stage in (None, one.stage)][-most:]


def live_at(place: Place, moment: float, *, base: str | None = None, model: str | None = None) -> Iterator[Live]:
    """What every stage (of *model*) served at *moment*, in seconds since the epoch. Raises `NotFoundError`."""
    _whole(place)
    commit = store.base_commit(place.repo, store.base_name(place.repo, base))
    if model is not None:
        _tags(place, model)
    return reading.live(place.repo, commit, moment, model)


def _whole(place: Place) -> None:
    """Raise `MlgitError` where a clone is shallow: what it lacks would pass for what never happened."""
    if (place.repo.common_dir / "shallow").exists():
        raise MlgitError(
            "A shallow clone does not know what happened to models.",
            why="It has the last commits alone, maybe no tags: what went the usual way would look like an edit.",
            fix="git fetch --unshallow --tags; in a job, actions/checkout with fetch-depth: 0",
        )


def _tags(place: Place, model: str | None) -> list[Tag]:
    found = store.tags(place.repo) if model is None else store.tags(place.repo, model)
    if model is not None and not found:
        raise NotFoundError(f"There is no model {model[:120]!r}.", fix="mlgit model ls lists the models")
    return found


def verify(
    place: Place, *, base: str | None = None, model: str | None = None, content: bool = False
) -> tuple[list[Finding], int]:
    """(what there is to say of the live stages of *model*, or of all, how many were looked at).

    *content*: every byte of what is live and every signature is checked too.
    """
    from mlgit.registry.audit import verifying
    from mlgit.registry.audit.room import Ways

    _whole(place)
    name = store.base_name(place.repo, base)
    ways = Ways(
        now=time.time(), goals=_goals(place), content=_content(place, name) if content else None
    )  # fmt: skip
    return verifying.verify(place.repo, name, ways, model)


def _goals(place: Place) -> Callable[[str], Mapping[str, Goal]]:
    from mlgit.ci import code

    @cache
    def at(commit: str) -> Mapping[str, Goal]:
        return code.of(place, commit).settings(place).goals

    return at


def _content(place: Place, base: str) -> Callable[[ModelVersion], None]:
    from mlgit.registry.trust import vouching
    from mlgit.registry.trust.trusting import trusted

    trust = trusted(place.repo, base)

    def check(version: ModelVersion) -> None:
        if refused := vouching.refusal(version, vouching.verify(place.repo, version, trust), asked=False):
            raise refused

    return check


def observe(
    place: Place, target: str, model: str, stage: str, *, digests: tuple[str, ...], versions: tuple[str, ...], by: str
) -> Observation:  # fmt: skip
    """Keep that *target* runs the models of *digests* and *versions* as *stage* of *model*; what is kept.

    Raises `UsageError`, `NotFoundError` for a version that does not exist.
    """
    from mlgit.registry.versions.registering import record_of

    ledger.name(model, "model")
    ledger.name(stage, "stage")
    refs.observed(target)
    known = ledger.of(_tags(place, model), model)
    found = [observed.digest(text) for text in digests]
    found += [observed.digest(record_of(known, ledger.version(text)).hash) for text in versions]
    if not found:
        raise UsageError(f"What {target} runs is not said.", fix="--digest SHA256, or --version V")
    seen = observed.Observation(
        target=target, model=model, stage=stage, digests=tuple(dict.fromkeys(found)), seen=round(time.time(), 3), by=by
    )
    observed.record(place.repo, seen)
    return seen


def standings(
    place: Place, *, base: str | None = None, model: str | None = None, max_age: float | None = None
) -> list[Standing]:
    """How each stage (of *model*) stands. Raises `ConfigError` where the registry cannot be read."""
    repo = place.repo
    commit = store.base_commit(repo, store.base_name(repo, base))
    models = None if model is None else [model]
    if model is not None:
        _tags(place, model)
    with repo.reader() as reader:
        files = store.stage_files(reader, commit, models=models)
        frozen = freezes.read(reader.blob(f"{commit}:{freezes.SOURCE}"))
        policy = None
        with suppress(ConfigError):  # `mlgit policy check` tells of one that cannot be read
            text = reader.blob(f"{commit}:{store.POLICY}")
            policy = file.read(text, source=store.POLICY) if text is not None else None
    seen = [one for one in observed.known(repo) if model in (None, one.model)]
    served = {
        (name, stage): one.version
        for name, some in catalogue.stages(repo, model).items() for stage, one in some.items()
    }  # fmt: skip
    if {name for name, _ in files} - {name for name, _ in served}:
        _whole(place)  # a job's clone has no tags
    known = ledger.read(catalogue.tags(repo, {one.model for one in seen}))
    desired = drift.Desired(files=files, served=served, ledgers=known, freezes=frozen, policy=policy)
    return drift.standings(desired, seen, now=time.time(), max_age=max_age)
