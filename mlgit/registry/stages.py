"""Which stages serve a version: by the files on the base branch, and by the tags."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from mlgit.core.model import ModelVersion, Stage
from mlgit.errors import NotFoundError
from mlgit.git.repo import Repo
from mlgit.registry.ledger import Event, Ledger
from mlgit.store import registry as store

UNSETTLED = " (unsettled)"
"""What stands behind a stage of which files and tags say different things."""
OURS = "Merged by "
"""What stands in the tags made here: a stage that somebody assigned with GTO, and that has no file, stays theirs."""


def desired(repo: Repo, base: str, models: Collection[str] | None = None) -> dict[str, dict[str, str]]:
    """Model → stage → version, as *base* has it, of *models* or (None) of all; nothing without a *base*."""
    every = files(repo, base, models)
    return {model: {stage: said.version for stage, said in of.items()} for model, of in every.items()}


def files(repo: Repo, base: str, models: Collection[str] | None = None) -> dict[str, dict[str, Stage]]:
    """Model → stage → all that its file says, likewise."""
    try:
        commit = store.base_commit(repo, base)
    except NotFoundError:
        return {}
    found: dict[str, dict[str, Stage]] = {}
    with repo.reader() as reader:
        for (model, stage), said in store.stage_files(reader, commit, models=models).items():
            found.setdefault(model, {})[stage] = said
    return found


def serving(
    version: str, served: Mapping[str, str], made_here: Collection[str], wanted: Mapping[str, str]
) -> tuple[str, ...]:
    """The stages that serve *version*, by what is *wanted* of its model's, and by what the tags let them serve.

    *made_here*: those that do so by a tag of mlgit's.
    """
    settled = [stage for stage, one in wanted.items() if one == version == served.get(stage)]
    unsettled = [stage for stage, one in wanted.items() if one == version != served.get(stage)]
    tagged = [stage for stage, one in served.items() if one == version and stage not in wanted]
    gone = [f"{stage} (file gone){UNSETTLED}" if stage in made_here else f"{stage} (tag only)" for stage in tagged]
    return (*settled, *(f"{stage}{UNSETTLED}" for stage in unsettled), *gone)


def ours(known: Ledger) -> list[str]:
    """The stages that serve something by a tag made here."""
    return [stage for stage in known.stages if f"\n{OURS}" in last(known, stage).tag.message]


def last(known: Ledger, stage: str) -> Event:
    """What was last done to a stage that has a history."""
    return next(event for event in reversed(known.history) if event.stage == stage)


def champion_of(known: Ledger, stage: str) -> ModelVersion | None:
    """What the tags let *stage* serve, as it was registered: files may be edited, and name what was refused."""
    tag = known.versions.get(known.stages.get(stage, ""))
    return store.of_message(tag.message) if tag else None
