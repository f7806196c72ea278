"""`make bench`: every bar, its figure, and whether it holds. Name sections to run only those."""

from __future__ import annotations

import os
import platform
import sys

from benchmarks import (
    ci,
    data,
    data_remote,
    halving,
    hot_path,
    launch,
    lineage,
    long_run,
    loop,
    many_runs,
    overhead,
    quality,
    registry,
    report,
    scale,
    sharing,
    start,
    suggest,
    sweep,
    whole_run,
)

SECTIONS = {
    "start": start,
    "hot_path": hot_path,
    "loop": loop,
    "long_run": long_run,
    "whole_run": whole_run,
    "many_runs": many_runs,
    "overhead": overhead,
    "sharing": sharing,
    "scale": scale,
    "data": data,
    "data_remote": data_remote,
    "lineage": lineage,
    "registry": registry,
    "launch": launch,
    "report": report,
    "suggest": suggest,
    "sweep": sweep,
    "halving": halving,
    "ci": ci,
}
APART = {"search": quality}
"""Run where they are named alone."""


def main() -> int:
    """Print the figures; 1 where one falls short."""
    os.environ["MLGIT_SILENT"] = "1"
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # a user's second start finds compiled modules
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    short, known = 0, {**SECTIONS, **APART}
    if unknown := set(sys.argv[1:]) - known.keys():
        sys.exit(f"There is no section {', '.join(sorted(unknown))}; there are {', '.join(known)}.")
    for name in sys.argv[1:] or SECTIONS:
        section = known[name]
        print(f"\n{(section.__doc__ or name).splitlines()[0]}")
        for line in section.lines():
            print(line, flush=True)
            short += line.holds is False
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
