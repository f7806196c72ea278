"""What was installed, as a `pylock.toml` (PEP 751), which installers take: https://packaging.python.org/en/latest/specifications/pylock-toml/.

An installed set knows no files and no hashes; the index does. uv asks it, for just the versions that were there.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mlgit.errors import MlgitError, NotFoundError

_NOWHERE: Mapping[str, Sequence[str]] = MappingProxyType({})


def uv() -> str | None:
    """Where uv is; None where there is none."""
    beside = Path(sys.executable).parent / "uv"
    return str(beside) if beside.exists() else shutil.which("uv")


def needed_uv() -> str:
    """The same. Raises `NotFoundError`."""
    if (found := uv()) is None:
        raise NotFoundError(
            "uv is not installed.", why="It asks the index for what was installed.", fix="pip install uv"
        )
    return found


def addressed(
    sources: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:  # fmt: skip
    """(those of *sources* that can be installed from again, those that cannot: nobody said where they are)."""
    known = {
        name for name, told in sources.items()
        if "path" in told or (told.get("url") and (told.get("commit") or told.get("sha256")))
    }  # fmt: skip
    parts = [
        {name: dict(told) for name, told in sources.items() if (name in known) is whether} for whether in (True, False)
    ]
    return parts[0], parts[1]


def pins(packages: Mapping[str, str], sources: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """`name==version` of each of *packages* that an index has: those with *sources* of their own are from elsewhere."""
    return [f"{name}=={version}" for name, version in sorted(packages.items()) if name not in sources]


def beside(packages: Mapping[str, str], sources: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The entries of *packages* that no index has: from a commit of a repository, or from a folder."""
    return [_entry(name, packages[name], told) for name, told in sorted(sources.items()) if name in packages]


def _entry(name: str, version: str, told: Mapping[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": name}
    if (url := told.get("url")) and (commit := told.get("commit")):
        where = {"subdirectory": told["subdirectory"]} if told.get("subdirectory") else {}
        return entry | {"vcs": {"type": "git", "url": url, "commit-id": commit, **where}}
    if url and (digest := told.get("sha256")):
        return entry | {"version": version, "archive": {"url": url, "hashes": {"sha256": digest}}}
    editable = {"editable": True} if told.get("editable") else {}
    return entry | {"directory": {"path": told["path"], **editable}}


Elsewhere = Mapping[str, Sequence[str]]
"""Where to look besides the usual index: the addresses of an `index`, and of pages to `find_links` on."""


def render(
    packages: Mapping[str, str], sources: Mapping[str, Mapping[str, Any]], *, python: str,
    elsewhere: Elsewhere = _NOWHERE,
) -> str:  # fmt: skip
    """The `pylock.toml` for *packages* under *python*, a version. Raises `MlgitError` where the index lacks one."""
    import tomlkit

    document = tomlkit.parse(_of_index(pins(packages, sources), python, elsewhere))
    document["created-by"] = "mlgit"
    entries = [*document.get("packages", ()), *beside(packages, sources)]
    document["packages"] = entries = sorted(entries, key=lambda entry: str(entry["name"]))
    tables = tomlkit.aot()
    for entry in entries:
        table = tomlkit.table()
        table.update(entry)
        tables.append(table)
    document["packages"] = tables
    return tomlkit.dumps(document)


def locked(
    packages: Mapping[str, str], sources: Mapping[str, Mapping[str, Any]], *, python: str,
    elsewhere: Elsewhere = _NOWHERE,
) -> tuple[str, list[str]]:  # fmt: skip
    """(the `pylock.toml` for *packages* as far as they are to be had, the names of those that no index has).

    *elsewhere* is asked only where the usual index lacks one: it may be out of reach from here. Raises `MlgitError`
    where the index says nothing.
    """
    left, lacking, asked = dict(packages), list[str](), _NOWHERE
    while True:
        try:
            return render(left, sources, python=python, elsewhere=asked), sorted(lacking)
        except MlgitError as exc:  # uv names those that it stumbled over, not all of them
            if asked != elsewhere:
                asked = elsewhere
                continue
            said = {_normal(one or other) for one, other in _LACKS.findall(exc.why)}
            found = [name for name in left if _normal(name) in said]
            if not found and asked:  # what only this run knew of does not answer here
                asked = elsewhere = _NOWHERE
                continue
            if not found:
                raise
            lacking += found
            left = {name: version for name, version in left.items() if name not in found}


_LACKS = re.compile(r"no version of ([\w.-]+)==|([\w.-]+) was not found")


def _normal(name: str) -> str:
    """A package's name as PEP 503 has it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def has_python(version: str) -> bool:
    """Whether uv knows such a Python: one that is here, or that it can bring."""
    done = subprocess.run((needed_uv(), "python", "list", version), capture_output=True, check=False)
    return done.returncode == 0 and bool(done.stdout.strip())


def _of_index(wanted: list[str], python: str, elsewhere: Elsewhere) -> str:
    """The lock of what an index has, as uv writes it: each in just one version, from whichever index has it."""
    also = [f"--index={address}" for address in elsewhere.get("index", ())]
    also += [f"--find-links={address}" for address in elsewhere.get("find_links", ())]
    words = (needed_uv(), "pip", "compile", "--quiet", "--no-deps", "--no-header", "--no-annotate",
             "--format", "pylock.toml", "--python-version", python,
             *also, *(["--index-strategy", "unsafe-best-match"] if also else []), "-")  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="mlgit-") as scratch:  # where no project's settings are found
        done = subprocess.run(words, input="\n".join(wanted), capture_output=True, text=True, cwd=scratch, check=False)
    if done.returncode:
        fix = "UV_INDEX, UV_FIND_LINKS and the like say where else to look"
        raise MlgitError("Not everything that was installed is to be had.", why=done.stderr.strip()[-1500:], fix=fix)
    return done.stdout
