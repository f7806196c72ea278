"""What is in production of a project: the version that a change has to beat."""

from __future__ import annotations

from mlgit.core.run import Run
from mlgit.errors import NotFoundError
from mlgit.git.repo import Repo
from mlgit.report.view import Champion
from mlgit.store import registry

STAGE = "production"


def find(repo: Repo, head: Run) -> Champion | None:
    """The version that main's registry has in production, of a model that the project of *head* makes.

    Of several models the one whose artifact *head* logged too. None where there is none, or where several could be
    meant. Raises `ConfigError` for a registry that cannot be read.
    """
    try:
        commit = registry.base_commit(repo, registry.base_name(repo))
    except NotFoundError:
        return None
    with repo.reader() as reader:
        served = [(model, version) for (model, stage), version in registry.stages_at(reader, commit).items()
                  if stage == STAGE]  # fmt: skip
        paths = [registry.version_path(model, version) for model, version in served]
        files = zip(paths, reader.read_all(f"{commit}:{path}" for path in paths), strict=True)
        near = [(path, found[2]) for path, found in files if found and head.project.encode() in found[2]]
    known = [registry.of_text(text, source=path) for path, text in near]
    ours = [version for version in known if version.project == head.project]
    names = {artifact.name for artifact in head.logged}
    fit = [version for version in ours if version.artifact in names] or ours
    if len(fit) != 1:
        return None
    (version,) = fit
    return Champion(name=f"{version.model}@{version.version}", run=version.run, metrics=version.metrics)
