"""A version, or a whole model, that nobody should use any more: a tag says so, and nothing is taken away."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass

from mlgit.core import escape
from mlgit.core.verdict import Outcome, Verdict
from mlgit.errors import RefMovedError, UsageError
from mlgit.git.repo import Repo
from mlgit.registry import ledger
from mlgit.registry.ledger import DEPRECATED, Ledger
from mlgit.registry.versions.registering import stands
from mlgit.store import registry as store
from mlgit.store.registry import Tag

_TRIES = 5


@dataclass(frozen=True, kw_only=True)
class Deprecation:
    """That a version, or its model, should not be used any more."""

    name: str
    """`digits v1.2.0`, or `digits`."""
    why: str
    who: str
    when: float
    """Seconds since the epoch."""
    tag: str
    """What says so."""

    @property
    def called(self) -> str:
        """`digits@v1.2.0`, or `digits`."""
        return self.name.replace(" ", "@")

    def __str__(self) -> str:
        return f"{self.name} is deprecated by {self.who}: {self.why}"


def deprecation(known: Ledger, version: str | None) -> Deprecation | None:
    """Why *version* of the model, or all of it, should not be used any more; None where nobody says so."""
    if version and version in known.deprecated:
        return _told(f"{known.model} {version}", known.deprecated[version])
    return _told(known.model, tag) if (tag := known.is_deprecated) else None


def _told(name: str, tag: Tag) -> Deprecation:
    why = escape.line(tag.message.partition("\n\n")[2] or tag.message, 500)
    return Deprecation(name=name, why=why, who=escape.line(tag.who), when=tag.when, tag=tag.name)


def refusal(known: Ledger, version: str) -> UsageError | None:
    """Why *version* comes into no stage any more that asks its gates, as an error; None where it may."""
    said = deprecation(known, version)
    if said is None:
        return None
    return UsageError(f"{said}.", fix=f"promote another version, or mlgit model deprecate {said.called} --undo")


def told(known: Ledger, version: str) -> list[Verdict]:
    """That *version* is deprecated, where it is and its gates are told and not asked."""
    said = deprecation(known, version)
    if said is None:
        return []
    return [
        Verdict(gate="no deprecation", outcome=Outcome.FAILED, observed=str(said), where=f"tag {said.tag}", told=True)
    ]


def deprecate(
    repo: Repo, model: str, version: str | None = None, *, why: str = "", undo: bool = False, now: float | None = None
) -> str:  # fmt: skip
    """Deprecate *version* of *model*, or all of it, and say *why*; with *undo*, take that back. Return the tag.

    Raises `NotFoundError` for what does not exist, `UsageError` for what is so already, or without a reason.
    """
    if not undo and not why.strip():
        raise UsageError("Who meets a deprecated model wants to know why.", fix="--why 'leaks the label, use v1.3.0'")
    for _ in range(_TRIES):
        known = ledger.of(store.tags(repo, model), model)
        number = None if version is None else ledger.version(version)
        place, commit = _place(known, number, undo=undo)
        name = f"{place}#{known.next_count}"
        what = f"{model} {number}" if number else model
        message = f"{what} is deprecated{' no more' if undo else ''}\n\n{why.strip()}".rstrip()
        with contextlib.suppress(RefMovedError):  # somebody else took the number
            repo.tag(
                f"refs/tags/{name}", commit, message, when=known.next_time(time.time() if now is None else now)
            )  # fmt: skip
            return name
    raise RefMovedError(f"The tags of {model} keep moving; none was made.", fix="try again")


def _place(known: Ledger, number: str | None, *, undo: bool) -> tuple[str, str]:
    """(the tag but for its count, the commit that it goes onto). Raises `UsageError` where it is so already."""
    commit = stands(known, number or known.latest or "")
    said = deprecation(known, number)
    if number is None and undo and said:
        free = [version for version in known.versions if version not in known.deprecated]
        if not free:
            raise UsageError(
                f"Every version of {known.model} is deprecated by itself.",
                fix=f"mlgit model deprecate {known.model}@VERSION --undo",
            )
        commit = known.versions[free[-1]].commit
    is_so = number in known.deprecated if number else known.is_deprecated is not None
    what = f"{known.model} {number}" if number else known.model
    if undo and not is_so:
        raise UsageError(f"{what} is not deprecated.", why=str(said) + "." if said else "")
    if not undo and is_so:
        raise UsageError(f"{said}.", fix="--undo takes that back")
    if number or undo:
        return f"{known.model}#{DEPRECATED}{'!' if undo else ''}", commit
    return f"{known.model}@{DEPRECATED}", commit
