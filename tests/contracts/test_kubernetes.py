"""What an API server does: the same of the stand-in and of the real one that the environment names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
import yaml

from mlgit.core.job import JobState, Member
from mlgit.errors import MlgitError, NotFoundError
from mlgit.launch import kubernetes
from mlgit.launch.kubernetes.cluster import asked
from mlgit.launch.kubernetes.manifest import Toleration
from tests import clusters
from tests.contracts.launching import PLACES, Place, until

SLEEP = "import time; print('up', flush=True); time.sleep(120)"
NOWHERE = {"gpu": "example.org/gpu"}
"""What no node has."""


@pytest.fixture(scope="module", params=["kubernetes", "cluster"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with PLACES[request.param](tmp_path_factory) as found:
        yield found


@pytest.fixture
def space(place: Place) -> clusters.Space:
    """A real cluster."""
    if not isinstance(place.of, clusters.Space):
        pytest.skip("the stand-in knows no rights, quotas and controllers but that of Jobs")
    return place.of


def stored(place: Place, job: str) -> dict[str, Any]:
    """The Job as the server has it."""
    with asked(place.settings, "?") as cluster:
        return cluster.plain(cluster.find_jobs([job])[job])


def lacking(sent: Any, kept: Any, at: str = "") -> Iterator[str]:
    """Where what was sent does not stand in what was kept; that may say more."""
    if isinstance(sent, Mapping) and isinstance(kept, Mapping):
        for key, value in sent.items():
            yield from lacking(value, kept.get(key), f"{at}.{key}")
    elif isinstance(sent, list) and isinstance(kept, list) and len(sent) == len(kept):
        for number, (one, other) in enumerate(zip(sent, kept, strict=True)):
            yield from lacking(one, other, f"{at}[{number}]")
    elif sent != kept and (sent or kept is not None):
        yield at


def test_all_that_a_queue_can_say_is_taken_as_it_is(place: Place, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TOKEN", "hush")
    settings = replace(
        place.settings, **NOWHERE, node_selector={"example.org/kind": "none"}, pull_secrets=("registry",), backoff=2,
        tolerations=(Toleration(key="dedicated", operator="Exists", effect="NoSchedule"),
                     Toleration(key="a/b", value="c", operator="Equal"), Toleration(operator="Exists")),
        volumes={"/data": "imagenet", "/work": "team/shared"}, secrets={"HF_TOKEN": "hub/token"},
        shared_memory_gb=0.3, user="1000:1000", ttl_seconds_after_finished=600,
    )  # fmt: skip
    spec = place.spec(
        "x", "it's\n$(a)", name="it's $(a)\n🙂", env={"A.b-c": "$(A)\t", "_": ""}, secrets=("HF_TOKEN", "TOKEN"),
        cpus=2, gpus=1, memory_gb=1.5, minutes=1,
    )  # fmt: skip
    job = place.backend.submit(spec, settings)
    sent = next(iter(yaml.safe_load_all(kubernetes.render(spec, settings))))
    del sent["kind"], sent["apiVersion"]  # what is listed does not repeat them
    del sent["metadata"]["name"], sent["metadata"]["labels"]["mlgit.job"]
    del sent["spec"]["template"]["metadata"]["labels"]["mlgit.job"]
    for one in sent["spec"]["template"]["spec"]["containers"][0]["env"]:
        if one["name"] == "TOKEN":
            one["valueFrom"]["secretKeyRef"]["name"] = job
    newer = {".spec.podFailurePolicy", ".spec.ttlSecondsAfterFinished"} if not place.has_arrays else set()

    assert set(lacking(sent, stored(place, job))) <= newer
    place.cancel(job)
    assert place.ended(job).state is JobState.CANCELLED


def test_a_job_that_waits_for_a_node_is_cancelled_and_leaves_no_pod(place: Place):
    settings = replace(place.settings, **NOWHERE)
    job = place.backend.submit(place.spec(SLEEP, gpus=1), settings)
    found = until(lambda: one if (one := place.standing(job)).why else None)
    assert found.state is JobState.QUEUED
    assert found.why.startswith("Unschedulable: ")

    place.cancel(job)

    assert place.ended(job).state is JobState.CANCELLED
    with asked(place.settings, "?") as cluster:
        until(lambda: not cluster.find_pods([job])[job])


def test_a_job_that_is_cancelled_at_once_does_not_begin(place: Place):
    job = place.submit(place.spec(SLEEP))
    place.cancel(job)

    assert place.ended(job).state is JobState.CANCELLED


def test_what_fails_is_begun_again_as_often_as_the_queue_says(place: Place):
    settings = replace(place.settings, backoff=1)
    job = place.backend.submit(place.spec("print('try', flush=True); raise SystemExit(5)"), settings)

    assert place.ended(job).state is JobState.FAILED
    assert place.standing(job).why == "it exited with 5"
    assert list(place.backend.logs(job, settings)) == ["try", "try"]


def test_jobs_are_listed_page_after_page(place: Place, monkeypatch: pytest.MonkeyPatch):
    jobs = [place.submit(place.spec("", command=("true",))) for _ in range(5)]
    monkeypatch.setattr("mlgit.launch.kubernetes.cluster._AT_ONCE", 2)
    for job in jobs:
        assert place.ended(job).state is JobState.SUCCEEDED

    assert place.backend.status([*jobs, "no-such"], place.settings)["no-such"].state is JobState.LOST
    monkeypatch.setattr("mlgit.launch.kubernetes.cluster._NAMED", 2)
    found = place.backend.status(jobs, place.settings)
    assert [found[job].state for job in jobs] == [JobState.SUCCEEDED] * 5


def test_what_is_forgotten_takes_its_pods_with_it(place: Place):
    job = place.submit(place.spec("print('x')"))
    assert place.printed(job) == ["x"]
    assert place.ended(job).state is JobState.SUCCEEDED
    place.backend.forget([job], place.settings)

    assert place.standing(job).state is JobState.LOST
    with asked(place.settings, "?") as cluster:
        until(lambda: not cluster.find_pods([job])[job])


def test_a_job_of_the_keys_name_that_is_not_ours_is_left_alone(place: Place):
    spec = place.spec("", key="taken")
    job = place.submit(spec)
    place.ended(job)
    with asked(place.settings, "?") as cluster:
        change = {"metadata": {"labels": {"app.kubernetes.io/managed-by": "another"}, "annotations": {}}}
        cluster.ask(cluster.jobs.patch_namespaced_job, job, body=change)

    with pytest.raises(MlgitError, match="that is not of mlgit's making"):
        place.submit(spec)


def test_a_namespace_that_is_not_there_is_said(place: Place):
    with pytest.raises(MlgitError, match='namespaces "mlgit-no-such" not found'):
        kubernetes.submit(place.spec(""), replace(place.settings, namespace="mlgit-no-such"))


def test_a_body_that_the_server_does_not_take_is_told_with_its_words(place: Place):
    with pytest.raises(MlgitError, match=r"does not take the job 'a job'(.|\n)*Unsupported value"):
        kubernetes.submit(place.spec(""), replace(place.settings, tolerations=(Toleration(key="a", effect="Never"),)))


def test_who_has_the_rights_that_the_documentation_names_needs_no_others(
    place: Place, space: clusters.Space, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TOKEN", "hush")
    config = space.stranger(space.make_account("allowed", clusters.RIGHTS))
    there = replace(place, settings=replace(place.settings, kubeconfig=str(config)))
    job, going = there.submit(there.spec("print('x')", secrets=("TOKEN",), key="k")), there.submit(there.spec(SLEEP))
    if place.has_arrays:
        array = there.submit(there.spec("", array=(Member(command=("true",)), Member(command=("sleep", "120")))))
        there.cancel(f"{array}_1")
        assert there.ended(array).state is JobState.CANCELLED

    assert there.printed(job) == ["x"]
    assert there.submit(there.spec("print('x')", secrets=("TOKEN",), key="k")) == job
    there.cancel(going)
    assert there.ended(going).state is JobState.CANCELLED
    there.backend.forget([job], there.settings)
    assert there.standing(job).state is JobState.LOST


def test_who_lacks_a_right_is_told_which(place: Place, space: clusters.Space):
    config = space.stranger(space.make_account("weak", (("batch", "jobs", ("create",)),)))
    there = replace(place, settings=replace(place.settings, kubeconfig=str(config)))
    with pytest.raises(MlgitError, match=r'cannot list resource "jobs"(.|\n)*kubectl auth can-i --list'):
        there.standing("x")
    wrong = replace(place.settings, kubeconfig=str(space.stranger("wrong")))
    with pytest.raises(MlgitError, match="The cluster does not know you: Unauthorized"):
        kubernetes.status(["x"], wrong)


def test_a_job_whose_secret_may_not_be_made_is_not_left(
    place: Place, space: clusters.Space, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TOKEN", "hush")
    rights = tuple(one for one in clusters.RIGHTS if one[1] != "secrets")
    config = space.stranger(space.make_account("no-secrets", rights))
    settings = replace(place.settings, kubeconfig=str(config))
    with pytest.raises(MlgitError, match='cannot create resource "secrets"'):
        kubernetes.submit(place.spec(SLEEP, secrets=("TOKEN",), key="no secret"), settings)

    assert place.standing(kubernetes.submit(place.spec("", key="no secret"), settings)).state is not JobState.LOST


def _limited(space: clusters.Space, **most: str) -> Any:
    """A quota of the namespace, once it counts."""
    from kubernetes import client

    core = client.CoreV1Api(space.api)
    hard = {key.replace("_", "/").replace("jobs/batch", "jobs.batch"): text for key, text in most.items()}
    core.create_namespaced_resource_quota(space.name, {"metadata": {"name": "tests"}, "spec": {"hard": hard}})
    until(lambda: core.read_namespaced_resource_quota("tests", space.name).status.hard)
    return core


def test_a_quota_that_is_used_up_is_told(place: Place, space: clusters.Space):
    core = _limited(space, count_jobs_batch="0")
    try:
        with pytest.raises(MlgitError, match=r"exceeded quota: tests(.|\n)*kubectl describe quota"):
            place.submit(place.spec(""))
    finally:
        core.delete_namespaced_resource_quota("tests", space.name)


def test_why_a_job_gets_no_pod_is_told(place: Place, space: clusters.Space):
    core = _limited(space, pods="0")
    try:
        job = place.submit(place.spec(""))
        found = until(lambda: one if (one := place.standing(job)).why else None)
        assert found.state is JobState.QUEUED
        assert "exceeded quota: tests" in found.why
        place.cancel(job)
        assert place.ended(job).state is JobState.CANCELLED
    finally:
        core.delete_namespaced_resource_quota("tests", space.name)


def test_a_job_that_its_cluster_forgets_by_itself_is_lost(place: Place, space: clusters.Space):
    settings = replace(place.settings, ttl_seconds_after_finished=0)
    job = kubernetes.submit(place.spec(SLEEP), settings)
    if "ttlSecondsAfterFinished" not in stored(place, job)["spec"]:
        pytest.skip("this cluster forgets no jobs by itself")
    place.cancel(job)
    ended = kubernetes.submit(place.spec(""), settings)

    until(lambda: place.standing(ended).state is JobState.LOST)
    with pytest.raises(NotFoundError):
        list(place.backend.logs(ended, settings))


def test_an_array_runs_or_its_cluster_is_said_to_be_too_old(place: Place):
    spec = place.spec("", array=(Member(command=("true",)),) * 2, key="array")
    if place.has_arrays:
        assert place.ended(place.submit(spec)).state is JobState.SUCCEEDED
        return
    with pytest.raises(MlgitError, match=r"knows no .* in a Job; arrays need 1\.29"):
        place.submit(spec)
    assert place.ended(place.submit(place.spec("", key="array"))).state is JobState.SUCCEEDED
