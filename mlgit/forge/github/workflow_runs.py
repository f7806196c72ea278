"""What GitHub tells of the runs of a workflow, of their jobs and logs, in our words (pure).

Whatever it tells (titles, branches, names of runners, logs) was written by somebody else: it is escaped where it is
shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mlgit.core.job import JobState, Standing

_STAMP = re.compile(r"^\ufeff?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?Z ?")

_MARK = re.compile(r"##\[([\w-]+)(?: [^\]]*)?\]")
_SILENT = ("endgroup", "add-matcher", "remove-matcher")
_MARKS = {"group": "▸ ", "error": "error: ", "warning": "warning: ", "notice": "notice: ", "command": "$ "}
"""What a runner writes before lines that its page shows otherwise, and what a person reads in its place."""

# https://docs.github.com/rest/actions/workflow-runs: a run's status and conclusion; a job's and a step's are among them
_UNDER_WAY = {"in_progress": JobState.RUNNING}
_ENDS = {
    "success": JobState.SUCCEEDED, "neutral": JobState.SUCCEEDED, "failure": JobState.FAILED,
    "startup_failure": JobState.FAILED, "cancelled": JobState.CANCELLED, "skipped": JobState.CANCELLED,
    "timed_out": JobState.TIMED_OUT, "stale": JobState.LOST,
}  # fmt: skip
_REASONS = {
    "startup_failure": "GitHub could not start the workflow", "stale": "GitHub has given it up",
    "action_required": "somebody has to approve it on GitHub", "waiting": "somebody has to approve it on GitHub",
    "pending": "another one is under way, beside which it may not run",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Span:
    """Something that has a state, a beginning and an end: a run, a job of it, a step of that."""

    state: JobState
    why: str = ""
    is_skipped: bool = False
    """Whether it had nothing to do."""
    started: float | None = None
    """Seconds since the epoch; None as long as it has not."""
    ended: float | None = None
    url: str = ""

    def seconds(self, now: float) -> float | None:
        """How long it took, or takes by *now*."""
        if self.started is None:
            return None
        return max(0.0, (now if self.ended is None else self.ended) - self.started)


@dataclass(frozen=True, kw_only=True)
class Step(Span):
    """A step of a job."""

    name: str


@dataclass(frozen=True, kw_only=True)
class Job(Span):
    """A job of a run."""

    id: int
    name: str
    runner: str = ""
    """What it runs on; nothing as long as it waits for one."""
    labels: tuple[str, ...] = ()
    """What it asks for by `runs-on`; empty where that names a group alone."""
    created: float = 0.0
    steps: tuple[Step, ...] = ()

    def step(self, name: str) -> Step | None:
        """Its step of that *name*."""
        return next((one for one in self.steps if one.name == name), None)


@dataclass(frozen=True, kw_only=True)
class WorkflowRun(Span):
    """A run of a workflow: what GitHub does because of a push, a dispatch, …"""

    id: int
    workflow: str
    """Its file: `mlgit-experiment.yml`."""
    title: str
    event: str
    branch: str
    commit: str
    """The head of the branch as it began; which commit a dispatch is about, its title says."""
    attempt: int = 1
    created: float


def run(told: Mapping[str, Any]) -> WorkflowRun:
    """A run of a workflow."""
    stands = standing(told)
    return WorkflowRun(
        id=told["id"], workflow=told["path"].partition("@")[0].rpartition("/")[2],
        title=told.get("display_title") or told.get("name") or "", event=told["event"],
        branch=told["head_branch"] or "", commit=told["head_sha"], attempt=told.get("run_attempt", 1),
        created=_seconds(told["created_at"]) or 0.0, state=stands.state, why=stands.why,
        is_skipped=told["conclusion"] == "skipped",
        started=_seconds(told.get("run_started_at") or told["created_at"]),
        ended=_seconds(told["updated_at"]) if stands.state.ended else None, url=told["html_url"],
    )  # fmt: skip


def job(told: Mapping[str, Any]) -> Job:
    """A job of a run. What waits for its runner has not begun, whatever GitHub says."""
    waits = told["status"] not in ("in_progress", "completed")
    return Job(
        **_span(told) | ({"started": None} if waits else {}), id=told["id"], name=told["name"],
        runner=told.get("runner_name") or "", url=told.get("html_url") or "",
        labels=tuple(told.get("labels") or ()), created=_seconds(told.get("created_at")) or 0.0,
        steps=tuple(Step(**_span(one), name=one["name"]) for one in told.get("steps") or ()),
    )  # fmt: skip


def standing(told: Mapping[str, Any]) -> Standing:
    """How a run, a job or a step stands."""
    ended = told["conclusion"]
    if told["status"] != "completed" or ended == "action_required":
        why = _REASONS.get(ended or told["status"], "")
        return Standing(state=_UNDER_WAY.get(told["status"], JobState.QUEUED), why=why)
    return Standing(state=_ENDS.get(ended, JobState.FAILED), why=_REASONS.get(ended, ""))


def lines(log: str) -> list[str]:
    """The lines of a job's *log*, without the times that GitHub puts before each."""
    return [_STAMP.sub("", line) for line in _split(log)]


def timed(log: str) -> Iterator[tuple[float | None, str]]:
    """The lines of a job's *log*, each with when it was printed, to the second; None where that is not told."""
    for line in _split(log):
        found = _STAMP.match(line)
        yield (_seconds(f"{found[1]}Z"), line[found.end() :]) if found else (None, line)


def read(line: str) -> str | None:
    """A *line* of a log as a person reads it: without the runner's marks; None for one that is nothing else."""
    found = _MARK.match(line)
    if not found:
        return line
    return None if found[1] in _SILENT else f"{_MARKS.get(found[1], '')}{line[found.end() :]}"


def of_steps(log: str, steps: Sequence[Step]) -> list[str]:
    """The lines of a job's *log* that were printed while one of *steps* was under way, by GitHub's own clock."""
    spans = [(one.started, one.ended + 1) for one in steps if one.started is not None and one.ended is not None]
    found, is_in = [], False
    for when, line in timed(log):
        if when is not None:  # a line without a time goes on with the one before
            is_in = any(begin <= when < end for begin, end in spans)
        if is_in:
            found.append(line)
    return found


def _split(log: str) -> list[str]:
    return [line.removesuffix("\r") for line in log.removesuffix("\n").split("\n")] if log else []


def _span(told: Mapping[str, Any]) -> dict[str, Any]:
    stands = standing(told)
    return {
        "state": stands.state, "why": stands.why, "is_skipped": told["conclusion"] == "skipped",
        "started": _seconds(told.get("started_at")), "ended": _seconds(told.get("completed_at")),
    }  # fmt: skip


def _seconds(moment: str | None) -> float | None:
    return datetime.fromisoformat(moment).timestamp() if moment else None
