"""What a commit asks CI for, by its trailers (pure): runs with params of their own, or one sweep.

    Mlgit-Run: lr=0.1 epochs=20
    Mlgit-Sweep: sweeps/lr.yaml
    Mlgit-Project: digits

What a trailer says is text, and never becomes part of a script.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from mlgit.core.asking import RUN, SWEEP
from mlgit.errors import ConfigError

PROJECT = "Mlgit-Project"
AS_IT_IS = "yes"
"""What an Mlgit-Run says that has no params of its own."""
MOST_RUNS = 256
"""Runs that one commit may ask for."""


@dataclass(frozen=True, kw_only=True)
class Trailer:
    """A line at the end of a commit's message."""

    key: str
    value: str
    line: int = 0
    """Where it stands in the message, from 1."""
    is_apart: bool = False
    """Whether a blank stands before its colon: for git it is a trailer all the same."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked for."""

    runs: tuple[tuple[str, ...], ...] = ()
    """One for each run: its params, as words NAME=VALUE; none of them where it is to run as the code says."""
    sweep: str | None = None
    """The sweep's file, as a path from the project's folder."""
    project: str | None = None
    """Of whom, where a repository holds several projects; None: of each."""
    anew: str = ""
    """What tells this time from others: its runs are none that were made of the commit before."""

    def __bool__(self) -> bool:
        return bool(self.runs or self.sweep)

    def trailers(self) -> list[str]:
        """The lines that ask for it."""
        lines = [f"{RUN}: {shlex.join(words) or AS_IT_IS}" for words in self.runs]
        lines += [f"{SWEEP}: {self.sweep}"] if self.sweep else []
        return [*lines, *([f"{PROJECT}: {self.project}"] if lines and self.project else [])]


def read(trailers: Iterable[Trailer], *, source: str) -> Request:
    """What *trailers* ask for, others among them. Raises `ConfigError`, with the line, for what cannot be done."""
    runs: list[tuple[str, ...]] = []
    sweeps: list[Trailer] = []
    project = None
    for one in trailers:
        where = f"{source}:{one.line}: {one.key}"
        if one.is_apart and one.key.lower() in (RUN.lower(), SWEEP.lower()):
            what = f"{where}: a blank stands before the colon, so GitHub, which looks for {one.key}:, starts nothing."
            raise ConfigError(what, fix=f"write it as {one.key}: {one.value}")
        if one.key.lower() == RUN.lower():
            runs.append(words(one.value, source=where))
        elif one.key.lower() == SWEEP.lower():
            if not one.value:
                raise ConfigError(f"{where}: it names no file.", fix=f"{SWEEP}: sweeps/lr.yaml")
            sweeps.append(one)
        elif one.key.lower() == PROJECT.lower():
            project = one.value or None
    if len(sweeps) + bool(runs) > 1:
        others = " and ".join([*([f"runs ({RUN})"] if runs else []), *(one.value for one in sweeps)])
        raise ConfigError(
            f"{source}:{sweeps[-1].line}: {sweeps[-1].key}: the commit asks for {others}.", fix="one sweep, or runs"
        )
    if len(runs) > MOST_RUNS:
        raise ConfigError(f"{source}: {RUN}: it asks for {len(runs)} runs; {MOST_RUNS} are the most.", fix="a sweep")
    return Request(runs=tuple(runs), sweep=sweeps[0].value if sweeps else None, project=project)


def words(text: str, *, source: str) -> tuple[str, ...]:
    """The params in the *text* of an Mlgit-Run, as words NAME=VALUE; quotes are the shell's, and nothing else is.

    `yes` alone asks for a run without any. Raises `ConfigError`.
    """
    if text.strip() in ("", AS_IT_IS):
        return ()
    try:
        found = shlex.split(text)
    except ValueError as exc:
        what = f"{source}: {text[:80]!r} cannot be read: {str(exc).lower()}."
        raise ConfigError(what, fix="close the quotes") from None
    for word in found:
        name, equals, _ = word.partition("=")
        if not equals or not name or name != name.strip():
            raise ConfigError(
                f"{source}: {word[:80]!r} gives no value.", fix="write it as NAME=VALUE: lr=0.1 epochs=20"
            )
        if not word.isprintable():
            what = f"{source}: {word[:80]!r} holds what stands on no line of a message."
            raise ConfigError(what, fix="put it into the params file")
    return tuple(found)
