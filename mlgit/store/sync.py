"""Runs and the tags of models to a remote: everything in one atomic push, nothing overwritten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlgit.core import refs
from mlgit.errors import UsageError
from mlgit.git import porcelain, process
from mlgit.git.repo import Move, Repo
from mlgit.store import live, runs

_TAGS = "refs/tags/"
_FEW = 200
"""Branches that are named one by one. More go by their pattern, which names those that the remote has as well: git
takes quadratic time over many names, and a command line holds only so many."""


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """What a remote lacks, as full names of refs."""

    runs: tuple[str, ...] = ()
    """The branches that it does not have as we do."""
    tags: tuple[str, ...] = ()
    """The tags that it does not have at all."""
    clashing: tuple[str, ...] = ()
    """The tags that it has, and that say something else there: they are never pushed."""

    @property
    def refs(self) -> tuple[str, ...]:
        """All that is to be pushed."""
        return (*self.runs, *self.tags)


def waiting(repo: Repo, to: str, tags: Sequence[str] = ()) -> Waiting:
    """The runs, and of *tags* (short names), what *to* does not have as we do.

    Raises `UsageError` where no remote is called so, `GitError` where it cannot be reached.
    """
    if not any(char in to for char in "/:") and f"remote.{to}.url" not in repo.config and not Path(to).exists():
        fix = f"git -C {repo.folder} remote add {to} URL, or mlgit sync --to URL"
        raise UsageError(f"There is no remote {to[:80]!r}.", fix=fix if to.isalnum() else "mlgit sync --to URL")
    there = _remote_refs(repo, to)
    ours = repo.refs(_TAGS)
    wanted = [f"{_TAGS}{tag}" for tag in tags]
    return Waiting(
        runs=tuple(ref for ref, tip in repo.refs(refs.RUNS).items() if there.get(ref) != tip),
        tags=tuple(ref for ref in wanted if ref not in there),
        clashing=tuple(ref for ref in wanted if ref in there and there[ref] != ours.get(ref)),
    )


def _remote_refs(repo: Repo, to: str) -> dict[str, str]:
    patterns = (f"{refs.RUNS}*", f"{_TAGS}*")
    out = process.run("ls-remote", "--quiet", "--end-of-options", to, *patterns, folder=repo.folder).decode()
    pairs = (line.partition("\t") for line in out.splitlines())
    return {ref: oid for oid, _, ref in pairs}


@dataclass(frozen=True, kw_only=True)
class Parted:
    """A run that two machines went on with."""

    ref: str
    """Its branch: the other machine's from now on."""
    own: str
    """The branch of what was recorded here, under an id of its own whose parent is the run."""


def settle(repo: Repo, to: str, names: Sequence[str]) -> tuple[list[Parted], list[str]]:
    """(the runs that *to* has otherwise, each now on two branches; those that *to* has further, which catch up here).

    Of the refs *names*. Nothing is lost: what was recorded here becomes a run of its own, with the other as its
    parent. A branch that is checked out stays as it is, and so is refused by the push.
    """
    there = _remote_refs(repo, to) if names else {}
    ours, busy = repo.refs(refs.RUNS), repo.worktrees()
    elsewhere = [ref for ref in names if ref in there and ref in ours and ref not in busy and there[ref] != ours[ref]]
    if not elsewhere:
        return [], []
    process.run(
        "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--end-of-options", to, *elsewhere,
        folder=repo.folder,
    )  # fmt: skip
    parted: list[Parted] = []
    behind: list[str] = []
    for ref in elsewhere:
        if repo.is_ancestor(there[ref], ours[ref]):
            continue  # a push like any other
        if repo.is_ancestor(ours[ref], there[ref]):
            repo.move([Move(ref, ours[ref], there[ref])], why=f"sync: {to} has it further")
            behind.append(ref)
        elif own := _part(repo, ref, ours[ref], there[ref]):
            parted.append(Parted(ref=ref, own=own))
    return parted, behind


def _part(repo: Repo, ref: str, ours: str, theirs: str) -> str | None:
    """The branch that *ours* has now, under an id of its own; None where it tells of no run that could have one."""
    from mlgit.store import parted

    run = runs.read(repo, ours)
    if run is None or (live.folder_of(repo, run.id) / "run.yaml").exists():
        return None
    again = parted.renamed(repo, run, ours)
    name = refs.run_ref(again.project, again.name, again.id, digits=8)
    repo.move([Move(name, None, again.commit), Move(ref, ours, theirs)], why=f"sync: {run.id} went on elsewhere too")
    return name


def push(repo: Repo, to: str, names: Sequence[str]) -> list[tuple[str, str]]:
    """Push the refs *names* in one atomic push; return what was refused, as (ref, reason): then nothing has moved."""
    runs = [ref for ref in names if ref.startswith(refs.RUNS)]
    if len(runs) <= _FEW:
        return porcelain.push(repo, to, [f"{ref}:{ref}" for ref in names])
    others = [f"{ref}:{ref}" for ref in names if not ref.startswith(refs.RUNS)]
    return porcelain.push(repo, to, [f"{refs.RUNS}*:{refs.RUNS}*", *others])
