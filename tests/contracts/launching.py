"""Where the contract of backends is tested: each real one, with what its jobs find there."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from mlgit.ci import workflows
from mlgit.core.job import JobSpec, Standing
from mlgit.launch import backends
from mlgit.launch.backends import Backend
from tests import clusters, dockerd, kube, runners, slurmd
from tests.conftest import make_repo, need

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Place:
    """A backend that is up."""

    backend: Backend
    settings: Any
    folder: Path
    """Where jobs start, and may write."""
    image: str | None = None
    has_seconds: bool = True
    """Whether it ends jobs by the second, and not by the minute."""
    is_elsewhere: bool = False
    """Whether jobs start in a copy of the folder, print nothing before they end, and have secrets of their own."""
    shares_folder: bool = True
    """Whether what jobs write lies on this machine."""
    has_arrays: bool = True
    of: Any = None
    """What stands behind it, where a test asks for more."""

    def spec(self, code: str, *words: str, **more: Any) -> JobSpec:
        """A job that runs Python *code*."""
        command = (sys.executable if self.image is None else "python3", "-c", code, *words)
        return JobSpec(**{"name": "a job", "command": command, "folder": str(self.folder), "image": self.image, **more})

    def submit(self, spec: JobSpec) -> str:
        return self.backend.submit(spec, self.settings)

    def standing(self, job: str) -> Standing:
        return self.backend.status([job], self.settings)[job]

    def ended(self, job: str) -> Standing:
        """How *job* stands once it has ended."""
        return until(lambda: found if (found := self.standing(job)).state.ended else None)

    def printed(self, job: str) -> list[str]:
        """The lines of *job* once it has ended."""
        return list(self.backend.logs(job, self.settings, follow=True))

    def cancel(self, *jobs: str) -> None:
        self.backend.cancel(jobs, self.settings)


def until(what: Callable[[], T | None], seconds: float = 120) -> T:
    """What *what* gives, once it gives something."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)
    return found


@contextlib.contextmanager
def local(paths: pytest.TempPathFactory) -> Iterator[Place]:
    backend = backends.backend("local")
    folder = paths.mktemp("work")
    settings = backend.Settings(folder=str(paths.mktemp("jobs")), slots=4, gpus=(), grace_seconds=5)
    yield Place(backend=backend, settings=settings, folder=folder)


@contextlib.contextmanager
def docker(paths: pytest.TempPathFactory, installed: Sequence[str] = ()) -> Iterator[Place]:
    """The image's Python has the distributions *installed*."""
    need("dockerd", dockerd.is_here())
    backend = backends.backend("docker")
    folder = paths.mktemp("work")
    folder.chmod(0o777)  # jobs are nobody there
    with dockerd.running(paths.mktemp("d")) as address:
        dockerd.make_image(address, installed=installed)
        settings = backend.Settings(host=address, network="none", pull=False, grace_seconds=5)
        yield Place(backend=backend, settings=settings, folder=folder, image=dockerd.IMAGE)


@contextlib.contextmanager
def kubernetes(paths: pytest.TempPathFactory) -> Iterator[Place]:
    need("kubernetes", kube.is_here())
    backend = backends.backend("kubernetes")
    folder = paths.mktemp("work")
    with kube.running(paths.mktemp("k")) as (_, config):
        settings = backend.Settings(kubeconfig=str(config), image=kube.IMAGE, folder=str(folder), grace_seconds=5)
        yield Place(backend=backend, settings=settings, folder=folder)


@contextlib.contextmanager
def cluster(paths: pytest.TempPathFactory) -> Iterator[Place]:
    """The Kubernetes cluster that the environment names."""
    backend = backends.backend("kubernetes")
    with clusters.space(paths.mktemp("k")) as space:
        settings = backend.Settings(
            kubeconfig=str(space.kubeconfig), namespace=space.name, image=space.image, folder="/tmp", grace_seconds=5
        )
        yield Place(
            backend=backend, settings=settings, folder=Path("/tmp"), image=space.image, shares_folder=False,
            has_arrays=space.version >= (1, 29), of=space,
        )  # fmt: skip


@contextlib.contextmanager
def slurm(paths: pytest.TempPathFactory) -> Iterator[Place]:
    need("slurm", slurmd.is_here())
    backend = backends.backend("slurm")
    settings = backend.Settings(folder=str(paths.mktemp("jobs")))
    with slurmd.running(paths.mktemp("s")) as conf, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(conf))
        yield Place(backend=backend, settings=settings, folder=paths.mktemp("work"), has_seconds=False)


@contextlib.contextmanager
def actions(paths: pytest.TempPathFactory) -> Iterator[Place]:
    need("act", runners.is_here())
    backend = backends.backend("actions")
    folder, remote = paths.mktemp("work"), paths.mktemp("remote")
    workflow = workflows.rendered(["launch"], workflows.Options(secret=("HF_TOKEN",)))[runners.WORKFLOW].text
    make_repo(remote, commit=False, bare=True)
    make_repo(folder)
    (folder / runners.WORKFLOW).parent.mkdir(parents=True)
    (folder / runners.WORKFLOW).write_text(workflow)
    for command in (
        "config uploadpack.allowAnySHA1InWant true", f"-C {folder} add .", f"-C {folder} commit -qm workflow",
        f"-C {folder} remote add origin {remote}", f"-C {folder} push -q origin main",
        f"-C {folder} remote set-head origin main",
    ):  # fmt: skip
        subprocess.run(["git", *command.split()], cwd=remote, check=True)
    with runners.serving(paths.mktemp("runs"), remote) as github, pytest.MonkeyPatch.context() as patch:
        patch.setenv("GITHUB_TOKEN", runners.TOKEN)
        patch.setenv("GH_HOST", "127.0.0.1")
        settings = backend.Settings(
            repository="acme/churn", api=github.address, runs_on=("ubuntu-latest",), secrets=("HF_TOKEN",),
            poll_seconds=0.05,
        )  # fmt: skip
        yield Place(backend=backend, settings=settings, folder=folder, is_elsewhere=True, of=github)


PLACES: dict[str, Callable[[pytest.TempPathFactory], contextlib.AbstractContextManager[Place]]] = {
    "actions": actions,
    "cluster": cluster,
    "docker": docker,
    "kubernetes": kubernetes,
    "local": local,
    "slurm": slurm,
}
