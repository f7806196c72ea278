"""Paths as W&B writes them, `entity/project/id`, and what they name here. The entity means nothing without a server."""

from __future__ import annotations

from mlgit.core import refs
from mlgit.core.run import Run
from mlgit.errors import NotFoundError, UsageError
from mlgit.git.repo import Repo

ENTITY = "mlgit"


def parts_of(path: str | None, *, project: str) -> tuple[str, str]:
    """(project, the rest) of *path*: `entity/project/id`, `project/id`, `id`, with *project* where it names none.

    `/runs/` and `/sweeps/`, as W&B's addresses have them, are passed over. Raises `UsageError`.
    """
    words = [word for word in (path or "").strip("/").split("/") if word not in ("", "runs", "sweeps")]
    if len(words) > 3:
        raise UsageError(f"{(path or '')[:120]!r} is no path of a run.", fix="entity/project/id, project/id, or id")
    return (refs.project(words[-2]) if len(words) > 1 else project), (words[-1] if words else "")


def project_of(path: str | None, *, project: str) -> str:
    """The project of *path*, `entity/project` or `project`; *project* where it names none. Raises `UsageError`."""
    words = [word for word in (path or "").strip("/").split("/") if word]
    if len(words) > 2:
        raise UsageError(f"{(path or '')[:120]!r} is no path of a project.", fix="entity/project, or project")
    return refs.project(words[-1]) if words else project


def run_of(repo: Repo, path: str, *, project: str) -> Run:
    """The run that *path* names, by its id; by its name or branch too, where that is unambiguous.

    Raises `NotFoundError`, `UsageError` where it may be several.
    """
    from mlgit.index import query

    wanted, text = parts_of(path, project=project)
    if not text:
        raise UsageError(f"{path[:120]!r} names no run.", fix="entity/project/id, project/id, or id")
    run = query.of_id(repo, text)
    if run and (run.project == wanted or "/" not in path):
        return run
    try:
        return query.find(repo, text if query.projects(repo)[wanted] else "", project=wanted)
    except NotFoundError:
        raise NotFoundError(
            f"There is no run {text[:80]!r} in the project {wanted[:80]!r}.", fix="mlgit ls lists the runs"
        ) from None
