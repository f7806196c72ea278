"""The programs below examples/serving do what they say, with a real registry behind them."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlgit.formats import keeping
from tests import dockerd, stores
from tests.conftest import need
from tests.registry.served.conftest import Team

EXAMPLES = Path(__file__).parents[3] / "examples/serving"


def linear(slope: float) -> Callable[[Path], object]:
    return lambda folder: keeping.store({"w": np.array([slope, 1.0]), "b": np.array(0.5)}, folder)


@pytest.fixture
def web() -> None:
    need("fastapi", all(importlib.util.find_spec(name) for name in ("fastapi", "uvicorn")))


def asked(address: str, content: object = None) -> Any:
    body = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def until(address: str, wanted: Callable[[Any], bool], is_alive: Callable[[], bool] = lambda: True) -> Any:
    """What is said there once it is as *wanted*; two minutes are for a machine that has much else to do."""
    end = time.monotonic() + 120
    while is_alive() and time.monotonic() < end:
        with suppress(OSError):
            if wanted(told := asked(address)):
                return told
        time.sleep(0.02)
    return None


@contextmanager
def server(**env: str) -> Iterator[str]:
    port = stores.free_port()
    words = [sys.executable, "-m", "uvicorn", "server:app", "--app-dir", str(EXAMPLES), "--port", str(port)]
    process = subprocess.Popen(words, env=os.environ | env)
    try:
        assert until(f"http://127.0.0.1:{port}/health", bool, lambda: process.poll() is None)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def test_a_server_takes_up_a_newer_version_and_goes_on_without_the_repository(web: None, team: Team, outside: Path):
    team.promote(team.train("flat", make=linear(1.0)))

    with server(MLGIT_REPO=team.url, SECONDS="0.05") as address:
        first = asked(f"{address}/predict", {"rows": [[2, 3]]})
        team.promote(team.train("steep", make=linear(10.0)))
        assert until(f"{address}/health", lambda told: told["version"] == "v1.1.0")
        second = asked(f"{address}/predict", {"rows": [[2, 3]]})
        team.leave()
        away = until(f"{address}/health", lambda told: told["away"] != "")
        third = asked(f"{address}/predict", {"rows": [[2, 3]]})

    assert first == {"version": "v1.0.0", "predictions": [5.5]}
    assert second == third == {"version": "v1.1.0", "predictions": [23.5]}
    assert away["version"] == "v1.1.0"


def test_a_batch_job_says_of_each_row_which_version_scored_it(team: Team, outside: Path):
    team.promote(team.train("flat", make=linear(1.0)))
    Path("rows.csv").write_text("age,visits\n2,3\n4,5\n")

    subprocess.run(
        [sys.executable, str(EXAMPLES / "score.py"), "rows.csv", "scored.csv"],
        env=os.environ | {"MLGIT_REPO": team.url}, check=True,
    )  # fmt: skip

    assert list(csv.reader(Path("scored.csv").read_text().splitlines())) == [
        ["age", "visits", "score", "model"], ["2", "3", "5.5", "churn@v1.0.0"], ["4", "5", "9.5", "churn@v1.0.0"],
    ]  # fmt: skip


def _needed(*names: str) -> set[str]:
    """The distributions *names*, and what of this machine they need."""
    found, left = set[str](), list(names)
    while left:
        name = re.sub("[-_.]+", "-", left.pop()).lower()
        with suppress(metadata.PackageNotFoundError):
            wanted = [one for one in metadata.requires(name) or () if "extra ==" not in one]
            left += [re.split(r"[^\w.-]", one)[0] for one in wanted if name not in found]
            found.add(name)
    return found


def test_an_image_has_the_model_in_it_and_neither_mlgit_nor_a_password(
    web: None, team: Team, outside: Path, mlgit: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path_factory: pytest.TempPathFactory,
):  # fmt: skip
    need("dockerd", dockerd.is_here())
    team.promote(team.train("flat", make=linear(1.0)))
    for name in ("Dockerfile", "compose.yaml", "server.py"):
        shutil.copyfile(EXAMPLES / name, name)
    got = mlgit("model", "get", "churn@production", "-o", "model", "--repo", team.url, "--json")
    Path("model.json").write_text(got.stdout)

    with dockerd.running(tmp_path_factory.mktemp("d")) as address, closing(dockerd.client(address)) as client:
        installed = _needed("numpy", "fastapi", "uvicorn")
        files = (str(file.locate()) for name in installed for file in metadata.files(name) or ())
        dockerd.make_image(address, [file for file in files if file.endswith(".so")], installed)
        args = {"BASE": dockerd.IMAGE, "INSTALL": "true"}
        image, _ = client.images.build(path=str(outside), buildargs=args, network_mode="host")
        port = stores.free_port()
        command = ["python3", "-m", "uvicorn", "server:app", "--host", "127.0.0.1", "--port", str(port)]
        container = client.containers.run(image.id, command, network_mode="host", detach=True)

        def runs() -> bool:
            container.reload()
            return bool(container.status == "running")

        health = until(f"http://127.0.0.1:{port}/health", bool, runs)
        assert health, container.logs().decode()
        answer = asked(f"http://127.0.0.1:{port}/predict", {"rows": [[2, 3]]})
        container.remove(force=True)

    assert health["version"] == "v1.0.0"
    assert answer == {"version": "v1.0.0", "predictions": [5.5]}
