"""A Kubernetes cluster of the tests' own: no API server comes by any package, so this one stands in.

Every body that it is sent is held against Kubernetes' published schemas, strictly; Kubernetes' own client reads every
answer. Its Job controller follows the documented rules (indexes, back-off, pod failure policies, suspension), and its
kubelet really runs a container's command as a process of this machine, in the container's folder with its variables.
"""

from __future__ import annotations

import base64
import contextlib
import copy
import itertools
import json
import os
import re
import signal
import subprocess
import threading
import time
import urllib.parse
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

IMAGE = "local/python:1"
"""The image that nodes have; its files are this machine's."""
_TOKEN = "a-token"
_INDEX = "batch.kubernetes.io/job-completion-index"
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LABEL = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
_ABOUT = ("major", "minor", "gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_MAPS = "/api/v1/namespaces/team/configmaps"
_JOBS, _PODS, _SECRETS = (
    "/apis/batch/v1/namespaces/team/jobs",
    "/api/v1/namespaces/team/pods",
    "/api/v1/namespaces/team/secrets",
)


def is_here() -> bool:
    """Whether Kubernetes' client and schemas are installed."""
    return all(map(find_spec, ("kubernetes", "kubernetes_validate")))


class RefusedError(Exception):
    """An answer that is none."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        self.status = {
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason,
            "message": message,
        }  # fmt: skip


class Cluster:
    """What a cluster holds, its controller and its kubelet. `changed` guards all of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.jobs: dict[str, dict[str, Any]] = {}
        self.pods: dict[str, dict[str, Any]] = {}
        self.secrets: dict[str, dict[str, Any]] = {}
        self.maps: dict[str, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.sent: list[dict[str, Any]] = []
        """The bodies that were created, as they came."""
        self.refusing: dict[str, RefusedError] = {}
        """What is refused, by a path's last word."""
        self.version = "v1.37.0"
        self.unknown: set[str] = set()
        """The fields of a Job's spec that the cluster is too old for: it leaves them out, and says nothing."""
        self.page = 500
        self.forgets_pages = False
        self.breaks_off = False
        """Whether the next answer about what a pod prints breaks off after its first lines."""
        self.asked = 0
        self.changed = threading.Condition()
        self._threads: list[threading.Thread] = []

    def create(self, kind: dict[str, dict[str, Any]], body: dict[str, Any], *, is_tried: bool) -> dict[str, Any]:
        if is_tried:
            return self._tried(kind, body)
        self.sent.append(copy.deepcopy(body))
        check(body)
        name = body["metadata"]["name"]
        if name in kind:
            raise RefusedError(409, "AlreadyExists", f'"{name}" already exists')
        body["metadata"] |= {"uid": str(uuid.uuid4()), "namespace": "team", "creationTimestamp": _now()}
        kind[name] = body
        if kind is self.jobs:
            self._forget_unknown(body)
            if body["spec"].get("completionMode") == "Indexed":
                assert _NAME.fullmatch(f"{name}-{body['spec']['completions'] - 1}")
            else:
                body["spec"].setdefault("completions", 1)
            body["status"] = {}
            self.sync(body)
        self.changed.notify_all()
        return body

    def _tried(self, kind: dict[str, dict[str, Any]], body: dict[str, Any]) -> dict[str, Any]:
        """What would be made of *body*."""
        check(body)
        if body["metadata"]["name"] in kind:
            raise RefusedError(409, "AlreadyExists", f'"{body["metadata"]["name"]}" already exists')
        self._forget_unknown(body)
        return body

    def patch_job(self, name: str, change: dict[str, Any]) -> dict[str, Any]:
        job = self.get(self.jobs, name)
        about = job["metadata"]
        about["labels"] |= change.get("metadata", {}).get("labels", {})
        about["annotations"] |= change.get("metadata", {}).get("annotations", {})
        about["annotations"] = {name: text for name, text in about["annotations"].items() if text is not None}
        job["spec"] |= change.get("spec", {})
        check(job)
        self._forget_unknown(job)
        self.sync(job)
        return job

    def _forget_unknown(self, job: dict[str, Any]) -> None:
        job["spec"] = {key: value for key, value in job["spec"].items() if key not in self.unknown}

    def delete_job(self, name: str) -> dict[str, Any]:
        job = self.get(self.jobs, name)
        del self.jobs[name]
        for pod in self._of(job):
            self.delete_pod(pod["metadata"]["name"])
        uid = job["metadata"]["uid"]
        for kind in (self.secrets, self.maps):
            for one in list(kind.values()):
                if any(owner["uid"] == uid for owner in one["metadata"].get("ownerReferences", ())):
                    del kind[one["metadata"]["name"]]
        return {"kind": "Status", "apiVersion": "v1", "status": "Success"}

    def get(self, kind: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
        if name not in kind:
            raise RefusedError(404, "NotFound", f'"{name}" not found')
        return kind[name]

    def delete_pod(self, name: str) -> dict[str, Any]:
        """As a person does it: what runs in it has its grace; who owns it is told when it has ended."""
        pod = self.get(self.pods, name)
        pod["metadata"].setdefault("deletionTimestamp", _now())
        if pod["status"]["phase"] in ("Succeeded", "Failed"):
            del self.pods[name]
        self.changed.notify_all()
        return pod

    def disrupt(self, name: str) -> None:
        """Take the node from under a pod, as a scheduler does for others."""
        with self.changed:
            condition = {"type": "DisruptionTarget", "status": "True", "message": "preempted by another pod"}
            self.pods[name]["status"].setdefault("conditions", []).append(condition)
            self.delete_pod(name)

    def pods_of(self, job: str) -> list[dict[str, Any]]:
        with self.changed:
            return self._of(self.jobs[job])

    def _of(self, job: dict[str, Any]) -> list[dict[str, Any]]:
        uid = job["metadata"]["uid"]
        return [pod for pod in self.pods.values() if pod["metadata"]["ownerReferences"][0]["uid"] == uid]

    # The controller: https://kubernetes.io/docs/concepts/workloads/controllers/job/

    def sync(self, job: dict[str, Any]) -> None:
        spec, status = job["spec"], job["status"]
        if any(one["type"] in ("Complete", "Failed") for one in status.get("conditions", ())):
            return
        pods = self._of(job)
        done, failed = (_numbers(status.get(name)) for name in ("completedIndexes", "failedIndexes"))
        tries: dict[str, int] = job.setdefault("tries", {})  # by the index
        verdict = None
        for pod in pods:
            if pod["status"]["phase"] not in ("Succeeded", "Failed") or pod.get("counted"):
                continue
            pod["counted"] = True
            index = int(pod["metadata"]["annotations"].get(_INDEX, 0))
            if pod["status"]["phase"] == "Succeeded":
                done.add(index)
                continue
            action = _action(spec, pod)
            tries[str(index)] = tries.get(str(index), 0) + (action == "Count")
            if action == "FailJob":
                name = pod["metadata"]["name"]
                what = f"Pod team/{name} has condition DisruptionTarget matching FailJob rule at index 0"
                verdict = ("Failed", "PodFailurePolicy", what)
            elif action == "FailIndex" or tries[str(index)] > spec.get("backoffLimitPerIndex", 1 << 30):
                failed.add(index)
            elif tries[str(index)] > spec.get("backoffLimit", 6):
                verdict = ("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
        wanted = set(range(spec["completions"]))
        if verdict is None and done | failed == wanted:
            verdict = (
                ("Failed", "FailedIndexes", "Job has failed indexes")
                if failed
                else ("Complete", "CompletionsReached", "")
            )
        if spec.get("completionMode") == "Indexed":
            status |= {"completedIndexes": _ranges(done), "failedIndexes": _ranges(failed)}
        active = [pod for pod in pods if pod["status"]["phase"] in ("Pending", "Running")]
        if verdict is not None or spec.get("suspend") or spec.get("parallelism") == 0:
            for pod in active:
                pod["counted"] = True  # what it ends itself, it does not count
                self.delete_pod(pod["metadata"]["name"])
            active = []
        else:
            has_one = {int(pod["metadata"]["annotations"].get(_INDEX, 0)) for pod in active}
            active += [self._make_pod(job, index) for index in sorted(wanted - done - failed - has_one)]
        status["active"] = len(active)
        if verdict is not None:
            kind, reason, what = verdict
            status["conditions"] = [{"type": kind, "status": "True", "reason": reason, "message": what}]
        self.changed.notify_all()

    def _make_pod(self, job: dict[str, Any], index: int) -> dict[str, Any]:
        about, template = job["metadata"], job["spec"]["template"]
        is_indexed = job["spec"].get("completionMode") == "Indexed"
        name = f"{about['name']}{f'-{index}' if is_indexed else ''}-{uuid.uuid4().hex[:5]}"
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": about["name"], "uid": about["uid"]}
        pod = {
            "apiVersion": "v1", "kind": "Pod", "spec": copy.deepcopy(template["spec"]),
            "metadata": {"name": name, "namespace": "team", "uid": str(uuid.uuid4()), "creationTimestamp": _now(),
                         "labels": {**template["metadata"]["labels"], "job-name": about["name"]},
                         "annotations": {_INDEX: str(index)} if is_indexed else {}, "ownerReferences": [owner]},
            "status": {"phase": "Pending", "conditions": []},
        }  # fmt: skip
        if index == 0:  # all of a Job's are of one template
            check({key: value for key, value in pod.items() if key != "status"})
        self.pods[name] = pod
        self._threads.append(threading.Thread(target=self._run, args=(pod,), daemon=True))
        self._threads[-1].start()
        return pod

    # The kubelet

    def _run(self, pod: dict[str, Any]) -> None:
        with self.changed:
            environment = self._begin(pod)
        code, status = (143, {}) if environment is None else self._process(pod, environment)
        with self.changed:
            ended = {"exitCode": code, "reason": "Completed" if code == 0 else "Error"}
            if isinstance(code, str):
                ended = {"exitCode": 128, "reason": "StartError", "message": code}
            pod["status"] |= {"phase": "Succeeded" if code == 0 else "Failed", **status}
            pod["status"]["containerStatuses"] = [container_as({"terminated": ended})]
            job = self.jobs.get(pod["metadata"]["ownerReferences"][0]["name"])
            if job is not None:
                self.sync(job)
            if "deletionTimestamp" in pod["metadata"]:
                self.pods.pop(pod["metadata"]["name"], None)
            self.changed.notify_all()

    def _begin(self, pod: dict[str, Any]) -> dict[str, str] | None:
        """The variables of the pod's container, once it can begin; None where it is ended before."""
        status, container = pod["status"], pod["spec"]["containers"][0]
        while "deletionTimestamp" not in pod["metadata"]:
            if any("gpu" in name for name in container.get("resources", {}).get("limits", {})):
                why = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
                status["conditions"] = [
                    {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why}
                ]
            elif container["image"] != IMAGE:
                why = f'Back-off pulling image "{container["image"]}"'
                status["containerStatuses"] = [
                    container_as({"waiting": {"reason": "ImagePullBackOff", "message": why}})
                ]
            elif self._mounts(pod) is None:
                status["containerStatuses"] = [container_as({"waiting": {"reason": "ContainerCreating"}})]
            elif (environment := self._environment(pod)) is None:
                why = {"reason": "CreateContainerConfigError", "message": "secret not found"}
                status["containerStatuses"] = [container_as({"waiting": why})]
            else:
                return environment
            self.changed.wait()
        return None

    def _mounts(self, pod: dict[str, Any]) -> dict[str, str] | None:
        """Where what the pod's container is to find somewhere lies on this machine; None while it is not there."""
        found = {}
        paths = {one["name"]: one["mountPath"] for one in pod["spec"]["containers"][0]["volumeMounts"]}
        for one in pod["spec"]["volumes"]:
            if "configMap" in one:
                name = one["configMap"]["name"]
                if name not in self.maps:
                    return None
                place = self.folder / f"{name}.map"
                if not place.exists():
                    place.mkdir()
                    for key, text in self.maps[name]["data"].items():
                        (place / key).write_text(text)
                found[paths[one["name"]]] = str(place)
        return found

    def _environment(self, pod: dict[str, Any]) -> dict[str, str] | None:
        found: dict[str, str] = {}
        for one in pod["spec"]["containers"][0].get("env", ()):
            told = one.get("valueFrom", {})
            if "secretKeyRef" in told:
                place = told["secretKeyRef"]
                if place["name"] not in self.secrets:
                    return None
                found[one["name"]] = base64.b64decode(self.secrets[place["name"]]["data"][place["key"]]).decode()
            elif told:
                assert told == {"fieldRef": {"fieldPath": f"metadata.annotations['{_INDEX}']"}}
                found[one["name"]] = pod["metadata"]["annotations"][_INDEX]
            else:
                found[one["name"]] = expanded(one["value"], found)
        return found

    def _process(self, pod: dict[str, Any], environment: dict[str, str]) -> tuple[int | str, dict[str, Any]]:
        spec, container = pod["spec"], pod["spec"]["containers"][0]
        words = [expanded(word, environment) for word in container["command"]]
        with self.changed:
            for path, place in (self._mounts(pod) or {}).items():
                words = [word.replace(path, place) if word.startswith(f"{path}/") else word for word in words]
        with self.log(pod).open("wb") as log:
            try:
                process = subprocess.Popen(
                    words, cwd=container.get("workingDir", self.folder),
                    env={"PATH": os.environ["PATH"], **environment},
                    stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
                )  # fmt: skip
            except OSError as exc:
                return f"exec: {words[0]!r}: {exc.strerror}", {}
        with self.changed:
            pod["status"] |= {"phase": "Running", "startTime": _now()}
            pod["status"]["containerStatuses"] = [container_as({"running": {"startedAt": _now()}})]
            self.changed.notify_all()
        end = time.monotonic() + spec.get("activeDeadlineSeconds", 1 << 30)
        status: dict[str, Any] = {}
        while process.poll() is None and "deletionTimestamp" not in pod["metadata"] and not status:
            if time.monotonic() > end:
                status = {"reason": "DeadlineExceeded", "message": "Pod was active longer than its deadline"}
            time.sleep(0.01)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            code = process.wait(spec["terminationGracePeriodSeconds"])
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
        return (code if code >= 0 else 128 - code), status

    def log(self, pod: dict[str, Any]) -> Path:
        return self.folder / f"{pod['metadata']['uid']}.log"

    def end(self) -> None:
        """End what runs there."""
        with self.changed:
            self.jobs.clear()
            for name in list(self.pods):
                self.delete_pod(name)
        for thread in self._threads:
            thread.join()


def expanded(text: str, environment: dict[str, str]) -> str:
    """*text* as the kubelet makes a word or a variable of it: `$$` is a `$`, `$(NAME)` what NAME is, if it is known."""

    def one(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        return environment.get(found[1], found[0])

    return re.sub(r"\$\$|\$\(([^)]*)\)", one, text)


def _action(spec: dict[str, Any], pod: dict[str, Any]) -> str:
    conditions = {one["type"] for one in pod["status"].get("conditions", ()) if one["status"] == "True"}
    for rule in spec.get("podFailurePolicy", {}).get("rules", ()):
        if any(pattern["type"] in conditions for pattern in rule["onPodConditions"]):
            return str(rule["action"])
    return "Count"


def container_as(state: dict[str, Any]) -> dict[str, Any]:
    return {"name": "job", "image": IMAGE, "imageID": "", "ready": False, "restartCount": 0, "state": state}


def _numbers(text: str | None) -> set[int]:
    ends = [part.split("-") for part in (text or "").split(",") if part]
    return {number for first, *last in ends for number in range(int(first), int((last or [first])[0]) + 1)}


def _ranges(numbers: set[int]) -> str:
    """`1,3-5`."""
    parts = []
    for _, group in itertools.groupby(enumerate(sorted(numbers)), key=lambda pair: pair[1] - pair[0]):
        found = [number for _, number in group]
        parts.append(str(found[0]) if len(found) == 1 else f"{found[0]}-{found[-1]}")
    return ",".join(parts)


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def check(body: dict[str, Any]) -> None:
    """What a real API server checks before anything else."""
    import kubernetes_validate

    plain = {key: value for key, value in body.items() if key != "tries"}
    try:
        kubernetes_validate.validate(plain, kubernetes_validate.latest_version(), strict=True)
    except kubernetes_validate.ValidationError as exc:
        raise RefusedError(400, "BadRequest", f"{exc.json_path}: {exc.message}") from exc
    about = body["metadata"]
    if not _NAME.fullmatch(about["name"]):
        raise RefusedError(422, "Invalid", f"metadata.name: {about['name']!r}")
    labels = {
        **about.get("labels", {}),
        **body.get("spec", {}).get("template", {}).get("metadata", {}).get("labels", {}),
    }
    for one in body.get("spec", {}).get("template", {}).get("spec", {}).get("tolerations", ()):
        if (effect := one.get("effect", "NoExecute")) not in _EFFECTS:
            raise RefusedError(422, "Invalid", f"tolerations: Unsupported value: {effect!r}: {_EFFECTS}")
    if wrong := [value for value in labels.values() if not _LABEL.fullmatch(value)]:
        raise RefusedError(422, "Invalid", f"metadata.labels: {wrong[0]!r}")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cluster: Cluster

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed."""

    def _do(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        asked = dict(urllib.parse.parse_qsl(url.query))
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"null")
        cluster = self.cluster
        cluster.asked += 1
        try:
            if self.headers["Authorization"] != f"Bearer {_TOKEN}":
                raise RefusedError(401, "Unauthorized", "Unauthorized")
            if url.path.endswith("/log"):
                return self._log(url.path.split("/")[-2], is_followed=asked.get("follow") == "true")
            with cluster.changed:
                answer = json.dumps(self._answer(url.path, asked, body)).encode()
            code = 201 if self.command == "POST" else 200
        except RefusedError as exc:
            answer, code = json.dumps(exc.status).encode(), exc.status["code"]
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
        return None

    do_GET = do_POST = do_PATCH = do_DELETE = _do

    def _answer(self, path: str, asked: dict[str, str], body: Any) -> Any:
        cluster = self.cluster
        kinds = {_JOBS: cluster.jobs, _PODS: cluster.pods, _SECRETS: cluster.secrets, _MAPS: cluster.maps}
        last = path.rpartition("/")[2]
        if refused := cluster.refusing.get(f"{self.command} {last}"):
            raise refused
        if last == "events":
            assert asked["fieldSelector"] == "involvedObject.kind=Job,reason=FailedCreate"
            return {"kind": "EventList", "apiVersion": "v1", "metadata": {}, "items": list(cluster.events)}
        if path == "/version/":
            return {"gitVersion": cluster.version, **dict.fromkeys(_ABOUT, "")}
        if path in kinds and self.command == "POST":
            return _shown(cluster.create(kinds[path], body, is_tried=asked.get("dryRun") == "All"))
        if path in kinds and self.command == "GET":
            return self._listed(kinds[path], asked)
        place = path.rpartition("/")[0]
        if place not in kinds:
            raise RefusedError(404, "NotFound", f'namespaces "{path.split("/")[-2]}" not found')
        if self.command == "GET":
            return _shown(cluster.get(kinds[place], last))
        if self.command == "PATCH" and place == _JOBS:
            assert self.headers["Content-Type"] == "application/strategic-merge-patch+json"
            return _shown(cluster.patch_job(last, body))
        assert self.command == "DELETE"
        if place == _JOBS:
            assert asked["propagationPolicy"] == "Background"
            return cluster.delete_job(last)
        return _shown(cluster.delete_pod(last))

    def _listed(self, kind: dict[str, dict[str, Any]], asked: dict[str, str]) -> dict[str, Any]:
        if "continue" in asked and self.cluster.forgets_pages:
            raise RefusedError(410, "Expired", "The provided continue parameter is too old")
        found = [one for one in kind.values() if _meets(one["metadata"]["labels"], asked["labelSelector"])]
        first = int(asked.get("continue", 0))
        last = first + min(int(asked["limit"]), self.cluster.page) if "limit" in asked else len(found)
        about = {"continue": str(last)} if last < len(found) else {}
        word, version = ("Job", "batch/v1") if kind is self.cluster.jobs else ("Pod", "v1")
        items = [_shown(one) for one in found[first:last]]
        return {"kind": f"{word}List", "apiVersion": version, "metadata": about, "items": items}

    def _log(self, name: str, *, is_followed: bool) -> None:
        cluster = self.cluster
        with cluster.changed:
            pod = cluster.get(cluster.pods, name)
            if not cluster.log(pod).exists():
                raise RefusedError(400, "BadRequest", "container is waiting to start: ContainerCreating")
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with cluster.log(pod).open("rb") as file:
            while True:
                over = not is_followed or pod["status"]["phase"] in ("Succeeded", "Failed")
                if block := file.read():
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(block), block))
                    if cluster.breaks_off:
                        cluster.breaks_off, self.close_connection = False, True
                        return
                if over:
                    break
                time.sleep(0.02)
        self.wfile.write(b"0\r\n\r\n")


def _meets(labels: dict[str, str], selector: str) -> bool:
    for part in re.split(r",(?![^(]*\))", selector):
        key, _, names = part.partition(" in ")
        wanted = names.strip("()").split(",") if names else [part.partition("=")[2]]
        if labels.get(key.partition("=")[0]) not in wanted:
            return False
    return True


def _shown(thing: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in thing.items() if key not in ("tries", "counted")}


@contextlib.contextmanager
def running(folder: Path) -> Iterator[tuple[Cluster, Path]]:
    """A cluster that keeps what pods print in *folder*, and the kubeconfig by which it is asked."""
    cluster = Cluster(folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"cluster": cluster})) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield cluster, config(folder / "kubeconfig", f"http://127.0.0.1:{server.server_port}")
        finally:
            cluster.end()
            server.shutdown()
            thread.join()


def config(path: Path, address: str, token: str = _TOKEN) -> Path:
    """A kubeconfig at *path* for the API server there."""
    told = {
        "apiVersion": "v1", "kind": "Config", "current-context": "tests",
        "clusters": [{"name": "c", "cluster": {"server": address}}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "tests", "context": {"cluster": "c", "user": "u", "namespace": "team"}}],
    }  # fmt: skip
    path.write_text(json.dumps(told))
    return path
