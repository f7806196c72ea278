"""What becomes a version: a run's model, an artifact, the best of a sweep, or a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mlgit.errors import NotFoundError, UsageError
from mlgit.store.place import Place

if TYPE_CHECKING:
    from mlgit.core.artifact import ArtifactVersion
    from mlgit.core.run import Run


def origin(
    place: Place, text: str | None, *, sweep: str | None = None, path: Path | None = None, name: str | None = None
) -> tuple[Run, ArtifactVersion | None]:
    """(the run that a version is to be made of, which of its models; None where it is to be its only one).

    *text*: a run, or an artifact (`digits:v3`); *name*: what a *path* is to be called. Raises `UsageError`,
    `NotFoundError`.
    """
    from mlgit.index import query
    from mlgit.registry.versions import importing

    if sum(one is not None for one in (text, sweep, path)) != 1:
        raise UsageError("A version is made of one thing.", fix="a RUN, an ARTIFACT like digits:v3, --sweep or --path")
    if path:
        return importing.of_path(place, path, name=name or place.settings.project)
    if sweep:
        return query.find(place.repo, _best(place, sweep)), None
    assert text
    if ":" in text:
        return importing.of_artifact(place, text)
    return query.find(place.repo, text, project=place.meant), None


def _best(place: Place, sweep: str) -> str:
    """The run of a sweep's best point. Raises `NotFoundError` where there is none."""
    from mlgit.wiring import reporting

    found = reporting.sweep_findings(place, sweep, with_importance=False)
    if found.best is None or found.best.run is None:
        raise NotFoundError(
            f"The sweep {found.sweep.name} has no best trial yet.", fix=f"mlgit sweep best {found.sweep.id} says why"
        )
    return found.best.run
