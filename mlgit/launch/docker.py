"""Launch in docker's containers, by its library: a container a task, which docker keeps until somebody removes it.

All that is known of a job stands in the daemon: which it is in labels, what became of it in the container's state. One
that was cancelled has another name, for docker lets nothing else be changed.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

from mlgit import containers
from mlgit.core.job import (
    GONE,
    JobSpec,
    JobState,
    Standing,
    checked,
    known_as,
    member,
    parted,
    secrets_in,
    together,
)
from mlgit.errors import MlgitError, NotFoundError, UsageError
from mlgit.launch import container, following, image
from mlgit.launch.container import JOB, MINUTES, NOBODY, TASK, Settings
from mlgit.launch.image import Packed
from mlgit.tracking.notice import notify

__all__ = ["Settings", "cancel", "forget", "logs", "render", "status", "submit"]

_CANCELLED = ".cancelled"
"""What the name of a container ends with that somebody has cancelled."""
_TIME_IS_OVER = (124, 137)
"""What `timeout` exits with: the command ended when it was asked to, or had to be killed."""
_LATE = 1
"""Seconds after which docker may note that something has begun."""
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
    """Create and start the containers of *spec*; their job's id.

    Raises `UsageError`, `NotFoundError` for an image that is not there, `SilentError`, `MlgitError`.
    """
    job = known_as(checked(spec), os.urandom(8).hex())
    secrets = secrets_in(spec, os.environ)
    with _packed(spec, settings) as built:
        requests = container.requests(spec, settings, job, built)
        with _asked(settings, f"docker does not start the job {spec.name!r}.") as client:
            there = {one["Labels"][TASK]: one for one in _listed(client, f"{JOB}={job}")}
            if len(there) < len(requests) and built is not None:
                image.make(client, built, pull=settings.pull)
            elif len(there) < len(requests):
                containers.bring(client, requests[0]["Image"], pull=settings.pull, say=notify)
            names = [member(job, number) for number in range(len(requests))] if spec.array else [job]
            _begin(client, dict(zip(names, requests, strict=True)), there, secrets)
    return job


def status(ids: Sequence[str], settings: Settings) -> dict[str, Standing]:
    """How each of *ids* stands. Raises `SilentError`, `MlgitError`."""
    wanted = {parted(name)[0] for name in ids}
    parts: defaultdict[str, dict[int, Standing]] = defaultdict(dict)
    with _asked(settings, "docker does not tell how its jobs stand.") as client:
        for one in _listed(client, JOB):
            if (job := one["Labels"][JOB]) in wanted:
                parts[job][int(one["Labels"][TASK])] = _standing(client, one)
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
    with _asked(settings, f"docker does not show the lines of {name}.") as client:
        found = _of(client, name)
        if not found:
            raise NotFoundError(f"There is no job {name} in docker.", why="it was removed, or runs at another daemon")
        for one in found:
            yield from following.split(_printed(client, one, follow=follow))


def _printed(client: Any, one: Mapping[str, Any], *, follow: bool) -> Iterator[bytes]:
    """What the container *one* printed. Who follows it may be left without the last of it, which comes after."""
    had = 0
    if follow and one["State"] == "running":
        for block in client.api.logs(one["Id"], stream=True, follow=True):
            had += len(block)
            yield block
        client.api.wait(one["Id"])  # then all of it is written
    for block in client.api.logs(one["Id"], stream=True, follow=False):
        yield block[had:]
        had = max(0, had - len(block))


def cancel(ids: Sequence[str], settings: Settings) -> None:
    """End those of *ids* that have not ended. Raises `SilentError`, `MlgitError`."""
    with _asked(settings, "docker does not end its jobs.") as client:
        found = {one["Id"]: one for name in ids for one in _of(client, name)}
        going = [one for one in found.values() if one["State"] not in ("exited", "dead", "removing")]
        for one in going:
            _mark_cancelled(client, one)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda one: _stop(client, one, settings), going))


def _mark_cancelled(client: Any, one: Mapping[str, Any]) -> None:
    """Let the container *one* of a listing have the name that says so, if it is there by now."""
    from docker.errors import APIError, NotFound

    own = one["Names"][0].lstrip("/")
    with contextlib.suppress(NotFound):
        try:
            if not own.endswith(_CANCELLED):
                client.api.rename(one["Id"], own + _CANCELLED)
        except APIError:
            if not client.api.inspect_container(one["Id"])["Name"].endswith(_CANCELLED):  # else somebody was quicker
                raise


def _stop(client: Any, one: Mapping[str, Any], settings: Settings) -> None:
    from docker.errors import NotFound

    with contextlib.suppress(NotFound):
        client.api.stop(one["Id"], timeout=settings.grace_seconds)


def forget(ids: Sequence[str], settings: Settings) -> None:
    """Remove the containers of those of *ids* that have ended. Raises `SilentError`, `MlgitError`."""
    with _asked(settings, "docker does not remove its containers.") as client:
        for one in [one for name in ids for one in _of(client, name)]:
            if one["State"] in ("exited", "dead", "created"):
                client.api.remove_container(one["Id"])


def _begin(
    client: Any, requests: Mapping[str, dict[str, Any]], there: Mapping[str, Any], secrets: Mapping[str, str]
) -> None:
    """Create and start the containers, by their names, whose tasks are not *there*: all of an array, or nothing."""
    begun: list[str] = []
    try:
        for name, request in requests.items():
            known = there.get(request["Labels"][TASK])
            if known is None and (made := _create(client, name, request, secrets)):
                begun.append(made)
                _start(client, made)
            elif known and known["State"] == "created" and _CANCELLED not in known["Names"][0]:
                _start(client, known["Id"])
    except BaseException:  # Ctrl-C too leaves nothing behind
        for made in begun:
            client.api.remove_container(made, force=True)
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


@contextlib.contextmanager
def _asked(settings: Settings, what: str) -> Iterator[Any]:
    """The daemon's client for a block; *what* is the sentence for where it refuses."""
    client = containers.daemon(settings.host, seconds=settings.answer_seconds)
    with contextlib.closing(client), containers.asked(what):
        yield client


def _listed(client: Any, label: str) -> list[dict[str, Any]]:
    """The containers with this *label*, ended ones too, each as docker lists it, by their tasks."""
    found: list[dict[str, Any]] = client.api.containers(all=True, filters={"label": label})
    return sorted(found, key=lambda one: int(one["Labels"][TASK]))


def _of(client: Any, name: str) -> list[dict[str, Any]]:
    job, number = parted(name)
    return [one for one in _listed(client, f"{JOB}={job}") if number is None or one["Labels"][TASK] == str(number)]


def _create(client: Any, name: str, request: Mapping[str, Any], secrets: Mapping[str, str]) -> str | None:
    """The id of the container that is made; None where whoever submits the same key at this moment was quicker."""
    from docker.errors import APIError

    bare = [word for word in request["Env"] or () if word not in secrets]
    told = {**request, "Env": [*bare, *(f"{key}={value}" for key, value in secrets.items())]}
    try:
        return str(client.api.create_container_from_config(told, name)["Id"])
    except APIError as exc:
        if exc.status_code != 409:  # there is one of this name
            raise
        return None


def _start(client: Any, container: str) -> None:
    """Start *container*; one whose command is not there stays, and has failed. Raises `MlgitError` without a GPU."""
    from docker.errors import APIError

    try:
        client.api.start(container)
    except APIError as exc:
        said = containers.said(exc)
        if "capabilities: [[gpu]]" in said:
            fix = "install nvidia-container-toolkit where docker runs, or ask for no GPU"
            raise MlgitError("docker has no GPU for the job.", why=said, fix=fix) from exc
        if "exec: " not in said:
            raise


def _standing(client: Any, one: Mapping[str, Any]) -> Standing:
    """How the container *one* of a listing stands."""
    from docker.errors import NotFound

    if one["State"] in ("running", "paused", "restarting"):
        return Standing(state=JobState.RUNNING)
    try:
        about = client.api.inspect_container(one["Id"])
    except NotFound:  # it was removed meanwhile
        return GONE
    state, code = about["State"], about["State"]["ExitCode"]
    if one["Names"][0].endswith(_CANCELLED):
        return Standing(state=JobState.CANCELLED)
    if one["State"] == "created":
        return Standing(state=JobState.FAILED, why=state["Error"]) if state["Error"] else _STARTING
    if state["OOMKilled"]:
        limit = about["HostConfig"]["Memory"] / 2**30
        return Standing(state=JobState.FAILED, why=f"it was killed: out of memory, of which it had {limit:g} GB")
    if code == 0:
        return Standing(state=JobState.SUCCEEDED)
    minutes = one["Labels"].get(MINUTES)
    if minutes is not None and code in _TIME_IS_OVER and _seconds(state) > float(minutes) * 60 - _LATE:
        return Standing(state=JobState.TIMED_OUT)
    if code == 143:  # SIGTERM, and not of ours
        return Standing(state=JobState.PREEMPTED)
    return Standing(state=JobState.FAILED, why=f"it exited with {code}")


_STARTING = Standing(state=JobState.STARTING)


def _seconds(state: Mapping[str, str]) -> float:
    begun, ended = (datetime.fromisoformat(state[name]) for name in ("StartedAt", "FinishedAt"))
    return (ended - begun).total_seconds()
