"""The tags of a stage, made: numbered one after the other, whoever else makes some at the same moment."""

from __future__ import annotations

import contextlib
import time

from mlgit.core import refs
from mlgit.errors import RefMovedError
from mlgit.git.repo import Repo
from mlgit.registry import decision, ledger
from mlgit.registry.decision import Decision
from mlgit.registry.ledger import Ledger
from mlgit.registry.stages import OURS, last
from mlgit.store import registry as store

_TRIES = 5


def assign(repo: Repo, model: str, stage: str, version: str, why: Decision, *, now: float | None = None) -> str:
    """The tag that says that *stage* serves *version*, and why: the one that says so now, or a new one.

    Raises `RefMovedError` where the model's tags keep moving.
    """
    for _ in range(_TRIES):
        known = ledger.of(store.tags(repo, model), model)
        if known.stages.get(stage) == version:
            return last(known, stage).tag.name
        said = f"{model} {version} is {stage}\n\n{OURS}{why.commit}\n{decision.line(why)}"
        with contextlib.suppress(RefMovedError):  # somebody else took the number
            return _tag(repo, known, refs.stage_tag(model, stage, known.next_count), version, said, now=now)
    raise _restless(model, stage)


def empty(repo: Repo, model: str, stage: str, commit: str, *, now: float | None = None) -> str | None:
    """The last of the tags that take back what *stage* served, oldest first; None where it served nothing.

    *commit*: what asks for that. Raises `RefMovedError` where the model's tags keep moving.
    """
    made = None
    for _ in range(_TRIES + len(ledger.of(store.tags(repo, model), model).assigned.get(stage, ()))):
        known = ledger.of(store.tags(repo, model), model)
        version = next(iter(known.assigned.get(stage, ())), None)
        if version is None:
            return made
        said = f"{model} {version} is not {stage} any more\n\n{OURS}{commit}"
        with contextlib.suppress(RefMovedError):
            made = _tag(repo, known, refs.stage_tag(model, f"{stage}!", known.next_count), version, said, now=now)
    raise _restless(model, stage)


def _tag(repo: Repo, known: Ledger, ref: str, version: str, message: str, *, now: float | None) -> str:
    moment = known.next_time(time.time() if now is None else now)
    repo.tag(ref, known.versions[version].commit, message, when=moment)
    return ref.removeprefix("refs/tags/")


def _restless(model: str, stage: str) -> RefMovedError:
    return RefMovedError(f"The tags of {model} keep moving; {stage} was not tagged.", fix="try again")
