"""Where the data lie: DVC's set-up, and its remotes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from mlgit.cli.doctor.finding import Finding, Health
from mlgit.errors import MlgitError
from mlgit.git.repo import Repo


def dvc(repo: Repo, folder: Path) -> Finding:
    """Whether it is set up, with remotes, and keeps their secrets out of git."""
    from mlgit.dvc import project

    if repo.work_tree is None:
        return Finding("dvc", Health.OK, "a bare repository has no data of its own")
    root = project.root(folder, repo.work_tree)
    if root is None:
        return Finding(
            "dvc", Health.WARN, "not set up: artifacts and datasets have no store", "mlgit init, or dvc init"
        )
    remotes = _remotes(root)
    if not remotes:
        says = f"{root}, without a remote: data stays on this machine"
        return Finding("dvc", Health.OK, says, "dvc remote add -d storage s3://bucket/path, to share it")
    if told := _told_secrets(root / ".dvc" / "config"):
        says = f"{root}, remotes {', '.join(remotes)}; .dvc/config, which goes to git, holds {', '.join(told)}"
        fix = "dvc remote modify --local NAME … keeps it out of git; then change it, for git has the old one"
        return Finding("dvc", Health.WARN, says, fix)
    return Finding("dvc", Health.OK, f"{root}, remotes {', '.join(remotes)}")


def _told_secrets(file: Path) -> list[str]:
    """The settings in DVC's *file* that are credentials, or hold some."""
    from mlgit.core import secrets

    with suppress(OSError):
        lines = re.findall(r"^\s*(\w+)\s*=\s*(.+)$", file.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
        return [key for key, value in lines if secrets.redact_params({key: value}) != {key: value}]
    return []


def reached(folder: Path) -> Iterator[Finding]:
    """Whether each DVC remote answers, and takes what it is sent."""
    from mlgit.dvc import project
    from mlgit.dvc.remotes import remote, stores

    repo = Repo.find(folder)
    root = project.root(folder, repo.work_tree) if repo and repo.work_tree else None
    if repo is None or root is None:
        return
    inside = "" if root == repo.work_tree else root.relative_to(repo.folder).as_posix()
    for name, url in stores.names(repo, inside).items():
        try:
            remote.probe(repo, folder=inside, name=name)
        except MlgitError as exc:
            yield Finding(f"remote {name}", Health.FAIL, " ".join((exc.what, *exc.why.split())), exc.fix)
        else:
            yield Finding(f"remote {name}", Health.OK, f"{url} answers, and takes what it is sent")


def _remotes(root: Path) -> list[str]:
    """The names of DVC's remotes, read from its configuration as its sections are written: `['remote "name"']`."""
    names: dict[str, None] = {}
    for file in (root / ".dvc" / "config", root / ".dvc" / "config.local"):
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        names.update(dict.fromkeys(re.findall(r"""^\['?remote "([^"]+)"'?\]""", text, re.MULTILINE)))
    return list(names)
