"""Trials over the jobs of a CI matrix (pure): each trial in one job, no matrix larger than the forge takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any


@dataclass(frozen=True)
class Runner:
    """What a job says of the runner that it needs: its labels, the group that it is of, or both."""

    labels: tuple[str, ...] = ()
    group: str = ""

    def __str__(self) -> str:
        """For people: `gpu, large of group pool`."""
        named = ", ".join(self.labels)
        return " of ".join(filter(None, (named, self.group and f"group {self.group}")))

    @property
    def runs_on(self) -> list[str] | dict[str, Any]:
        """As a workflow's `runs-on` takes it."""
        labels = list(self.labels)
        if not self.group:
            return labels
        return {"group": self.group, "labels": labels} if labels else {"group": self.group}


@dataclass(frozen=True, kw_only=True)
class Job:
    """One job of a matrix: trials that one runner does, one after the other."""

    runs_on: Runner
    trials: tuple[int, ...]
    """Their numbers, ascending."""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """What one dispatch does."""

    jobs: tuple[Job, ...]
    later: tuple[int, ...] = ()
    """The trials that a further dispatch takes."""


def spread(trials: Mapping[int, Runner], *, most_jobs: int, most_trials: int) -> Spread:
    """*trials* (number → the runner it needs) over at most *most_jobs* jobs of at most *most_trials* trials each.

    As few trials a job as there is room for, so that what dies loses little; trials of one job need the same runner.
    Where even full jobs are too few, those of the lowest numbers come first. Raises `ValueError` for no jobs or trials.
    """
    if most_jobs < 1 or most_trials < 1:
        raise ValueError(f"{most_jobs} jobs of {most_trials} trials hold none")
    groups: dict[Runner, list[int]] = {}
    for number in sorted(trials):
        groups.setdefault(trials[number], []).append(number)
    each = next((n for n in range(1, most_trials) if _jobs(groups, n) <= most_jobs), most_trials)
    jobs = [Job(runs_on=runner, trials=part) for runner, group in groups.items() for part in _parts(group, each)]
    jobs.sort(key=lambda job: job.trials[0])
    later = sorted(number for job in jobs[most_jobs:] for number in job.trials)
    return Spread(jobs=tuple(jobs[:most_jobs]), later=tuple(later))


def _jobs(groups: Mapping[Runner, Sequence[int]], each: int) -> int:
    return sum(-(-len(group) // each) for group in groups.values())


def _parts(numbers: Sequence[int], each: int) -> list[tuple[int, ...]]:
    """*numbers* in as few parts as hold them at *each* a part, which differ by one at most."""
    count = -(-len(numbers) // each)
    size, more = divmod(len(numbers), count)
    cuts = [part * size + min(part, more) for part in range(count + 1)]
    return [tuple(numbers[begin:end]) for begin, end in pairwise(cuts)]
