"""Launch on a Kubernetes cluster, by its own client: a Job each, an indexed one for an array.

All that is known of a job stands in the cluster, for as long as its Job does: which it is in labels, what became of it
in the Job's state. One that was cancelled is a Job that is suspended and says so, for a deleted one would be forgotten.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlgit.core.job import GONE, JobSpec, Standing, checked, known_as, member, parted, secrets_in, together
from mlgit.documents import writer
from mlgit.errors import MlgitError, NotFoundError, UsageError
from mlgit.launch import following
from mlgit.launch.kubernetes import manifest, stands
from mlgit.launch.kubernetes.cluster import Cluster, asked, said
from mlgit.launch.kubernetes.manifest import CANCELLED, JOB, OURS, Settings

__all__ = ["Settings", "cancel", "forget", "logs", "render", "status", "submit"]

_LOOK = 0.5
"""Seconds between two looks at a job that has not come as far as is waited for."""


def render(spec: JobSpec, settings: Settings) -> str:
    """The Job as YAML, and what is made to go with it; of secrets, the names. Raises `UsageError`."""
    name = known_as(checked(spec), "x" * 16)
    asked_for = (manifest.job(spec, settings, name), *_with_it(spec, settings, name, None))
    return "---\n".join(map(writer.dump, asked_for))


def submit(spec: JobSpec, settings: Settings) -> str:
    """Make the Job of *spec*; its name.

    Raises `UsageError`, `NotFoundError` without a cluster's address, `SilentError`, `MlgitError`.
    """
    name = known_as(checked(spec), os.urandom(8).hex())
    own = JobSpec(name=spec.name, secrets=tuple(one for one in spec.secrets if one not in settings.secrets))
    values = secrets_in(own, os.environ)
    job, others = manifest.job(spec, settings, name), _with_it(spec, settings, name, values)
    what = f"Kubernetes does not take the job {spec.name!r}."
    with asked(settings, what) as cluster:
        if spec.array:
            _check_array(cluster, job, what)
        made, is_new = _made(cluster, job)
        with _undone(cluster, name) if is_new else contextlib.nullcontext():
            for one in others:
                _make_owned(cluster, one, made)
    return name


def status(ids: Sequence[str], settings: Settings) -> dict[str, Standing]:
    """How each of *ids* stands, by one question after their Jobs and one after their pods.

    Where a Job has no pods, a third one asks why; who may not know that is not told it.
    Raises `NotFoundError` without a cluster's address, `SilentError`, `MlgitError`.
    """
    with asked(settings, "Kubernetes does not tell how its jobs stand.") as cluster:
        return _standings(cluster, ids)


def logs(name: str, settings: Settings, *, follow: bool = False) -> Iterator[str]:
    """The lines that the job printed, an array's task after task; with *follow*, until it has ended.

    What was begun again is told from its first begin on, as far as the cluster still has it.
    Raises `NotFoundError`, `SilentError`, `MlgitError`.
    """
    with asked(settings, f"Kubernetes does not show the lines of {name}.") as cluster:
        job, number = parted(name)
        found = cluster.find_jobs([job]).get(job)
        if found is None:
            why = f"it was removed, or runs elsewhere than in the namespace {cluster.namespace}"
            raise NotFoundError(f"There is no job {name} in Kubernetes.", why=why)
        numbers = range(stands.tasks(found)) if number is None else (number,)
        for one in [member(job, n) for n in numbers] or [job]:
            yield from _lines(cluster, one, follow=follow)


def cancel(ids: Sequence[str], settings: Settings) -> None:
    """End those of *ids* that have not ended. Returns at once.

    Raises `UsageError` for one task of an array that would be begun again, `SilentError`, `MlgitError`.
    """
    with asked(settings, "Kubernetes does not end its jobs.") as cluster:
        for name in (name for name, one in _standings(cluster, ids).items() if not one.state.ended):
            job, number = parted(name)
            if number is None:
                change = {"metadata": {"annotations": {CANCELLED: ""}}, "spec": manifest.HALTED}
                cluster.ask(cluster.jobs.patch_namespaced_job, job, body=change)
            else:
                _cancel_task(cluster, job, number)


def forget(ids: Sequence[str], settings: Settings) -> None:
    """Delete the Jobs of those of *ids* that have ended, with their pods. Raises `SilentError`, `MlgitError`."""
    with asked(settings, "Kubernetes does not delete its jobs.") as cluster:
        for name, one in _standings(cluster, ids).items():
            if one.state.ended and one != GONE:
                cluster.ask(cluster.jobs.delete_namespaced_job, name, propagation_policy="Background")


def _standings(cluster: Cluster, ids: Sequence[str]) -> dict[str, Standing]:
    wanted = sorted({parted(name)[0] for name in ids})
    jobs = cluster.find_jobs(wanted)
    pods = cluster.find_pods(list(jobs)) if jobs else {}
    lacks_pods = any(not pods[name] and not stands.is_over(job) for name, job in jobs.items())
    why = cluster.find_refusals() if lacks_pods else {}
    parts = {name: stands.standings(job, pods[name], why.get(job.metadata.uid, "")) for name, job in jobs.items()}
    found = {}
    for name in ids:
        job, number = parted(name)
        own = parts.get(job, [GONE])
        if number is None:
            found[name] = together(own)
        else:
            found[name] = own[number] if job in jobs and number < stands.tasks(jobs[job]) else GONE
    return found


def _with_it(spec: JobSpec, settings: Settings, name: str, values: Mapping[str, str] | None) -> list[dict[str, Any]]:
    """What goes with the Job *name*: of secrets the *values*, or the names alone."""
    found = (manifest.tasks(spec, settings, name), manifest.secret(spec, settings, name, values))
    return [one for one in found if one is not None]


def _made(cluster: Cluster, job: Mapping[str, Any]) -> tuple[Any, bool]:
    """The Job as the cluster has it, and whether it is new. Raises `MlgitError` for another's of that name."""
    from kubernetes.client import ApiException

    try:
        return cluster.ask(cluster.jobs.create_namespaced_job, body=job), True
    except ApiException as exc:
        if exc.status != 409:
            raise
    name = job["metadata"]["name"]
    found = cluster.ask(cluster.jobs.read_namespaced_job, name)
    labels = found.metadata.labels or {}
    if any(labels.get(key) != value for key, value in {**OURS, JOB: name}.items()):
        why = f"there is a Job {name} in the namespace {cluster.namespace} that is not of mlgit's making"
        raise MlgitError("Kubernetes has the job's name for another.", why=why, fix="remove it, or choose another key")
    return found, False


def _check_array(cluster: Cluster, job: Mapping[str, Any], what: str) -> None:
    """Raises `MlgitError` where the cluster would make something else of an array: it leaves out what it does not know.

    It is asked what it would make, and makes nothing: its controller is quicker than who would take it back.
    """
    from kubernetes.client import ApiException

    try:
        would = cluster.ask(cluster.jobs.create_namespaced_job, body=job, dry_run="All")
        lost = manifest.left_out(job, cluster.plain(would))
    except ApiException as exc:
        if exc.status == 409:  # it is there
            return
        if exc.status != 422 or "FailIndex" not in said(exc):
            raise
        lost = ["FailIndex"]  # of 1.26 to 1.28: they have pod failure policies, but not this one
    if lost:
        why = f"the cluster is {cluster.ask_version()}, and knows no {', '.join(lost)} in a Job; arrays need 1.29"
        fix = "submit the tasks as jobs of their own, or to a newer cluster"
        raise MlgitError(what, why=why, fix=fix)


def _make_owned(cluster: Cluster, thing: Mapping[str, Any], job: Any) -> None:
    """Make *thing*, which goes with *job*, if it is not there."""
    from kubernetes.client import ApiException

    verbs = {"ConfigMap": cluster.core.create_namespaced_config_map, "Secret": cluster.core.create_namespaced_secret}
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": job.metadata.name, "uid": job.metadata.uid}
    body = {**thing, "metadata": {**thing["metadata"], "ownerReferences": [owner]}}
    try:
        cluster.ask(verbs[thing["kind"]], body=body)
    except ApiException as exc:
        if exc.status != 409:
            raise


@contextlib.contextmanager
def _undone(cluster: Cluster, job: str) -> Iterator[None]:
    """A block after which *job* is no more, if it fails; also by Ctrl-C."""
    try:
        yield
    except BaseException:
        cluster.ask(cluster.jobs.delete_namespaced_job, job, propagation_policy="Background")
        raise


def _cancel_task(cluster: Cluster, job: str, number: int) -> None:
    """End one task: a Job counts a deleted pod among those that failed."""
    if cluster.ask(cluster.jobs.read_namespaced_job, job).spec.backoff_limit_per_index:
        fix = f"cancel all of it: {job}; or let the queue say backoff: 0"
        raise UsageError(f"Kubernetes would begin the task {member(job, number)} again.", fix=fix)
    _mark(cluster, job, number, "")
    end = time.monotonic() + cluster.seconds
    while not (pods := [pod for pod in cluster.find_pods([job])[job] if stands.index(pod) == number]):
        if time.monotonic() > end:
            _mark(cluster, job, number, None)  # it is not cancelled: its pod may still come, and run
            why = f"its controller has made no pod for it in {cluster.seconds:g} s"
            raise MlgitError(f"Kubernetes does not begin the task {member(job, number)}, nor end it.", why=why)
        time.sleep(_LOOK)
    for pod in pods:
        if pod.status.phase in ("Pending", "Running"):
            cluster.ask(cluster.core.delete_namespaced_pod, pod.metadata.name)


def _mark(cluster: Cluster, job: str, number: int, text: str | None) -> None:
    """Say in the Job that the task *number* is cancelled; None takes it back."""
    change = {"metadata": {"annotations": {f"{CANCELLED}.{number}": text}}}
    cluster.ask(cluster.jobs.patch_namespaced_job, job, body=change)


def _lines(cluster: Cluster, name: str, *, follow: bool) -> Iterator[str]:
    """The lines of one task, pod after pod."""
    job, number = parted(name)
    told = set()
    while True:
        over = not follow or _standings(cluster, [name])[name].state.ended  # before its pods are asked for
        for pod in cluster.find_pods([job])[job]:
            is_begun = pod.status.phase in ("Running", "Succeeded", "Failed")
            if is_begun and stands.index(pod) == number and pod.metadata.name not in told:
                told.add(pod.metadata.name)
                yield from following.split(_printed(cluster, pod, follow=follow))
        if over:
            return
        time.sleep(_LOOK)


def _printed(cluster: Cluster, pod: Any, *, follow: bool) -> Iterator[bytes]:
    """What *pod* printed. An answer may break off before the pod ends: then it is asked again, past what it had."""
    had = 0
    while True:
        over = not follow or pod.status.phase in ("Succeeded", "Failed")
        skip = had
        for block in cluster.printed(pod.metadata.name, follow=follow):
            new = block[skip:]
            skip = max(0, skip - len(block))
            had += len(new)
            yield new
        if over:
            return
        found = cluster.find_pod(pod.metadata.name)
        if found is None:
            return
        if found.status.phase == "Running":
            time.sleep(_LOOK)
        pod = found
