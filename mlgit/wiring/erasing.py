"""Runs erased for good, with what is theirs alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlgit.errors import UsageError
from mlgit.store.place import Place
from mlgit.wiring.named import contents_of, only_of, still_only_of
from mlgit.wiring.upkeep import keep_shards

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mlgit.core.posted import Posted
    from mlgit.core.run import Run
    from mlgit.store.purge import Doomed


def doomed(place: Place, runs: Sequence[Run]) -> tuple[Doomed, dict[str, list[str]]]:
    """(what purging *runs* destroys in git, by project folder the files of DVC's that nobody else uses).

    Raises `UsageError` where something stands in the way.
    """
    from mlgit.store import purge
    from mlgit.store import runs as stored

    plan = purge.plan(place.repo, runs)
    if going := next((job for job in _jobs_of(place, runs) if not job.state.ended), None):
        what = f"The job {going.name} ({going.id}) has not ended, and runs the code that would be destroyed."
        raise UsageError(what, fix=f"mlgit jobs cancel {going.id}")
    with place.repo.reader() as reader:
        told = list(stored.read_all(reader, [("", commit) for commit in plan.results]))
    return plan, only_of(place.repo, told)


def _jobs_of(place: Place, runs: Iterable[Run]) -> Sequence[Posted]:
    """The jobs that recorded *runs*, as they stand now."""
    from mlgit.launch import asked, asking
    from mlgit.store import jobs

    ids = {run.id for run in runs}
    found: list[Posted] = []
    for project in sorted({run.project for run in runs}):
        recorded = [job for job in jobs.known(place.repo, project) if not ids.isdisjoint(asked.runs_of(job))]
        found += asking.look(place, recorded).jobs
    return found


def purge(place: Place, plan: Doomed, files: Mapping[str, Sequence[str]]) -> int:
    """Destroy what `doomed` has found; return how many of git's objects that were."""
    from mlgit.dvc import cache
    from mlgit.index import build
    from mlgit.registry.audit import branch
    from mlgit.registry.versions import catalogue
    from mlgit.store import purge as purging

    if recorded := _jobs_of(place, plan.runs):  # a job's worktree would keep the code
        from mlgit.launch import code

        code.take_away(place.repo, {job.id for job in recorded})
    count = purging.carry_out(place.repo, plan)
    for folder, some in files.items():
        cache.destroy(place.repo, still_only_of(place.repo, plan.runs, some, folder), folder=folder)
    build.forget(place.repo)
    catalogue.PICTURE.forget(place.repo)
    branch.forget(place.repo)
    keep_shards(place.repo)
    return count


def kept_bytes(place: Place, runs: Iterable[Run]) -> list[str]:
    """The contents of DVC's that the purged *runs* made and that are still here, for something else names them."""
    from mlgit.dvc import cache

    made = {(content, run.folder) for run in runs for content in contents_of(run, made=True)}
    return sorted({content for content, folder in made if cache.exists(place.repo, content, folder=folder)})


def purge_there(place: Place, to: str, plan: Doomed, files: Mapping[str, Sequence[str]]) -> tuple[list[str], bool]:
    """Take what was purged off the remote *to* too, and off the DVC remote; (refs moved there, files were deleted)."""
    from mlgit.dvc.remotes import remote
    from mlgit.git.remote import Remote
    from mlgit.store import purge as purging

    moved = purging.carry_out_there(Remote(repo=place.repo, name=to), plan)
    off = [remote.destroy(place.repo, some, folder=folder) for folder, some in files.items()]
    return moved, all(off)
