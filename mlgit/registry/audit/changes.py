"""What the base branch's commits did to the files of the registry, one file each, oldest first."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from mlgit.git.repo import Repo
from mlgit.registry.audit import branch
from mlgit.registry.audit.branch import Raw
from mlgit.store import registry as store

FREEZES = f"{store.FOLDER}/freezes.yaml"
SHARED = (store.POLICY, FREEZES, f"{store.FOLDER}/automations.yaml", f"{store.FOLDER}/keys")
"""What is no single model's."""
_SHARED = tuple(path.removeprefix(f"{store.FOLDER}/") for path in SHARED)


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


@dataclass(frozen=True, kw_only=True)
class Listed:
    """What a branch did to the registry, no file read yet."""

    repo: Repo
    raw: Sequence[tuple[float, Raw]]
    """Each with its turn (`Change`)."""
    order: Mapping[str, int]

    def since(self, turn: float) -> set[str]:
        """Whose files were changed from *turn* on: models, and what else lies in `registry/`."""
        return {_part(one) for at, one in self.raw if at >= turn}

    def of(self, models: Collection[str] | None = None) -> History:
        """The same with the files; of *models* and what is no single model's, where some are named."""
        parts = None if models is None else {*models, *_SHARED}
        raw = [(turn, one) for turn, one in self.raw if parts is None or _part(one) in parts]
        wanted = list(dict.fromkeys(oid for _, one in raw for oid in (one.old, one.new)))
        with self.repo.reader() as reader:
            blobs = dict(zip(wanted, reader.read_all(wanted), strict=True))
        found = [
            Change(
                commit=one.commit, when=one.when, turn=turn, who=one.who, subject=one.subject, path=one.path,
                before=old[2] if (old := blobs[one.old]) else None, after=new[2] if (new := blobs[one.new]) else None,
                blob=new[0] if new else "",
            )
            for turn, one in raw
        ]  # fmt: skip
        return History(changes=found, order=self.order)


def listed(repo: Repo, commit: str, model: str | None = None) -> Listed:
    """What the first-parent history of *commit* did to `registry/`; to what concerns *model* alone, where one is named.

    Versions and cards that were added are left out: the promotion that brought them tells of them.
    """
    raw, order = branch.known(repo, commit, None if model is None else [*_SHARED, model])
    turns = accumulate((one.when for one in raw), max)
    return Listed(repo=repo, raw=list(zip(turns, raw, strict=True)), order=order)


def of(repo: Repo, commit: str, model: str | None = None) -> History:
    """All that is `listed`, with the files."""
    return listed(repo, commit, model).of()


def _part(one: Raw) -> str:
    return one.path.partition("/")[2].partition("/")[0]
