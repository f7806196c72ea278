"""What docker is asked for: a container for each task, in the words of its API (`/containers/create`)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlgit.core.job import JobSpec
from mlgit.errors import UsageError
from mlgit.launch.docker.image import Build, Packed

JOB, TASK, MINUTES, SLOTS = "mlgit.job", "mlgit.task", "mlgit.minutes", "mlgit.slots"
"""Labels of a container: its job, the number of its task, the bound on its time, beside how many others it begins."""
CANCELLED = ".cancelled"
"""What the name of a container ends with that somebody has cancelled."""
NOBODY = "65534:65534"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A queue of containers."""

    image: str | None = field(default=None, metadata={"help": "the image of jobs that name none"})
    build: Build | None = field(
        default=None, metadata={"help": "what an image is built of, once, for jobs that name none"}
    )
    host: str | None = field(
        default=None,
        metadata={
            "help": "the daemon's address; the one that docker's command line asks, if none is named",
            "is_way": True,
        },
    )
    slots: int | None = field(
        default=None,
        metadata={
            "help": "jobs and tasks at once at the daemon; the number of its CPUs, if nothing is said",
            "is_above_0": True,
        },
    )
    user: str | None = field(
        default=None, metadata={"help": "who a job is there, uid:gid; whoever submits it, and nobody for root"}
    )
    mounts: tuple[str, ...] = field(
        default=(),
        metadata={"help": "files and folders of the daemon's machine that jobs may read, under their own paths"},
    )
    away: bool = field(
        default=False,
        metadata={"help": "the daemon's machine has no disk of this one's: nothing of here is mounted, and jobs start "
                  "in the image's own folder"},
    )  # fmt: skip
    network: str | None = field(default=None, metadata={"help": "docker's network: none, host, or one that you made"})
    pull: bool = field(default=True, metadata={"help": "pull an image that the daemon does not have"})
    shared_memory_gb: float = field(default=2, metadata={"help": "what processes of a job can share; loaders need it"})
    grace_seconds: int = field(default=10, metadata={"help": "between SIGTERM and SIGKILL"})
    answer_seconds: float = field(
        default=60, metadata={"help": "how long the daemon may take to answer", "is_above_0": True}
    )

    @property
    def is_here(self) -> bool:
        """Whether only this machine can be asked: its daemon listens at no address that others reach."""
        return not self.host or self.host.startswith(("unix:", "npipe:"))

    @property
    def is_away(self) -> bool:
        """Whether jobs see no disk of this machine's."""
        return self.away


def requests(spec: JobSpec, settings: Settings, job: str, built: Packed | None) -> list[dict[str, Any]]:
    """What the daemon is asked for, a container a task."""
    name = built.tag if built is not None else spec.image or settings.image
    if name is None:
        fix = "--image NAME, or image: or build: for the queue"
        raise UsageError(f"The job {spec.name!r} names no image to run in.", fix=fix)
    slots = {} if settings.slots is None else {SLOTS: str(settings.slots)}
    return [_request(one, name, settings, {JOB: job, TASK: str(n), **slots}) for n, one in enumerate(spec.members)]


def _request(spec: JobSpec, name: str, settings: Settings, labels: Mapping[str, str]) -> dict[str, Any]:
    from docker.constants import DEFAULT_DOCKER_API_VERSION as VERSION
    from docker.types import ContainerConfig, DeviceRequest, HostConfig, Mount

    folder = None if settings.away else str(Path(spec.folder).resolve())
    ours = dict.fromkeys((folder, *spec.shared)) if folder else ()
    memory = None if spec.memory_gb is None else int(spec.memory_gb * 2**30)
    host = HostConfig(
        VERSION, init=True, security_opt=["no-new-privileges"], network_mode=settings.network,
        mounts=[*(Mount(path, path, type="bind") for path in ours),
                *(Mount(path, path, type="bind", read_only=True) for path in settings.mounts)],
        mem_limit=memory, memswap_limit=memory, nano_cpus=None if spec.cpus is None else spec.cpus * 10**9,
        shm_size=int(settings.shared_memory_gb * 2**30),
        device_requests=[DeviceRequest(count=spec.gpus, capabilities=[["gpu"]])] if spec.gpus else None,
    )  # fmt: skip
    words, more = list(spec.command), dict[str, str]()
    if spec.minutes is not None:
        seconds = f"{spec.minutes * 60:.3f}".rstrip("0").rstrip(".")  # busybox takes no exponents
        words, more = ["timeout", "-k", str(settings.grace_seconds), seconds, *words], {MINUTES: repr(spec.minutes)}
    user = settings.user or _user()
    home = {"HOME": "/tmp"} if user == NOBODY else {}  # noqa: S108  (nobody has none, and libraries cache there)
    asked = ContainerConfig(
        VERSION, name, words, entrypoint=[], working_dir=folder, user=user,
        environment={**home, **spec.env, **dict.fromkeys(spec.secrets)}, labels={**labels, **more}, host_config=host,
    )  # fmt: skip
    return dict(asked)


def _user() -> str:
    """Who submits; nobody, where that is root."""
    return f"{os.getuid()}:{os.getgid()}" if os.getuid() else NOBODY
