"""What two sides made, and what that took: artifacts with their sizes, machine time, GPU hours (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlgit.core import figures
from mlgit.core.artifact import ArtifactVersion
from mlgit.core.run import Run


@dataclass(frozen=True, kw_only=True)
class Made:
    """An artifact, by its name, as either side logged it; None where it did not."""

    name: str
    type: str
    base: ArtifactVersion | None
    head: ArtifactVersion | None

    @property
    def is_same(self) -> bool:
        """Whether both sides made the same content."""
        return self.base is not None and self.head is not None and self.base.hash == self.head.hash

    @property
    def delta(self) -> int | None:
        """How many bytes more head's has; None where one side has none."""
        return self.head.size - self.base.size if self.base and self.head else None


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What runs took."""

    runs: int
    seconds: float
    """Of all of them together, for which a machine was theirs."""
    gpus: Sequence[str] = ()
    """Those of one run, by their models."""

    @property
    def told(self) -> str:
        """`3m 20s, 0.06 GPU hours (1 × NVIDIA A100)`."""
        time = figures.duration(self.seconds)
        if not self.gpus:
            return time
        models = ", ".join(f"{self.gpus.count(model)} × {model}" for model in dict.fromkeys(self.gpus))
        return f"{time}, {figures.number(self.seconds * len(self.gpus) / 3600)} GPU hours ({models})"


def artifacts(base: Run | None, head: Run) -> tuple[Made, ...]:
    """What either side logged, the last of each name; those that differ first, then by name."""
    ours, theirs = _by_name(head), _by_name(base) if base else {}
    found = [
        Made(name=name, type=(ours.get(name) or theirs[name]).type, base=theirs.get(name), head=ours.get(name))
        for name in sorted(ours.keys() | theirs.keys())
    ]
    return tuple(sorted(found, key=lambda made: made.is_same))


def _by_name(run: Run) -> dict[str, ArtifactVersion]:
    """The artifacts of *run*; the id in a name that bears its run's (`run-k3f9a2-table`) is `*`."""
    return {one.name.replace(run.id, "*"): one for one in run.logged if not one.deleted}


def cost(runs: Sequence[Run], gpus: Sequence[str]) -> Cost | None:
    """What *runs*, each with *gpus*, took so far; None where no time is known."""
    times = [run.duration for run in runs if run.duration is not None]
    return Cost(runs=len(times), seconds=sum(times), gpus=gpus) if times else None
