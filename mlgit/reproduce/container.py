"""Containers in which a run is made again: docker's, by its library.

What runs in one sees the code, the environment, the repository's own folder and DVC's caches, at the paths that they
have here, as the user that calls; the network only while an environment is installed. What runs in one ends with
whoever is killed outside (`leash`), and the container, which is then empty, is found by its label.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlgit import containers
from mlgit.errors import MlgitError, SilentError
from mlgit.reproduce.recipe import Missing, Recipe
from mlgit.tracking.notice import notify

_LABEL = "mlgit.reproduce"
_USED = "containers"
"""The file in the folder of an attempt that says that there may be containers of it."""
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""A machine as the kernel calls it, and as images do."""
_SHARED_MEMORY = "2g"
"""The most that processes can share: docker's own 64 MB are too little for PyTorch's loaders."""


def image(recipe: Recipe) -> str:
    """The image for a run: the one that it ran in, else Python's own of its version."""
    runtime = recipe.about.get("runtime")
    libc = str(runtime.get("libc", "")) if isinstance(runtime, Mapping) else ""
    return recipe.image or containers.python_image(recipe.python, libc)


def daemon() -> Any:
    """Docker's daemon. Raises `SilentError` where none answers."""
    return containers.daemon(instead="--env uv")


def lacking(name: str, recipe: Recipe) -> Iterator[Missing]:
    """What stands against a container of the image *name*. Nothing is pulled."""
    from docker.errors import APIError, ImageNotFound

    try:
        client = daemon()
    except SilentError as exc:
        yield Missing(kind="tool", name="docker", why=exc.why, fix=exc.fix)
        return
    system = recipe.about.get("system")
    machine = str(system.get("machine") or "") if isinstance(system, Mapping) else ""
    there = str(client.info().get("Architecture"))
    if machine and _ARCHITECTURES.get(machine, machine) != _ARCHITECTURES.get(there, there):
        why = f"it ran on this architecture, and docker's is {there}"
        yield Missing(kind="machine", name=machine, why=why, fix="make it again on such a machine")
    fix = "docker pull it where that works, or name another one: --image NAME"
    try:
        made_for = client.images.get(name).attrs["Architecture"]
    except ImageNotFound:
        try:
            client.images.get_registry_data(name)
        except APIError as exc:
            why = f"it is not here, and cannot be pulled: {containers.said(exc)}"
            yield Missing(kind="image", name=name, why=why, fix=fix)
        return
    except APIError as exc:
        yield Missing(kind="image", name=name, why=containers.said(exc), fix=fix)
        return
    if made_for != _ARCHITECTURES.get(there, there):
        yield Missing(kind="image", name=name, why=f"it is for {made_for}, and docker's machine is {there}", fix=fix)


def answer(name: str, words: Sequence[str]) -> str:
    """What *words* print in a container of the image *name*; nothing where they fail, or it is not here."""
    from docker.errors import APIError, ContainerError, ImageNotFound

    try:
        client = daemon()
        client.images.get(name)  # docker would look for it elsewhere
        printed = client.containers.run(name, list(words), entrypoint=[], network_mode="none", remove=True)
    except (SilentError, ImageNotFound, ContainerError, APIError):
        return ""
    return str(printed.decode(errors="replace"))


@dataclass(frozen=True, kw_only=True)
class Containers:
    """Those that one attempt needs, one after the other."""

    client: Any
    image: Any
    home: Path
    """The attempt's folder."""
    seen: Sequence[Path]
    """What they see of this machine, and may write to."""
    read: Sequence[Path]
    """What they see and may not."""
    env: Mapping[str, str]
    """Variables of all of them."""
    gpus: bool

    @property
    def name(self) -> str:
        """The image for a record: with its digest, where it came from a registry."""
        return str(next(iter(self.image.attrs.get("RepoDigests") or self.image.tags), self.image.id))

    @property
    def path(self) -> str:
        """Where the image looks for programs."""
        variables = dict(word.partition("=")[::2] for word in self.image.attrs["Config"].get("Env") or ())
        return variables.get("PATH") or os.defpath

    def call(self, words: Sequence[str], env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run *words* to their end, with the network and what uv is told here. Raises `MlgitError` without a start."""
        from docker.errors import APIError

        told = {name: value for name, value in os.environ.items() if name.startswith("UV_") or name == "SSL_CERT_FILE"}
        container = self._create(words, {**containers.proxies(), **told, **self.env, **env}, self.home, network=None)
        try:
            container.start()
            code = container.wait()["StatusCode"]
            output = [container.logs(stdout=one, stderr=not one).decode(errors="replace") for one in (True, False)]
        except APIError as exc:
            raise _refused(exc) from exc
        finally:
            container.remove(force=True)
        return subprocess.CompletedProcess(words, code, *output)

    def start(self, words: Sequence[str], env: Mapping[str, str], folder: Path) -> tuple[list[str], dict[str, str]]:
        """The words, and their environment, that run *words* in *folder* with *env*, and no network.

        *words* find a standard input that ends when we do, of whatever.
        """
        container = self._create(words, env, folder, network="none", is_held=True)
        attached = [sys.executable, "-P", "-m", "mlgit.reproduce.attached", container.id, str(os.getpid())]
        return attached, dict(os.environ)

    def _create(
        self, words: Sequence[str], env: Mapping[str, str], folder: Path, *, network: str | None, is_held: bool = False
    ) -> Any:  # fmt: skip
        from docker.errors import APIError
        from docker.types import DeviceRequest, Mount

        (self.home / _USED).touch()
        mounts = [Mount(str(path), str(path), type="bind") for path in self.seen]
        mounts += [Mount(str(path), str(path), type="bind", read_only=True) for path in self.read]
        is_rootless = any("rootless" in option for option in self.client.info().get("SecurityOptions") or ())
        try:
            return self.client.containers.create(
                self.image.id, list(words), entrypoint=[], environment=dict(env), working_dir=str(folder),
                labels={_LABEL: str(self.home)}, mounts=mounts, network_mode=network, shm_size=_SHARED_MEMORY,
                user="0:0" if is_rootless else f"{os.getuid()}:{os.getgid()}",  # rootless: its root is who calls
                security_opt=["no-new-privileges"], stdin_open=is_held,
                device_requests=[DeviceRequest(count=-1, capabilities=[["gpu"]])] if self.gpus else None,
            )  # fmt: skip
        except APIError as exc:
            raise _refused(exc) from exc


def prepare(
    name: str, home: Path, *, seen: Sequence[Path], read: Sequence[Path], env: Mapping[str, str], gpus: bool
) -> Containers:
    """Containers of the image *name*, which is pulled if it is not here. Raises `MlgitError` where it cannot be."""
    client = daemon()
    containers.bring(client, name, pull=True, say=notify, fix="--image names another one")
    found = client.images.get(name)
    return Containers(client=client, image=found, home=home, seen=seen, read=read, env=env, gpus=gpus)


def remove_all(home: Path) -> None:
    """Remove the containers of the attempt in *home*, whoever it was, as far as docker is there."""
    if (home / _USED).exists():
        try:
            _remove(daemon(), home)
        except SilentError:
            return


def _remove(client: Any, home: Path) -> None:
    from docker.errors import APIError

    for container in client.containers.list(all=True, filters={"label": f"{_LABEL}={home}"}, ignore_removed=True):
        try:
            container.remove(force=True)
        except APIError:  # somebody else is at it
            continue


def _refused(exc: Any) -> MlgitError:
    why = containers.said(exc)
    fix = "--env uv, or none, makes it again without a container"
    if "capabilities: [[gpu]]" in why:
        fix = f"the run had a GPU: install nvidia-container-toolkit; or {fix}"
    return MlgitError("docker starts no container.", why=why, fix=fix)
