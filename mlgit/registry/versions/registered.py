"""All registered versions in brief, for rooms that only ask what was made of a run: no tag is read."""

from __future__ import annotations

from dataclasses import replace

from mlgit.core.registered import Registered
from mlgit.git.repo import Repo
from mlgit.registry import stages
from mlgit.registry.versions import catalogue
from mlgit.registry.versions.catalogue import Model


def every(repo: Repo, model: str | None = None, *, base: str) -> list[Registered]:
    """The versions of *model*, or of all models, oldest version first, with the stages that serve them by *base*."""
    models = catalogue.every(repo, model)
    wanted = stages.desired(repo, base, None if model is None else [model]) if models else {}
    return [one for model in models for one in _versions(model, wanted.get(model.name, {}))]


def _versions(model: Model, wanted: dict[str, str]) -> list[Registered]:
    served = {stage: one.version for stage, one in model.stages.items()}
    made_here = {stage for stage, one in model.stages.items() if one.is_ours}
    live = {*served.values(), *wanted.values()}
    return [
        replace(one, stages=stages.serving(one.version, served, made_here, wanted)) if one.version in live else one
        for one in model.versions
    ]
