"""The registry on a remote: its branch and tags as they are there, brought to a clone that has neither, and tags sent.

A clone that is shallow, as CI's are, stays so: of what is brought no history comes along.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence

from mlgit.core import refs
from mlgit.core.run import Run
from mlgit.errors import GitError, RefMovedError
from mlgit.git.remote import Remote, bare
from mlgit.git.repo import Move
from mlgit.registry import ledger
from mlgit.store import archive
from mlgit.store.registry import Tag

_TAGS = "refs/tags/"
_ENDLESS = (1 << 31) - 1
"""Generations, as git writes that none is left out."""
_MONTH = 31 * 24 * 3600
"""Seconds."""


def bring(remote: Remote, base: str) -> None:
    """Have the branch *base* as *remote* has it (as its remote branch), and the tags of models that are not here."""
    repo, branch = remote.repo, f"refs/heads/{base}"
    there, here = remote.refs(branch, f"{_TAGS}*"), repo.refs(_TAGS)
    tags = [Move(ref, None, oid) for ref, oid in there.items() if ref not in here and is_ours(ref)]
    kept, tip = f"refs/remotes/{remote.name}/{base}", list[Move]()
    if (now := there.get(branch)) and now != (before := repo.refs(kept).get(kept)):
        tip = [Move(kept, before, now)]
    with_its_run = 2  # a second version of a run is an empty commit on the run's
    bring_commits(remote, [move.new for move in (*tags, *tip) if move.new], generations=with_its_run)
    for moves in filter(None, (tags, tip)):  # very many tags are quick, where they are alone
        repo.move(moves, why=f"the registry of {remote.name}")


def bring_runs(remote: Remote, run: Run) -> None:
    """Have the runs of the project of *run* that *remote* has: as its remote branches, and what is archived since then.

    Of a shallow clone's, nothing but what each recorded in the end. A month of the archive that is here stays as it is.
    """
    repo, here, since = remote.repo, remote.repo.refs(), run.created - _MONTH
    there = remote.refs(f"{refs.RUNS}{run.project}/*", f"{refs.ARCHIVE}{run.project}/*")
    months = {ref: oid for ref, oid in there.items() if ref not in here and refs.begin(ref) > since}
    branches = {
        f"refs/remotes/{remote.name}/{refs.branch(ref)}": oid for ref, oid in there.items() if ref.startswith(refs.RUNS)
    }
    moves = [Move(ref, here.get(ref), oid) for ref, oid in branches.items() if here.get(ref) != oid]
    bring_commits(remote, [move.new for move in moves if move.new] + [*months.values()])
    with repo.reader() as reader:
        folded = [tip for month in months.values() for tip in archive.listing(reader, month).values()]
        lacking = [tip for tip, kind in zip(folded, reader.kinds(folded), strict=True) if kind is None]
    bring_commits(remote, lacking)
    folds = [Move(ref, None, oid) for ref, oid in months.items()]
    for some in filter(None, (moves, folds)):  # very many branches are quick, where they are alone
        repo.move(some, why=f"the runs of {remote.name}")


def bring_signatures(remote: Remote, model: str, version: str) -> None:
    """Have the signatures of *version* that *remote* has."""
    repo, below = remote.repo, refs.signatures(model, version)
    here = repo.refs(below)
    moves = [Move(ref, None, oid) for ref, oid in remote.refs(f"{below}*").items() if ref not in here]
    bring_commits(remote, [move.new for move in moves if move.new])
    repo.move(moves, why=f"the signatures of {model}")


def bring_commits(remote: Remote, oids: Sequence[str], *, generations: int = 1) -> None:
    """Have the commits and tags *oids* of *remote*; of a shallow clone's, with so many *generations*."""
    is_shallow = (remote.repo.common_dir / "shallow").exists()
    remote.fetch(oids, depth=generations if is_shallow else None)


def bring_past(remote: Remote, commit: str) -> None:
    """Have all that came before *commit*, a tip of *remote*, in a clone that is shallow."""
    if (remote.repo.common_dir / "shallow").exists():
        remote.fetch([commit], depth=_ENDLESS)


def bring_before(remote: Remote, branch: str, before: str) -> None:
    """Have where *branch* stood *before*. Raises `GitError` where nobody has that: its policy could not be asked."""
    try:
        bring_commits(remote, [before] if before else [])
    except GitError as exc:
        raise GitError(
            f"{branch} stood at {before[:10]} before, which {remote.name} does not give: no stage moved.",
            why=f"The policy that stood there would be asked. {exc.why}".strip(),
            fix="`mlgit ci settle` by a dispatch asks the one that stands now: look at how it differs, then "
            "gh workflow run mlgit-settle.yml",
        ) from None


def share(remote: Remote, tags: Collection[str]) -> None:
    """Have *tags* (full names) there as they are here. Raises `RefMovedError` where another is there: none changes."""
    here = {ref: oid for ref, oid in remote.repo.refs(_TAGS).items() if ref in tags}
    there = remote.refs(f"{_TAGS}*") if here else {}  # by name, git compares each with each, and takes only so many
    if moves := [Move(ref, None, oid) for ref, oid in here.items() if there.get(ref) != oid]:
        remote.push(moves)


def share_version(remote: Remote, model: str, version: str) -> None:
    """Have the tag of a version there. Raises `RefMovedError` where somebody has registered another one so before."""
    try:
        share(remote, [refs.version_tag(model, version)])
    except RefMovedError:
        name, there = shlex.quote(f"{model}@{version}"), shlex.quote(bare(remote.name))
        raise RefMovedError(
            f"{bare(remote.name)} has another {model}@{version} than this clone: somebody was quicker to register it.",
            why="A version never changes; the one that was registered here is nobody else's yet.",
            fix=f"git tag -d {name} && git fetch {there} tag {name}, then mlgit model register the run: "
            "it gets the next number",
        ) from None


def is_ours(ref: str) -> bool:
    """Whether *ref*, a full name, is a tag in GTO's format."""
    return ref.startswith(_TAGS) and ledger.parse(Tag(name=ref.removeprefix(_TAGS), commit="", when=0)) is not None
