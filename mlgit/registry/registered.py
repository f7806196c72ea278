"""All registered versions in brief, for rooms that only ask what was made of a run: no YAML but the stages' is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlgit.core.artifact import is_hash
from mlgit.core.registered import Registered
from mlgit.git.repo import Repo
from mlgit.registry import ledger, stages
from mlgit.store import registry as store


def every(repo: Repo, *, base: str) -> list[Registered]:
    """The versions of all models, oldest version first, with the stages that serve them as *base* has it."""
    ledgers = ledger.read(store.tags(repo))
    wanted = stages.desired(repo, base) if ledgers else {}
    found: list[Registered] = []
    for model, known in ledgers.items():
        of_model = {stage: version for (name, stage), version in wanted.items() if name == model}
        for version, tag in known.versions.items():
            told = store.told(tag.message)
            content = _text(told, "hash")
            found.append(
                Registered(
                    model=model, version=version, commit=tag.commit, when=tag.when, who=tag.who,
                    run=_text(told, "run"), artifact=_text(told, "artifact"),
                    content=content if is_hash(content) else "",
                    metrics=metrics if isinstance(metrics := told.get("metrics"), dict) else {},
                    stages=stages.serving(known, version, of_model),
                )
            )  # fmt: skip
    return found


def _text(told: Mapping[str, Any], key: str) -> str:
    value = told.get(key)
    return value if isinstance(value, str) else ""
