"""Whether each live stage is what its records say: derived again from the files, the tags and the commits behind them.

Bytes are not brought for it; whether they are as registered, and which signatures hold, the caller may ask besides.
"""

from __future__ import annotations

from collections.abc import Iterator

from mlgit.core import waiting
from mlgit.git.repo import Repo
from mlgit.registry import ledger
from mlgit.registry.audit.live import Live
from mlgit.registry.audit.room import Finding, Room, Ways
from mlgit.registry.ledger import DEPRECATED, Ledger
from mlgit.store import registry as store

_FEW = 500
"""So many stages are done before anybody would wonder; each takes several objects."""


def verify(repo: Repo, base: str, ways: Ways, model: str | None = None) -> tuple[list[Finding], int]:
    """(what there is to say of the stages of *model*, or of all, how many were looked at).

    *base*: the branch whose files say what should be. Raises `NotFoundError` where there is none.
    """
    commit = store.base_commit(repo, base)
    with repo.reader() as reader:
        room = Room(repo=repo, reader=reader, tip=commit, ways=ways)
        known = ledger.read(store.tags(repo) if model is None else store.tags(repo, model))
        files = room.files(model)
        places = set(files) | {(name, stage) for name, one in known.items() for stage in one.stages}
        if model is not None:
            places = {place for place in places if place[0] == model}
            known = {name: one for name, one in known.items() if name == model}
        found = [finding for name in known for finding in _numbers(known[name])]
        with waiting.watched("verifying", len(places), is_far=len(places) > _FEW) as tell:
            for name, stage in sorted(places):
                one = known.get(name) or Ledger(model=name)
                found += Live(room=room, known=one, stage=stage, file=files.get((name, stage))).findings()
                tell(1, f"{name} {stage}")
    return found, len(places)


def _numbers(known: Ledger) -> Iterator[Finding]:
    """Which of the numbers that the tags of a model bear one after the other are missing."""
    given = {event.count for event in known.history if event.count}
    missing = [number for number in range(1, max(given, default=0)) if number not in given]
    if missing:
        stages = sorted({event.stage for event in known.history if event.stage and event.stage != DEPRECATED})
        some = ", ".join(f"#{number}" for number in missing[:5])
        yield Finding(
            model=known.model, stage=", ".join(stages), version="",
            what=f"tags were deleted: of the numbers of {known.model} there is no {some}"
            + (f" and {len(missing) - 5} others" if len(missing) > 5 else ""),
            fix="git fetch origin --tags brings what a remote has still",
        )  # fmt: skip
