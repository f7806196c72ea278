"""The chart and the table of docs/scale.md: what a thousand to a million runs cost.

python -m benchmarks.growth docs
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import scale

CURVES = {
    "cold": "cold index", "git": "git cat-file of the same commits", "ls": "mlgit ls, whole process",
    "group": "count and mean by group", "top": "top 20 by a metric with a filter", "unchanged": "nothing has changed",
}  # fmt: skip
_ROWS = {
    "build": "making the repository, s", "cold": "cold index, s",
    "git": "– git cat-file --batch of the same commits, s",
    "archived": "cold index where all are archived, by their shards, s", "keeping": "– making the shards, once, s",
    "pull": "– mlgit pull of them into a fresh clone, s", "answer": "– its first mlgit ls, s",
    "first": "top 20 by a metric with a filter, the first time, ms", "top": "– again, ms",
    "group": "count, mean and more by group, ms", "find": "a run by its branch, ms", "newest": "the newest 20, ms",
    "unchanged": "a look at an index that is up to date, ms", "ls": "`mlgit ls`, whole process, ms",
    "refreshed": "– after 100 branches were edited, ms",
    "memory": "memory of a process that asks, MB", "making": "– of the one that makes the index, MB",
    "packed": "bytes a run in git, packed", "disk": "bytes a run in the index",
}  # fmt: skip
_SECONDS = ("build", "cold", "git", "archived", "keeping", "pull", "answer")


def main(folder: Path) -> None:
    """Measure each size, and write `growth.svg` and the table into *folder*."""
    found: dict[int, Mapping[str, float]] = {}
    for count in scale.SIZES:
        with tempfile.TemporaryDirectory() as scratch:
            found[count] = scale.measured(Path(scratch) / "repo", count)
        print(count, dict(found[count]), flush=True)
    draw(found, folder / "growth.svg")
    print(table(found))
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} at the end")


def table(found: Mapping[int, Mapping[str, float]]) -> str:
    """The figures as Markdown."""
    rows = [["", *(f"{count:,}" for count in found)], ["---", *["---:"] * len(found)]]
    for key, name in _ROWS.items():
        rows.append([name, *(_cell(key, count, told) for count, told in found.items())])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(key: str, count: int, told: Mapping[str, float]) -> str:
    value = told[key] / (1e3 if key in _SECONDS else count if key == "disk" else 1)
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def draw(found: Mapping[int, Mapping[str, float]], path: Path) -> None:
    """Milliseconds over runs, both logarithmic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    counts: Sequence[int] = list(found)
    for key, name in CURVES.items():
        axes.plot(counts, [told[key] for told in found.values()], marker="o", label=name)
    axes.set(xscale="log", yscale="log", xlabel="runs", ylabel="milliseconds")
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend(frameon=False, fontsize="small")
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
