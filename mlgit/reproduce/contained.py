"""What a run that is made again in a container sees there of this machine, and the variables around it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from mlgit.dvc.caches import databases
from mlgit.git.repo import Repo
from mlgit.reproduce import container, environment, leash, pylock
from mlgit.reproduce.aside import Aside
from mlgit.reproduce.container import Containers
from mlgit.reproduce.environment import Plan
from mlgit.reproduce.recipe import Recipe
from mlgit.tracking.command import run as execution

_HOME, _OURS = "home", "ours"
_LOCAL = re.compile(r'"file://([^"]+)"')
"""A file of this machine that a lock names."""


def of(repo: Repo, told: Recipe, plan: Plan, place: Aside) -> Containers:
    """The containers of *plan* in which *told* is made again at *place*. Raises `MlgitError` where there are none."""
    caches = [database.parents[1] for database in databases.of(repo, told.run.folder)]
    projects = [cache.parent for cache in caches if cache.parent.name == ".dvc"]
    uv_cache = Path(subprocess.check_output((pylock.needed_uv(), "cache", "dir"), text=True).strip())
    for folder in (place.home / _HOME, uv_cache, *caches):
        folder.mkdir(parents=True, exist_ok=True)
    if plan.python:
        environment.link_mlgit(place.home / _OURS)
    return container.prepare(
        plan.image, place.home,
        seen=_outermost([repo.common_dir, place.code, uv_cache, *projects, *caches]),
        read=[Path(pylock.needed_uv()), *environment.our_own(), *_wheels(plan.lock), *_settings()],
        env={"HOME": str(place.home / _HOME), "UV_CACHE_DIR": str(uv_cache), "USER": _user()},
        gpus=told.has_gpu,
    )  # fmt: skip


def _user() -> str:
    """What programs call the user, whom the image does not know."""
    return os.environ.get("USER") or str(os.getuid())


def _outermost(paths: Iterable[Path]) -> list[Path]:
    """*paths* without those that lie in others of them."""
    found: list[Path] = []
    for path in sorted({path.resolve() for path in paths}):
        if not any(path.is_relative_to(other) for other in found):
            found.append(path)
    return found


def _settings() -> list[Path]:
    """The files that variables name which installing heeds."""
    told = (os.environ.get(name) for name in ("UV_CONFIG_FILE", "SSL_CERT_FILE"))
    return [Path(name) for name in told if name and Path(name).is_file()]


def _wheels(lock: str) -> list[Path]:
    """The folders of this machine from which *lock* takes packages."""
    return sorted({Path(unquote(name)).parent for name in _LOCAL.findall(lock)})


def variables(
    boxes: Containers, told: Recipe, base: Mapping[str, str], repo: Repo, code: Path
) -> dict[str, str]:  # fmt: skip
    """Of *base*, what was recorded and what leads to the code; the rest is the image's own, and nothing is ours."""
    taken = (*told.environment, "PWD", "VIRTUAL_ENV", *environment.HEARD)
    python = base["PATH"].split(os.pathsep)[0]
    env = {name: base[name] for name in taken if name in base} | dict(boxes.env)
    env["PATH"] = os.pathsep.join((python, boxes.path))
    paths = [part for part in base.get("PYTHONPATH", "").split(os.pathsep) if Path(part).is_relative_to(code)]
    if (boxes.home / _OURS).exists():
        paths.append(str(boxes.home / _OURS))
    for word in ("name", "email"):  # its home is not ours, where git would find them
        if value := repo.config.get(f"user.{word}"):
            env |= {f"GIT_{who}_{word.upper()}": value for who in ("AUTHOR", "COMMITTER")}
    return env | ({"PYTHONPATH": os.pathsep.join(paths)} if paths else {})


def through(boxes: Containers, python: Path) -> execution.Through:
    """How a command is started in one of *boxes*; the *python* there is the one for what is ours."""

    def start(words: Sequence[str], env: Mapping[str, str], folder: Path) -> tuple[Sequence[str], Mapping[str, str]]:
        there = [str(python) if word == sys.executable else word for word in words]
        return boxes.start([str(python), "-I", "-S", leash.__file__, *there], env, folder)

    return start
