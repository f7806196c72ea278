"""NVIDIA's GPUs through the real nvidia-ml-py, over a library that stands in for the driver's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import runs
from tests.conftest import need

Script = Callable[..., "subprocess.CompletedProcess[str]"]

LOOK = "import json, os; from mlgit.tracking.machine import gpu; found = gpu.find(); print(json.dumps({0}))"


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a `libnvidia-ml.so.1` that needs no GPU."""
    need("gcc", shutil.which("gcc") is not None)
    folder = tmp_path_factory.mktemp("nvml")
    source = Path(__file__).with_name("nvml.c")
    library = ("-shared", "-fPIC", "-Wl,-soname,libnvidia-ml.so.1", "-o", str(folder / "libnvidia-ml.so.1"))
    subprocess.run(["gcc", *library, str(source)], check=True)
    return folder


@pytest.fixture
def machine(driver: Path, tmp_path: Path) -> Callable[..., dict[str, str]]:
    """An environment with these devices: (name, total, used, busy, celsius, milliwatts, limit, pid, its bytes)."""

    def make(*devices: tuple[object, ...]) -> dict[str, str]:
        (tmp_path / "devices").write_text("".join(f"{','.join(map(str, device))}\n" for device in devices))
        return {**os.environ, "LD_LIBRARY_PATH": str(driver), "NVML_STAND_IN": str(tmp_path / "devices")}

    return make


BIG = ("H100", 80 << 30, 20 << 30, 90, 65, 350_000, 700_000)
SMALL = ("T4", 16 << 30, 0, 0, 40, 10_000, 0)


def test_each_device_tells_what_it_is_doing(python: Script, machine: Callable[..., dict[str, str]]):
    env = machine((*BIG, 4242, 5 << 30), (*SMALL, 0, 0))
    seen = json.loads(python("-c", LOOK.format("found.look({4242})"), env=env).stdout)

    assert seen["gpu.0.gpu"] == 90
    assert seen["gpu.0.memory"] == 45
    assert seen["gpu.0.memoryAllocated"] == 25
    assert seen["gpu.0.memoryAllocatedBytes"] == 20 << 30
    assert seen["gpu.0.temp"] == 65
    assert seen["gpu.0.powerWatts"] == 350
    assert seen["gpu.0.enforcedPowerLimitWatts"] == 700
    assert seen["gpu.0.powerPercent"] == 50
    assert (seen["gpu.0.graphicsClock"], seen["gpu.0.smClock"], seen["gpu.0.memoryClock"]) == (1000, 1001, 1002)
    assert seen["gpu.1.gpu"] == 0


def test_a_device_that_the_run_uses_is_told_as_its_own_too(python: Script, machine: Callable[..., dict[str, str]]):
    env = machine((*BIG, 4242, 5 << 30), (*SMALL, 0, 0))
    ours, others = (
        json.loads(python("-c", LOOK.format(f"found.look({pids})"), env=env).stdout) for pids in ("{1, 4242}", "{7}")
    )

    assert ours["gpu.process.0.gpu"] == 90
    assert ours["gpu.process.0.powerPercent"] == 50
    assert ours["gpu.process.0.memoryUsedBytes"] == 5 << 30
    assert not any(name.startswith("gpu.process.1.") for name in ours)
    assert not any(name.startswith("gpu.process.") for name in others)


def test_what_a_device_cannot_say_is_left_out(python: Script, machine: Callable[..., dict[str, str]]):
    seen = json.loads(python("-c", LOOK.format("found.look(set())"), env=machine((*SMALL, 0, 0))).stdout)

    assert "gpu.0.powerWatts" in seen
    assert not {"gpu.0.enforcedPowerLimitWatts", "gpu.0.powerPercent", "gpu.0.fanSpeed"} & seen.keys()


def test_without_a_driver_there_are_no_gpus(python: Script, driver: Path):
    no_library = python("-c", LOOK.format("found is None"))
    no_device = python("-c", LOOK.format("found is None"), env={**os.environ, "LD_LIBRARY_PATH": str(driver)})

    assert no_library.stdout == no_device.stdout == "true\n"


def test_a_runs_record_names_the_cards_and_keeps_what_they_did(
    repo: Repo, python: Script, machine: Callable[..., dict[str, str]]
):
    code = """
import mlgit, pathlib
run = mlgit.init(settings={"x_stats_sampling_interval": 0.1})
while not (pathlib.Path(run.dir).parent / "system.jsonl").exists(): pass
"""
    python("-c", code, cwd=repo.folder, env=machine((*BIG, 0, 0), (*SMALL, 0, 0)))
    (run,) = query.runs(repo)

    assert runs.provenance(repo, run)["gpu"] == {
        "models": ["H100", "T4"], "memory_gb": [80, 16], "driver": "570.1", "cuda": "12.8",
    }  # fmt: skip
    assert runs.system(repo, run)["gpu.0.temp"].values[0] == 65
