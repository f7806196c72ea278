"""Images that a queue builds: what they are built of, once for one content, by a real daemon."""

from __future__ import annotations

import contextlib
import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlgit import settings as settings_file
from mlgit.core.job import JobSpec, JobState
from mlgit.errors import MlgitError, NotFoundError, UsageError
from mlgit.launch import docker, queues
from mlgit.launch.docker import Settings, image
from mlgit.launch.docker.image import Build
from tests import dockerd
from tests.contracts import launching
from tests.contracts.launching import Place


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with launching.docker(tmp_path_factory, installed=("pip",)) as found:
        yield replace(found, image=None, settings=replace(found.settings, user="65534:65534"))


@pytest.fixture
def folder(place: Place, tmp_path: Path) -> Path:
    tmp_path.chmod(0o777)
    return tmp_path


def spec(folder: Path, code: str = "", **more: Any) -> JobSpec:
    return JobSpec(**{"name": "a job", "command": ("python3", "-c", code), "folder": str(folder), **more})


def tag(build: Build, folder: Path) -> str:
    with image.packed(build, folder, "1:1") as found:
        return found.tag


def test_a_dockerfile_is_made_of_what_the_queue_says(tmp_path: Path):
    (tmp_path / "mlgit.yaml").write_text("""project: p
queues:
  gpu:
    docker:
      build: {python: "3.12", apt: [git, libgl1=1.7.0-1+b2], requirements: env/lock.txt}
""")
    (tmp_path / "env").mkdir()
    (tmp_path / "env/lock.txt").write_text("numpy==2.1.0\n")
    queue = queues.find(settings_file.read(tmp_path), "gpu")

    shown = queue.backend.render(spec(tmp_path), queue.settings)

    comments = [line.removeprefix("# ") for line in shown.splitlines() if line.startswith("# ")]
    (asked,) = json.loads("\n".join(line for line in shown.splitlines() if not line.startswith("#")))
    assert comments[0] == f"{asked['Image']} is built by"
    assert comments[1:] == [
        "FROM python:3.12",
        "RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "
        "git libgl1=1.7.0-1+b2 && rm -rf /var/lib/apt/lists/*",
        "COPY requirements /opt/mlgit/requirements",
        'RUN ["env", "PIP_BREAK_SYSTEM_PACKAGES=1", "python3", "-m", "pip", "install", "--no-cache-dir", "-r", '
        '"/opt/mlgit/requirements/env/lock.txt"]',
        "USER 65534:65534",
    ]


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (Build(base="a\nRUN x"), "under build: base:"),
        (Build(python="3; x"), "under build: python:"),
        (Build(apt=("git; rm -rf /",)), "under build: apt:"),
        (Build(apt=("--allow-unauthenticated",)), "under build: apt:"),
        (Build(dockerfile="Dockerfile", apt=("git",)), "a dockerfile, and apt too"),
        (Build(python="3.12", base="a"), "a python, and a base too"),
        (Build(requirements="../lock.txt"), "lies outside of"),
    ],
)
def test_what_cannot_be_built_is_refused(build: Build, expected: str, tmp_path: Path):
    with pytest.raises(UsageError, match=expected):
        tag(build, tmp_path)


def test_a_queue_has_an_image_or_builds_one(tmp_path: Path):
    with pytest.raises(UsageError, match="names an image, and how to build one, too"):
        docker.render(spec(tmp_path), Settings(image="a", build=Build()))
    with pytest.raises(NotFoundError, match=r"builds an image from lock.txt, and there is none"):
        docker.render(spec(tmp_path), Settings(build=Build(requirements="lock.txt")))
    (asked,) = json.loads(docker.render(spec(tmp_path, image="b"), Settings(build=Build())))
    assert asked["Image"] == "b"


def test_an_image_is_called_after_all_that_it_is_built_of(tmp_path: Path):
    (tmp_path / "more").mkdir()
    (tmp_path / "lock.txt").write_text("-r more/a.txt  # ours\n--constraint=b.txt\n-c https://example.org/c.txt\n")
    (tmp_path / "more/a.txt").write_text("-r ../c.txt\n")
    for name in ("b", "c"):
        (tmp_path / f"{name}.txt").write_text("numpy\n")
    build = Build(base="a", requirements="lock.txt")
    before = tag(build, tmp_path)
    (tmp_path / "lock.txt").touch()
    (tmp_path / "train.py").write_text("")

    assert tag(build, tmp_path) == before
    assert tag(replace(build, apt=("git",)), tmp_path) != before
    (tmp_path / "c.txt").write_text("numpy==2\n")
    assert tag(build, tmp_path) != before


def test_an_image_is_built_once_and_its_progress_is_told(place: Place, folder: Path, capfd: pytest.CaptureFixture[str]):
    (folder / "lock.txt").write_text("--no-index\npip\n")
    (folder / "train.py").write_text("")
    settings = replace(place.settings, build=Build(base=dockerd.IMAGE, requirements="lock.txt"))
    code = "import os; print(os.getuid(), os.listdir('/opt/mlgit/requirements'), os.path.exists('train.py'))"
    there = replace(place, settings=settings)

    first = there.submit(spec(folder, code))
    told = capfd.readouterr().err
    assert there.printed(first) == ["65534 ['lock.txt'] True"]
    assert "docker builds the image mlgit:" in told
    assert "Step 3/" in told
    second = there.submit(spec(folder, code))
    assert there.ended(second).state is JobState.SUCCEEDED
    assert "builds" not in capfd.readouterr().err


def test_a_dockerfile_of_the_projects_is_given_its_folder(place: Place, folder: Path):
    (folder / ".git").mkdir()
    (folder / ".git/HEAD").write_text("x")
    (folder / ".dockerignore").write_text("# large\ndata\n")
    (folder / "data").mkdir()
    (folder / "data/large").write_text("x")
    (folder / "tool").write_text("#!/bin/sh\n")
    (folder / "tool").chmod(0o755)
    (folder / "Dockerfile").write_text(f"FROM {dockerd.IMAGE}\nCOPY . /made\n")
    there = replace(place, settings=replace(place.settings, build=Build(dockerfile="Dockerfile")))
    code = "import os; print(sorted(os.listdir('/made')), os.access('/made/tool', os.X_OK))"

    assert there.printed(there.submit(spec(folder, code))) == ["['.dockerignore', 'Dockerfile', 'tool'] True"]


def test_files_that_are_no_utf_8_are_sent_as_they_are(tmp_path: Path):
    (tmp_path / "lock.txt").write_bytes(b"# f\xfcr uns\npip\n")
    (tmp_path / "Dockerfile").write_bytes(b"# f\xfcr uns\nFROM a\n")
    (tmp_path / ".dockerignore").write_bytes(b"gr\xf6\xdfer\n")
    for build, name in (
        (Build(base="a", requirements="lock.txt"), "requirements/lock.txt"),
        (Build(dockerfile="Dockerfile"), "Dockerfile"),
    ):
        with image.packed(build, tmp_path, "1:1") as found, tarfile.open(fileobj=found.tar) as tar:
            assert b"f\xfcr uns" in (tar.extractfile(name) or io.BytesIO()).read()


def test_a_build_that_fails_says_what_went_wrong_and_leaves_nothing(place: Place, folder: Path):
    (folder / "lock.txt").write_text("--no-index\nno-such-thing==1\n")
    settings = replace(place.settings, build=Build(base=dockerd.IMAGE, requirements="lock.txt"))
    with pytest.raises(MlgitError, match=r"cannot build the queue's image(.|\n)*No matching distribution") as raised:
        docker.submit(spec(folder, key="failing"), settings)

    assert "under build:" in raised.value.fix
    with contextlib.closing(dockerd.client(place.settings.host)) as client:
        assert not [one for one in client.containers.list(all=True) if one.status == "created"]
        assert tag(settings.build, folder) not in str(client.api.images())


def test_a_base_that_is_not_there_is_said_so(place: Place, folder: Path):
    settings = replace(place.settings, build=Build(base="no/such:1"))
    with pytest.raises(NotFoundError, match=r"no image no/such:1.\n.*the queue says not to pull"):
        docker.submit(spec(folder), settings)
    (folder / "Dockerfile").write_text("FROM localhost:9/such\n")
    settings = replace(place.settings, build=Build(dockerfile="Dockerfile"))
    with pytest.raises(MlgitError, match=r"localhost:9"):
        docker.submit(spec(folder), settings)


def test_a_dockerfile_that_cannot_be_read_is_said_so(place: Place, folder: Path):
    settings = replace(place.settings, build=Build(dockerfile="Dockerfile"))
    for text, expected in (("MAKE x\n", "unknown instruction: MAKE"), ("", "cannot be empty")):
        (folder / "Dockerfile").write_text(text)
        with pytest.raises(MlgitError, match=rf"cannot build the queue's image(.|\n)*{expected}"):
            docker.submit(spec(folder), settings)
