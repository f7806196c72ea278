"""A hold is put on a stage, or lifted: the stage's file says so, and its version stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mlgit.core.model import Hold, Stage
from mlgit.errors import NotFoundError
from mlgit.git.objects import Reader
from mlgit.git.repo import Repo
from mlgit.registry import ledger
from mlgit.registry.filing import Edit
from mlgit.store import registry as store


def standing(repo: Repo, model: str, stage: str, *, base: str, at: str | None = None) -> Stage:
    """What the file of *stage* says on *base*, or *at* a commit of it. Raises `NotFoundError` for nothing."""
    ledger.name(stage, "stage")
    commit = at or store.base_commit(repo, base)
    with repo.reader() as reader:
        return _stage(reader, commit, model, stage)


def edit(model: str, stage: str, hold: Hold | None) -> Edit:
    """The change that puts *hold* on *stage*, or, without one, lifts what holds it; nothing where that is so."""

    def change(reader: Reader, commit: str) -> Mapping[str, bytes | None]:
        now = _stage(reader, commit, model, stage)
        if (now.hold is None) is (hold is None):
            return {}
        return {store.stage_path(model, stage): store.stage_text(replace(now, hold=hold)).encode()}

    return change


def _stage(reader: Reader, commit: str, model: str, stage: str) -> Stage:
    if found := store.stage_at(reader, commit, model, stage):
        return found
    raise NotFoundError(
        f"{stage} serves no {model}: there is nothing to hold.",
        fix=f"mlgit freeze {model} {stage} keeps the first version out, too; mlgit model ls says what serves what",
    )
