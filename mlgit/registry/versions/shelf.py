"""What there is: every version with what is known of it, and the stages as the base branch has them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mlgit.core.model import Emergency, ModelVersion, Stage
from mlgit.errors import NotFoundError, UsageError
from mlgit.git.repo import Repo
from mlgit.registry import decision, ledger
from mlgit.registry.ledger import Action, Event
from mlgit.registry.stages import desired, ours, serving
from mlgit.registry.stages import files as stage_files
from mlgit.registry.versions import catalogue
from mlgit.registry.versions.aliasing import LATEST
from mlgit.registry.versions.deprecating import Deprecation, deprecation
from mlgit.registry.versions.registering import record_of
from mlgit.store import registry as store
from mlgit.store.registry import Tag

_TARGET = re.compile(r"(?P<model>[^@#]+)(?:[@#](?P<which>[^@#]+))?")
_VERSION = re.compile(r"v?\d.*")
_AT_ONCE = 100
"""Models whose tags are in memory at once."""

PRODUCTION = "production"
"""The stage that a model's name alone means, where it serves one."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One version."""

    model: str
    version: str
    tag: Tag
    record: ModelVersion | None
    """None for a tag that stock GTO made."""
    stages: tuple[str, ...] = ()
    """The stages that serve it, as the base branch has them; `production (unsettled)` where the tags say otherwise."""
    deprecated: Deprecation | None = None
    """Why it, or the model, should not be used any more."""
    marked: tuple[Stage, ...] = ()
    """Those of the stages that are to serve it whose files say that they are held, or that it came in an emergency."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some of the models, the one whose last tag is the newest first."""

    total: int
    """How many there are."""
    lines: Iterable[Line]
    """Model by model, newest version first; read as they are asked for."""
    shown: int
    """Of how many models these are."""


def page(repo: Repo, *, base: str, is_whole: bool = False, skip: int = 0, limit: int | None = None) -> Page:
    """*limit* models at most after the first *skip*: the newest version of each and those that stages serve.

    If it *is_whole*, every version.
    """
    total, names = catalogue.newest(repo, skip=skip, limit=limit)
    return Page(total=total, lines=_lines(repo, names, base=base, is_whole=is_whole), shown=len(names))


def lines(repo: Repo, model: str, *, base: str) -> list[Line]:
    """Every version of *model*, newest version first. Raises `NotFoundError` for no such model."""
    if not has(repo, model):
        raise _unknown(repo, model)
    return list(_lines(repo, [model], base=base, is_whole=True))


def _lines(repo: Repo, models: Sequence[str], *, base: str, is_whole: bool) -> Iterator[Line]:
    files = stage_files(repo, base, models)
    for begin in range(0, len(models), _AT_ONCE):
        some = models[begin : begin + _AT_ONCE]
        ledgers = ledger.read(store.tags(repo, *some))
        for known in (ledgers[model] for model in some if model in ledgers):
            said = files.get(known.model, {})
            asked = {stage: one.version for stage, one in said.items()}
            marked = [own for own in (one.own for one in said.values()) if own.hold or own.emergency]
            live = {*list(known.versions)[-1:], *known.stages.values(), *asked.values()}
            for version, tag in list(known.versions.items())[::-1]:
                if is_whole or version in live:
                    yield Line(
                        model=known.model, version=version, tag=tag, record=store.of_message(tag.message),
                        stages=serving(version, known.stages, ours(known), asked),
                        deprecated=deprecation(known, version),
                        marked=tuple(one for one in marked if one.version == version),
                    )  # fmt: skip


def find(repo: Repo, text: str, *, base: str) -> ModelVersion:
    """The version that *text* names: `MODEL@VERSION`, or `MODEL@STAGE` as *base* has it (`#`, as GTO writes it, too).

    An alias stands for a stage where none is called so, and `latest` for the latest; `MODEL` alone is what production
    serves, else its latest. Raises `NotFoundError`, or `UsageError` for what names nothing.
    """
    model, which = parts(text)
    known = ledger.of(store.tags(repo, model), model)
    if not known.history:
        raise _unknown(repo, model)
    if is_version(which):
        return record_of(known, ledger.version(which))
    stages = known.stages | desired(repo, base, [model]).get(model, {})
    number = stages.get(which or PRODUCTION)
    if which and which != LATEST and number is None:
        names = aliases(repo, model, base=base)
        number = names.get(which)
        if number is None:
            held = f"Its stages: {', '.join(sorted(stages))}." if stages else "No stage of it serves anything."
            also = f"Its aliases: {', '.join(sorted(names))}." if names else ""
            fix = f"mlgit promote {model}@VERSION {which[:80]}"
            raise NotFoundError(
                f"{model} has nothing in {which[:80]}.", why=" ".join(filter(None, (held, also))), fix=fix
            )
    if number is None and (number := known.latest) is None:
        raise NotFoundError(f"{model} has no version that stands.", fix="mlgit model register RUN")
    return record_of(known, number)


def history(repo: Repo, model: str) -> tuple[Event, ...]:
    """What happened to *model*, oldest first. Raises `NotFoundError` for no such model."""
    known = ledger.of(store.tags(repo, model), model)
    if not known.history:
        raise _unknown(repo, model)
    return known.history


def aliases(repo: Repo, model: str, *, base: str) -> Mapping[str, str]:
    """Other name → version, as *base* has them. Raises `ConfigError`."""
    return card(repo, model, base=base).aliases


def card(repo: Repo, model: str, *, base: str) -> store.Card:
    """What `registry/<model>/model.yaml` says on *base*; nothing where there is none. Raises `ConfigError`."""
    try:
        commit = store.base_commit(repo, base)
    except NotFoundError:
        return store.Card()
    with repo.reader() as reader:
        return store.card_at(reader, commit, model)


def deprecated(repo: Repo, version: ModelVersion) -> Deprecation | None:
    """Why *version*, or its model, should not be used any more; None where nobody says so."""
    return deprecation(ledger.of(store.tags(repo, version.model), version.model), version.version)


def emergencies(repo: Repo, version: ModelVersion) -> list[tuple[str, Emergency]]:
    """(stage, why) of each time that *version* came to a stage past its gates, oldest first."""
    known = ledger.of(store.tags(repo, version.model), version.model)
    moves = [event for event in known.history if event.version == version.version and event.action is Action.ASSIGN]
    said = [(event.stage, decision.of_message(event.tag.message)) for event in moves]
    declared = [(stage, made.emergency_of(version.version)) for stage, made in said if stage and made]
    return [(stage, why) for stage, why in declared if why]


def parts(text: str) -> tuple[str, str]:
    """(model, version or stage) of what a person writes; the second is empty for a model alone. Raises `UsageError`."""
    found = _TARGET.fullmatch(text)
    if found is None:
        raise UsageError(f"{text[:120]!r} names no version.", fix="write MODEL, MODEL@VERSION or MODEL@STAGE")
    return found["model"], found["which"] or ""


def is_version(which: str) -> bool:
    """Whether *which* is meant to be a version, and not a stage."""
    return _VERSION.fullmatch(which) is not None


def has(repo: Repo, model: str) -> bool:
    """Whether there is a registered model *model*."""
    return bool(ledger.of(store.tags(repo, model), model).history)


def _unknown(repo: Repo, model: str) -> NotFoundError:
    if store.is_filed(repo, model):
        return NotFoundError(
            f"The versions of {model} are not known here: they are tags.",
            why=f"registry/{model} is there, and this clone has none of its tags, as that of a job.",
            fix="git fetch --tags; in a job, actions/checkout with fetch-tags: true",
        )
    models = store.models(repo)
    close = difflib.get_close_matches(model, models, 1)
    fix = f"did you mean {close[0]}?" if close else "mlgit model ls lists the models"
    return NotFoundError(f"There is no model {model[:120]!r}.", fix=fix if models else "mlgit model register RUN")
