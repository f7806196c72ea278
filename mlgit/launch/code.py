"""The code that a job runs: a snapshot in a worktree of its own, so that a person can go on editing.

It lies in mlgit's own folder of the repository, which the machines of a cluster share, until `mlgit jobs prune`.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Collection
from pathlib import Path

from mlgit.core import refs
from mlgit.errors import GitError, MlgitError, NotFoundError
from mlgit.git import process
from mlgit.git.repo import Repo
from mlgit.store import jobs, locks

_ABOUT_TO_BE_LISTED = 3600
"""Seconds for which a folder may be that of a job that is being launched."""
_LAID, _LOCK, _REF = "laid", "lock", "refs/worktree/mlgit-code"


def home(repo: Repo, job: str) -> Path:
    """mlgit's own folder for *job*."""
    return repo.own / "jobs" / job


def top(repo: Repo, job: str) -> Path:
    """Where the code of *job* lies, in a folder of the repository's name: it may be what the project is called."""
    return home(repo, job) / (repo.work_tree or repo.git_dir).name


def lay(repo: Repo, job: str, commit: str, *, base: str | None, tell: Callable[[str], None]) -> Path:
    """The worktree in which *job* runs *commit*, with the data that DVC holds; as it is, where it was laid before.

    *base*: what was checked out where the snapshot was taken; the job's run then says of itself what a run there would.
    *tell* hears of data that is not to be had. Raises `GitError`, `NotFoundError` for a commit that has gone.
    """
    place = top(repo, job)
    home(repo, job).mkdir(parents=True, exist_ok=True)
    with locks.alone(home(repo, job) / _LOCK):
        if (home(repo, job) / _LAID).exists():
            return place
        if repo.resolve(commit) is None:
            raise NotFoundError(f"The code of this job, {commit[:10]}, is not here any more.", fix="launch it anew")
        _take_away(repo, place)
        process.run("worktree", "prune", folder=repo.folder)
        process.run(
            "worktree", "add", "--quiet", "--detach", "--end-of-options", str(place), base or commit, folder=repo.folder
        )
        process.run("update-ref", _REF, commit, folder=place)  # git keeps what a worktree's own refs name
        if base not in (None, commit):
            process.run("read-tree", "--reset", "-u", commit, folder=place)
        bring_data(place, tell)
        (home(repo, job) / _LAID).touch()
    return place


def take_away(repo: Repo, some: Collection[str]) -> None:
    """Remove the folders of *some* jobs, and what git knows of the worktrees in them."""
    there = [job for job in some if home(repo, job).exists()]
    for job in there:
        _take_away(repo, top(repo, job))
        shutil.rmtree(home(repo, job), ignore_errors=True)
    if there:
        process.run("worktree", "prune", folder=repo.folder)


def left(repo: Repo) -> list[str]:
    """The jobs that have a folder here, and are on no list: what was left of those that never got so far, or that were
    taken off the list on another machine.
    """
    folder = repo.own / "jobs"
    if not folder.is_dir():
        return []
    listed = {job.id for ref in repo.refs(refs.JOBS) for job in jobs.known(repo, ref.removeprefix(refs.JOBS))}
    old = (path for path in folder.iterdir() if time.time() - path.stat().st_mtime > _ABOUT_TO_BE_LISTED)
    return sorted(path.name for path in old if path.name not in listed)


def _take_away(repo: Repo, place: Path) -> None:
    if place.exists():
        with contextlib.suppress(GitError):  # it was never made whole
            words = ("worktree", "remove", "--force", "--force", "--end-of-options", str(place))
            process.run(*words, folder=repo.folder)
        shutil.rmtree(place, ignore_errors=True)


def bring_data(place: Path, tell: Callable[[str], None]) -> None:
    """Let the data that the pointers in *place* name lie there, from the cache or the DVC remote, as far as it is
    to be had: what a stage makes need not be.
    """
    from mlgit.dvc.worktree import placing, standing

    repo = Repo.find(place)
    if repo is None:
        raise GitError(f"{place} is no worktree.", fix="launch it again")
    for one in standing.tracked(repo):
        try:
            plan = placing.plan(repo, one.out.hash, one.place, folder=standing.folder(repo, one))
            if not plan.is_done:
                one.place.parent.mkdir(parents=True, exist_ok=True)
                placing.carry_out(repo, plan, links=placing.links(one.place))
        except MlgitError as exc:
            tell(f"the job will not find {one.place.relative_to(place)}: {exc.what}")
