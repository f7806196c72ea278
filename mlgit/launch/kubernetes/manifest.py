"""The Job that a cluster is asked for, in the words of its API (`batch/v1`).

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/
What an author wrote is text there: Kubernetes replaces `$(NAME)` in commands and variables, unless its `$` is doubled.
"""

from __future__ import annotations

import base64
import json
import math
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from mlgit.core.job import JobSpec
from mlgit.errors import UsageError
from mlgit.launch.words import cases

JOB = "mlgit.job"
"""The label of a Job, its pods and its Secret: what mlgit calls the job."""
OURS = {"app.kubernetes.io/managed-by": "mlgit"}
CANCELLED = "mlgit.cancelled"
"""The annotation of a Job that somebody has cancelled; with a point and a number behind it, of one of its tasks."""
INDEX = "batch.kubernetes.io/job-completion-index"
"""The annotation of a pod that says which task of an array it is."""
HALTED = {"suspend": True, "parallelism": 0}
"""What in a Job's spec keeps its pods from running: before 1.21 there was only that none may run at once."""
_TASK = "MLGIT_TASK"
_NOBODY = "65534:65534"
_SHARED_MEMORY = "/dev/shm"  # noqa: S108  (the pod's own)
_LARGEST = 1_500_000
"""Bytes of a Job that fit into etcd by its default, 1.5 MiB; of larger ones, the API server says something else."""
_SCRIPT, _SCRIPTS = "tasks", "/etc/mlgit"
"""The shell script that chooses among an array's commands, and where its pods find it."""


@dataclass(frozen=True, kw_only=True)
class Toleration:
    """A taint that pods do not mind, in Kubernetes' words."""

    key: str | None = field(default=None, metadata={"help": "the taint's key; without one, all"})
    operator: str | None = field(default=None, metadata={"help": "Equal, which is meant without one, or Exists"})
    value: str | None = field(default=None, metadata={"help": "the taint's value, where the operator is Equal"})
    effect: str | None = field(default=None, metadata={"help": "NoSchedule, PreferNoSchedule or NoExecute"})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A queue of a Kubernetes cluster."""

    namespace: str | None = field(default=None, metadata={"help": "where jobs are made; the context's own"})
    context: str | None = field(
        default=None, metadata={"help": "the kubeconfig's context; its current one", "is_way": True}
    )
    kubeconfig: str | None = field(
        default=None, metadata={"help": "the file; that of kubectl, else the pod's own rights", "is_way": True}
    )
    is_away: ClassVar[bool] = True
    """Jobs see no disk of this machine's."""
    image: str | None = field(default=None, metadata={"help": "the image of jobs that name none"})
    folder: str | None = field(
        default=None, metadata={"help": "where jobs start: a folder of the image or of a volume; the image's own"}
    )
    volumes: Mapping[str, str] = field(
        default_factory=dict,
        metadata={"help": "persistent volume claims, by where they appear: {/data: imagenet, /work: team/ada}; "
                  "only the one with the folder can be written to"},
    )  # fmt: skip
    secrets: Mapping[str, str] = field(
        default_factory=dict,
        metadata={"help": "where the secrets that jobs name lie in the cluster: {HF_TOKEN: hub/token} is the key token "
                  "of the Secret hub; of others, the value here goes into a Secret of the job"},
    )  # fmt: skip
    user: str = field(default=_NOBODY, metadata={"help": "who a job is there, uid:gid"})
    service_account: str | None = field(
        default=None, metadata={"help": "whose rights in the cluster a job has; none without one"}
    )
    pull_secrets: tuple[str, ...] = field(default=(), metadata={"help": "Secrets for the registry of images"})
    node_selector: Mapping[str, str] = field(
        default_factory=dict, metadata={"help": "labels that nodes must have: {gpu: a100}"}
    )
    tolerations: tuple[Toleration, ...] = field(default=(), metadata={"help": "taints of nodes that jobs do not mind"})
    priority_class: str | None = field(default=None, metadata={"help": "who is preempted for whom"})
    gpu: str = field(default="nvidia.com/gpu", metadata={"help": "what the cluster calls a GPU"})
    shared_memory_gb: float = field(default=2, metadata={"help": "what processes of a job can share; loaders need it"})
    backoff: int = field(default=0, metadata={"help": "how often what failed is begun again"})
    ttl_seconds_after_finished: int | None = field(
        default=None, metadata={"help": "when the cluster forgets a job that ended, and what it printed; never"}
    )
    grace_seconds: int = field(default=30, metadata={"help": "between SIGTERM and SIGKILL"})
    answer_seconds: float = field(default=60, metadata={"help": "how long the API server may take to answer"})


def job(spec: JobSpec, settings: Settings, name: str) -> dict[str, Any]:
    """The Job that does *spec*, with this *name*. Raises `UsageError`."""
    about = {**_about(settings, name), "annotations": {"mlgit.name": _text(spec.name)}}
    asked: dict[str, Any] = {"backoffLimit": settings.backoff}
    if spec.array:
        tasks = len(spec.array)
        asked = {"completionMode": "Indexed", "completions": tasks, "parallelism": tasks,
                 "backoffLimitPerIndex": settings.backoff}  # fmt: skip
    if settings.ttl_seconds_after_finished is not None:
        asked["ttlSecondsAfterFinished"] = settings.ttl_seconds_after_finished
    ended = "Ignore" if spec.preemptible else "FailIndex" if spec.array else "FailJob"
    disrupted = {"action": ended, "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    asked["podFailurePolicy"] = {"rules": [disrupted]}
    asked["template"] = {"metadata": {"labels": about["labels"]}, "spec": _pod(spec, settings, name)}
    body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": about, "spec": asked}
    if (size := len(json.dumps(body, ensure_ascii=False).encode())) > _LARGEST:
        why = f"with its words and variables it is {size:,} bytes; a cluster keeps at most {_LARGEST:,} of a Job"
        raise UsageError(
            f"The job {spec.name[:80]!r} is too large for Kubernetes.", why=why, fix="put them into a file"
        )
    return body


def left_out(asked: Mapping[str, Any], made: Mapping[str, Any]) -> list[str]:
    """What of the Job *asked* for is not in the one that was *made*: fields that its cluster does not know."""
    return [key for key in asked["spec"] if key not in made["spec"]]


def secret(spec: JobSpec, settings: Settings, name: str, values: Mapping[str, str] | None) -> dict[str, Any] | None:
    """The Secret that the job *name* refers to, or None if it needs none; without *values*, names alone."""
    own = [one for one in spec.secrets if one not in settings.secrets]
    data = {one: "***" if values is None else _base64(values[one]) for one in own}
    about = _about(settings, name)
    return {"apiVersion": "v1", "kind": "Secret", "metadata": about, "type": "Opaque", "data": data} if own else None


def tasks(spec: JobSpec, settings: Settings, name: str) -> dict[str, Any] | None:
    """The ConfigMap with the commands of an array, or None for any other job.

    In its Job they would stand in each of its pods: of a thousand tasks, a million commands for the API server to keep.
    """
    script = _text(f'case ${_TASK} in\n{cases(spec.array)}esac\nexec "$@"\n')
    about = _about(settings, name)
    return (
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about, "data": {_SCRIPT: script}} if spec.array else None
    )


def _about(settings: Settings, name: str) -> dict[str, Any]:
    place = {} if settings.namespace is None else {"namespace": settings.namespace}
    return {"name": name, "labels": {**OURS, JOB: name}, **place}


def _pod(spec: JobSpec, settings: Settings, name: str) -> dict[str, Any]:
    user, _, group = settings.user.partition(":")
    if not (user.isdecimal() and group.isdecimal()):
        raise UsageError(f"{settings.user!r} is no user of a pod.", fix="numbers, uid:gid")
    given = {
        "serviceAccountName": settings.service_account, "priorityClassName": settings.priority_class,
        "nodeSelector": dict(settings.node_selector),
        "tolerations": [{key: text for key, text in vars(one).items() if text is not None}
                        for one in settings.tolerations],
        "imagePullSecrets": [{"name": one} for one in settings.pull_secrets],
        "activeDeadlineSeconds": None if spec.minutes is None else math.ceil(spec.minutes * 60),
    }  # fmt: skip
    written = settings.volumes.get(_written(settings) or "", "").partition("/")[0]
    names = dict.fromkeys(claim.partition("/")[0] for claim in settings.volumes.values())
    claims = [{"claimName": one, "readOnly": one != written} for one in names]
    memory = {"medium": "Memory", "sizeLimit": _mebibytes(settings.shared_memory_gb)}
    return {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": settings.grace_seconds,
        "automountServiceAccountToken": settings.service_account is not None,
        "enableServiceLinks": False,
        "securityContext": {"runAsNonRoot": int(user) != 0, "runAsUser": int(user), "runAsGroup": int(group),
                            "fsGroup": int(group), "fsGroupChangePolicy": "OnRootMismatch",
                            "seccompProfile": {"type": "RuntimeDefault"}},
        **{key: value for key, value in given.items() if value},
        "containers": [_container(spec, settings, name)],
        "volumes": [{"name": "shared-memory", "emptyDir": memory},
                    *([{"name": _SCRIPT, "configMap": {"name": name}}] if spec.array else []),
                    *({"name": f"claim-{n}", "persistentVolumeClaim": told} for n, told in enumerate(claims))],
    }  # fmt: skip


def _container(spec: JobSpec, settings: Settings, name: str) -> dict[str, Any]:
    image = spec.image or settings.image
    if image is None:
        raise UsageError(f"The job {spec.name!r} names no image to run in.", fix="--image NAME, or one for the queue")
    home = {"HOME": "/tmp"} if settings.user == _NOBODY else {}  # noqa: S108  (nobody has none, and libraries cache there)
    told = sorted({**home, **spec.env}.items())
    env: list[dict[str, Any]] = [{"name": _text(key), "value": _escaped(text)} for key, text in told]
    for one in spec.secrets:
        place, _, key = settings.secrets.get(one, name).partition("/")
        env.append({"name": one, "valueFrom": {"secretKeyRef": {"name": place, "key": key or one}}})
    command = list(spec.command)
    if spec.array:
        env.append({"name": _TASK, "valueFrom": {"fieldRef": {"fieldPath": f"metadata.annotations['{INDEX}']"}}})
        command = ["sh", f"{_SCRIPTS}/{_SCRIPT}"]
    amounts = {
        "cpu": None if spec.cpus is None else str(spec.cpus),
        "memory": None if spec.memory_gb is None else _mebibytes(spec.memory_gb),
        settings.gpu: str(spec.gpus) if spec.gpus else None,
    }
    asked = {key: amount for key, amount in amounts.items() if amount is not None}
    scripts = [{"name": _SCRIPT, "mountPath": _SCRIPTS, "readOnly": True}] if spec.array else []
    return {
        "name": "job", "image": image, "command": [_escaped(word) for word in command],
        **({"workingDir": settings.folder} if settings.folder else {}),
        "env": env,
        **({"resources": {"requests": asked, "limits": asked}} if asked else {}),
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "shared-memory", "mountPath": _SHARED_MEMORY}, *scripts, *_mounts(settings)],
    }  # fmt: skip


def _mounts(settings: Settings) -> list[dict[str, Any]]:
    """Where each claim appears."""
    writable = _written(settings)
    numbers: dict[str, int] = {}
    mounts = []
    for path, claim in settings.volumes.items():
        name, _, inner = claim.partition("/")
        number = numbers.setdefault(name, len(numbers))
        mount = {"name": f"claim-{number}", "mountPath": path, "readOnly": path != writable}
        mounts.append({**mount, "subPath": inner} if inner else mount)
    return mounts


def _written(settings: Settings) -> str | None:
    """The path of the volume that may be written to: the nearest around the folder."""
    work = posixpath.normpath(settings.folder or "") + "/"
    around = [path for path in settings.volumes if work.startswith(posixpath.normpath(path).rstrip("/") + "/")]
    return max(around, key=len, default=None)


def _mebibytes(gigabytes: float) -> str:
    return f"{math.ceil(gigabytes * 1024)}Mi"


def _escaped(text: str) -> str:
    """*text* as it is written where Kubernetes would replace `$(NAME)`: it makes one `$` of two."""
    return _text(text).replace("$", "$$")


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{text[:80]!r} cannot be handed to Kubernetes: it is no UTF-8.") from None
    return text


def _base64(value: str) -> str:
    return base64.b64encode(value.encode(errors="surrogateescape")).decode()
