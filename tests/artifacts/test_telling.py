"""Who asks for an artifact reads the runs that tell of it, however many others there are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import mlgit
from mlgit.errors import NotFoundError
from mlgit.git.repo import Repo
from mlgit.index import query


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
