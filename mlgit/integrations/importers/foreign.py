"""A run that another tool recorded, as far as its files tell: what every reader here returns, and `keep` takes."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlgit.core import refs
from mlgit.core.run import EMPTY, State
from mlgit.core.summary import Rule
from mlgit.errors import UsageError
from mlgit.store import live


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """Files that a run kept under a name: an artifact of it."""

    name: str
    type: str
    files: Mapping[str, Path]
    """Path inside the artifact → where its bytes lie."""
    is_folder: bool = True
    """Whether it is a folder, though it may hold one file only."""


@dataclass(frozen=True, kw_only=True)
class Foreign:
    """One run of another tool."""

    tool: str
    id: str
    """As the tool has it."""
    source: str
    """Where it was read, for a person."""
    created: float
    """Seconds since the epoch."""
    finished: float | None = None
    """Seconds since the epoch; None: at its last sign of life."""
    state: State = State.FINISHED
    error: str | None = None
    exit_code: int | None = None
    name: str | None = None
    project: str | None = None
    group: str | None = None
    job_type: str | None = None
    sweep: str | None = None
    parent: str | None = None
    notes: str | None = None
    tags: tuple[str, ...] = ()
    commit: str | None = None
    """The commit of its code, as the tool noted it."""
    params: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    rows: Iterable[Mapping[str, Any]] = ()
    """Its history, in the order of steps: names to values, `_step` and, where known, `_timestamp` and `_runtime` among
    them. Read once for a count and once for the branch."""
    summary: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    """What counts as its metrics beside the last values of its history."""
    rules: tuple[Rule, ...] = ()
    """How its metrics are summed up and drawn."""
    unlisted: tuple[str, ...] = ()
    """Names in its history whose last values are no metrics."""
    system: Iterable[Mapping[str, Any]] = ()
    """What its machine was doing: rows with a `_timestamp`."""
    output: bytes = b""
    media: Mapping[str, Path] = field(default_factory=dict)
    """Files that its history names, by their path below `media/`."""
    files: Mapping[str, Path] = field(default_factory=dict)
    """Its own files, by their path below `files/`."""
    bundles: tuple[Bundle, ...] = ()
    about: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    """What else `run.yaml` tells: command, machine, packages."""
    original: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    """What of it has no place of its own here; it stays in `run.yaml` under `imported`."""
    problems: tuple[str, ...] = ()
    """What could not be had of it."""
    is_readable: bool = True
    """Whether anything of it could be had."""

    @property
    def own_id(self) -> str:
        """Its id here: the same, or where that cannot be one, always the same one made of it."""
        return self.id if live.is_id(self.id) else digest(self.tool, self.id)


def readable(tool: str, id: str, source: Path, read: Callable[[], Foreign]) -> Foreign:
    """The run that *read* reads; where its files do not let it, a run with nothing but that problem."""
    try:
        return read()
    except (OSError, ValueError, RecursionError) as exc:
        return Foreign(tool=tool, id=id, source=str(source), created=0, problems=(f"it cannot be read: {exc}",),
                       is_readable=False)  # fmt: skip


def digest(*parts: str) -> str:
    """Eight characters of base 36 that stand for *parts*, always the same ones."""
    number = int.from_bytes(hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).digest()[:8], "big")
    letters = ""
    for _ in range(8):
        number, place = divmod(number, 36)
        letters += "0123456789abcdefghijklmnopqrstuvwxyz"[place]
    return letters


def fitting(name: str, *, fallback: str, limit: int = 100) -> str:
    """*name* as one component of a ref and a path: as it is where it can be one, else the nearest that can."""
    kept = "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "-" for char in name)
    for text in (name, kept.strip("-._")[:limit].rstrip("-."), refs.slug(name, limit)):
        with contextlib.suppress(UsageError):
            return refs.component(text, "name")
    return fallback
