"""Docker's daemon, by docker's library: the one that answers, and what it says where it refuses."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from mlgit.errors import MlgitError, SilentError


def daemon(address: str | None = None, *, instead: str = "", seconds: float = 60) -> Any:
    """A client of the daemon at *address*, else of the one that docker's own command line would ask.

    *instead* says what can be done without one; an answer may take *seconds*. Raises `SilentError` where none answers.
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
        raise SilentError("No docker daemon answers.", why=why, fix=fix) from exc


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
