"""What was live at a moment (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mlgit.core.model import Hold
from mlgit.errors import ConfigError
from mlgit.registry import ledger
from mlgit.registry.audit import happened
from mlgit.registry.audit.changes import History
from mlgit.registry.audit.happened import Entry
from mlgit.store.registry import Tag


@dataclass(frozen=True, kw_only=True)
class Live:
    """What a stage served."""

    entry: Entry
    """What had let it serve that."""
    hold: Hold | None = None


def live(tags: Iterable[Tag], history: History, moment: float) -> list[Live]:
    """What each stage served at *moment*, in order of model and stage: by the tags that had been made by then."""
    ledgers = ledger.read(tag for tag in tags if tag.when <= moment)
    before = [change for change in history.changes if change.turn <= moment]
    last = {
        (entry.model, entry.stage, entry.version): entry
        for entry in happened.account(ledgers.values(), History(changes=before, order=history.order))
        if entry.what in happened.SERVES
    }
    files = {happened.stage_path(change.path): change.after for change in before}
    return [
        Live(entry=entry, hold=_hold(files.get((model, stage)), (model, stage)))
        for model, known in ledgers.items()
        for stage, version in sorted(known.stages.items())
        if (entry := last.get((model, stage, version)))
    ]


def _hold(text: bytes | None, where: tuple[str, str]) -> Hold | None:
    """Why the stage was held, as its file says."""
    try:
        said = happened.stage_said(text, where)
    except ConfigError:
        return None
    return said.hold if said else None
