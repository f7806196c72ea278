"""Runs made again in containers, by a real daemon, of an image that is made here and packages that lie in a folder."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from mlgit.core.run import Run
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.reproduce import container, pylock, recipe
from mlgit.store import runs
from tests import dockerd
from tests.conftest import need
from tests.reproduce.test_reproduce import commit, is_clean, recorded, told
from tests.reproduce.wheels import repacked, wheel

Mlgit = Callable[..., Any]
IMAGE = ("--env", "docker", "--image", dockerd.IMAGE)
TRAIN = """
import getpass, os, pathlib, numpy, tiny, mlgit
run = mlgit.init(config={"seed": 1})
draws = numpy.random.default_rng(run.config.seed)
for step in range(5):
    run.log({"loss": float(numpy.sin(draws.normal(size=1000)).sum())})
getpass.getuser()  # some libraries ask it, and the image knows no user
print("secret" if "HIDDEN_FROM_IT" in os.environ else "nothing of ours", pathlib.Path(tiny.__file__).parent.name)
"""
NEEDED = ("orjson", "pyyaml")
"""What a script needs that logs numbers."""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a docker daemon that has the image."""
    need("dockerd", dockerd.is_here() and pylock.uv() is not None)
    with dockerd.running(tmp_path_factory.mktemp("d")) as address:
        compiled = [str(one.locate()) for one in metadata.files("numpy") or () if one.suffix == ".so"]
        dockerd.make_image(address, [pylock.needed_uv(), *compiled], NEEDED)
        yield address


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages: `tiny`, NumPy and what a script needs."""
    folder = tmp_path_factory.mktemp("wheels")
    wheel(folder, "1.0")
    repacked(folder, "numpy", *NEEDED)
    return folder


@pytest.fixture
def docker(
    daemon: str, wheels: Path, inside: Repo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Any]:  # fmt: skip
    """The daemon, as a client of docker's library; what is installed comes from the folder and from nowhere else."""
    (tmp_path / "uv.toml").write_text("no-index = true\n")
    (tmp_path / "site").mkdir(), (tmp_path / "site" / "tiny.py").write_text("")
    for name, value in {
        "DOCKER_HOST": daemon, "UV_CONFIG_FILE": tmp_path / "uv.toml", "UV_FIND_LINKS": wheels,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, str(value))
    with contextlib.closing(dockerd.client(daemon)) as client:
        yield client
        assert client.containers.list(all=True) == []


def trained(repo: Repo, mlgit: Mlgit, code: str, *packages: str) -> None:
    """A run `x` of *code* that had these *packages* installed, and what it needs."""
    commit(repo, train_py=code)
    site = Path(os.environ["UV_CONFIG_FILE"]).parent / "site"
    mlgit("run", "-n", "x", "--", "python", "train.py", env={**os.environ, "PYTHONPATH": str(site)})
    lines = [f"{name}=={'1.0' if name == 'tiny' else metadata.version(name)}" for name in (*NEEDED, *packages)]
    recorded(repo, "x", {"requirements.txt": "\n".join(lines).encode()})


def test_a_run_comes_out_bitwise_the_same_in_a_container_and_again_from_what_that_recorded(
    docker: Any, inside: Repo, mlgit: Mlgit, monkeypatch: pytest.MonkeyPatch
):  # fmt: skip
    monkeypatch.setenv("HIDDEN_FROM_IT", "token")
    trained(inside, mlgit, TRAIN, "numpy", "tiny")

    done = mlgit("reproduce", "x", *IMAGE, "--json")
    checked = mlgit("reproduce", "x-again", "--check", "--json")

    found = told(done)
    assert (found["verdict"], found["environment"], found["same"]["points"]) == ("bitwise", "docker", 5)
    assert "nothing of ours site-packages" in done.stderr
    assert (told(checked)["environment"], told(checked)["missing"]) == ("docker", [])
    again = query.of_id(inside, found["again"])
    assert again
    about = runs.provenance(inside, again)
    assert (about["image"], about["command"], about["host"]) == (
        dockerd.IMAGE,
        ["python", "train.py"],
        os.uname().nodename,
    )
    assert sorted(runs.surroundings(inside, again)["packages"]) == sorted(("numpy", "tiny", *NEEDED))
    assert is_clean(inside)
    assert {path.stat().st_uid for path in inside.own.rglob("*")} == {os.getuid()}


def test_an_image_that_has_what_the_run_had_is_taken_as_it_is(
    docker: Any, inside: Repo, mlgit: Mlgit, monkeypatch: pytest.MonkeyPatch
):  # fmt: skip
    trained(inside, mlgit, "import mlgit; mlgit.init().log({'a': 0.1})")
    monkeypatch.setenv("UV_FIND_LINKS", "/nowhere")

    found = told(mlgit("reproduce", "x", *IMAGE, "--json"))

    assert (found["verdict"], found["environment"], found["same"]["points"]) == ("bitwise", "docker", 1)
    assert is_clean(inside)


SLOW = """
import mlgit, os, time
run = mlgit.init()
run.log({{"a": 1}})
while os.path.exists({slow!r}):
    open({slow!r} + ".began", "w").close()
    time.sleep(0.05)
"""


@pytest.mark.parametrize("who", ["all", "mlgit"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_runs_on_in_a_container_whose_mlgit_is_ended_or_killed(
    docker: Any, inside: Repo, mlgit: Mlgit, number: signal.Signals, who: str
):  # fmt: skip
    slow = inside.git_dir / "slow"
    trained(inside, mlgit, SLOW.format(slow=str(slow)))
    slow.touch()
    words = (sys.executable, "-m", "mlgit", "reproduce", "x", *IMAGE)
    with subprocess.Popen(words, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        until = time.monotonic() + 100
        while not Path(f"{slow}.began").exists() and time.monotonic() < until:
            time.sleep(0.05)
        modes = [one.attrs["HostConfig"]["NetworkMode"] for one in _commanded(docker)]
        os.killpg(process.pid, number) if who == "all" else process.send_signal(number)

    assert modes == ["none"]
    if number == signal.SIGKILL:
        until = time.monotonic() + 100
        while _commanded(docker) and time.monotonic() < until:
            time.sleep(0.05)
        assert _commanded(docker) == []  # by itself, while the program would have gone on
        slow.unlink()
        assert told(mlgit("reproduce", "x", "--env", "none", "--json"))["verdict"] == "bitwise"
    else:
        assert process.returncode == -signal.SIGINT
    assert _commanded(docker) == []
    assert is_clean(inside)


def _commanded(docker: Any) -> list[Any]:
    """The containers in which the run's own command is under way."""
    return [one for one in docker.containers.list(ignore_removed=True) if "train.py" in one.attrs["Config"]["Cmd"]]


def test_what_stands_against_a_container_is_named_before_anything_is_made(
    docker: Any, inside: Repo, mlgit: Mlgit, monkeypatch: pytest.MonkeyPatch
):  # fmt: skip
    trained(inside, mlgit, "import mlgit; mlgit.init().log({'a': 1})")
    machine = f"machine: {os.uname().machine}".encode()
    recorded(inside, "x", {"run.yaml": lambda text: text.replace(machine, b"machine: vax")})

    lacked = told(mlgit("reproduce", "x", "--check", "--json", "--env", "docker", "--image", "no/such:1", check=False))
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    alone = told(mlgit("reproduce", "x", "--json", *IMAGE, check=False))

    assert [(one["kind"], one["name"]) for one in lacked["missing"]] == [("machine", "vax"), ("image", "no/such:1")]
    assert "it is not here, and cannot be pulled" in lacked["missing"][1]["why"]
    assert (alone["verdict"], [one["name"] for one in alone["missing"]]) == ("cannot", ["docker"])


def test_what_docker_or_uv_refuse_is_said_with_a_way_out(
    docker: Any, inside: Repo, mlgit: Mlgit
):  # fmt: skip
    trained(inside, mlgit, "import mlgit; mlgit.init().log({'a': 1})")
    now, later = b'python: "%d.%d.%d"' % sys.version_info[:3], b'python: "%d.%d.99"' % sys.version_info[:2]
    recorded(inside, "x", {"run.yaml": lambda text: text.replace(now, later)})
    python = mlgit("reproduce", "x", *IMAGE, check=False)
    recorded(inside, "x", {"run.yaml": lambda text: text.replace(later, now) + b"gpu:\n- name: A100\n"})
    gpu = mlgit("reproduce", "x", *IMAGE, check=False)
    none = mlgit("reproduce", "x", "--env", "uv", "--image", "a", check=False)

    assert (python.returncode, "uv venv failed" in python.stderr) == (1, True)
    assert (gpu.returncode, "docker starts no container" in gpu.stderr) == (1, True)
    assert "install nvidia-container-toolkit" in gpu.stderr
    assert (none.returncode, "--image is for a container" in none.stderr) == (2, True)
    assert is_clean(inside)


@pytest.mark.parametrize(
    ("about", "image"),
    [
        ({"image": "mine@sha256:1"}, "mine@sha256:1"),
        ({"runtime": {"libc": "glibc 2.36"}}, "python:3.12.1-bookworm"),
        ({"runtime": {"libc": "glibc 2.35"}}, "python:3.12.1"),
        ({}, "python:3.12.1"),
    ],
)
def test_the_image_is_that_of_the_run_else_pythons_own_on_the_same_c_library(about: dict[str, Any], image: str):
    run = Run(id="a", name="a", project="p")

    assert container.image(recipe.of(run, {"python": "3.12.1", **about})) == image


def test_a_run_records_the_image_that_it_is_told_of(inside: Repo, mlgit: Mlgit, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WANDB_DOCKER", "mine@sha256:1")
    commit(inside, train_py="print(1)\n")

    mlgit("run", "-n", "x", "--", sys.executable, "train.py")

    assert json.loads(mlgit("show", "x", "--json").stdout)["provenance"]["image"] == "mine@sha256:1"
