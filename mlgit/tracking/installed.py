"""The Python that runs here, and what is installed for it: what an environment is made of again."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlgit.core import secrets
from mlgit.git.repo import Repo

_INFO = ".dist-info"
_OURS = "mlgit"
"""Nobody makes it again from a run's record: whoever does so has it."""


def interpreter() -> dict[str, Any]:
    """`python`, its version, `runtime`, what it was built as and for, and the `packages` that are installed."""
    runtime = {
        "implementation": sys.implementation.name,
        "abi": f"{sys.implementation.cache_tag or ''}{sys.abiflags}",
        "platform": sys.platform,
        "libc": _libc(),
    }
    return {
        "python": ".".join(map(str, sys.version_info[:3])),
        "runtime": {name: value for name, value in runtime.items() if value},
        "packages": packages(),
    }


def _libc() -> str:
    """`glibc 2.36`; nothing where the system's C library does not say."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError, AttributeError):
        return ""


def packages() -> dict[str, str]:
    """Installed distributions and their versions, read from the names of their folders: a thousandth of an import."""
    return {name: version for name, (version, _) in _all().items()}


def _all() -> dict[str, tuple[str, str]]:
    """Name → (version, the folder that tells more) of every distribution on Python's path."""
    found: dict[str, tuple[str, str]] = {}
    for place in reversed(sys.path):
        try:
            found |= _in(place or ".", os.stat(place or ".").st_mtime_ns)  # noqa: PTH116  (a Path each would cost ten times more)
        except OSError:
            continue
    return dict(sorted(found.items()))


@functools.lru_cache(maxsize=64)
def _in(place: str, _changed: int) -> dict[str, tuple[str, str]]:
    """The distributions in one folder, as it was when it was last changed."""
    found: dict[str, tuple[str, str]] = {}
    for entry in (one.name for one in os.scandir(place)):
        if entry.endswith(_INFO):
            name, _, version = entry.removesuffix(_INFO).rpartition("-")
            if name:
                found.setdefault(name.lower().replace("_", "-"), (version, f"{place}/{entry}"))
    return found


def sources(top: Path | None, *, ours: bool = False) -> dict[str, dict[str, Any]]:
    """Where those come from that no index has (PEP 610), by name; with *ours*, mlgit among them.

    `url` and `commit` of a repository, `url` and `sha256` of an archive, or `path` of a folder in the repository at
    *top*; `editable`, where it is used from there. Of a folder elsewhere only its repository is told, and where in it.
    """
    found = {name: _source(told, top) for name, told in _direct() if ours or name != _OURS}
    return {name: source for name, source in found.items() if source}


def _direct() -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, (_, folder) in _all().items():
        place = f"{folder}/direct_url.json"
        if os.access(place, os.R_OK):  # of a hundred one has it: asked for at a microsecond each
            try:
                told = json.loads(Path(place).read_bytes())
            except (OSError, ValueError):
                continue
            if isinstance(told, dict) and isinstance(told.get("url"), str):
                yield name, told


def _source(told: Mapping[str, Any], top: Path | None) -> dict[str, Any]:
    url = str(told["url"])
    if isinstance(vcs := told.get("vcs_info"), dict):
        return _filled(url=secrets.address(url), commit=vcs.get("commit_id"), subdirectory=told.get("subdirectory"))
    if isinstance(folder := told.get("dir_info"), dict):
        from urllib.parse import unquote, urlsplit  # few have such a one

        return _of_folder(Path(unquote(urlsplit(url).path)), top) | _filled(editable=folder.get("editable"))
    archive = told.get("archive_info")
    hashes = archive.get("hashes", {}) if isinstance(archive, dict) else {}
    return _filled(url=secrets.address(url) or url.rpartition("/")[2], sha256=hashes.get("sha256"))


def _of_folder(folder: Path, top: Path | None) -> dict[str, Any]:
    if top and folder.resolve().is_relative_to(top.resolve()):
        return {"path": folder.resolve().relative_to(top.resolve()).as_posix()}
    repo = Repo.find(folder) if folder.is_dir() else None
    if repo is None or repo.work_tree is None:
        return {"folder": folder.name}
    inside = folder.resolve().relative_to(repo.work_tree.resolve()).as_posix()
    url = secrets.address(repo.config.get("remote.origin.url", ""))
    where = None if inside == "." else inside
    return _filled(folder=folder.name, url=url, commit=repo.resolve("HEAD"), subdirectory=where)


def _filled(**told: Any) -> dict[str, Any]:
    return {name: value for name, value in told.items() if value}
