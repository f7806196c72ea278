"""Launch in docker's containers, by its library: a container a task, which docker keeps until somebody removes it.

All that is known of a job stands in the daemon: which it is in labels, what became of it in the container's state. One
that was cancelled has another name, for docker lets nothing else be changed. What has no room yet is made, and begun
later (`slots`).
"""

from __future__ import annotations

import contextlib
import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mlgit import containers
from mlgit.core.job import GONE, JobSpec, JobState, Standing, checked, known_as, member, parted, secrets_in, together
from mlgit.errors import NotFoundError, UsageError
from mlgit.launch import following
from mlgit.launch.docker import container, daemon, image, slots, stands
from mlgit.launch.docker.container import JOB, NOBODY, TASK, Settings
from mlgit.launch.docker.image import Packed
from mlgit.tracking.notice import notify

__all__ = ["Settings", "cancel", "forget", "logs", "render", "status", "submit"]

_AT_ONCE = 8
"""Containers that are stopped at the same time."""


def render(spec: JobSpec, settings: Settings) -> str:
    """What the daemon is asked to create, as JSON, an object a task; of secrets, the names.

    Before it stands the Dockerfile of an image that is built, as comments. Raises `UsageError`, `NotFoundError`.
    """
    with _packed(checked(spec), settings) as built:
        lines = () if built is None else (f"{built.tag} is built by", "", *built.dockerfile.splitlines())
        asked = json.dumps(container.requests(spec, settings, "<job>", built), indent=2)
    return "".join(f"{f'# {line}'.rstrip()}\n" for line in lines) + asked + "\n"


def submit(spec: JobSpec, settings: Settings) -> str:
    """Create the containers of *spec*, and start them once there are slots; their job's id.

    Raises `UsageError`, `NotFoundError` for an image that is not there, `SilentError`, `MlgitError`.
    """
    job = known_as(checked(spec), os.urandom(8).hex())
    secrets = secrets_in(spec, os.environ)
    with _packed(spec, settings) as built:
        requests = container.requests(spec, settings, job, built)
        with daemon.asked(settings, f"docker does not start the job {spec.name!r}.") as client:
            there = {one["Labels"][TASK]: one for one in daemon.listed(client, f"{JOB}={job}")}
            if len(there) < len(requests) and built is not None:
                image.make(client, built, pull=settings.pull)
            elif len(there) < len(requests):
                containers.bring(client, requests[0]["Image"], pull=settings.pull, say=notify)
            names = [member(job, number) for number in range(len(requests))] if spec.array else [job]
            _make(client, dict(zip(names, requests, strict=True)), there, secrets, settings)
    return job


def status(ids: Sequence[str], settings: Settings) -> dict[str, Standing]:
    """How each of *ids* stands. Raises `SilentError`, `MlgitError`."""
    wanted = {parted(name)[0] for name in ids}
    parts: defaultdict[str, dict[int, Standing]] = defaultdict(dict)
    with daemon.asked(settings, "docker does not tell how its jobs stand.") as client:
        for one in daemon.listed(client, JOB):
            if (job := one["Labels"][JOB]) in wanted:
                parts[job][int(one["Labels"][TASK])] = _standing(client, one)
        if any(one.state is JobState.QUEUED for tasks in parts.values() for one in tasks.values()):
            slots.begin(client, settings)  # whoever was to begin them may have been killed
    found = {}
    for name in ids:
        job, number = parted(name)
        tasks = parts.get(job, {})
        found[name] = together(list(tasks.values()) or [GONE]) if number is None else tasks.get(number, GONE)
    return found


def logs(name: str, settings: Settings, *, follow: bool = False) -> Iterator[str]:
    """The lines that the job printed, an array's task after task; with *follow*, until it has ended.

    Raises `NotFoundError`, `SilentError`, `MlgitError`.
    """
    with daemon.asked(settings, f"docker does not show the lines of {name}.") as client:
        found = daemon.of(client, name)
        if not found:
            raise NotFoundError(f"There is no job {name} in docker.", why="it was removed, or runs at another daemon")
        for one in found:
            yield from following.split(daemon.printed(client, one, follow=follow))


def cancel(ids: Sequence[str], settings: Settings) -> None:
    """End those of *ids* that have not ended. Raises `SilentError`, `MlgitError`."""
    with daemon.asked(settings, "docker does not end its jobs.") as client:
        found = {one["Id"]: one for name in ids for one in daemon.of(client, name)}
        going = [one for one in found.values() if one["State"] not in ("exited", "dead", "removing")]
        for one in going:
            daemon.mark_cancelled(client, one)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda one: daemon.stop(client, one, settings), going))


def forget(ids: Sequence[str], settings: Settings) -> None:
    """Remove the containers of those of *ids* that have ended. Raises `SilentError`, `MlgitError`."""
    with daemon.asked(settings, "docker does not remove its containers.") as client:
        for one in [one for name in ids for one in daemon.of(client, name)]:
            if _standing(client, one).state.ended:
                daemon.remove(client, one)


def _standing(client: Any, one: Mapping[str, Any]) -> Standing:
    return stands.listed(one) or stands.inspected(one, daemon.inspected(client, one))


def _make(
    client: Any, requests: Mapping[str, dict[str, Any]], there: Mapping[str, Any], secrets: Mapping[str, str],
    settings: Settings,
) -> None:  # fmt: skip
    """Make the containers, by their names, whose tasks are not *there*, and begin those that there is room for.

    All of an array, or nothing.
    """
    made: list[str] = []
    try:
        for name, request in requests.items():
            if request["Labels"][TASK] not in there and (one := daemon.create(client, name, request, secrets)):
                made.append(one)
        slots.begin(client, settings, made)
    except BaseException:  # Ctrl-C too leaves nothing behind
        for one in made:
            client.api.remove_container(one, force=True)
        raise


@contextlib.contextmanager
def _packed(spec: JobSpec, settings: Settings) -> Iterator[Packed | None]:
    """What the image for *spec* is built of, or None where it is not built."""
    if settings.build is not None and settings.image is not None:
        raise UsageError("The queue names an image, and how to build one, too.", fix="leave out image:, or build:")
    if settings.build is None or spec.image is not None:
        yield None
        return
    with image.packed(settings.build, Path(spec.folder).resolve(), NOBODY) as built:
        yield built
