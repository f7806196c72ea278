"""A registered model comes whole and verified, or not at all, whatever happens on its way."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mlgit.artifacts import log as artifacts
from mlgit.core.model import ModelVersion
from mlgit.core.run import Run, State
from mlgit.dvc import project, workshop
from mlgit.dvc.caches import databases
from mlgit.dvc.remotes import remote
from mlgit.errors import MlgitError, NotFoundError, UsageError
from mlgit.git.repo import Move, Repo
from mlgit.registry import deliver
from mlgit.registry.versions import registering
from mlgit.store import result, runs
from tests import dying, stores

FILES = {"weights": "w" * 99, "deep/labels": "cat dog"}


@pytest.fixture
def model(inside: Repo, tmp_path: Path) -> ModelVersion:
    """digits v1.0.0, a folder of two files, in a repository whose default remote is the folder `far`."""
    project.setup(inside)
    stores.configure(inside.folder, "store", str(tmp_path / "far"))
    for name, text in FILES.items():
        path = Path("net", name)
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
    logged = artifacts.log(inside, Path("net"), name="net", type="model")
    run = Run(
        id="good0000", name="good", project="digits", state=State.FINISHED, created=1_700_000_000,
        finished=1_700_000_060, logged=(logged,),
    )  # fmt: skip
    commit = inside.commit(inside.resolve("HEAD"), {"experiment/metrics.yaml": b"x: 1\n"}, result.message(run))
    inside.move([Move("refs/heads/exp/digits/good", None, commit)], why="test")
    found = runs.read(inside, commit)
    assert found
    made = registering.register(inside, replace(found, ref="refs/heads/exp/digits/good", commit=commit), model="digits")
    remote.push(inside, [made.hash])
    return made


def content(place: Path) -> dict[str, str]:
    return {path.relative_to(place).as_posix(): path.read_text() for path in place.rglob("*") if path.is_file()}


def lose(repo: Repo) -> None:
    """The cache goes."""
    for database in databases.of(repo, ""):
        shutil.rmtree(database, ignore_errors=True)


def weights(store: Path) -> Path:
    """Where the cache or the remote *store* has the weights."""
    return next(path for path in store.rglob("??/*") if path.is_file() and path.read_text() == FILES["weights"])


def overwrite(path: Path, text: str) -> None:
    path.chmod(0o644)
    path.write_text(text)


def test_killed_at_any_moment_nothing_half_is_there_and_a_second_try_brings_it(inside: Repo, model: ModelVersion):
    program = """
import shutil, sys
from pathlib import Path
from mlgit.dvc.caches import databases
from mlgit.git.repo import Repo
from mlgit.registry import deliver
from mlgit.registry.versions import shelf
from tests.dying import dies_at
repo, target = Repo.find(Path.cwd()), Path("out/got")
version = shelf.find(repo, "digits", base="main")
target.parent.mkdir()
beside = {".hidden", ".0123456789abcdef.mlgit", "mine"}
for name in beside:
    Path("out", name).write_text("mine")
def lose():
    shutil.rmtree(target, ignore_errors=True)
    for database in databases.of(repo, ""):
        shutil.rmtree(database, ignore_errors=True)
def files():
    return sorted(path.name for path in target.rglob("*") if path.is_file())
lose()
left = 0
moment = 1
while dies_at(moment, deliver.deliver, repo, version, target):
    assert not target.exists() or files() == ["labels", "weights"], (moment, files())
    there = {path.name for path in target.parent.iterdir()} - beside - {target.name}
    left += len(there)
    if there or moment % 4 == 0:
        deliver.deliver(repo, version, target)
        assert files() == ["labels", "weights"], moment
        assert {path.name for path in target.parent.iterdir()} == beside | {target.name}, moment
    lose()
    moment += 1
assert left > 5, left
print(moment)
"""
    assert dying.last_moment(program, folder=inside.folder) > 10
    assert content(Path("out/got")) == FILES


def test_what_another_process_is_making_beside_the_target_stays(inside: Repo, model: ModelVersion):
    with workshop.beside(Path("other").absolute()) as busy:
        (busy / "new").write_text("half")

        deliver.deliver(inside, model, Path("got"))

        assert (busy / "new").read_text() == "half"


def test_a_link_that_is_called_as_what_the_dead_leave_is_not_followed(inside: Repo, model: ModelVersion):
    Path("mine").mkdir()
    for name, text in {"target": "taken", "old": "mine"}.items():
        Path("mine", name).write_text(text)
    Path(".0123456789abcdef.work.mlgit").symlink_to("mine")

    deliver.deliver(inside, model, Path("got"))

    assert content(Path("mine")) == {"target": "taken", "old": "mine"}
    assert not Path("taken").exists()


def test_a_damaged_object_of_the_cache_is_named_and_nothing_comes(inside: Repo, model: ModelVersion):
    overwrite(weights(next(databases.of(inside, ""))), "w" * 98 + "v")

    with pytest.raises(MlgitError) as caught:
        deliver.deliver(inside, model, Path("got"))

    assert caught.value.what == "digits v1.0.0 is not brought: net of run good."
    assert "is damaged" in caught.value.why
    assert [path.name for path in Path().iterdir() if "got" in path.name or path.name.endswith(".mlgit")] == []


def test_an_object_that_is_nowhere_is_named_with_its_run_its_artifact_and_the_remote(
    inside: Repo, model: ModelVersion, tmp_path: Path
):
    lose(inside)
    weights(tmp_path / "far").unlink()

    with pytest.raises(NotFoundError) as caught:
        deliver.deliver(inside, model, Path("got"))

    assert caught.value.what == "The bytes of digits v1.0.0 are nowhere to be had: net of run good."
    assert f"The DVC remote store ({tmp_path / 'far'})" in caught.value.why
    assert "net of run good: weights is not there" in caught.value.why
    assert caught.value.fix == "mlgit data push where it was made"
    assert not Path("got").exists()


def test_a_remote_that_gives_other_bytes_is_found_out(inside: Repo, model: ModelVersion, tmp_path: Path):
    lose(inside)
    overwrite(weights(tmp_path / "far"), "v" * 99)

    with pytest.raises(MlgitError) as caught:
        deliver.deliver(inside, model, Path("got"))

    assert caught.value.what == "digits v1.0.0 is not brought: net of run good."
    assert "weights is damaged there" in caught.value.why
    assert not Path("got").exists()


@pytest.mark.parametrize("there", [False, True])
def test_bytes_of_the_right_md5_and_another_sha256_never_appear(inside: Repo, model: ModelVersion, there: bool):
    if there:
        shutil.copytree("net", "got")
    other = replace(model, sha256=dict(model.sha256) | {"weights": "0" * 64})

    with pytest.raises(MlgitError, match="weights has another sha256 than its record says"):
        deliver.deliver(inside, other, Path("got"))

    assert Path("got").exists() == there


def test_a_folder_with_other_files_is_left_alone(inside: Repo, model: ModelVersion):
    Path("got").mkdir()
    Path("got/mine").write_text("mine")

    with pytest.raises(UsageError, match="got is there already, with something else in it"):
        deliver.deliver(inside, model, Path("got"))

    assert content(Path("got")) == {"mine": "mine"}


def test_it_comes_into_an_empty_folder_and_again_where_it_is(
    inside: Repo, model: ModelVersion, mlgit: Callable[..., object], tmp_path: Path
):
    lose(inside)
    (tmp_path / "got").mkdir()

    first = json.loads(mlgit("model", "get", "digits", "--to", str(tmp_path / "got"), "--json").stdout)
    again = deliver.deliver(inside, model, tmp_path / "got")

    assert content(again) == FILES
    assert (first["model"], first["version"], first["path"]) == ("digits", "v1.0.0", str(again))
    assert first["sha256"] == dict(model.sha256)
    assert (first["signatures"], first["unsafe"]) == ([], "")


def test_a_person_sees_how_far_it_is(inside: Repo, model: ModelVersion, terminal: Callable[..., tuple[int, str]]):
    lose(inside)

    code, said = terminal("model", "get", "digits", "--to", "got")

    assert code == 0
    assert "pulling from store" in said
    assert "/106 bytes" in said
    assert said.endswith("got\ndigits v1.0.0, 106 B, verified; not signed.\n")
