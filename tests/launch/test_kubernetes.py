"""Jobs on a cluster: exactly what it is asked for, what became of them there, and what it refuses."""

from __future__ import annotations

import itertools
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as some

from mlgit import settings as settings_file
from mlgit.core.job import JobSpec, JobState, Member, Standing, member
from mlgit.errors import MlgitError, NotFoundError, SilentError, UsageError
from mlgit.launch import backends, kubernetes, queues
from mlgit.launch.kubernetes import Settings, manifest, stands
from tests import kube
from tests.conftest import need
from tests.contracts.launching import Place, until

SLEEP = "import time; print('up', flush=True); time.sleep(120)"


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[kube.Cluster, Place]]:
    need("kubernetes", kube.is_here())
    folder = tmp_path_factory.mktemp("work")
    with kube.running(tmp_path_factory.mktemp("k")) as (cluster, config):
        settings = Settings(kubeconfig=str(config), image=kube.IMAGE, folder=str(folder), grace_seconds=5)
        yield cluster, Place(backend=backends.backend("kubernetes"), settings=settings, folder=folder)


@pytest.fixture
def cluster(there: tuple[kube.Cluster, Place]) -> kube.Cluster:
    return there[0]


@pytest.fixture
def place(there: tuple[kube.Cluster, Place]) -> Place:
    return there[1]


def pod_of(spec: JobSpec, settings: Settings) -> tuple[dict[str, Any], dict[str, Any]]:
    """The pod's part of the Job that *spec* renders to, and its container."""
    job = next(iter(yaml.safe_load_all(kubernetes.render(spec, settings))))
    pod = job["spec"]["template"]["spec"]
    return pod, pod["containers"][0]


def test_what_render_shows_is_what_is_sent(place: Place, cluster: kube.Cluster, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TOKEN", "hush")
    spec = place.spec("", name="it's\n$(a)", key="k", env={"A": "a\n$(B)\tü"}, secrets=("TOKEN",), minutes=1)
    before = len(cluster.sent)
    place.ended(place.submit(spec))

    job, secret = yaml.safe_load_all(place.backend.render(spec, place.settings))
    sent_job, sent_secret = cluster.sent[before:]
    assert sent_job == job
    assert secret["data"] == {"TOKEN": "***"}
    assert sent_secret["data"] == {"TOKEN": "aHVzaA=="}
    assert "hush" not in str(sent_job)


@given(some.text(alphabet="$()A b"), some.dictionaries(some.sampled_from(("A", "b")), some.just("wrong"), max_size=2))
def test_no_text_is_taken_for_a_variable(text: str, environment: dict[str, str]):
    _, container = pod_of(JobSpec(name="x", command=(text or "x",), image="i", env={"V": text}), Settings())

    assert kube.expanded(container["command"][0], environment) == (text or "x")
    assert kube.expanded(container["env"][-1]["value"], environment) == text


def test_the_commands_of_an_array_stand_once_and_in_none_of_its_pods():
    array = tuple(Member(command=("train", f"--lr={n}"), env={"N": str(n)}) for n in range(3))
    job, tasks = yaml.safe_load_all(kubernetes.render(JobSpec(name="x", array=array, image="i"), Settings()))

    assert job["spec"]["template"]["spec"]["containers"][0]["command"] == ["sh", "/etc/mlgit/tasks"]
    assert tasks["data"]["tasks"].splitlines()[2] == "1) set -- env -- N=1 train --lr=1 ;;"
    assert (job["spec"]["completions"], job["spec"]["parallelism"], job["spec"]["backoffLimitPerIndex"]) == (3, 3, 0)
    assert "backoffLimit" not in job["spec"]


def test_text_that_is_no_utf_8_is_refused():
    strange = ("a\udcff",)
    for spec in (
        JobSpec(name="x", command=strange, image="i"),
        JobSpec(name="\udcff", command=("a",), image="i"),
        JobSpec(name="x", array=(Member(command=strange),), image="i"),
    ):
        with pytest.raises(UsageError, match="no UTF-8"):
            kubernetes.render(spec, Settings())


def test_a_job_that_is_larger_than_a_cluster_keeps_is_refused():
    with pytest.raises(UsageError, match=r"it is 1,5\d\d,\d\d\d bytes; a cluster keeps at most 1,500,000"):
        kubernetes.render(JobSpec(name="x", command=("x" * 100_000,) * 15, image="i"), Settings())


def test_a_job_without_an_image_is_refused():
    with pytest.raises(UsageError, match="names no image"):
        kubernetes.render(JobSpec(name="x", command=("a",)), Settings())


def test_amounts_are_asked_for_as_the_most_and_the_least():
    spec = JobSpec(name="x", command=("a",), image="i", cpus=2, gpus=1, memory_gb=1.5, minutes=0.51)
    pod, container = pod_of(spec, Settings(gpu="amd.com/gpu"))

    asked = {"cpu": "2", "memory": "1536Mi", "amd.com/gpu": "1"}
    assert container["resources"] == {"requests": asked, "limits": asked}
    assert pod["activeDeadlineSeconds"] == 31  # a pod's, for a Job's goes on while it waits for a node


def test_a_pod_has_no_rights_that_it_does_not_need():
    pod, container = pod_of(JobSpec(name="x", command=("a",), image="i"), Settings())

    assert pod["securityContext"].items() >= {"runAsNonRoot": True, "runAsUser": 65534, "runAsGroup": 65534}.items()
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert pod["automountServiceAccountToken"] is False
    assert {"name": "HOME", "value": "/tmp"} in container["env"]  # nobody has none
    pod, container = pod_of(JobSpec(name="x", command=("a",), image="i"), Settings(user="0:0"))
    assert (pod["securityContext"]["runAsNonRoot"], container["env"]) == (False, [])
    with pytest.raises(UsageError, match=r"'ada' is no user of a pod"):
        pod_of(JobSpec(name="x", command=("a",), image="i"), Settings(user="ada"))


def test_what_the_queue_says_is_asked_for(tmp_path: Path):
    need("kubernetes", kube.is_here())
    (tmp_path / "mlgit.yaml").write_text("""project: p
queues:
  cluster:
    kubernetes:
      namespace: team
      node_selector: {gpu: a100}
      tolerations: [{key: dedicated, operator: Equal, value: ml, effect: NoSchedule}]
      pull_secrets: [registry]
      priority_class: low
      service_account: trainer
      ttl_seconds_after_finished: 600
      backoff: 2
""")
    queue = queues.find(settings_file.read(tmp_path), "cluster")
    text = queue.backend.render(JobSpec(name="x", command=("a",), image="i", preemptible=True), queue.settings)
    job = yaml.safe_load(text)
    kube.check(job)

    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    assert job["metadata"]["namespace"] == "team"
    assert (spec["ttlSecondsAfterFinished"], spec["backoffLimit"]) == (600, 2)
    assert spec["podFailurePolicy"]["rules"][0]["action"] == "Ignore"
    assert pod["tolerations"] == [{"key": "dedicated", "operator": "Equal", "value": "ml", "effect": "NoSchedule"}]
    assert (pod["nodeSelector"], pod["imagePullSecrets"]) == ({"gpu": "a100"}, [{"name": "registry"}])
    assert (pod["priorityClassName"], pod["serviceAccountName"]) == ("low", "trainer")
    assert pod["automountServiceAccountToken"] is True


def test_only_the_volume_with_the_folder_can_be_written_to():
    volumes = {"/data": "imagenet", "/work": "team/shared", "/work/ada": "team/ada"}
    pod, container = pod_of(
        JobSpec(name="x", command=("a",), image="i"), Settings(folder="/work/ada/digits", volumes=volumes)
    )

    claims = [one["persistentVolumeClaim"] for one in pod["volumes"] if "emptyDir" not in one]
    mounts = [
        (one["mountPath"], one["name"], one.get("subPath"), one["readOnly"]) for one in container["volumeMounts"][1:]
    ]
    assert claims == [{"claimName": "imagenet", "readOnly": True}, {"claimName": "team", "readOnly": False}]
    assert mounts == [
        ("/data", "claim-0", None, True), ("/work", "claim-1", "shared", True), ("/work/ada", "claim-1", "ada", False),
    ]  # fmt: skip
    assert container["workingDir"] == "/work/ada/digits"


def test_a_secret_of_the_cluster_is_referred_to_and_not_needed_here(place: Place, cluster: kube.Cluster):
    cluster.secrets["hub"] = {"metadata": {"name": "hub"}, "data": {"token": "aHVzaA=="}}
    settings = replace(place.settings, secrets={"HF_TOKEN": "hub/token", "token": "hub"})
    before = len(cluster.sent)
    job = place.backend.submit(
        place.spec("import os; print(os.environ['HF_TOKEN'], os.environ['token'])", secrets=("HF_TOKEN", "token")),
        settings,
    )

    assert place.printed(job) == ["hush hush"]
    assert [one["kind"] for one in cluster.sent[before:]] == ["Job"]


def test_the_secret_of_a_job_goes_with_it(place: Place, cluster: kube.Cluster, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TOKEN", "hush")
    job = place.submit(place.spec("", secrets=("TOKEN",)))
    place.ended(job)
    assert job in cluster.secrets

    with cluster.changed:
        cluster.delete_job(job)

    assert job not in cluster.secrets
    assert place.standing(job) == Standing(state=JobState.LOST, why="nothing is known of it here")


def test_a_job_whose_secret_is_refused_is_not_left(
    place: Place, cluster: kube.Cluster, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TOKEN", "hush")
    monkeypatch.setitem(cluster.refusing, "POST secrets", kube.RefusedError(403, "Forbidden", "cannot create secrets"))
    with pytest.raises(MlgitError, match="cannot create secrets"):
        place.submit(place.spec(SLEEP, key="no secret", secrets=("TOKEN",)))

    monkeypatch.undo()
    monkeypatch.setenv("TOKEN", "hush")
    assert place.ended(place.submit(place.spec("", key="no secret", secrets=("TOKEN",)))).state is JobState.SUCCEEDED


def test_a_job_of_that_name_that_is_not_ours_is_left_alone(place: Place, cluster: kube.Cluster):
    spec = place.spec("", key="taken")
    job = place.submit(spec)
    place.ended(job)
    with cluster.changed:
        cluster.jobs[job]["metadata"]["labels"] = {"app": "another"}

    with pytest.raises(MlgitError, match=r"in the namespace team that is not of mlgit's making"):
        place.submit(spec)


def test_a_job_that_is_ended_for_others_was_preempted(place: Place, cluster: kube.Cluster):
    job = place.submit(place.spec(SLEEP))
    until(lambda: place.standing(job).state is JobState.RUNNING)
    cluster.disrupt(cluster.pods_of(job)[0]["metadata"]["name"])

    assert place.ended(job).state is JobState.PREEMPTED


def test_a_preemptible_job_begins_again_and_all_its_lines_can_be_followed(place: Place, cluster: kube.Cluster):
    first = place.folder / "first"
    code = f"""
import pathlib, time
first = pathlib.Path({str(first)!r})
print("again" if first.exists() else "once", flush=True)
if not first.exists():
    first.touch()
    time.sleep(120)
"""
    job = place.submit(place.spec(code, preemptible=True))
    lines = place.backend.logs(job, place.settings, follow=True)
    assert next(lines) == "once"
    cluster.disrupt(cluster.pods_of(job)[0]["metadata"]["name"])

    assert list(lines) == ["again"]
    assert place.ended(job).state is JobState.SUCCEEDED


def test_who_follows_a_job_goes_on_when_the_connection_broke(
    place: Place, cluster: kube.Cluster, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(cluster, "breaks_off", True)
    wait = "while not os.path.exists('broke'): time.sleep(0.02)"
    job = place.submit(place.spec(f"import os, time\nprint('first', flush=True)\n{wait}\nprint('last')"))
    lines = place.backend.logs(job, place.settings, follow=True)
    assert next(lines) == "first"
    (place.folder / "broke").touch()

    assert list(lines) == ["last"]
    assert not cluster.breaks_off


def test_why_a_job_does_not_begin_is_said(place: Place):
    unschedulable, unpulled = place.submit(place.spec("", gpus=1)), place.submit(place.spec("", image="no/such:1"))
    found = until(lambda: one if (one := place.standing(unschedulable)).why else None)
    assert (found.state, found.why) == (
        JobState.QUEUED, "Unschedulable: 0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
    )  # fmt: skip
    found = until(lambda: one if (one := place.standing(unpulled)).why else None)
    assert (found.state, found.why) == (JobState.STARTING, 'ImagePullBackOff: Back-off pulling image "no/such:1"')

    place.cancel(unschedulable, unpulled)

    assert place.ended(unschedulable).state is JobState.CANCELLED
    assert place.ended(unpulled).state is JobState.CANCELLED
    assert list(place.backend.logs(unpulled, place.settings)) == []


def test_a_task_that_would_be_begun_again_is_not_cancelled_alone(place: Place):
    settings = replace(place.settings, backoff=1)
    job = place.backend.submit(place.spec("", array=(Member(command=place.spec(SLEEP).command),) * 2), settings)

    with pytest.raises(UsageError, match=rf"would begin the task {member(job, 1)} again"):
        place.cancel(member(job, 1))
    place.cancel(job)

    assert place.ended(member(job, 1)).state is JobState.CANCELLED


def test_a_task_that_cannot_be_ended_by_now_does_not_count_as_cancelled(
    place: Place, cluster: kube.Cluster, monkeypatch: pytest.MonkeyPatch
):
    quick = Member(command=place.spec("").command)
    clock = SimpleNamespace(monotonic=itertools.count(0, 30).__next__, sleep=lambda _: None)
    with monkeypatch.context() as away:
        away.setattr(cluster, "sync", lambda job: None)
        away.setattr("mlgit.launch.kubernetes.time", clock)
        job = place.submit(place.spec("", array=(quick, quick)))
        with pytest.raises(MlgitError, match="its controller has made no pod for it in 60 s"):
            place.cancel(member(job, 1))
        assert place.standing(member(job, 1)).state is JobState.QUEUED
    with cluster.changed:
        cluster.patch_job(job, {})

    assert place.ended(member(job, 1)).state is JobState.SUCCEEDED


def test_why_a_job_gets_no_pod_is_told_to_who_may_know(
    place: Place, cluster: kube.Cluster, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(cluster, "sync", lambda job: None)
    job = place.submit(place.spec(""))
    about = {"kind": "Job", "name": job, "uid": cluster.jobs[job]["metadata"]["uid"]}
    event = {"metadata": {"name": f"{job}.1"}, "involvedObject": about, "message": "pods are forbidden: no quota"}
    monkeypatch.setattr(cluster, "events", [event])

    assert place.standing(job) == Standing(state=JobState.QUEUED, why="pods are forbidden: no quota")
    monkeypatch.setitem(cluster.refusing, "GET events", kube.RefusedError(403, "Forbidden", "cannot list events"))
    assert place.standing(job) == Standing(state=JobState.QUEUED)
    place.backend.cancel([job], place.settings)


def test_of_a_long_refusal_begin_and_end_are_told(place: Place, cluster: kube.Cluster, monkeypatch: pytest.MonkeyPatch):
    said = f"Job is invalid: {'x' * 300_000}: must have at most 262144 bytes"
    monkeypatch.setitem(cluster.refusing, "POST jobs", kube.RefusedError(422, "Invalid", said))

    with pytest.raises(MlgitError, match=r"Job is invalid: x+ … x+: must have at most 262144 bytes$") as caught:
        place.submit(place.spec(""))
    assert len(str(caught.value)) < 3000


BEFORE_1_21 = {"suspend", "completionMode", "backoffLimitPerIndex", "podFailurePolicy"}


def test_an_array_that_its_cluster_is_too_old_for_is_refused_before_any_of_it_runs(
    place: Place, cluster: kube.Cluster, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(cluster, "unknown", BEFORE_1_21)
    monkeypatch.setattr(cluster, "version", "v1.20.2")
    count, before = place.folder / "too-old.txt", set(cluster.jobs)
    task = Member(command=place.spec("import sys; open(sys.argv[1], 'a').write('x')", str(count)).command)
    with pytest.raises(
        MlgitError, match=r"is v1\.20\.2, and knows no completionMode, .*need 1\.29(.|\n)*jobs of their own"
    ):
        place.submit(place.spec("", array=(task, task), key="too old"))

    assert set(cluster.jobs) == before
    assert not count.exists()


def test_a_cluster_that_refuses_how_an_array_ends_is_too_old_too(
    place: Place, cluster: kube.Cluster, monkeypatch: pytest.MonkeyPatch
):
    said = 'spec.podFailurePolicy.rules[0].action: Unsupported value: "FailIndex"'
    monkeypatch.setitem(cluster.refusing, "POST jobs", kube.RefusedError(422, "Invalid", said))
    monkeypatch.setattr(cluster, "version", "v1.27.3")

    with pytest.raises(MlgitError, match=r"is v1\.27\.3, (.|\n)*need 1\.29"):
        place.submit(place.spec("", array=(Member(command=("true",)),)))


def test_a_job_of_a_cluster_that_cannot_suspend_is_cancelled_all_the_same(
    place: Place, cluster: kube.Cluster, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(cluster, "unknown", BEFORE_1_21)
    job = place.submit(place.spec(SLEEP))
    until(lambda: place.standing(job).state is JobState.RUNNING)

    place.cancel(job)

    assert place.ended(job).state is JobState.CANCELLED
    assert not cluster.pods_of(job)


def test_many_jobs_are_asked_about_at_once(place: Place, cluster: kube.Cluster, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cluster, "page", 4)
    jobs = [place.submit(place.spec("", command=("true",))) for _ in range(6)]
    for job in jobs:
        place.ended(job)
    before = cluster.asked

    found = place.backend.status([*jobs, "no-such", "Ä/b"], place.settings)

    assert [found[job].state for job in jobs] == [JobState.SUCCEEDED] * 6
    assert {found["no-such"].state, found["Ä/b"].state} == {JobState.LOST}
    assert cluster.asked - before == 4  # two pages of each
    monkeypatch.setattr(cluster, "forgets_pages", True)
    assert place.backend.status(jobs, place.settings)[jobs[-1]].state is JobState.SUCCEEDED
    monkeypatch.setattr("mlgit.launch.kubernetes.cluster._NAMED", 2)
    assert place.backend.status(jobs, place.settings).keys() == set(jobs)


CONDITION = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "too often"}
ENDED = {
    "phase": "Failed",
    "containerStatuses": [kube.container_as({"terminated": {"exitCode": 137, "reason": "Error"}})],
}


@pytest.mark.parametrize(
    ("condition", "pod", "state", "why"),
    [
        ({}, ENDED, "failed", "it exited with 137"),
        ({}, None, "failed", "too often"),
        ({"reason": "DeadlineExceeded"}, ENDED, "timed out", ""),
        ({}, {**ENDED, "reason": "DeadlineExceeded"}, "timed out", ""),
        ({}, {"phase": "Failed", "reason": "Evicted", "message": "low on memory"}, "preempted", "low on memory"),
        ({}, {"phase": "Failed", "reason": "UnexpectedAdmissionError", "message": "no"}, "failed",
         "UnexpectedAdmissionError: no"),
        ({"reason": "PodFailurePolicy", "message": "has condition DisruptionTarget"}, None, "preempted",
         "has condition DisruptionTarget"),
        ({}, {"phase": "Failed", "containerStatuses": [
            kube.container_as({"terminated": {"exitCode": 137, "reason": "OOMKilled"}})]}, "failed",
         "it was killed: out of memory, of which it had 1536Mi"),
    ],
)  # fmt: skip
def test_why_a_job_failed_is_read_from_its_pod_and_else_from_the_job(
    condition: dict[str, str], pod: dict[str, Any] | None, state: str, why: str
):
    need("kubernetes", kube.is_here())
    from kubernetes import client

    body = manifest.job(JobSpec(name="x", command=("a",), image="i", memory_gb=1.5), Settings(), "x")
    job = client.V1Job.model_validate({**body, "status": {"conditions": [{**CONDITION, **condition}]}})
    spec = body["spec"]["template"]["spec"]
    pods = [client.V1Pod.model_validate({"metadata": {"name": "p"}, "spec": spec, "status": pod})] if pod else []

    assert stands.standings(job, pods) == [Standing(state=JobState(state), why=why)]


def test_a_cluster_that_is_away_silent_or_refuses_is_said_so(place: Place, cluster: kube.Cluster, tmp_path: Path):
    spec = place.spec("")
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        away = kube.config(tmp_path / "away", f"http://127.0.0.1:{mute.getsockname()[1]}")
        with pytest.raises(SilentError, match=r"does not take the job 'a job'(.|\n)*refused"):
            kubernetes.submit(spec, replace(place.settings, kubeconfig=str(away)))
        mute.listen()
        with pytest.raises(SilentError, match=r"timed out(.|\n)*kubectl cluster-info"):
            kubernetes.status(["x"], replace(place.settings, kubeconfig=str(away), answer_seconds=0.2))
    address = yaml.safe_load(Path(place.settings.kubeconfig).read_text())["clusters"][0]["cluster"]["server"]
    stranger = kube.config(tmp_path / "stranger", address, token="wrong")
    with pytest.raises(MlgitError, match="The cluster does not know you: Unauthorized"):
        kubernetes.cancel(["x"], replace(place.settings, kubeconfig=str(stranger)))
    with pytest.raises(MlgitError, match='namespaces "other" not found'):
        kubernetes.submit(spec, replace(place.settings, namespace="other"))
    for code, kind in ((403, MlgitError), (500, SilentError)):
        cluster.refusing["GET jobs"] = kube.RefusedError(code, "No", f"no, {code}")
        with pytest.raises(kind, match=f"does not tell how its jobs stand(.|\n)*no, {code}"):
            place.standing("x")
    cluster.refusing.clear()


def test_a_kubeconfig_that_does_not_help_is_said_so(place: Place, tmp_path: Path):
    spec = place.spec("")
    with pytest.raises(NotFoundError, match=r"get-contexts shows"):
        kubernetes.submit(spec, replace(place.settings, kubeconfig=str(tmp_path / "none")))
    with pytest.raises(NotFoundError, match=r"elsewhere(.|\n)*get-contexts shows"):
        kubernetes.submit(spec, replace(place.settings, context="elsewhere"))
    for number, text in enumerate(("", "words", "{: wrong\n\t", "clusters: [{name: c, cluster: 1}]")):
        (tmp_path / str(number)).write_text(text)
        with pytest.raises(NotFoundError, match=rf"{tmp_path}/{number}(.|\n)*get-contexts shows"):
            kubernetes.submit(spec, replace(place.settings, kubeconfig=str(tmp_path / str(number))))
    with pytest.raises(NotFoundError, match=r"cannot be read: (.|\n)*get-contexts shows"):
        kubernetes.submit(spec, replace(place.settings, kubeconfig=str(tmp_path)))


def test_a_page_to_log_in_is_no_cluster(place: Place, tmp_path: Path):
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>Sign in to continue</html>")

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing is printed."""

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        config = kube.config(tmp_path / "config", f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(
            MlgitError, match=r"at http://127.* does not speak as an API server(.|\n)*kubectl cluster-info"
        ):
            kubernetes.status(["x"], replace(place.settings, kubeconfig=str(config)))
        server.shutdown()


def test_who_comes_as_nobody_is_not_told_to_ask_for_rights(place: Place, cluster: kube.Cluster):
    said = 'jobs.batch is forbidden: User "system:anonymous" cannot list resource "jobs"'
    cluster.refusing["GET jobs"] = kube.RefusedError(403, "Forbidden", said)

    with pytest.raises(MlgitError, match=r"does not know you(.|\n)*log in anew"):
        place.standing("x")
    cluster.refusing.clear()


def test_in_a_pod_its_own_rights_and_namespace_are_used(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from kubernetes import config

    def load(client_configuration: Any) -> None:
        told = yaml.safe_load(Path(place.settings.kubeconfig).read_text())
        client_configuration.host = told["clusters"][0]["cluster"]["server"]
        client_configuration.api_key = {"authorization": f"Bearer {told['users'][0]['user']['token']}"}

    monkeypatch.setattr(config, "load_incluster_config", load)
    (tmp_path / "namespace").write_text("team")
    monkeypatch.setattr("mlgit.launch.kubernetes.cluster._OWN_NAMESPACE", tmp_path / "namespace")
    there = replace(place, settings=replace(place.settings, kubeconfig=None))

    assert there.ended(there.submit(there.spec(""))).state is JobState.SUCCEEDED


def test_without_its_client_the_command_that_installs_it_is_told(monkeypatch: pytest.MonkeyPatch):
    for name in [one for one in sys.modules if one.partition(".")[0] == "kubernetes"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "kubernetes", None)

    with pytest.raises(NotFoundError, match=r"pip install 'mlgit\[kubernetes\]'"):
        kubernetes.status(["x"], Settings())
    assert "kind: Job" in kubernetes.render(JobSpec(name="x", command=("a",), image="i"), Settings())
