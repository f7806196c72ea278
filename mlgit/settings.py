"""`mlgit.yaml`: where a project begins, and its raw sections. Each room reads its own section into its own record."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mlgit.core import refs
from mlgit.core.compare import Goal
from mlgit.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from mlgit.documents.reader import Document

T = TypeVar("T")

FILE = "mlgit.yaml"
SECTIONS = ("project", "goals", "run", "report", "archive", "forge", "queues", "ci")
"""Every top-level key of `mlgit.yaml`: the project's name, and one section for each room that has settings."""


@dataclass(frozen=True)
class Settings:
    """What one project's `mlgit.yaml` says; without the file, defaults and the folder's name."""

    project: str
    folder: Path
    """The project's folder, absolute."""
    goals: Mapping[str, Goal] = field(default_factory=dict)
    document: Document | None = None

    def section(self, name: str, into: type[T]) -> T:
        """The section *name* as an *into*, or its defaults where the file has none. Raises `ConfigError`."""
        found = self.document.section(name, into) if self.document else None
        return into() if found is None else found


def find(start: Path, top: Path) -> Settings:
    """The settings of the project that holds *start*: the nearest `mlgit.yaml` from *start* up to *top*, else of *top*.

    Raises `ConfigError` where the file does not say what it should.
    """
    start, top = start.resolve(), top.resolve()
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return read(folder)
        if folder == top:
            break
    return Settings(project=name_of(top), folder=top)


def read(folder: Path) -> Settings:
    """The settings in *folder*'s `mlgit.yaml`. Raises `ConfigError`."""
    with (folder / FILE).open("rb") as file:  # never more of a giant than the reader would take
        return written(file.read(9 << 20), folder)


def written(content: bytes, folder: Path) -> Settings:
    """The settings that an `mlgit.yaml` of that *content* gives in *folder*. Raises `ConfigError`."""
    from mlgit.documents.reader import parse  # a folder without the file needs no reader

    document = parse(content, source=FILE)
    document.only(SECTIONS)
    project = document.section("project", str)
    return Settings(
        project=_checked(project, document) if project is not None else name_of(folder),
        folder=folder,
        goals=document.section("goals", dict[str, Goal]) or {},
        document=document,
    )


def _checked(project: str, document: Document) -> str:
    try:
        return refs.component(project, "project")
    except UsageError as exc:
        line = next(node.line for name, node in document.pairs() if name == "project")
        raise ConfigError(f"{document.source}:{line}: project: {exc.what}", why=exc.why, fix=exc.fix) from None


def name_of(folder: Path) -> str:
    """What the project in *folder* is called where no `mlgit.yaml` says it."""
    return re.sub(r"\.+", ".", refs.slug(folder.name)) or "project"
