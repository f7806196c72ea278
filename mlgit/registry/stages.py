"""Which stages serve a version: by the files on the base branch, and by the tags."""

from __future__ import annotations

from mlgit.errors import NotFoundError
from mlgit.git.repo import Repo
from mlgit.registry.ledger import Event, Ledger
from mlgit.store import registry as store

UNSETTLED = " (unsettled)"
"""What stands behind a stage of which files and tags say different things."""
OURS = "Merged by "
"""What stands in the tags made here: a stage that somebody assigned with GTO, and that has no file, stays theirs."""


def desired(repo: Repo, base: str) -> dict[tuple[str, str], str]:
    """The stages on *base*; none where there is no such branch yet."""
    try:
        commit = store.base_commit(repo, base)
    except NotFoundError:
        return {}
    with repo.reader() as reader:
        return store.stages_at(reader, commit)


def serving(known: Ledger, version: str, wanted: dict[str, str]) -> tuple[str, ...]:
    """The stages that serve *version*, by what is *wanted* of its model's, and by what the tags say."""
    settled = [stage for stage, served in wanted.items() if served == version == known.stages.get(stage)]
    unsettled = [stage for stage, served in wanted.items() if served == version != known.stages.get(stage)]
    emptied = ours(known)
    tagged = [stage for stage, served in known.stages.items() if served == version and stage not in wanted]
    gone = [f"{stage} (file gone){UNSETTLED}" if stage in emptied else f"{stage} (tag only)" for stage in tagged]
    return (*settled, *(f"{stage}{UNSETTLED}" for stage in unsettled), *gone)


def ours(known: Ledger) -> list[str]:
    """The stages that serve something by a tag made here."""
    return [stage for stage in known.stages if f"\n{OURS}" in last(known, stage).tag.message]


def last(known: Ledger, stage: str) -> Event:
    """What was last done to a stage that has a history."""
    return next(event for event in reversed(known.history) if event.stage == stage)
