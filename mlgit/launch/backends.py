"""Where jobs can run: a module a backend, by its name. Adding one is its file, and its line here."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, cast

from mlgit.core.job import JobSpec, Standing
from mlgit.errors import NotFoundError

NAMES = {
    "actions": "mlgit.launch.actions",
    "docker": "mlgit.launch.docker",
    "kubernetes": "mlgit.launch.kubernetes",
    "local": "mlgit.launch.local",
    "slurm": "mlgit.launch.slurm",
}


class Backend(Protocol):
    """What each of these modules has."""

    Settings: type[Any]
    """A queue, as `mlgit.yaml` describes it."""

    def render(self, spec: JobSpec, settings: Any, /) -> str:
        """Exactly what `submit` sends, without the values of secrets."""

    def submit(self, spec: JobSpec, settings: Any, /) -> str:
        """The id of the job that does *spec*: the one that its key has already started, else a new one."""

    def status(self, ids: Sequence[str], settings: Any, /) -> dict[str, Standing]:
        """How each of *ids* stands: of jobs, and of the tasks of arrays. What nobody knows is lost."""

    def logs(self, name: str, settings: Any, /, *, follow: bool = False) -> Iterator[str]:
        """The lines that a job printed; with *follow*, until it has ended. Raises `NotFoundError`."""

    def cancel(self, ids: Sequence[str], settings: Any, /) -> None:
        """End those of *ids* that have not ended; returns before they have."""

    def forget(self, ids: Sequence[str], settings: Any, /) -> None:
        """Remove what is kept on this machine, or at the backend, of those of *ids* that have ended."""


def backend(name: str) -> Backend:
    """The backend *name*. Raises `NotFoundError`."""
    if name not in NAMES:
        raise NotFoundError(f"There is no backend {name!r}.", fix=f"one of {', '.join(NAMES)}")
    return cast("Backend", importlib.import_module(NAMES[name]))
