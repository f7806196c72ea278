"""Docker's daemon, asked for the containers of jobs: which there are, and what is to become of them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any

from mlgit import containers
from mlgit.core.job import parted
from mlgit.errors import MlgitError
from mlgit.launch.docker.container import CANCELLED, JOB, TASK, Settings

_LOOK = 0.25
"""Seconds between two looks at what waits for its turn."""


@contextlib.contextmanager
def asked(settings: Settings, what: str) -> Iterator[Any]:
    """The daemon's client for a block; *what* is the sentence for where it refuses.

    Raises `SilentError`, `MlgitError`.
    """
    client = containers.daemon(settings.host, seconds=settings.answer_seconds)
    with contextlib.closing(client), containers.asked(what):
        yield client


def listed(client: Any, label: str) -> list[dict[str, Any]]:
    """The containers with this *label*, ended ones too, each as docker lists it, by their tasks."""
    found: list[dict[str, Any]] = client.api.containers(all=True, filters={"label": label})
    return sorted(found, key=lambda one: int(one["Labels"][TASK]))


def of(client: Any, name: str) -> list[dict[str, Any]]:
    """Those of the job *name*, or of the one task that it names."""
    job, number = parted(name)
    return [one for one in listed(client, f"{JOB}={job}") if number is None or one["Labels"][TASK] == str(number)]


def inspected(client: Any, one: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """All that docker knows of *one* of a listing; None where it was removed meanwhile."""
    from docker.errors import NotFound

    try:
        found: Mapping[str, Any] = client.api.inspect_container(one["Id"])
    except NotFound:
        return None
    return found


def printed(client: Any, one: Mapping[str, Any], *, follow: bool) -> Iterator[bytes]:
    """What *one* of a listing printed. Who follows it may be left without the last of it, which comes after."""
    had = 0
    if follow and _has_begun(client, one):
        for block in client.api.logs(one["Id"], stream=True, follow=True):
            had += len(block)
            yield block
        client.api.wait(one["Id"])  # then all of it is written
    for block in client.api.logs(one["Id"], stream=True, follow=False):
        yield block[had:]
        had = max(0, had - len(block))


def _has_begun(client: Any, one: Mapping[str, Any]) -> bool:
    """Whether *one* of a listing runs, or has, as soon as that is known: it may wait for its turn."""
    while one["State"] == "created":
        about = inspected(client, one)
        if about is None or about["State"]["Error"] or about["Name"].endswith(CANCELLED):
            return False
        if about["State"]["Status"] != "created":
            break
        time.sleep(_LOOK)
    return True


def create(client: Any, name: str, request: Mapping[str, Any], secrets: Mapping[str, str]) -> str | None:
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


def start(client: Any, container: str) -> None:
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


def mark_cancelled(client: Any, one: Mapping[str, Any]) -> None:
    """Let *one* of a listing have the name that says so, if it is there by now."""
    from docker.errors import APIError, NotFound

    own = one["Names"][0].lstrip("/")
    with contextlib.suppress(NotFound):
        try:
            if not own.endswith(CANCELLED):
                client.api.rename(one["Id"], own + CANCELLED)
        except APIError:
            if not client.api.inspect_container(one["Id"])["Name"].endswith(CANCELLED):  # else somebody was quicker
                raise


def stop(client: Any, one: Mapping[str, Any], settings: Settings) -> None:
    """End *one* of a listing, if it is there by now."""
    from docker.errors import NotFound

    with contextlib.suppress(NotFound):
        client.api.stop(one["Id"], timeout=settings.grace_seconds)


def remove(client: Any, one: Mapping[str, Any]) -> None:
    """Remove *one* of a listing, which has ended, if it is there by now."""
    from docker.errors import NotFound

    with contextlib.suppress(NotFound):
        client.api.remove_container(one["Id"])
