"""`queues:` in mlgit.yaml: settings by name, complained about by line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlgit import settings
from mlgit.core.job import JobSpec, Member, Needs
from mlgit.errors import ConfigError, NotFoundError, UsageError
from mlgit.launch import backends, local, queues

FILE = """project: digits
queues:
  desk:
    local: {slots: 2, gpus: [0, 1]}
"""


def read(folder: Path, text: str) -> settings.Settings:
    (folder / "mlgit.yaml").write_text(text)
    return settings.read(folder)


def test_a_queue_is_a_backend_with_settings(tmp_path: Path):
    found = queues.find(read(tmp_path, FILE), "desk")

    assert found.backend is backends.backend("local")
    assert found.settings == local.Settings(slots=2, gpus=(0, 1))


@pytest.mark.parametrize("text", ["project: digits\n", FILE])
def test_a_backend_is_a_queue_by_itself(tmp_path: Path, text: str):
    assert queues.find(read(tmp_path, text), "local").settings == local.Settings()


def test_a_queue_that_is_not_there_is_answered_with_those_that_are(tmp_path: Path):
    with pytest.raises(NotFoundError, match=r"one of desk, .*local"):
        queues.find(read(tmp_path, FILE), "dsk")
    with pytest.raises(NotFoundError, match=r"one of .*local"):
        backends.backend("cloud")


@pytest.mark.parametrize(
    ("queue", "expected"),
    [
        ("local: {slot: 2}", "mlgit.yaml:3: queues.desk.local.slot: unknown key; did you mean 'slots'?"),
        ("lokal: {}", "mlgit.yaml:3: queues.desk.lokal: unknown key; did you mean 'local'?"),
        ("local: {slots: two}", "mlgit.yaml:3: queues.desk.local"),
        ("local: {slots: 0}", "mlgit.yaml:3: queues.desk.local.slots: expected a number above 0"),
        ("local: {grace_seconds: -1}", "mlgit.yaml:3: queues.desk.local.grace_seconds: expected a number, 0 or more"),
        (
            "docker: {answer_seconds: .inf}",
            "mlgit.yaml:3: queues.desk.docker.answer_seconds: expected a number above 0",
        ),
        ("local:", "mlgit.yaml:2: queues.desk: expected the settings of one backend, got none"),
        ("local: {}\n    limits: {gpu: 2}", "mlgit.yaml:4: queues.desk.limits.gpu: unknown key; did you mean 'gpus'?"),
        ("local: {}\n    limits: {cpus: 0}", "mlgit.yaml:4: queues.desk.limits.cpus: expected a number above 0."),
        (
            "local: {}\n    defaults: {minutes: .inf}",
            "mlgit.yaml:4: queues.desk.defaults.minutes: expected a number above 0.",
        ),
        ("local: {}\n    defaults: {gpus: many}", "mlgit.yaml:4: queues.desk.defaults.gpus: expected a whole number"),
    ],
)
def test_what_is_wrong_is_told_by_line(tmp_path: Path, queue: str, expected: str):
    with pytest.raises(ConfigError) as caught:
        queues.find(read(tmp_path, f"queues:\n  desk:\n    {queue}\n"), "desk")
    assert caught.value.what.startswith(expected)


FULL = """queues:
  desk:
    local: {slots: 2}
    defaults: {gpus: 1, minutes: 30, env: {NCCL_DEBUG: INFO}}
    limits:
      gpus: 2
      minutes: 60
      tasks: 3
      jobs: 2
      memory_gb: 8
"""


def test_a_job_has_what_its_queue_says_unless_it_says_otherwise(tmp_path: Path):
    queue = queues.find(read(tmp_path, FULL), "desk")
    spec = JobSpec(name="a", command=("x",), env={"A": "b"})

    plain, own = queue.filled(spec, Needs()), queue.filled(spec, Needs(gpus=0, minutes=5.0))

    assert (plain.gpus, plain.minutes, plain.env) == (1, 30, {"NCCL_DEBUG": "INFO", "A": "b"})
    assert (own.gpus, own.minutes, own.memory_gb) == (0, 5, None)


def test_a_job_without_a_bound_has_the_longest_that_its_queue_allows(tmp_path: Path):
    queue = queues.find(read(tmp_path, FULL.replace("minutes: 30, ", "")), "desk")

    assert queue.filled(JobSpec(name="a", command=("x",)), Needs()).minutes == 60


@pytest.mark.parametrize(
    ("asked", "others", "what", "place"),
    [
        ({"gpus": 3}, 0, "asks for 3 GPUs, and the queue desk gives 2 at the most", "6: queues.desk.limits.gpus"),
        (
            {"memory_gb": 8.5},
            0,
            "asks for 8.5 GB of memory, and the queue desk gives 8",
            "10: queues.desk.limits.memory_gb",
        ),
        (
            {"array": (Member(command=("x",)),) * 4},
            0,
            "asks for 4 tasks, and the queue desk gives 3",
            "8: queues.desk.limits.tasks",
        ),
        ({}, 2, "The queue desk has 2 jobs under way, and takes 2 at once", "9: queues.desk.limits.jobs"),
    ],
)
def test_more_than_a_queue_gives_is_refused_by_line(
    tmp_path: Path, asked: dict[str, Any], others: int, what: str, place: str
):
    queue = queues.find(read(tmp_path, FULL), "desk")
    spec = JobSpec(name="a", command=("x",), **asked)

    with pytest.raises(UsageError, match=what) as caught:
        queue.check(spec, others)
    assert f"The limit is mlgit.yaml:{place}." in str(caught.value)
    queue.check(JobSpec(name="a", command=("x",), gpus=2, minutes=60), 1)


def test_a_default_beyond_the_limit_is_told_by_line(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"mlgit.yaml:4: queues.desk.defaults.gpus: 4 is more than the limit, 2"):
        queues.find(read(tmp_path, FULL.replace("gpus: 1", "gpus: 4")), "desk")
