"""A real Kubernetes cluster, where the environment names one: `MLGIT_TEST_KUBECONFIG`, with the image jobs run in."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

IMAGE = "python:3.12-slim"
"""What jobs run in where `MLGIT_TEST_KUBERNETES_IMAGE` names no other; it has to have python3, sh and env."""
RIGHTS = (
    ("batch", "jobs", ("get", "list", "create", "patch", "delete")),
    ("", "pods", ("get", "list", "delete")),
    ("", "pods/log", ("get",)),
    ("", "configmaps", ("create",)),
    ("", "secrets", ("create",)),
)
"""What docs/launch.md says who submits has to be allowed."""


@dataclass(frozen=True)
class Space:
    """A namespace of the tests' own."""

    api: Any
    kubeconfig: Path
    name: str
    image: str
    folder: Path
    version: tuple[int, int]

    def stranger(self, token: str) -> Path:
        """A kubeconfig for the same server, and somebody else."""
        given = self.api.configuration
        cluster = {"server": given.host, "insecure-skip-tls-verify": not given.verify_ssl}
        if given.ssl_ca_cert and given.verify_ssl:
            cluster["certificate-authority-data"] = base64.b64encode(Path(given.ssl_ca_cert).read_bytes()).decode()
        told = {
            "apiVersion": "v1", "kind": "Config", "current-context": "x",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": self.name}}],
        }  # fmt: skip
        path = self.folder / f"{uuid.uuid4().hex}.kubeconfig"
        path.write_text(json.dumps(told))
        return path

    def make_account(self, name: str, rights: tuple[tuple[str, str, tuple[str, ...]], ...]) -> str:
        """The token of a service account that may do what *rights* say, and no more."""
        from kubernetes import client

        core, rbac = client.CoreV1Api(self.api), client.RbacAuthorizationV1Api(self.api)
        about = {"metadata": {"name": name}}
        core.create_namespaced_service_account(self.name, about)
        rules = [{"apiGroups": [group], "resources": [what], "verbs": list(verbs)} for group, what, verbs in rights]
        rbac.create_namespaced_role(self.name, {**about, "rules": rules})
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
        who = [{"kind": "ServiceAccount", "name": name, "namespace": self.name}]
        rbac.create_namespaced_role_binding(self.name, {**about, "roleRef": role, "subjects": who})
        answer = core.create_namespaced_service_account_token(name, self.name, {"spec": {"audiences": []}})
        return str(answer.status.token)


@contextlib.contextmanager
def space(folder: Path) -> Iterator[Space]:
    """A namespace in the cluster that the environment names, gone after the block. Skips where it names none."""
    place = os.environ.get("MLGIT_TEST_KUBECONFIG")
    if not place:
        pytest.skip("MLGIT_TEST_KUBECONFIG names no cluster")
    from kubernetes import client, config

    image = os.environ.get("MLGIT_TEST_KUBERNETES_IMAGE", IMAGE)
    set_up = client.Configuration()
    config.load_kube_config(place, client_configuration=set_up, persist_config=False)
    with client.ApiClient(set_up) as api:
        core = client.CoreV1Api(api)
        told = client.VersionApi(api).get_code()
        version = (int(told.major), int(re.sub(r"\D", "", told.minor)))
        name = f"mlgit-tests-{uuid.uuid4().hex[:8]}"
        core.create_namespace({"metadata": {"name": name}})
        try:
            _await_account(core, name)
            yield Space(api, Path(place), name, image, folder, version)
        finally:
            core.delete_namespace(name)
            _await_end(core, name)


def _await_account(core: Any, name: str) -> None:
    """A namespace takes pods once its controller has given it an account for them."""
    end = time.monotonic() + 60
    while not core.list_namespaced_service_account(name).items:
        assert time.monotonic() < end, "the cluster makes no service account: is its controller manager up?"
        time.sleep(0.1)


def _await_end(core: Any, name: str) -> None:
    end = time.monotonic() + 300
    while name in [one.metadata.name for one in core.list_namespace().items]:
        assert time.monotonic() < end, f"the namespace {name} does not go"
        time.sleep(0.2)
