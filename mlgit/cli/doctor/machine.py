"""What this machine has: Python, git, libraries, docker."""

from __future__ import annotations

import os
import platform
import re
import sys
from pathlib import Path

from mlgit.cli.doctor.finding import Finding, Health
from mlgit.errors import GitError
from mlgit.git import process

_OLDEST_GIT = (2, 38)


def python() -> Finding:
    """Which one runs this."""
    return Finding("python", Health.OK, f"{platform.python_version()} ({sys.executable})")


def git(folder: Path) -> Finding:
    """Whether it is there, and new enough."""
    try:
        words = process.run("version", folder=folder).decode(errors="replace").strip()
    except GitError as exc:
        return Finding("git", Health.FAIL, exc.what, exc.fix)
    version = _numbers(words)
    if version < _OLDEST_GIT:
        return Finding("git", Health.FAIL, f"{words}; mlgit needs 2.38", "install a newer git")
    return Finding("git", Health.OK, words.removeprefix("git version "))


def libraries() -> Finding:
    """What mlgit depends on, by what is installed: nothing is imported."""
    from importlib import metadata

    try:
        wanted = metadata.requires("mlgit") or []
    except metadata.PackageNotFoundError:
        says = "mlgit runs from its source and is not installed, so what it needs is not known"
        return Finding("libraries", Health.WARN, says, "pip install -e .")
    found: list[str] = []
    bad: list[str] = []
    for line in wanted:
        requirement, _, condition = line.partition(";")
        match = re.match(r"([A-Za-z0-9._-]+)\s*(?:>=\s*([0-9.]+))?", requirement)
        if match is None or "extra" in condition:
            continue
        name, least = match[1], match[2] or "0"
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            bad.append(f"{name} is missing")
            continue
        found.append(f"{name} {version}")
        if _numbers(version) < _numbers(least):
            bad.append(f"{name} {version} is older than {least}")
    if bad:
        return Finding("libraries", Health.FAIL, ", ".join(bad), "pip install --upgrade mlgit")
    return Finding("libraries", Health.OK, ", ".join(found))


def docker() -> Finding:
    """Whether there is a socket to speak to; nobody speaks."""
    address = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    scheme, _, place = address.partition("://")
    if scheme != "unix":
        return Finding("docker", Health.OK, f"at {scheme}://{place.rpartition('@')[2]}, as DOCKER_HOST says")
    if not Path(place).is_socket():
        return Finding("docker", Health.OK, f"none at {place}; only jobs in containers will need it")
    if not os.access(place, os.R_OK | os.W_OK):
        fix = "join the group docker: sudo usermod -aG docker $USER, then log in anew"
        return Finding("docker", Health.WARN, f"{place} belongs to somebody else", fix)
    return Finding("docker", Health.OK, f"at {place}")


def _numbers(version: str) -> tuple[int, ...]:
    """The first dotted number in *version*, for comparison."""
    match = re.search(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in match[0].split(".")) if match else ()
