"""A cluster's API server, by Kubernetes' own client, and what it says where it refuses."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlgit.errors import MlgitError, NotFoundError, SilentError
from mlgit.launch.kubernetes.manifest import JOB, OURS, Settings

_AT_ONCE = 500
"""How many things one answer lists."""
_NAMED = 50
"""Jobs that a question names; more, and it is after all of ours."""
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_SILENCE = 600.0
"""Seconds after which what a pod prints is asked for anew, for nothing came."""
_SAID = 2000
"""Characters of what the API server says: it repeats a wrong value, however long, and then says what is wrong."""
_OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class _StrangeError(Exception):
    """An answer that Kubernetes' client cannot read: of a proxy's page to log in, or of another server."""


class Cluster:
    """The namespace of a cluster that a queue names."""

    def __init__(self, api: Any, namespace: str, seconds: float) -> None:
        from kubernetes import client

        self.jobs, self.core, self._about = client.BatchV1Api(api), client.CoreV1Api(api), client.VersionApi(api)
        self.namespace, self.seconds = namespace, seconds
        self._limits = (float(seconds), float(seconds))  # of one number, older clients hear none that is not whole

    def ask(self, verb: Callable[..., Any], *words: Any, **more: Any) -> Any:
        """What *verb* of the client answers about *words* in the namespace."""
        try:
            return verb(*words, namespace=self.namespace, _request_timeout=self._limits, **more)
        except ValueError as exc:  # pydantic's
            host, wrong = self.jobs.api_client.configuration.host, str(exc).partition("For further information")[0]
            raise _StrangeError(f"what answers at {host} does not speak as an API server: {wrong}") from exc

    def find_jobs(self, names: Sequence[str]) -> dict[str, Any]:
        """The Jobs of these *names*, those of them that are there."""
        return {one.metadata.name: one for one in self._list(self.jobs.list_namespaced_job, names)}

    def find_pods(self, names: Sequence[str]) -> dict[str, list[Any]]:
        """The pods of the Jobs *names*, each after those that began before it."""
        found: dict[str, list[Any]] = {name: [] for name in names}
        for pod in self._list(self.core.list_namespaced_pod, names):
            found.setdefault(pod.metadata.labels[JOB], []).append(pod)
        for pods in found.values():
            pods.sort(key=lambda pod: (str(pod.metadata.creation_timestamp), pod.metadata.name))
        return found

    def find_refusals(self) -> dict[str, str]:
        """Why Jobs have been refused a pod of late, by their uids; nothing, where we may not know."""
        from kubernetes.client import ApiException

        which = "involvedObject.kind=Job,reason=FailedCreate"
        try:
            answer = self.ask(self.core.list_namespaced_event, field_selector=which, limit=_AT_ONCE)
        except ApiException as exc:
            if exc.status != 403:
                raise
            return {}
        return {one.involved_object.uid: one.message or "" for one in answer.items}

    def find_pod(self, name: str) -> Any:
        """The pod *name*, or None where it is gone."""
        from kubernetes.client import ApiException

        try:
            return self.ask(self.core.read_namespaced_pod, name)
        except ApiException as exc:
            if exc.status != 404:
                raise
            return None

    def plain(self, thing: Any) -> dict[str, Any]:
        """What the client answered, in the words of the API."""
        return dict(self.jobs.api_client.sanitize_for_serialization(thing))

    def ask_version(self) -> str:
        """What the API server calls its version, `v1.31.2`."""
        return str(self._about.get_code(_request_timeout=self._limits).git_version)

    def _list(self, verb: Callable[..., Any], names: Sequence[str]) -> list[Any]:
        from kubernetes.client import ApiException

        named = sorted({name for name in names if _NAME.fullmatch(name)})
        if not named:
            return []
        label = ",".join(f"{key}={value}" for key, value in OURS.items())
        if len(named) <= _NAMED:
            label += f",{JOB} in ({','.join(named)})"
        try:
            found = list(self._pages(verb, label))
        except ApiException as exc:
            if exc.status != 410:  # the server has forgotten how all of it stood at the first page
                raise
            found = self.ask(verb, label_selector=label).items
        return [one for one in found if one.metadata.labels.get(JOB) in named]

    def _pages(self, verb: Callable[..., Any], label: str) -> Iterator[Any]:
        more: dict[str, str] = {}
        while True:
            answer = self.ask(verb, label_selector=label, limit=_AT_ONCE, **more)
            yield from answer.items
            if not (rest := answer.metadata._continue):
                return
            more = {"_continue": rest}

    def printed(self, pod: str, *, follow: bool) -> Iterator[bytes]:
        """What *pod* has printed, if it has begun; with *follow*, until that ends, or the answer does."""
        from kubernetes.client import ApiException
        from urllib3.exceptions import ProtocolError, ReadTimeoutError

        try:
            answer = self.core.read_namespaced_pod_log(
                pod, self.namespace, follow=follow, _preload_content=False,
                _request_timeout=(self._limits[0], _SILENCE) if follow else self._limits,
            )  # fmt: skip
        except ApiException as exc:
            if exc.status in (400, 404):
                return
            raise
        with contextlib.closing(answer):
            if answer.status in (400, 404):
                return
            if answer.status >= 300:
                raise ApiException(http_resp=answer)
            try:
                yield from answer.stream(1 << 16)
            except (ReadTimeoutError, ProtocolError):
                if not follow:  # else who follows asks again, and hears it if nobody is there
                    raise


@contextlib.contextmanager
def asked(settings: Settings, what: str) -> Iterator[Cluster]:
    """The cluster for a block; *what* is the sentence for where it refuses.

    Raises `MlgitError`, `SilentError`, and `NotFoundError` without the library.
    """
    try:
        from kubernetes.client import ApiException
        from kubernetes.config import ConfigException
        from urllib3.exceptions import HTTPError
    except ImportError as exc:
        fix = "pip install 'mlgit[kubernetes]'"
        raise NotFoundError(what, why="Kubernetes' client is not installed here.", fix=fix) from exc
    try:
        with _connected(settings) as found:
            yield found
    except ConfigException as exc:
        fix = "kubectl config get-contexts shows what kubectl knows; the queue may say kubeconfig and context"
        raise NotFoundError(what, why=str(exc).strip(), fix=fix) from exc
    except ApiException as exc:
        raise _refused(exc, what) from exc
    except _StrangeError as exc:
        fix = "kubectl cluster-info tells who answers there; the queue may say kubeconfig and context"
        raise MlgitError(what, why=" ".join(str(exc).split())[:500], fix=fix) from exc
    except HTTPError as exc:
        why = f"the API server does not answer: {exc}"
        raise SilentError(what, why=why, fix="kubectl cluster-info tells whether it is up; then try again") from exc


@contextlib.contextmanager
def _connected(settings: Settings) -> Iterator[Cluster]:
    from kubernetes import client, config

    set_up = client.Configuration()
    set_up.retries = False  # what urllib3 takes for none; each one would print a warning
    place, namespace = settings.kubeconfig, settings.namespace
    place = str(Path(place).expanduser()) if place else None
    try:
        config.load_kube_config(place, settings.context, client_configuration=set_up, persist_config=False)
        if namespace is None:
            contexts, current = config.list_kube_config_contexts(place)
            wanted = next((one for one in contexts if one["name"] == settings.context), current)
            namespace = wanted["context"].get("namespace")
    except config.ConfigException:
        if place or settings.context or not _OWN_NAMESPACE.exists():
            raise
        config.load_incluster_config(client_configuration=set_up)  # in a pod
        namespace = namespace or _OWN_NAMESPACE.read_text().strip()
    except Exception as exc:  # what comes of a broken file is YAML's, the system's, or a TypeError of the client's
        raise config.ConfigException(f"{place or 'the kubeconfig'} cannot be read: {exc}") from exc
    with client.ApiClient(set_up) as api:
        yield Cluster(api, namespace or "default", settings.answer_seconds)


def _refused(exc: Any, what: str) -> MlgitError:
    why = said(exc)
    if not exc.status:  # TLS failed before anything was asked
        return SilentError(what, why=why, fix="kubectl cluster-info tells whether it is up; then try again")
    if exc.status == 401 or 'User "system:anonymous"' in why:  # also where what gives the token has failed
        return MlgitError(what, why=f"The cluster does not know you: {why}", fix="log in anew, as for kubectl")
    if exc.status == 403 and "exceeded quota" in why:
        fix = (
            "wait until others have ended, ask for less, or mlgit jobs prune; kubectl describe quota shows what is left"
        )
        return MlgitError(what, why=why, fix=fix)
    if exc.status == 403:
        fix = "ask for the right there; kubectl auth can-i --list tells which you have, and the queue may say namespace"
        return MlgitError(what, why=why, fix=fix)
    if exc.status == 429 or exc.status >= 500:
        return SilentError(what, why=why, fix="try again; kubectl get --raw '/readyz?verbose' tells how the cluster is")
    return MlgitError(what, why=why)


def said(exc: Any) -> str:
    """What the API server says in *exc*."""
    try:
        told: Mapping[str, Any] = json.loads(exc.body or "")
        text = str(told["message"])
    except (ValueError, KeyError, TypeError):
        text = " ".join(f"{exc.reason or ''} {exc.body or ''}".split())
    return text if len(text) <= _SAID else f"{text[: _SAID // 2]} … {text[-_SAID // 2 :]}"
