"""A team's repository with a registered model, behind a real git server by http, its bytes on a web server."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from mlgit.artifacts import log as artifacts
from mlgit.core.model import ModelVersion, Stage
from mlgit.core.run import Run, State
from mlgit.dvc import project
from mlgit.dvc.remotes import remote
from mlgit.git.repo import Move, Repo
from mlgit.registry.evidence import gathering
from mlgit.registry.moving import settle
from mlgit.registry.versions import registering
from mlgit.store import registry as store
from mlgit.store import result, runs
from tests import git_http, stores


@dataclass
class Team:
    """Who makes models, and what is asked of their servers."""

    repo: Repo
    far: Path
    """Their bare repository, as the server has it."""
    url: str
    store: Path
    bytes_url: str
    heard: list[str] = field(default_factory=list)
    """What git's server is asked for, a line a request."""
    fetched: list[str] = field(default_factory=list)
    """The same of the bytes' server."""
    servers: ExitStack = field(default_factory=ExitStack)

    def train(self, name: str, *, folder: str = "", make: Callable[[Path], object] | None = None) -> ModelVersion:
        """The next version of churn, made by the run *name*; its bytes, those that *make* writes, are on the store."""
        place = self.repo.own / "made" / name / "net"
        (place / "deep").mkdir(parents=True)
        if make:
            (place / "deep").rmdir()
            make(place)
        else:
            (place / "weights").write_text(f"weights of {name}")
            (place / "deep/labels").write_text("stay go")
        logged = artifacts.log(self.repo, place, name="net", type="model", folder=folder)
        run = Run(
            id=f"{name:0<8}", name=name, project="churn", state=State.FINISHED, created=1_700_000_000,
            finished=1_700_000_060, folder=folder, metrics={"accuracy": 0.9}, logged=(logged,),
        )  # fmt: skip
        files = {f"{folder}/experiment/metrics.yaml".lstrip("/"): f"x: {name}\n".encode()}
        commit = self.repo.commit(self.repo.resolve("HEAD"), files, result.message(run))
        self.repo.move([Move(f"refs/heads/exp/churn/{name}", None, commit)], why="test")
        found = runs.read(self.repo, commit)
        assert found
        made = registering.register(self.repo, replace(found, commit=commit), model="churn")
        remote.push(self.repo, [made.hash], folder=folder)
        return made

    def merge(self, made: ModelVersion, stage: str = "production") -> None:
        """main asks for it; nothing is settled."""
        files = {
            store.version_path(made.model, made.version): store.version_text(made).encode(),
            store.stage_path(made.model, stage): store.stage_text(
                Stage(model=made.model, stage=stage, version=made.version)
            ).encode(),
        }
        commit = self.repo.commit(self.repo.resolve("HEAD"), files, f"promote {made.version}")
        self.repo.git("reset", "-q", "--hard", commit)

    def settle(self) -> None:
        settle.reconcile(self.repo, "main", sources=gathering.Sources())

    def promote(self, made: ModelVersion, stage: str = "production") -> None:
        self.merge(made, stage)
        self.settle()
        self.publish()

    def publish(self) -> None:
        self.repo.git("push", "-q", "--mirror", str(self.far))
        self.heard.clear()
        self.fetched.clear()

    def leave(self) -> None:
        """Both servers go."""
        self.servers.close()

    @property
    def asked(self) -> int:
        """How many requests git's server has had since this was last asked."""
        count = len(self.heard)
        self.heard.clear()
        return count


@pytest.fixture
def team(repo: Repo, tmp_path: Path) -> Iterator[Team]:
    """Nothing is registered yet; what is published is to be read at `team.url`."""
    assert repo.work_tree
    project.setup(repo)
    fetched: list[str] = []

    def get(request: stores.Shelf) -> None:
        fetched.append(request.path)
        stores.Shelf.do_GET(request)

    with ExitStack() as servers:
        bytes_url, _ = servers.enter_context(stores.shelf(tmp_path / "store", do_GET=get))
        address = servers.enter_context(git_http.serving(tmp_path / "server", heard := []))
        stores.configure(repo.work_tree, "store", bytes_url)
        repo.git("add", ".dvc", ".dvcignore")
        repo.git("commit", "-q", "-m", "DVC")
        far = tmp_path / "server/team.git"
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(far)], check=True)
        for key in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
            subprocess.run(["git", "config", key, "true"], cwd=far, check=True)
        url = f"{address}/team.git"
        yield Team(repo, far, url, tmp_path / "store", bytes_url, heard, fetched, servers)


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is in no repository, as the current one."""
    place = tmp_path / "outside"
    place.mkdir()
    monkeypatch.chdir(place)
    return place
