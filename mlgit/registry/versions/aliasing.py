"""Other names of a model's versions: they stand in `registry/<model>/model.yaml` on the base branch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from mlgit.documents import editor
from mlgit.errors import NotFoundError, UsageError
from mlgit.git.objects import Reader
from mlgit.git.repo import Repo
from mlgit.registry import ledger
from mlgit.registry.filing import Edit
from mlgit.registry.stages import desired
from mlgit.store import registry as store

LATEST = "latest"
"""What every model has, and nobody can give: its highest version that is no pre-release."""
_LIKE_A_VERSION = re.compile(r"v?\d.*")


def checked(name: str, stages: Iterable[str]) -> str:
    """*name*, if it means neither a version nor one of *stages*. Raises `UsageError`."""
    if name == LATEST or _LIKE_A_VERSION.fullmatch(name):
        raise UsageError(f"{name[:80]!r} cannot be an alias: it means a version already.", fix="choose another word")
    ledger.name(name, "alias")
    if name in stages:
        raise UsageError(
            f"{name} is a stage: an alias of that name would hide it.",
            fix=f"choose another word, or mlgit promote MODEL@VERSION {name}",
        )
    return name


def edit(repo: Repo, model: str, *, version: str | None, given: Iterable[str], gone: Iterable[str], base: str) -> Edit:
    """The change that calls *version* of *model* by the names *given*, and by those *gone* nothing any more.

    Raises `UsageError` for a name that no alias can have, or that is not there to be taken off.
    """
    known = ledger.of(store.tags(repo, model), model)
    stages = {*known.stages, *desired(repo, base, [model]).get(model, {})}
    names = {checked(name, stages): version for name in given}
    lost = tuple(gone)

    def change(reader: Reader, commit: str) -> Mapping[str, bytes | None]:
        path = store.card_path(model)
        text = (reader.blob(f"{commit}:{path}") or b"").decode("utf-8-sig", "replace")
        now = store.card_at(reader, commit, model).aliases
        if absent := [name for name in lost if name not in now]:
            called = f"Its aliases: {', '.join(sorted(now))}." if now else "It has no aliases."
            raise NotFoundError(f"{model} has no alias {', '.join(absent)[:120]}.", why=called)
        new = {name: to for name, to in now.items() if name not in lost} | names
        if new == now:
            return {}
        values = {"aliases": editor.GONE} if not new else {"aliases": dict(sorted(new.items()))}
        return {path: editor.with_values(text, values, source=path).encode()}

    return change
