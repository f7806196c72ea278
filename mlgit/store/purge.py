"""Runs destroyed for good: what one should never have said is nowhere in this repository any more.

Hiding and archiving lose nothing; this does. It first finds out all that would go and what would keep it alive, and
acts only then: months and refs, reflogs, objects. Cut short, it is begun again by the run's id; objects are remembered.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from mlgit.core import refs
from mlgit.core.run import Run
from mlgit.errors import MlgitError, UsageError
from mlgit.git import erase
from mlgit.git.remote import Remote
from mlgit.git.repo import Move, Repo, message_trailer, split_commit
from mlgit.store import archive, live, locks, records, shards, unfinished
from mlgit.store import runs as runs_

_MOST = 1000
"""Commits of one run."""
_SOME = 5
"""Commits that are looked for in every ref, to say what leads to them."""
_MOST_NAMED = 5
"""Names of what is in the way that are said."""


@dataclass(frozen=True, kw_only=True)
class Doomed:
    """What goes when some runs are purged."""

    runs: Sequence[Run]
    refs: Mapping[str, str]
    """Refs that are deleted, and where they stand."""
    months: Sequence[str]
    """Refs of the archive that begin anew."""
    told: Sequence[str]
    """Refs of the archive that say that the runs were purged, those that begin anew among them."""
    results: Collection[str]
    """The commits that tell of the runs."""
    codes: Collection[str]
    """The commits of code that was in none of the user's own."""


def plan(repo: Repo, runs: Sequence[Run]) -> Doomed:
    """What purging *runs* would destroy. Raises `UsageError` where something stands in the way, and says what."""
    there, busy = repo.refs(), repo.worktrees()
    gone: dict[str, str] = {}
    tips: dict[str, Run] = {}
    months: set[str | None] = set()
    for run in runs:
        branch = _branch(run)
        if not run.commit or locks.is_alive(live.folder_of(repo, run.id)):
            raise UsageError(f"{run.name} is still running.", fix="end it first")
        if branch in busy:
            raise UsageError(f"{branch} is checked out in {busy[branch]}.", fix="git switch to another branch there")
        short = branch.removeprefix("refs/heads/")
        own = [ref for ref in there if ref.startswith("refs/remotes/") and ref.split("/", 3)[3:] == [short]]
        own += [ref for ref in (branch, f"{refs.TRASH}{short}") if ref in there]
        tips |= {there[ref]: run for ref in own} | {run.commit: run}
        gone |= {ref: there[ref] for ref in (*own, f"{refs.LIVE}{run.id}") if ref in there}
        if folded := archive.find(repo, replace(run, ref=branch)):
            tips[folded[1]] = run
        months.add(refs.month(branch, run.created) or refs.month(f"{refs.RUNS}{run.project}/any", run.created))
    results = {commit for tip, run in tips.items() for commit in _results(repo, run, tip)}
    codes = {run.source for run in runs if run.dirty and run.source and repo.resolve(run.source)}
    told = sorted(filter(None, months))
    leading = [month for month in told if month in there and erase.reached(repo, results, [month])]
    doomed = Doomed(runs=runs, refs=gone, months=leading, told=told, results=results, codes=codes)
    if "extensions.preciousobjects" in repo.config:
        raise UsageError("This repository is set up never to lose an object.", why="It has extensions.preciousObjects.")
    _check(repo, doomed)
    return doomed


def carry_out(repo: Repo, doomed: Doomed) -> int:
    """Destroy it; return how many objects of git's that were.

    Raises `GitError` where git or the disk refuses, `UsageError` where something leads to the runs by now.
    """
    with shards.alone(repo):
        return _carry_out(repo, doomed)


def _carry_out(repo: Repo, doomed: Doomed) -> int:
    _check(repo, doomed)
    erase.finish(repo)
    pasts = [commit for month in doomed.months for commit in repo.ancestors(month)]
    for month in doomed.told:
        archive.purge(repo, month, doomed.results, anew=month in doomed.months)
    if doomed.refs:
        repo.move([Move(ref, tip, None) for ref, tip in doomed.refs.items()], why="purge")
    for run in doomed.runs:
        unfinished.clear(repo, run)
        if (folder := live.folder_of(repo, run.id)).exists():
            live.remove(folder)
    shards.drop(repo, doomed.told)
    lost = erase.lost(repo, lambda told: _tells_of_any(told, doomed.runs) or shards.are_told_by(told))
    commits = {*doomed.results, *doomed.codes, *lost}
    erase.forget(repo, commits, (*doomed.told, refs.SHARDS))
    files = erase.lost_files(repo, shards.is_file)
    objects = erase.only_in(repo, commits, [*files, *(oid for past in pasts for oid in past)])
    erase.destroy(repo, objects)
    return len(objects)


def remains(repo: Repo, run_id: str) -> list[Run]:
    """What is left of the run *run_id* and no ref leads to: its purge was cut short, or its branch deleted.

    What a purge had begun to destroy is destroyed first: a commit may have lost its tree.
    """
    erase.finish(repo)
    tips = erase.lost(repo, lambda told: _tells_of(told, run_id))
    with repo.reader() as reader:
        return list(runs_.read_all(reader, [("", tip) for tip in tips]))


def carry_out_there(remote: Remote, doomed: Doomed) -> list[str]:
    """Let *remote* say what this repository says now that it has purged the runs; return the refs that moved there."""
    branches = [_branch(run).removeprefix("refs/heads/") for run in doomed.runs]
    wanted = [name for branch in branches for name in (f"refs/heads/{branch}", f"{refs.TRASH}{branch}")]
    told = (*doomed.told, refs.SHARDS)
    far, near = remote.refs(*wanted, *told), remote.repo.refs(*told)
    moves = [Move(ref, far.get(ref), near.get(ref)) for ref in (*near, *(ref for ref in far if ref not in near))]
    remote.push(moves)
    return [move.ref for move in moves]


def check_there(remote: Remote, doomed: Doomed, *, takes_bytes: bool) -> None:
    """Raise `MlgitError` where *remote* has what is not here and would suffer.

    That is what its archive says beyond ours; and where it *takes_bytes* of DVC's, any branch, which may name them.
    """
    near = remote.repo.refs(*doomed.told)
    for month, tip in remote.refs(*doomed.told).items():
        if month not in near or tip not in {commit for commit, _ in remote.repo.ancestors(month)}:
            raise MlgitError(f"{remote.name} has archived more than is here.", fix="mlgit pull, then purge")
    far = remote.refs("refs/heads/*", f"{refs.ARCHIVE}*") if takes_bytes else {}
    here = erase.reached(remote.repo, far.values(), (), but=())
    if unseen := [refs.branch(ref) for ref, tip in far.items() if tip not in here]:
        raise MlgitError(
            f"{remote.name} has more than is here: {', '.join(unseen[:_MOST_NAMED])}.",
            why="The same bytes may be named there, and they would go from the DVC remote.",
            fix=f"git fetch {remote.name}; mlgit pull; then purge",
        )


def _branch(run: Run) -> str:
    """The branch that *run* has here, or had, or would have: also of a hidden one, or one known from a remote."""
    if run.ref.startswith("refs/remotes/"):
        return f"refs/heads/{run.ref.split('/', 3)[3]}"
    return f"refs/heads/{run.ref.removeprefix(refs.TRASH).removeprefix('refs/heads/')}"


def _results(repo: Repo, run: Run, tip: str) -> list[str]:
    """The commits from *tip* down along first parents to the first that tells of *run*."""
    found = [commit for commit, _ in repo.ancestors(tip, most=_MOST)]
    with repo.reader() as reader:
        told = [split_commit(raw[2])[2] if raw else "" for raw in reader.read_all(found)]
    return found[: max((at for at, text in enumerate(told, 1) if _tells_of(text, run.id)), default=0)]


def _tells_of_any(message: str, runs: Iterable[Run]) -> bool:
    return any(_tells_of(message, run.id) for run in runs)


def _tells_of(message: str, run_id: str) -> bool:
    """Whether a commit with this *message* is a result of the run *run_id*."""
    value = message_trailer(message, records.TRAILER) or ""
    return f'"id":"{run_id}"' in value or f'"id": "{run_id}"' in value


def _check(repo: Repo, doomed: Doomed) -> None:
    """Raise `UsageError` where something that stays leads to its results: it would keep them, or be broken."""
    left = {tip for month in doomed.months for tip in archive.listing_of(repo, month).values()}
    remembered = erase.remembered(repo, {*doomed.refs, *doomed.told})
    going, tips = [*doomed.refs, *doomed.months], left.difference(doomed.results)
    kept = erase.reached(repo, {*doomed.results, *remembered}, tips, but=going)
    if held := kept.intersection(doomed.results):
        names = _leading_to(repo, sorted(held)[:_SOME])
        raise _in_the_way(doomed, (name for name in names if name not in going))
    beside = sorted(remembered.keys() - kept.union(doomed.results))
    with repo.reader() as reader:
        told = [split_commit(raw[2])[2] if raw else "" for raw in reader.read_all(beside)]
    beside = [commit for commit, text in zip(beside, told, strict=True) if not _tells_of_any(text, doomed.runs)]
    if erase.reached(repo, doomed.results, beside):
        raise _in_the_way(doomed, (remembered[one] for one in beside if erase.reached(repo, doomed.results, [one])))
    own = tuple(runs_.place_of(run, "") for run in doomed.runs)
    if paths := [path for path in erase.staged(repo, doomed.results, but=going) if path.startswith(own)]:
        raise UsageError(
            f"{doomed.runs[0].name} cannot be purged: {', '.join(paths[:_MOST_NAMED])} of it is staged.",
            why="What git's index holds, of any work tree, cannot be destroyed.",
            fix="git restore --staged PATH there, then purge",
        )


def kept_code(repo: Repo, doomed: Doomed) -> dict[str, list[str]]:
    """What is still there of uncommitted code that the purged runs took along → the refs that lead to it.

    Where there are none, a HEAD does.
    """
    return {code: _leading_to(repo, [code]) for code in sorted(doomed.codes) if repo.resolve(code)}


def _leading_to(repo: Repo, commits: Iterable[str]) -> list[str]:
    contains = (f"--contains={commit}" for commit in commits)
    return repo.git("for-each-ref", "--count=20", *contains, "--format=%(refname)").splitlines()


def _in_the_way(doomed: Doomed, names: Iterable[str]) -> UsageError:
    leads = ", ".join(islice(names, _MOST_NAMED)) or "a HEAD, or an archived fork of it,"
    return UsageError(
        f"{doomed.runs[0].name} cannot be purged: {leads} leads to it.",
        why="What a tag, another branch, a reflog, or a run that began where it ended holds, cannot be destroyed.",
        fix="delete that first (git tag -d, git branch -D, git switch, git stash drop, git reflog delete --rewrite), "
        "or purge the other run with it",
    )
