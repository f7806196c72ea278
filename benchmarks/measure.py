"""Whole processes, by the operating system's own accounting; medians, because machines are noisy."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Cost:
    """Medians over several runs of a process, in milliseconds: CPU is user + system, its children's included."""

    cpu: float
    wall: float


def process(
    words: Sequence[str], *, runs: int = 9, folder: Path | None = None, env: Mapping[str, str] | None = None
) -> Cost:
    """What a process costs, after one run that is not counted. Raises if it fails."""
    cpu: list[float] = []
    wall: list[float] = []
    for number in range(runs + 1):
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(words, cwd=folder, env={**os.environ, **(env or {})}, check=True, capture_output=True)
        after, ended = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        if number:
            cpu.append((after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e3)
            wall.append((ended - began) * 1e3)
    return Cost(statistics.median(cpu), statistics.median(wall))


def python(code: str, **kwargs: object) -> Cost:
    """What a Python program costs, in this environment."""
    return process((sys.executable, "-c", code), **kwargs)


@dataclass(frozen=True)
class Line:
    """One figure beside its bar; *holds* is None where there is no bar."""

    what: str
    seen: str
    bar: str
    holds: bool | None

    def __str__(self) -> str:
        mark = {True: "holds", False: "FALLS SHORT", None: ""}[self.holds]
        return f"{self.what:<64}{self.seen:>14}  {self.bar:<22}{mark}"


def _short(seen: float) -> str:
    """*seen* in three digits; whole, where it has more of them."""
    return f"{seen:,.0f}" if abs(seen) >= 1000 else f"{seen:.3g}"


def at_most(what: str, seen: float, most: float, unit: str) -> Line:
    """A figure that should not be above *most*."""
    return Line(what, f"{_short(seen)} {unit}", f"at most {most:,g} {unit}", seen <= most)


def at_least(what: str, seen: float, least: float, unit: str) -> Line:
    """A figure that should not be below *least*."""
    return Line(what, f"{seen:,.0f} {unit}", f"at least {least:,.0f} {unit}", seen >= least)


def times_faster(what: str, ours: float, theirs: float, least: float) -> Line:
    """A ratio that should not be below *least*."""
    ratio = theirs / ours
    return Line(what, f"{ratio:.1f} ×", f"at least {least:g} ×", ratio >= least)


def figure(what: str, seen: float, unit: str) -> Line:
    """A figure without a bar, to compare with."""
    return Line(what, f"{seen:.4g} {unit}", "", None)


def not_measured(what: str) -> Line:
    """A bar whose peer could not be had."""
    return Line(what, "", "not measured", None)
