"""How jobs of the list stand: each backend is asked once, and what it says is written down for others."""

from __future__ import annotations

import contextlib
import json
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from mlgit.core.job import GONE, Standing, member
from mlgit.core.posted import Posted, merged
from mlgit.documents import reader
from mlgit.errors import MlgitError, UsageError
from mlgit.launch import backends, queues
from mlgit.launch.backends import Backend
from mlgit.store import jobs, live
from mlgit.store.place import Place


@dataclass(frozen=True, kw_only=True)
class Found:
    """Jobs as they are known to stand, in the order in which they were asked for."""

    jobs: tuple[Posted, ...]
    unsure: dict[str, str] = field(default_factory=dict)
    """Those of which only the last word is known, by id → why."""


def look(place: Place, some: Iterable[Posted]) -> Found:
    """How *some* jobs stand by now; those that have ended are not asked about."""
    given, unsure, stood = list(some), dict[str, str](), dict[str, Standing]()
    asked: list[Posted] = []
    for job in given:
        if not job.state.ended and (why := elsewhere(job)):
            unsure[job.id] = why
        elif not job.state.ended and not job.job:
            unsure[job.id] = (
                "whether the queue has it is not known; mlgit jobs retry JOB asks again, and starts one job"
            )
        elif not job.state.ended:
            asked.append(job)
    for group in _grouped(asked):
        try:
            backend, settings = of(place, group[0])
            found = backend.status([job.job for job in group], settings)
            for job in group:
                if found[job.job] == GONE and job.by != place.repo.identity:  # we may be asking in another place
                    unsure[job.id] = f"nothing is known of it here: ask {job.by}"
                else:
                    stood[job.id] = found[job.job]
        except MlgitError as exc:
            why = " ".join((exc.what, *exc.why.splitlines()[:1]))
            unsure |= {job.id: why for job in group}
    now = round(time.time(), 3)
    after = {job.id: job.stood(stood[job.id], now) for job in given if job.id in stood}
    if news := {job.id: after[job.id] for job in given if job.id in after and after[job.id] != job}:
        what = ", ".join(f"{job.title} {job.state.value}" for job in [*news.values()][:3])
        listed = jobs.change(
            place.repo, given[0].project,
            lambda there: {name: merged(news.get(name, job), job) for name, job in there.items()},
            why=f"{what}{' …' if len(news) > 3 else ''}",
        )  # fmt: skip
        after |= {name: listed[name] for name in news if name in listed}  # another may have seen its end meanwhile
    return Found(jobs=tuple(after.get(job.id, job) for job in given), unsure=unsure)


def tasks(place: Place, job: Posted) -> list[Standing]:
    """How each task of the array *job* stands. Raises `MlgitError` where nobody answers."""
    ids = [member(job.job, number) for number in range(job.tasks or 0)]
    backend, settings = askable(place, job)
    found = backend.status(ids, settings) if ids else {}
    return [found[one] for one in ids]


def logs(place: Place, job: Posted, task: int | None, *, follow: bool) -> Iterator[str]:
    """The lines that *job* printed, of an array one *task*'s; with *follow*, until it has ended.

    Raises `MlgitError`.
    """
    backend, settings = askable(place, job)
    return backend.logs(_called(job, task), settings, follow=follow)


def cancel(place: Place, some: Sequence[Posted], task: int | None = None) -> dict[str, MlgitError]:
    """End *some* jobs, of an array one *task*; why others of them, by id, cannot be ended."""
    refused = {}
    for job in some:
        try:
            backend, settings = askable(place, job)
            backend.cancel([_called(job, task)], settings)
        except MlgitError as exc:
            refused[job.id] = exc
    return refused


def _called(job: Posted, task: int | None) -> str:
    """What the backend calls *job*, or one *task* of it. Raises `UsageError` for one that it has not."""
    if task is None:
        return job.job
    if task >= (job.tasks or 0):
        has = f"It has the tasks 0 to {job.tasks - 1}." if job.tasks else "It is no array."
        raise UsageError(f"The job {job.title} has no task {task}.", why=has)
    return member(job.job, task)


def tidy(place: Place, some: Sequence[Posted]) -> None:
    """Let the backends of *some* jobs, which have ended, forget what they keep of them on this machine."""
    for group in _grouped(job for job in some if job.job and not elsewhere(job)):
        with contextlib.suppress(MlgitError):  # what it keeps there is in nobody's way
            backend, settings = of(place, group[0])
            backend.forget([job.job for job in group], settings)


def _grouped(some: Iterable[Posted]) -> list[list[Posted]]:
    """*some* jobs, those together that are asked about in one question."""
    found: defaultdict[tuple[str, str], list[Posted]] = defaultdict(list)
    for job in some:
        found[job.backend, json.dumps(dict(job.settings), sort_keys=True)].append(job)
    return list(found.values())


def of(place: Place, job: Posted) -> tuple[Backend, Any]:
    """The backend of *job*, and the settings by which it is asked. Raises `MlgitError`.

    A list comes from whoever may push to it, and must not choose what of this machine's is used, and who is told it:
    where those settings are said that do, a queue of this checkout has to say the same. Raises `UsageError` else.
    """
    backend = backends.backend(job.backend)
    settings = reader.load(
        json.dumps(dict(job.settings)), backend.Settings, source=f"the queue {job.queue} of {job.id}"
    )
    ways = _ways(settings)
    if ways != _ways(backend.Settings()) and ways not in [
        _ways(queue.settings) for queue in queues.read(place.settings).values() if queue.kind == job.backend
    ]:
        told = ", ".join(f"{name}: {value}" for name, value in ways.items() if value is not None)
        what = f"No queue of mlgit.yaml here asks {job.backend} as the list of jobs says: {told}."
        fix = f"if that is whom you want to ask, and with this, add a queue: {job.backend}: {{{told}}}"
        raise UsageError(
            what, why=f"The list has it for the job {job.title}, and lists come from others, too.", fix=fix
        )
    return backend, settings


def _ways(settings: Any) -> dict[str, Any]:
    """Those of *settings* that say who is asked, and with what of this machine's."""
    return {one.name: getattr(settings, one.name) for one in fields(settings) if one.metadata.get("is_way")}


def askable(place: Place, job: Posted) -> tuple[Backend, Any]:
    """`of`, where somebody here can answer. Raises `UsageError` otherwise."""
    if why := elsewhere(job):
        raise UsageError(f"The job {job.title} cannot be asked from here.", why=why, fix=f"ask on {job.host}")
    if not job.job:
        fix = f"mlgit jobs retry {job.id} submits it again, and starts one job"
        raise UsageError(f"Whether {job.queue} has taken the job {job.title} is not known.", fix=fix)
    return of(place, job)


def elsewhere(job: Posted) -> str:
    """Why nobody here knows of *job*; empty where somebody may."""
    is_ours = not job.host or job.machine == live.machine()
    return "" if is_ours else f"only {job.host} knows"
