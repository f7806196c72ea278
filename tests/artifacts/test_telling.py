"""Who asks for an artifact reads the runs that tell of it, however many others there are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mlgit
from mlgit.artifacts import adding, log, telling
from mlgit.artifacts.adding import Wish
from mlgit.core.artifact import ArtifactVersion, Link
from mlgit.core.ledger import Teller
from mlgit.errors import NotFoundError
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.public import collections
from mlgit.store import ledgers
from mlgit.store import place as places
from tests import tellers
from tests.recorded import record


@pytest.fixture
def names(inside: Repo, tmp_path: Path, records_read: list[str]) -> Callable[[], list[str]]:
    """Which runs were read since it was last asked, of some of which one logged a model and one a table."""
    (tmp_path / "model.bin").write_bytes(b"weights")
    for number in range(3):
        with mlgit.init(project="p", name=f"plain-{number}"):
            pass
    with mlgit.init(project="p", name="maker", id="with-dash") as run:
        run.log_artifact(tmp_path / "model.bin", name="model", type="model")
    with mlgit.init(project="p", name="teller", id="told") as run:
        run.log({"answers": mlgit.Table(columns=["a"], data=[[1]]), "curve": mlgit.Histogram([1, 2])})
    with mlgit.init(project="q", name="other") as run:
        run.log_artifact(tmp_path / "model.bin", name="others", type="weights")
    known = {run.ref: run.name for run in query.runs(inside)}
    records_read.clear()

    def told() -> list[str]:
        some = sorted({known[ref] for ref in records_read})
        records_read.clear()
        return some

    return told


def test_a_name_reads_the_runs_that_logged_it(names: Callable[[], list[str]]) -> None:
    api = mlgit.Api({"project": "p"})

    assert api.artifact("model:latest").logged_by().name == "maker"
    assert len(api.artifacts("model", "model")) == 1
    assert api.artifact("model").collection.name == "model"
    assert names() == ["maker"]
    assert api.artifact("run-told-answers:latest").type == "run_table"
    assert names() == ["teller"]
    assert api.artifact("run-with-dash-model.bin").name == "model:v0"
    assert names() == ["maker"]


def test_the_types_are_those_of_the_runs_that_logged_something(names: Callable[[], list[str]]) -> None:
    api = mlgit.Api({"project": "p"})

    assert [one.name for one in api.artifact_types()] == ["model", "run_table"]
    assert names() == ["maker", "teller"]
    assert [one.name for one in api.projects()] == ["p", "q"]
    assert names() == []


def test_a_name_that_is_not_there_costs_no_reading_and_the_others_are_told(names: Callable[[], list[str]]) -> None:
    api = mlgit.Api({"project": "p"})

    with pytest.raises(NotFoundError, match="There is no artifact 'modle'") as caught:
        api.artifact("modle:latest")
    assert caught.value.fix == "there are: model"
    assert names() == []
    with pytest.raises(NotFoundError, match="There is no artifact 'run-told-nothing'"):
        api.artifact("run-told-nothing:v0")
    with pytest.raises(NotFoundError, match="There are no artifacts of the type 'weights'"):
        api.artifacts("weights", "model")


def test_what_a_run_under_way_has_logged_is_found(names: Callable[[], list[str]], tmp_path: Path) -> None:
    with mlgit.init(project="p", name="now") as run:
        run.log_artifact(tmp_path / "model.bin", name="fresh", type="model")

        assert mlgit.Api({"project": "p"}).artifact("fresh:latest").logged_by().id == run.id
    assert names() == []


def test_what_the_index_tells_of_versions_is_what_all_their_runs_say(inside: Repo, records_read: list[str]):
    def version(mark: int, **more: Any) -> ArtifactVersion:
        about = {"name": "net", "type": "model", "size": 1, "path": "d", "created": 1e9 + mark, "aliases": ("latest",)}
        return ArtifactVersion(hash=f"{mark:032x}", **(about | more))

    said = (
        version(1, aliases=("gold", "latest"), claimed=2e9), version(2, deleted=True), version(3, created=1e9 + 2),
        version(4, name="other", links=(Link(collection="net", aliases=("odd name",), linked=1e9 + 5),)),
        version(5, created=0.0), version(1, aliases=("best",)), version(6, aliases=("gold", "latest")), version(7),
        version(10, aliases=("own", "latest"), links=(Link(collection="net", aliases=("linked",), linked=1e9 + 20),)),
        version(11, links=(Link(collection="net", aliases=("late",), linked=1e9 + 21),)),
    )  # fmt: skip
    for number, one in enumerate(said):
        record(inside, f"{number}" * 8, name="same" if number < 3 else "r", logged=(one, version(8)), created=number)
    ledgers.change(inside, "p", "net", lambda one: one.telling(version(9, by="Ada")), why=lambda _: "add")
    every = [*query.runs(inside), *ledgers.of(inside)]
    records_read.clear()

    rolls = telling.asked(inside, lambda known: [(one.numbers, one.owners) for one in known.rolls("net", "p")])
    assert not records_read
    assert rolls == [({held.version.hash: held.number for held in tellers.versions(every, "net")}, _owners(every))]
    for held in tellers.versions(every, "net"):
        if not held.version.deleted:
            assert log.find(inside, f"net:v{held.number}", project="p") == held


def _owners(every: list[Teller]) -> dict[str, str]:
    return {alias: held.version.hash for held in tellers.versions(every, "net") for alias in held.aliases}


def test_one_version_of_many_is_found_by_reading_who_tells_of_it(inside: Repo, records_read: list[str]):
    for number in range(6):
        told = ArtifactVersion(
            name="net", type="model", hash=f"{number:032x}", size=1, path="d", created=1e9 + number, aliases=("latest",)
        )
        record(inside, f"{number}" * 8, name=f"r{number}", logged=(told,), created=number)
    query.runs(inside)
    records_read.clear()

    api = mlgit.Api({"project": "p"})
    assert api.artifact("net:v2").logged_by().name == "r2"
    assert [held.name for held in telling.asked(inside, lambda known: known.newest("p"))] == ["net:v5"]
    assert len(records_read) == 2


def test_types_and_collections_read_one_run_of_each_name_and_versions_as_they_are_looked_into(
    inside: Repo, records_read: list[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(collections, "_FIRST", 2)
    for number in range(6):
        told = ArtifactVersion(
            name="net", type="model", hash=f"{number:032x}", size=1, path="d", created=1e9 + number, aliases=("latest",)
        )
        record(inside, f"{number}" * 8, name=f"r{number}", logged=(told,), created=number)
    query.runs(inside)
    records_read.clear()
    api = mlgit.Api({"project": "p"})

    assert [one.name for one in api.artifact_type("model").collections()] == ["net"]
    assert len(records_read) == 1
    records_read.clear()
    found = api.artifacts("model", "net")
    assert (len(found), found[0].name, found[1].name) == (6, "net:v5", "net:v4")
    assert len(records_read) == 3
    assert [one.version for one in found] == [f"v{number}" for number in reversed(range(6))]
    assert [one.version for one in found[1:3]] == ["v4", "v3"]
    assert found[-1].version == "v0"


def test_adding_to_what_many_runs_have_logged_reads_only_the_one_that_says_its_type(
    inside: Repo, records_read: list[str]
):
    for number in range(3):
        told = ArtifactVersion(name="net", type="model", hash=f"{number:032x}", size=1, path="d", created=1e9 + number)
        record(inside, f"{number}" * 8, name=f"r{number}", project=inside.folder.name, logged=(told,), created=number)
    (inside.folder / "net").write_bytes(b"weights")
    query.runs(inside)
    records_read.clear()
    place = places.of_reader(inside.folder)
    assert place

    added = adding.add(place, adding.plan(place, "net", Wish()), Wish(aliases=["mine"]))

    assert (added.held.name, added.held.version.type, added.is_new) == ("net:v3", "model", True)
    assert len(records_read) == 1
