"""The image that a queue builds: by mlgit's template, or by a Dockerfile of the project's.

It is called after its content, so it is built once, and anew when anything of that changes.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import posixpath
import re
import tarfile
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from mlgit import containers, resources
from mlgit.errors import MlgitError, NotFoundError, UsageError
from mlgit.tracking import installed
from mlgit.tracking.notice import notify

_FORMS = {
    "base": re.compile(r"[\w][\w./:@-]*", re.ASCII),
    "python": re.compile(r"3(\.\d+){1,2}[\w.-]*", re.ASCII),
    "apt": re.compile(r"[a-z0-9][a-z0-9+.-]*(:[a-z0-9]+)?(=[\w.:+~-]+)?", re.ASCII),
}
"""What may stand in the template's lines: nothing that ends a word there."""
_INCLUDED = re.compile(r"\s*(?:-r|-c|--requirement|--constraint)(?:\s*=\s*|\s+|(?<=-[rc]))([^\s#]+)")
"""A line of requirements that names another file of them."""
_REQUIREMENTS = "requirements"
_LABEL = "mlgit.build"
_TOLD = 20
"""Lines of a build that failed which are told."""


@dataclass(frozen=True, kw_only=True)
class Build:
    """What an image is built of; files are those of a job's folder."""

    python: str | None = field(
        default=None, metadata={"help": "Python's version: its own image is the base; that of whoever submits"}
    )
    base: str | None = field(default=None, metadata={"help": "another image to begin with, which has Python"})
    apt: tuple[str, ...] = field(default=(), metadata={"help": "packages of Debian or Ubuntu: [libgl1]"})
    requirements: str | None = field(
        default=None, metadata={"help": "a file of requirements, best a lock with exact versions, which pip installs"}
    )
    dockerfile: str | None = field(
        default=None, metadata={"help": "a Dockerfile in place of all of this; it is given the folder that it lies in"}
    )


@dataclass(frozen=True, kw_only=True)
class Packed:
    """What a daemon is given to build an image of."""

    tar: IO[bytes]
    dockerfile: str
    """The Dockerfile's text."""
    path: str
    """Where it lies in *tar*."""
    base: str | None
    """The image that it begins with, where that is known."""
    tag: str
    """What the image is called."""


def dockerfile(build: Build, base: str, user: str) -> str:
    """The Dockerfile of *build*, which begins with *base* and ends as *user*. Raises `UsageError`."""
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    for name, texts in {"python": (build.python or "3.0",), "base": (base,), "apt": build.apt}.items():
        if wrong := [text for text in texts if not _FORMS[name].fullmatch(text)]:
            raise UsageError(f"{wrong[0]!r} cannot be built with.", why=f"the queue has it under build: {name}:")
    path = f"/opt/mlgit/{_REQUIREMENTS}/{posixpath.normpath(build.requirements)}" if build.requirements else ""
    # some distributions refuse pip's packages beside their own: in an image nobody minds
    install = ["env", "PIP_BREAK_SYSTEM_PACKAGES=1", "python3", "-m", "pip", "install", "--no-cache-dir", "-r", path]
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(resources.templates() / "launch"), undefined=StrictUndefined, autoescape=False,
        trim_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    template = environment.get_template("Dockerfile.j2")
    return template.render(base=base, apt=build.apt, requirements=build.requirements, install=install, user=user)


@contextlib.contextmanager
def packed(build: Build, folder: Path, user: str) -> Iterator[Packed]:
    """What the daemon is given for *build*, with the files of *folder*. Raises `UsageError`, `NotFoundError`."""
    rest = [name for name in ("python", "base", "apt", "requirements") if getattr(build, name)]
    if build.dockerfile and rest:
        raise UsageError(f"The queue's build has a dockerfile, and {rest[0]} too.", fix="write it into the Dockerfile")
    if build.python and build.base:
        raise UsageError("The queue's build has a python, and a base too.", fix="a base brings its own Python")
    base: str | None = None
    if build.dockerfile:
        place = _found(folder, build.dockerfile)
        path, text = place.name, place.read_text(errors="replace")
        content: Mapping[str, Path | str] = _beside(place)
    else:
        about = installed.interpreter()
        runtime = about["runtime"]
        base = build.base or containers.python_image(
            build.python or about["python"], runtime.get("libc", "") if build.python is None else ""
        )
        path, text = "Dockerfile", dockerfile(build, base, user)
        files = _requirements(folder, build.requirements) if build.requirements else {}
        content = {path: text, **{f"{_REQUIREMENTS}/{name}": file for name, file in files.items()}}
    with TemporaryFile() as tar:
        digest = _write(content, tar)
        yield Packed(tar=tar, dockerfile=text, path=path, base=base, tag=f"mlgit:{digest[:16]}")


def make(client: Any, it: Packed, *, pull: bool) -> None:
    """Build the image, if the daemon does not have it. Raises `NotFoundError` without its base, `MlgitError`."""
    if containers.has(client, it.tag):
        return
    if it.base is not None:
        containers.bring(client, it.base, pull=pull, say=notify)
    notify(f"docker builds the image {it.tag}")
    what = "docker cannot build the queue's image."
    last: deque[str] = deque(maxlen=_TOLD)
    problem = ""
    with containers.asked(what):
        steps = client.api.build(
            fileobj=it.tar, custom_context=True, dockerfile=it.path, tag=it.tag, labels={_LABEL: it.tag}, rm=True,
            forcerm=True, decode=True, timeout=None, buildargs=containers.proxies(),
        )  # fmt: skip
        for step in steps:  # to its end: docker's library closes what was read
            for line in str(step.get("stream", "")).splitlines():
                last.append(line)
                if line.startswith("Step "):
                    notify(line)
            problem = str(step.get("error") or problem)
    if problem:
        why = "\n".join(line for line in (*last, problem) if line.strip())
        fix = "mend what the queue says under build:, or build it by yourself and name it there as image:"
        raise MlgitError(what, why=why, fix=fix)


def _found(folder: Path, name: str) -> Path:
    """The file *name* of *folder*."""
    place = folder / name
    if not place.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"The queue builds an image from {name}, which lies outside of {folder}.")
    if not place.is_file():
        raise NotFoundError(f"The queue builds an image from {name}, and there is none.", why=f"looked in {folder}")
    return place


def _requirements(folder: Path, name: str) -> dict[str, Path]:
    """The file of requirements *name* and those that it names, by their paths in *folder*."""
    found: dict[str, Path] = {}
    wanted = [posixpath.normpath(name)]
    while wanted:
        one = wanted.pop()
        if one not in found and "://" not in one:
            found[one] = _found(folder, one)
            lines = found[one].read_text(errors="surrogateescape").splitlines()
            named = [match[1] for line in lines if (match := _INCLUDED.match(line))]
            wanted += [other if "://" in other else posixpath.join(posixpath.dirname(one), other) for other in named]
    return found


def _beside(dockerfile: Path) -> dict[str, Path | str]:
    """What lies in the folder of *dockerfile*, as far as its `.dockerignore` does not leave it out; no `.git`."""
    from docker.utils.build import exclude_paths

    folder = dockerfile.parent
    ignored = folder / ".dockerignore"
    lines = ignored.read_text(errors="surrogateescape").splitlines() if ignored.is_file() else []
    patterns = [".git", *(line.strip() for line in lines if line.strip() and not line.startswith("#"))]
    return {name: folder / name for name in sorted(exclude_paths(str(folder), patterns, dockerfile=dockerfile.name))}


def _write(content: Mapping[str, Path | str], file: io.BufferedRandom) -> str:
    """Write *content* as a tar that is the same for the same content, and leave *file* at its start; the digest."""
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, one in sorted(content.items()):
            if isinstance(one, str):
                info = tarfile.TarInfo(name)
                info.size = len(one.encode())
                tar.addfile(info, io.BytesIO(one.encode()))
                continue
            tar.add(one, name, recursive=False, filter=_plain)
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    return digest


def _plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mtime, info.pax_headers = 0, {}
    info.mode = 0o755 if info.mode & 0o100 else 0o644
    return info
