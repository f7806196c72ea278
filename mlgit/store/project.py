"""A new project: its `mlgit.yaml`, what git should not see, and DVC's set-up. Writes only what is not there."""

from __future__ import annotations

from pathlib import Path

from mlgit import resources, settings
from mlgit.core import refs
from mlgit.dvc import project as dvc_project
from mlgit.errors import GitError
from mlgit.git import process
from mlgit.git.repo import Repo

_PARAMS = ("params.yaml", "params.yml", "params.json")
_IGNORED = ("__pycache__/", ".env", ".*.mlgit")
"""The last is what a file is called until it is whole: `kill -9` leaves it, and nobody should add it to a commit."""


def create(folder: Path, *, name: str | None, dvc: bool) -> list[str]:
    """Make *folder* a project; return what was written or added to, relative to it.

    A folder outside of every repository becomes one: `.git` is then the first of what was written. Raises `UsageError`
    for a name that cannot be one, `ConfigError` for an `mlgit.yaml` that is there and wrong, `GitError` where the disk
    refuses.
    """
    repo = Repo.find(folder)
    made = [] if repo else [".git"]
    if repo is None:
        process.run("init", "--quiet", "--initial-branch=main", folder=folder)
        repo = Repo.find(folder)
    if repo is None or repo.work_tree is None:
        raise GitError(f"{folder} is a bare repository: a project needs files.", fix="clone it, and init the clone")
    project = refs.component(name, "project") if name else settings.find(folder, folder).project
    try:
        written = made + _settings(folder, project) + _ignore(folder)
    except OSError as exc:
        raise GitError(f"{folder} cannot be written.", why=str(exc), fix="make it writable") from None
    inside = folder.resolve().relative_to(repo.work_tree.resolve()).as_posix()
    if dvc:
        prefix = "" if inside == "." else f"{inside}/"
        written += [path.removeprefix(prefix) for path in dvc_project.setup(repo, "" if inside == "." else inside)]
    return written


def _settings(folder: Path, project: str) -> list[str]:
    if (folder / settings.FILE).exists():
        settings.read(folder)  # says what is wrong with it
        return []
    from jinja2.sandbox import SandboxedEnvironment

    template = (resources.templates() / "project" / settings.FILE).read_text(encoding="utf-8")
    params = next((name for name in _PARAMS if (folder / name).is_file()), None)
    text = SandboxedEnvironment(keep_trailing_newline=True).from_string(template).render(project=project, params=params)
    (folder / settings.FILE).write_text(text, encoding="utf-8")
    return [settings.FILE]


def _ignore(folder: Path) -> list[str]:
    path = folder / ".gitignore"
    there = path.read_text(encoding="utf-8", errors="surrogateescape") if path.exists() else ""
    missing = [line for line in (*_IGNORED, *_environments(folder)) if line not in there.splitlines()]
    if not missing:
        return []
    gap = "" if not there or there.endswith("\n") else "\n"
    path.write_text(f"{there}{gap}{chr(10).join(missing)}\n", encoding="utf-8", errors="surrogateescape")
    return [".gitignore"]


def _environments(folder: Path) -> list[str]:
    """The virtual environments in *folder* that do not keep themselves out of git, as Python's own do since 3.13."""
    found = sorted(mark.parent for mark in folder.glob("*/pyvenv.cfg"))
    return [f"{place.name}/" for place in found if not (place / ".gitignore").exists()]
