"""How a job stands, by what the API server tells of its Job and its pods."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mlgit.core.job import JobState, Standing
from mlgit.launch.kubernetes.manifest import CANCELLED, INDEX

_BEGINS = ("ContainerCreating", "PodInitializing")
"""Why a container waits that will begin."""
_TAKEN = ("Evicted", "Preempting", "Preempted", "NodeShutdown", "Shutdown", "Terminated", "NodeLost", "NodeAffinity")
"""Why a pod failed that was ended for others or with its node; newer clusters say it by a condition, too."""
_ALL_OF_IT = Standing(state=JobState.CANCELLED)


def tasks(job: Any) -> int:
    """How many tasks the Job has, as an array; 0 where it is none."""
    return int(job.spec.completions) if job.spec.completion_mode == "Indexed" else 0


def index(pod: Any) -> int | None:
    """Which task of an array the pod is."""
    told = (pod.metadata.annotations or {}).get(INDEX)
    return None if told is None else int(told)


def is_over(job: Any) -> bool:
    """Whether the Job has no pods any more, or is to have none."""
    return _is_halted(job) or not _conditions(job).keys().isdisjoint(("Complete", "Failed"))


def standings(job: Any, pods: Sequence[Any], refusal: str = "") -> list[Standing]:
    """How each task of *job* stands, or the only one.

    *pods* are those of the Job, each after those before it; *refusal* is why it has none.
    """
    count = tasks(job)
    if not count:
        return [_whole(job, pods, refusal)]
    last = {index(pod): pod for pod in pods}
    done, failed = _numbers(job.status.completed_indexes), _numbers(job.status.failed_indexes)
    return [
        _task(job, last.get(one), one, is_done=one in done, is_failed=one in failed, refusal=refusal)
        for one in range(count)
    ]


def _whole(job: Any, pods: Sequence[Any], refusal: str) -> Standing:
    met = _conditions(job)
    last = pods[-1] if pods else None
    if "Complete" in met:
        return Standing(state=JobState.SUCCEEDED)
    if "Failed" in met:
        return _failed(last, met["Failed"])
    if _is_halted(job):
        return _suspended(job, is_going=any(pod.status.phase == "Running" for pod in pods))
    return _under_way(last, refusal)


def _task(job: Any, pod: Any, number: int, *, is_done: bool, is_failed: bool, refusal: str) -> Standing:
    """How one task stands whose last pod is *pod*, by what the Job has counted."""
    if is_done:
        return Standing(state=JobState.SUCCEEDED)
    if f"{CANCELLED}.{number}" in (job.metadata.annotations or {}) and (is_failed or pod is None):
        return _ALL_OF_IT
    verdict = _conditions(job).get("Failed")
    if is_failed or verdict is not None:
        return _failed(pod, verdict)
    if _is_halted(job):
        return _suspended(job, is_going=pod is not None and pod.status.phase == "Running")
    return _under_way(pod, refusal)


def _conditions(thing: Any) -> dict[str, Any]:
    """The conditions that *thing* meets, by their type."""
    told: Iterable[Any] = (thing.status.conditions if thing.status else None) or ()
    return {one.type: one for one in told if one.status == "True"}


def _numbers(ranges: str | None) -> set[int]:
    """The numbers of `1,3-5`."""
    found: set[int] = set()
    for part in (ranges or "").split(","):
        first, _, last = part.partition("-")
        if first:
            found.update(range(int(first), int(last or first) + 1))
    return found


def _is_halted(job: Any) -> bool:
    return bool(job.spec.suspend) or (CANCELLED in (job.metadata.annotations or {}) and job.spec.parallelism == 0)


def _suspended(job: Any, *, is_going: bool) -> Standing:
    if CANCELLED not in (job.metadata.annotations or {}):
        return Standing(state=JobState.QUEUED, why="it is suspended")
    return Standing(state=JobState.RUNNING, why="it is being cancelled") if is_going else _ALL_OF_IT


def _under_way(pod: Any, refusal: str) -> Standing:
    if pod is None:
        return Standing(state=JobState.QUEUED, why=refusal)
    if _is_taken(pod):
        return Standing(state=JobState.QUEUED, why="it was preempted, and begins again")
    if pod.status.phase != "Pending":
        return Standing(state=JobState.RUNNING)
    for one in pod.status.conditions or ():
        if one.type == "PodScheduled" and one.status == "False":
            return Standing(state=JobState.QUEUED, why=_said(one.reason, one.message))
    waits = [one.state.waiting for one in pod.status.container_statuses or () if one.state and one.state.waiting]
    why = [_said(one.reason, one.message) for one in waits if one.reason not in _BEGINS]
    return Standing(state=JobState.STARTING, why=why[0] if why else "")


def _failed(pod: Any, verdict: Any) -> Standing:
    """How what failed did, by its last *pod*, as far as it is there, and by what the Job says."""
    said = verdict.message or verdict.reason or "" if verdict is not None else ""
    if verdict is not None and verdict.reason == "DeadlineExceeded":
        return Standing(state=JobState.TIMED_OUT)
    if pod is None or pod.status.phase != "Failed":  # a pod that was ended for others does not stay
        is_taken = verdict is not None and verdict.reason == "PodFailurePolicy" and "DisruptionTarget" in said
        return Standing(state=JobState.PREEMPTED if is_taken else JobState.FAILED, why=said)
    if pod.status.reason == "DeadlineExceeded":
        return Standing(state=JobState.TIMED_OUT)
    if _is_taken(pod):
        target = _conditions(pod).get("DisruptionTarget")
        why = pod.status.message or (target.message if target is not None else "") or ""
        return Standing(state=JobState.PREEMPTED, why=why)
    ended = [one.state.terminated for one in pod.status.container_statuses or () if one.state and one.state.terminated]
    if not ended:
        return Standing(state=JobState.FAILED, why=_said(pod.status.reason, pod.status.message) or said)
    (one, *_) = ended
    if one.reason == "OOMKilled":
        limits = (pod.spec.containers[0].resources.limits if pod.spec.containers[0].resources else None) or {}
        limit = f", of which it had {limits['memory']}" if "memory" in limits else ""
        return Standing(state=JobState.FAILED, why=f"it was killed: out of memory{limit}")
    if one.reason in ("StartError", "ContainerCannotRun"):
        return Standing(state=JobState.FAILED, why=_said(one.reason, one.message))
    return Standing(state=JobState.FAILED, why=f"it exited with {one.exit_code}")


def _is_taken(pod: Any) -> bool:
    return "DisruptionTarget" in _conditions(pod) or (pod.status.phase == "Failed" and pod.status.reason in _TAKEN)


def _said(reason: str | None, message: str | None) -> str:
    return ": ".join(filter(None, (reason, message)))
