"""The registry on a remote: its branch and tags as they are there, brought to a clone that has neither, and tags sent.

A clone that is shallow, as CI's are, stays so: of what is brought no history comes along.
"""

from __future__ import annotations

from collections.abc import Sequence

from mlgit.git.remote import Remote
from mlgit.git.repo import Move
from mlgit.registry import ledger
from mlgit.store.registry import Tag

_TAGS = "refs/tags/"


def bring(remote: Remote, base: str) -> None:
    """Have the branch *base* as *remote* has it (as its remote branch), and the tags of models that are not here."""
    repo, branch = remote.repo, f"refs/heads/{base}"
    there, here = remote.refs(branch, f"{_TAGS}*"), repo.refs(_TAGS)
    moves = [Move(ref, None, oid) for ref, oid in there.items() if ref not in here and _is_ours(ref)]
    kept = f"refs/remotes/{remote.name}/{base}"
    if (now := there.get(branch)) and now != (before := repo.refs(kept).get(kept)):
        moves.append(Move(kept, before, now))
    bring_commits(remote, [move.new for move in moves if move.new])
    repo.move(moves, why=f"the registry of {remote.name}")


def bring_commits(remote: Remote, oids: Sequence[str], *, generations: int = 1) -> None:
    """Have the commits and tags *oids* of *remote*; of a shallow clone's, with so many *generations*."""
    is_shallow = (remote.repo.common_dir / "shallow").exists()
    remote.fetch(oids, depth=generations if is_shallow else None)


def share(remote: Remote, tags: Sequence[str]) -> None:
    """Have *tags* (full names) there as they are here. Raises `RefMovedError` where another is there: none changes."""
    here = {ref: oid for ref, oid in remote.repo.refs(_TAGS).items() if ref in tags}
    there = remote.refs(*tags) if tags else {}
    if moves := [Move(ref, None, oid) for ref, oid in here.items() if there.get(ref) != oid]:
        remote.push(moves)


def _is_ours(ref: str) -> bool:
    return ref.startswith(_TAGS) and ledger.parse(Tag(name=ref.removeprefix(_TAGS), commit="", when=0)) is not None
