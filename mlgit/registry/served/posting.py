"""The pages of stages onto the branch `mlgit-registry`, which goes forwards only, whoever writes there at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from mlgit.dvc import addresses
from mlgit.dvc.addresses import Address
from mlgit.errors import ConfigError, RefMovedError
from mlgit.git.objects import Reader
from mlgit.git.remote import Remote
from mlgit.git.repo import Move, Repo
from mlgit.registry import decision, filing, ledger, shared
from mlgit.registry.ledger import DEPRECATED, Ledger
from mlgit.registry.served import latest
from mlgit.registry.stages import last
from mlgit.registry.versions.deprecating import deprecation
from mlgit.store import registry as store
from mlgit.store import runs

BRANCH = "refs/heads/mlgit-registry"


def is_kept(repo: Repo) -> bool:
    """Whether this repository has pages."""
    return BRANCH in repo.refs(BRANCH)


def post(
    repo: Repo, base: str, models: Collection[str] = (), *, remote: Remote | None = None,
    wait: Callable[[float], None] = time.sleep,
) -> str | None:  # fmt: skip
    """Let the pages of *models*, or of all, say what the tags say; the commit that does, None where they do already.

    *base*: the branch whose DVC configuration says where the bytes are. With a *remote*, it is its branch. A page that
    tells of a later tag than there is here stays. Raises `RefMovedError` where the branch keeps moving, `GitError`.
    """
    for attempt in range(filing.TRIES):
        tip = (remote.refs(BRANCH) if remote else repo.refs(BRANCH)).get(BRANCH)
        if remote and tip:
            shared.bring_commits(remote, [tip])
        if not (changes := _changes(repo, base, models, tip)):
            return None
        names = ", ".join(sorted(changes)[:5])
        made = repo.commit(tip, changes, f"{names}{f' and {len(changes) - 5} more' if len(changes) > 5 else ''}")
        try:
            if remote:
                remote.push([Move(BRANCH, tip, made)])
            else:
                repo.move([Move(BRANCH, tip, made)], why="post stages")
            return made
        except RefMovedError:  # somebody else has posted: on top of that
            wait(filing.pause(attempt))
    raise RefMovedError(
        f"{BRANCH.removeprefix('refs/heads/')} keeps moving: no page was posted.", fix="mlgit registry reconcile"
    )


def _changes(repo: Repo, base: str, models: Collection[str], tip: str | None) -> Mapping[str, bytes]:
    """Path → content of each page that is not as it should be."""
    ledgers = ledger.read(store.tags(repo, *models))
    found: dict[str, bytes] = {}
    with repo.reader() as reader:
        commit = store.base_commit(repo, base)
        for model, known in ledgers.items():
            for stage in sorted({event.stage for event in known.history if event.stage} - {DEPRECATED}):
                path = f"{model}/{stage}.json"
                there = reader.blob(f"{tip}:{path}") if tip else None
                page = _page(repo, reader, commit, known, stage)
                if page and page != there and not _is_later(there, page):
                    found[path] = page
    return found


def _is_later(there: bytes | None, page: bytes) -> bool:
    """Whether what is *there* tells of something later than *page* does; of what cannot be read nobody knows."""
    try:
        return bool(there) and _count(there) > _count(page)
    except ConfigError:
        return False


def _count(content: bytes | None) -> int:
    return latest.read(content or b"", source="page").count


def _page(repo: Repo, reader: Reader, commit: str, known: Ledger, stage: str) -> bytes | None:
    """The page of *stage*; None where the version that it serves has no record, as stock GTO's have not."""
    event = last(known, stage)
    served = known.stages.get(stage)
    if served is None:
        return latest.text(event, None, why=None, store=None, deprecated="")
    tag = known.versions[served]
    version = store.of_message(tag.message)
    if version is None:
        return None
    run = runs.read(repo, tag.commit)
    said = deprecation(known, served)
    return latest.text(
        replace(event, version=served), version, why=decision.of_message(event.tag.message),
        store=_store(reader, commit, run.folder if run else ""), deprecated=str(said or ""),
    )  # fmt: skip


def _store(reader: Reader, commit: str, folder: str) -> Address | None:
    """Where the bytes of a run in *folder* are, as *commit* has DVC configured there."""
    parts = [part for part in folder.split("/") if part]
    for count in range(len(parts), -1, -1):
        config = reader.blob(f"{commit}:{'/'.join((*parts[:count], '.dvc/config'))}")
        if config is not None:
            return addresses.default(config)
    return None
