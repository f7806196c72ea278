"""What the base branch's commits did to the files of the registry, one file each, oldest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlgit.git.repo import Repo
from mlgit.registry.audit import branch
from mlgit.store import registry as store

FREEZES = f"{store.FOLDER}/freezes.yaml"
SHARED = (store.POLICY, FREEZES, f"{store.FOLDER}/automations.yaml", f"{store.FOLDER}/keys")
"""What is no single model's."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One file that a commit on the base branch changed, made or took away."""

    commit: str
    when: float
    """When, by the committer's clock, in seconds since the epoch."""
    turn: float
    """The same, but never before the commit that it follows: clocks differ, the order of commits does not."""
    who: str
    subject: str
    path: str
    before: bytes | None
    """Its content; None where it was not there."""
    after: bytes | None
    blob: str
    """The id of what it is since; empty where it is gone."""


@dataclass(frozen=True, kw_only=True)
class History:
    """What a branch did to the registry."""

    changes: Sequence[Change]
    """Oldest first."""
    order: Mapping[str, int]
    """Every commit of the branch along first parents, numbered from its beginning: no clock tells what came first."""


def of(repo: Repo, commit: str, model: str | None = None) -> History:
    """What the first-parent history of *commit* did to `registry/`; to what concerns *model* alone, where one is named.

    Versions and cards that were added are left out: the promotion that brought them tells of them.
    """
    parts = None if model is None else [*(path.split("/")[1] for path in SHARED), model]
    raw, order = branch.known(repo, commit, parts)
    wanted = list(dict.fromkeys(oid for one in raw for oid in (one.old, one.new)))
    found: list[Change] = []
    turn = 0.0
    with repo.reader() as reader:
        blobs = dict(zip(wanted, reader.read_all(wanted), strict=True))
    for one in raw:
        turn = max(turn, one.when)
        old, new = blobs[one.old], blobs[one.new]
        found.append(
            Change(
                commit=one.commit, when=one.when, turn=turn, who=one.who, subject=one.subject, path=one.path,
                before=old[2] if old else None, after=new[2] if new else None, blob=new[0] if new else "",
            )
        )  # fmt: skip
    return History(changes=found, order=order)
