"""Docker's daemon, by docker's library: the one that answers, and what it says where it refuses."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

from mlgit.errors import AwayError, MlgitError, NotFoundError, SilentError

_DEBIANS = {"glibc 2.36": "-bookworm", "glibc 2.41": "-trixie"}
"""The C library that a run recorded → what the images of Python that have it end with; those have git, too."""
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


def python_image(version: str, libc: str = "") -> str:
    """Python's own image of that *version*, on that C library if there is one.

    Not one of the slim ones: mlgit asks git.
    """
    return f"python:{version}{_DEBIANS.get(libc, '')}"


def proxies() -> dict[str, str]:
    """The variables that say how the network is reached from here."""
    return {name: os.environ[name] for name in _PROXIES if name in os.environ}


def daemon(address: str | None = None, *, instead: str = "", seconds: float = 60) -> Any:
    """A client of the daemon at *address*, else of the one that docker's own command line would ask.

    *instead* says what can be done without one; an answer may take *seconds*. Raises `AwayError` where none answers.
    """
    import docker
    from docker.errors import DockerException

    try:
        if address is None and "DOCKER_HOST" in os.environ:
            return docker.from_env(timeout=seconds)
        if address is None:
            address = docker.ContextAPI.get_current_context().Host
        return docker.DockerClient(base_url=address, timeout=seconds)
    except DockerException as exc:
        why, fix = str(exc), "install docker, or start its daemon (systemctl start docker)"
        if "PermissionError" in why:
            fix = "join the group docker: sudo usermod -aG docker $USER, then log in anew"
        elif instead:
            fix += f"; or {instead}"
        if "FileNotFoundError" in why or "ConnectionRefusedError" in why:
            why = f"Nothing listens at {address or os.environ['DOCKER_HOST']}."
        raise AwayError("No docker daemon answers.", why=why, fix=fix) from exc


def said(exc: Any) -> str:
    """What the daemon says in *exc*, an `APIError`."""
    return str(exc.explanation or exc).strip()


@contextlib.contextmanager
def asked(what: str) -> Iterator[None]:
    """A block that asks the daemon; *what* is the sentence for where it refuses. Raises `MlgitError`, `SilentError`."""
    from docker.errors import APIError
    from requests.exceptions import ConnectionError as BrokenOff
    from requests.exceptions import Timeout

    try:
        yield
    except APIError as exc:
        raise MlgitError(what, why=said(exc)) from exc
    except (Timeout, BrokenOff) as exc:
        why = "it does not answer in time" if isinstance(exc, Timeout) else str(exc)
        raise SilentError(what, why=f"docker's daemon: {why}", fix="look at it (docker info), then try again") from exc


def has(client: Any, name: str) -> bool:
    """Whether the daemon has the image *name*. A question that its library would pass on to where images come from."""
    from docker.errors import ImageNotFound

    try:
        client.api.inspect_image(name)
    except ImageNotFound:
        return False
    return True


def bring(client: Any, name: str, *, pull: bool, say: Callable[[str], None], fix: str = "") -> None:
    """Let the daemon have the image *name*; *say* is told when it has to be pulled. Raises `NotFoundError`."""
    from docker.errors import APIError

    if has(client, name):
        return
    problem = "the daemon does not have it, and the queue says not to pull"
    if pull:
        say(f"docker pulls {name}")
        try:
            client.images.pull(name)
        except APIError as exc:
            problem = f"the daemon does not have it, and cannot pull it: {said(exc)}"
        else:
            return
    raise NotFoundError(f"There is no image {name}.", why=problem, fix=fix or "docker pull, or another --image")
