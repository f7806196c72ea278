"""A model that no run here has logged becomes one that a run brought in: a version is always a run's."""

from __future__ import annotations

from pathlib import Path

from mlgit.artifacts import log
from mlgit.artifacts.artifact import Artifact
from mlgit.core.artifact import ArtifactVersion
from mlgit.core.run import Run
from mlgit.errors import NotFoundError, UsageError, WrongKindError
from mlgit.index import query
from mlgit.store.place import Place
from mlgit.tracking import session

JOB_TYPE = "import"
"""Of a run that trained nothing: it says whose code and data a model is not."""


def of_artifact(place: Place, text: str) -> tuple[Run, ArtifactVersion]:
    """(the run that the artifact *text* is of, that version); of one that a person added, a run that brings it in.

    Raises `NotFoundError`, `WrongKindError` where it is no model.
    """
    held = log.find(place.repo, text, project=place.meant)
    if held.version.type != "model":
        raise WrongKindError(f"{held.name} is a {held.version.type}, no model.", fix="log it with type='model'")
    run = held.run or _brought(
        place, Artifact.of(place.repo, held), name=held.version.name, project=held.project
    )  # fmt: skip
    own = (one for one in run.logged if (one.name, one.hash) == (held.version.name, held.version.hash))
    return run, next(own, held.version)


def of_path(place: Place, path: Path, *, name: str) -> tuple[Run, ArtifactVersion]:
    """(the run that brings the file or folder *path* in as the model *name*, that version).

    The same bytes are brought in once: then it is the run that did it. Raises `UsageError` for what is no model's.
    """
    version = log.log(place.repo, path, name=name, type="model", folder=place.folder)
    run = _before(place, version) or _brought(place, path, name=name, project=place.settings.project)
    return run, next(one for one in run.logged if (one.name, one.hash) == (name, version.hash))


def _before(place: Place, version: ArtifactVersion) -> Run | None:
    """The run that has brought the same bytes in before, if there is one."""
    try:
        held = log.find(place.repo, f"{place.settings.project}/{version.name}:{version.hash}")
    except (NotFoundError, UsageError):
        return None
    return held.run


def _brought(place: Place, model: Artifact | Path, *, name: str, project: str) -> Run:
    """The run, made for it, that logs *model*, and does nothing else."""
    if (current := session.current()) is not None:
        raise UsageError(f"The run {current.name} is under way here.", fix="log the model in it: log_model(…)")
    with session.init(project=project, name=f"import-{name}", job_type=JOB_TYPE) as run:
        run.log_artifact(model, name=name, type="model").wait()
    found = query.of_id(place.repo, run.id)
    assert found
    return found
