"""Runners started, looked at, ended: a registration at GitHub and a job of the project's list for each, by one name.

GitHub is told to forget a runner before its job is ended: one that is busy it keeps, so no workflow's job is broken off
by chance.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from mlgit.core import refs
from mlgit.core.posted import Posted
from mlgit.errors import MlgitError, SilentError, UsageError
from mlgit.forge.github.runners import Pool
from mlgit.launch import asking, code, submitting
from mlgit.launch.queues import Queue
from mlgit.launch.runners import notes, program, stands
from mlgit.launch.runners.stands import Runner, Stand
from mlgit.store import jobs
from mlgit.store.place import Place, here
from mlgit.tracking import names

Tell = Callable[[str], None]
_OURS = "mlgit-"
"""What the names of our runners begin with."""
STAYS = "is busy, and stays until its job is done"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What each runner that is started is to be."""

    queue: Queue
    labels: tuple[str, ...]
    idle_minutes: float
    kept: tuple[str, ...] = ()
    """Variables of ours that its jobs get, too."""


@dataclass(frozen=True, kw_only=True)
class Looked:
    """The runners as they stand, and what could not be asked."""

    runners: list[Runner]
    unsure: dict[str, str]
    """Runners of whose job only the last word is known, by name → why."""
    left: dict[str, str] = field(default_factory=dict)
    """Those whose start was broken off, by name → the title of their pool."""


def listed(place: Place) -> dict[str, Posted]:
    """The jobs of the project's list that are runners, by their names, the newest first.

    Lists come from others, too: what is not called as ours are is nobody's to have taken away by us.
    """
    known = jobs.known(place.repo, place.settings.project)
    ours = (job for job in known if job.key.startswith(f"{program.PREFIX}{_OURS}"))
    return {job.key.removeprefix(program.PREFIX): job for job in ours}


def look(place: Place, pools: Iterable[Pool], queue: str | None = None) -> Looked:
    """The runners of *pools*, and those of the project's jobs (or of one *queue*'s). Raises what asking GitHub does.

    What is here is read before GitHub is asked: whatever is listed by now was registered before.
    """
    left, jobs = notes.left(place.repo), listed(place)
    found = asking.look(place, jobs.values())
    stood = dict(zip(jobs, found.jobs, strict=True))
    there = [one for pool in pools for one in pool.registered()]
    registered = {one.name for one in there}
    ours = {name: job for name, job in stood.items() if name in registered or queue in (None, job.queue)}
    unsure = {name: found.unsure[job.id] for name, job in ours.items() if job.id in found.unsure}
    return Looked(runners=stands.joined(there, ours, time.time(), left), unsure=unsure, left=left)


def check(place: Place, wanted: Wanted, pool: Pool, *, may_be_public: bool) -> str:
    """What the job of such a runner would be sent as. Raises `UsageError` where it cannot be, or should not."""
    wish = program.wish(wanted.queue, "mlgit-runner", idle_minutes=wanted.idle_minutes, kept=wanted.kept)
    if missing := [name for name in wanted.kept if name not in os.environ]:
        raise UsageError(f"The runner is to have the secret {missing[0]}, which is not set here.",
                         fix=f"export {missing[0]}=…")  # fmt: skip
    sent = submitting.preview(place, wanted.queue, wish, here(), in_place=not wanted.queue.is_away)
    if not may_be_public and pool.is_public():
        where = f"the runner group {pool.group} of {pool.title}" if pool.organization else pool.title
        why = f"{where} is open to public repositories: whoever opens a pull request there can have it run their code."
        fix = "GitHub's own runners for what is public; or --public, with approval asked of all outside contributors"
        raise UsageError("A runner of your own is for private repositories.", why=why, fix=fix)
    return sent


def start(place: Place, wanted: Wanted, pool: Pool, tell: Tell) -> Posted:
    """A new runner: registered, then submitted as a job; where that fails, GitHub forgets it again.

    Raises `UsageError`, `RefusedError`, `SilentError`, `MlgitError`.
    """
    queue = wanted.queue
    name = f"{_OURS}{refs.slug(queue.name, 30)}-{names.run_id()}"
    wish = program.wish(queue, name, idle_minutes=wanted.idle_minutes, kept=wanted.kept)
    with notes.starting(place.repo, name, pool.title):
        try:
            config = pool.register(name, wanted.labels)
            with program.handed(queue, config, wanted.kept):
                job = submitting.submit(place, queue, wish, here(), in_place=False, tell=tell)[0]
        except BaseException as exc:  # Ctrl-C too leaves nothing behind
            is_listed = name in listed(place)
            if is_listed and isinstance(exc, SilentError):  # a backend that has it may still bring it
                notes.drop(place.repo, [name])
                raise
            with contextlib.suppress(MlgitError):
                _forget(pool, name)
                notes.drop(place.repo, () if is_listed else [name])
            raise
        notes.drop(place.repo, [name])
        return job


def _forget(pool: Pool, name: str) -> None:
    for one in pool.registered():
        if one.name == name:
            pool.remove(one)


def stop(place: Place, pools: Sequence[Pool], some: Iterable[Runner], *, also_busy: bool = False) -> dict[str, str]:
    """End *some* runners; what became of each, by name. A busy one only where *also_busy*.

    Raises `RefusedError`, `SilentError`.
    """
    given = list(some)
    kept = {one.name for one in given if not _removed(pools, one)}  # which GitHub says anew: a job may just have come
    ending = [one for one in given if also_busy or one.name not in kept]
    going = [one for one in ending if one.job and not one.job.state.ended and not _is_unknown(one)]
    refused = asking.cancel(place, [one.job for one in going if one.job])
    told = {one.name: STAYS for one in given if one not in ending}
    for one in ending:
        if one.job and one.job.id in refused:
            told[one.name] = f"GitHub has let it go; its job goes on: {refused[one.job.id].what}"
        elif one not in going and one.name in kept:
            told[one.name] = "has ended; GitHub counts it as busy still, and forgets it by itself"
        elif one in going:
            told[one.name] = "is being ended" + (", and the job that it does" if one.name in kept else "")
        else:
            told[one.name] = "had died, and GitHub has let it go" if one.stand is Stand.DEAD else "GitHub has let it go"
    if unknown := [one.job.id for one in ending if one.job and _is_unknown(one)]:
        submitting.forget(place, unknown, why="runners that no queue may have")
    code.take_away(place.repo, [one.job.id for one in ending if one.job and one not in going])
    return told


def _is_unknown(one: Runner) -> bool:
    """Whether nobody knows that a backend has taken its job: who was to hear that was killed, or it did not answer.

    Where it has, its program finds no registration, and ends.
    """
    job = one.job
    return job is not None and not (job.state.ended or job.job or asking.elsewhere(job))


def _removed(pools: Iterable[Pool], one: Runner) -> bool:
    """Whether GitHub has let it go."""
    return all(pool.remove(one.there) for pool in pools if one.there and one.there.at == pool.title)


def mend(place: Place, pools: Sequence[Pool], looked: Looked) -> dict[str, str]:
    """Take away those of *looked* that have died or never came; what became of each, by name."""
    lost = [
        one for one in looked.runners
        if one.stand in stands.TO_REPLACE and (one.name not in looked.unsure or _is_unknown(one))
    ]  # fmt: skip
    told = stop(place, pools, lost) if lost else {}
    gone = looked.left.keys() - {one.name for one in looked.runners}
    notes.drop(place.repo, [name for name in gone if looked.left[name] in {pool.title for pool in pools}])
    return told
