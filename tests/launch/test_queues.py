"""`queues:` in mlgit.yaml: settings by name, complained about by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlgit import settings
from mlgit.errors import ConfigError, NotFoundError
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
        ("local:", "mlgit.yaml:2: queues.desk: expected the settings of one backend, got none"),
    ],
)
def test_what_is_wrong_is_told_by_line(tmp_path: Path, queue: str, expected: str):
    with pytest.raises(ConfigError) as caught:
        queues.find(read(tmp_path, f"queues:\n  desk:\n    {queue}\n"), "desk")
    assert caught.value.what.startswith(expected)
