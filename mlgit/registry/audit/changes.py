"""What the base branch's commits did to the files of the registry, one file each, oldest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mlgit.core.refs import is_component
from mlgit.git.repo import Repo
from mlgit.store import registry as store

FREEZES = f"{store.FOLDER}/freezes.yaml"
SHARED = (store.POLICY, FREEZES, f"{store.FOLDER}/automations.yaml", f"{store.FOLDER}/keys")
"""What is no single model's."""
_LOG = (
    "log", "--first-parent", "--diff-merges=first-parent", "--raw", "-z", "--no-abbrev", "--no-renames", "--no-color",
    "--no-show-signature", "--format=%H%x00%ct%x00%an%x00%s",
)  # fmt: skip


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
    mine = () if model is None else (f"{store.FOLDER}/{model}",) if is_component(model) else ("",)
    paths = (*SHARED, *filter(None, mine)) if mine else (store.FOLDER,)
    listed = repo.git(*_LOG, "--end-of-options", commit, "--", *(f":(top,literal){path}" for path in paths))
    raw = [one for one in _parsed(listed.split("\0")) if not _is_brought(one)][::-1]
    wanted = [oid for one in raw for oid in (one.old, one.new)]
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
    walked = repo.git("rev-list", "--first-parent", "--reverse", "--end-of-options", commit).split()
    return History(changes=found, order={oid: number for number, oid in enumerate(walked)})


@dataclass(frozen=True, kw_only=True)
class _Raw:
    commit: str
    when: float
    who: str
    subject: str
    old: str
    new: str
    path: str


def _parsed(words: Sequence[str]) -> Iterator[_Raw]:
    """What git has listed, the newest first: by position, for a name or a subject may hold anything but NUL."""
    at, head = 0, ("", "0", "", "")
    while at < len(words):
        word = words[at].lstrip("\n")
        if word.startswith(":"):
            old, new = word.split(" ")[2:4]
            yield _Raw(commit=head[0], when=float(head[1]), who=head[2], subject=head[3],
                       old=old, new=new, path=words[at + 1])  # fmt: skip
            at += 2
        elif word:
            head = (word, words[at + 1], words[at + 2], words[at + 3])
            at += 4
        else:
            at += 1


def _is_brought(one: _Raw) -> bool:
    return not one.old.strip("0") and one.path.split("/")[2:3] in (["versions"], ["model.yaml"])
