"""What a commit asks CI for, by its trailers (pure): runs with params of their own, or one sweep.

    Mlgit-Run: lr=0.1 epochs=20
    Mlgit-Sweep: sweeps/lr.yaml

What a trailer says is text, and never becomes part of a script.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from mlgit.errors import UsageError

RUN, SWEEP = "Mlgit-Run", "Mlgit-Sweep"
MOST_RUNS = 256
"""Runs that one commit may ask for."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked for."""

    runs: tuple[tuple[str, ...], ...] = ()
    """One for each run: its params, as words NAME=VALUE; none of them where it is to run as the code says."""
    sweep: str | None = None
    """The sweep's file, as a path from the project's folder."""

    def __bool__(self) -> bool:
        return bool(self.runs or self.sweep)

    def trailers(self) -> list[str]:
        """The lines that ask for it."""
        lines = [f"{RUN}: {shlex.join(words) or 'yes'}" for words in self.runs]
        return [*lines, *([f"{SWEEP}: {self.sweep}"] if self.sweep else [])]


def read(trailers: Iterable[str]) -> Request:
    """What the lines *trailers* of a commit ask for, others among them. Raises `UsageError` for what cannot be done."""
    runs: list[tuple[str, ...]] = []
    sweeps: list[str] = []
    for line in trailers:
        key, colon, value = line.partition(":")
        if colon and key.strip().lower() == RUN.lower():
            runs.append(words(value.strip()))
        elif colon and key.strip().lower() == SWEEP.lower():
            sweeps.append(value.strip())
    if len(sweeps) + bool(runs) > 1:
        raise UsageError(
            f"One commit asks for {' and '.join([*([RUN] if runs else []), *sweeps])}.",
            fix="one sweep a commit, or runs",
        )
    if len(runs) > MOST_RUNS:
        raise UsageError(f"One commit asks for {len(runs)} runs; {MOST_RUNS} are the most.", fix="a sweep")
    if sweeps and not sweeps[0]:
        raise UsageError(f"{SWEEP} names no file.", fix=f"{SWEEP}: sweeps/lr.yaml")
    return Request(runs=tuple(runs), sweep=sweeps[0] if sweeps else None)


def words(text: str) -> tuple[str, ...]:
    """The params in the *text* of an Mlgit-Run, as words NAME=VALUE; quotes are the shell's, and nothing else is.

    `yes` alone asks for a run without any. Raises `UsageError`.
    """
    if text in ("", "yes"):
        return ()
    try:
        found = shlex.split(text)
    except ValueError as exc:
        raise UsageError(f"{RUN}: {text[:80]} cannot be read: {str(exc).lower()}.", fix="close the quotes") from None
    for word in found:
        name, equals, _ = word.partition("=")
        if not equals or not name or name != name.strip():
            raise UsageError(
                f"{RUN}: {word[:80]!r} gives no value.", fix=f"write it as NAME=VALUE: {RUN}: lr=0.1 epochs=20"
            )
    return tuple(found)
