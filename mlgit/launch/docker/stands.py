"""How a container is doing, in our words, by what docker tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mlgit.core.job import GONE, JobState, Standing
from mlgit.launch.docker.container import CANCELLED, MINUTES

_TIME_IS_OVER = (124, 137)
"""What `timeout` exits with: the command ended when it was asked to, or had to be killed."""
_TERMINATED = 143
_LATE = 1
"""Seconds after which docker may note that something has begun."""


def listed(one: Mapping[str, Any]) -> Standing | None:
    """How *one* of a listing stands; None where the listing does not tell."""
    if one["State"] in ("running", "paused", "restarting"):
        return Standing(state=JobState.RUNNING)
    return Standing(state=JobState.CANCELLED) if one["Names"][0].endswith(CANCELLED) else None


def inspected(one: Mapping[str, Any], about: Mapping[str, Any] | None) -> Standing:
    """The same of one that does not run, *about* being all that docker knows of it: None where it is gone."""
    if about is None:
        return GONE
    state, code = about["State"], about["State"]["ExitCode"]
    if one["State"] == "created":
        return Standing(state=JobState.FAILED if state["Error"] else JobState.QUEUED, why=state["Error"])
    if state["OOMKilled"]:
        limit = about["HostConfig"]["Memory"] / 2**30
        return Standing(state=JobState.FAILED, why=f"it was killed: out of memory, of which it had {limit:g} GB")
    if code == 0:
        return Standing(state=JobState.SUCCEEDED)
    minutes = one["Labels"].get(MINUTES)
    if minutes is not None and code in _TIME_IS_OVER and _seconds(state) > float(minutes) * 60 - _LATE:
        return Standing(state=JobState.TIMED_OUT)
    if code == _TERMINATED:  # and not by us
        return Standing(state=JobState.PREEMPTED)
    return Standing(state=JobState.FAILED, why=f"it exited with {code}")


def _seconds(state: Mapping[str, str]) -> float:
    begun, ended = (datetime.fromisoformat(state[name]) for name in ("StartedAt", "FinishedAt"))
    return (ended - begun).total_seconds()
