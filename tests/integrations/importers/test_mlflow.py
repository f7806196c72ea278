"""Runs that the real MLflow recorded, from its database and its folder."""

from __future__ import annotations

import json
import math
import os
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import peers
from mlgit.core.run import Run, State
from mlgit.errors import MlgitError
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.integrations.importers import mlflow as reader
from mlgit.integrations.importers import mlflow_stores
from mlgit.store import runs
from tests.conftest import need

Call = Callable[..., subprocess.CompletedProcess[str]]

RECORD = """
import os, sys
import mlflow
uri, artifacts = sys.argv[1:]
mlflow.set_tracking_uri(uri)
mlflow.create_experiment("My Exp!", artifact_location=artifacts or None)
mlflow.set_experiment("My Exp!")
with mlflow.start_run(run_name="first", description="say", tags={"team": "vision"}):
    mlflow.log_params({"lr": 0.1, "optimizer": "adam", "layers": [1, 2], "flag": True, "code": "007"})
    for step in range(30):
        mlflow.log_metrics({"loss": 1 / (step + 1), "val/acc": step}, step=step)
    mlflow.log_metric("odd", float("nan"), step=1)
    mlflow.log_metric("far", float("-inf"), step=1)
    mlflow.log_text("weights", "best/weights.txt")
    with mlflow.start_run(run_name="child", nested=True):
        mlflow.log_metric("x", 1)
try:
    with mlflow.start_run(run_name="broken"):
        mlflow.log_metric("x", 2)
        raise ValueError
except ValueError:
    pass
with mlflow.start_run(run_name="gone") as gone:
    pass
mlflow.delete_run(gone.info.run_id)
mlflow.start_run(run_name="killed")
mlflow.log_metric("x", 3)
os._exit(0)
"""


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the same runs in `mlflow.db` and in `mlruns`."""
    program = peers.interpreter("mlflow")
    need("mlflow", program is not None)
    top = tmp_path_factory.mktemp("mlflow")
    for uri, artifacts in ((f"sqlite:///{top}/mlflow.db", str(top / "files")), (f"file://{top}/mlruns", "")):
        env = {**os.environ, "MLFLOW_ALLOW_FILE_STORE": "true", "HOME": str(top)}
        subprocess.run([str(program), "-c", RECORD, uri, artifacts], cwd=top, check=True, capture_output=True, env=env)
    return top


@pytest.fixture(params=["mlflow.db", "mlruns"])
def store(request: pytest.FixtureRequest, stores: Path) -> Path:
    return stores / str(request.param)


def by_name(repo: Repo) -> dict[str, Run]:
    return {run.name: run for run in query.runs(repo)}


def test_every_run_comes_with_its_params_tags_state_and_artifacts(store: Path, inside: Repo, mlgit: Call) -> None:
    mlgit("import", "mlflow", str(store))

    found = by_name(inside)
    first = found["first"]
    assert {name: run.state for name, run in found.items()} == {
        "first": State.FINISHED, "child": State.FINISHED, "broken": State.FAILED, "killed": State.CRASHED,
    }  # fmt: skip
    assert first.project == "My-Exp"
    assert first.params == {"lr": 0.1, "optimizer": "adam", "layers": [1, 2], "flag": True, "code": "007"}
    assert first.tags == ("team=vision",)
    assert first.notes == "say"
    assert found["child"].parent == first.id
    assert [(version.name, version.type) for version in first.logged] == [("best", "file")]


def test_every_value_of_every_metric_is_there(store: Path, inside: Repo, mlgit: Call) -> None:
    mlgit("import", "mlflow", str(store))

    series = runs.history(inside, by_name(inside)["first"])

    assert list(series["loss"].values) == [1 / (step + 1) for step in range(30)]
    assert list(series["val/acc"].steps) == list(range(30))
    assert math.isnan(series["odd"].values[0])
    assert list(series["far"].values) == [-math.inf]


def test_importing_again_changes_nothing_and_the_store_is_left_as_it_was(
    store: Path, inside: Repo, mlgit: Call
) -> None:
    files = {path: path.read_bytes() for path in sorted(store.parent.rglob("*")) if path.is_file()}
    mlgit("import", "mlflow", str(store))
    before = inside.refs("refs/")

    done = mlgit("import", "mlflow", str(store))

    assert "4 already here" in done.stdout
    assert "1 in MLflow's trash left there" in done.stderr
    assert inside.refs("refs/") == before
    assert {path: path.read_bytes() for path in sorted(store.parent.rglob("*")) if path.is_file()} == files


def test_experiments_are_groups_where_a_project_is_given(store: Path, inside: Repo, mlgit: Call) -> None:
    mlgit("import", "mlflow", str(store), "--project", "churn")

    assert {(run.project, run.group) for run in query.runs(inside)} == {("churn", "My Exp!")}


def test_a_dry_run_counts_and_writes_nothing(store: Path, inside: Repo, mlgit: Call) -> None:
    done = mlgit("import", "mlflow", str(store), "--dry-run", "--json")

    assert {told["outcome"] for told in json.loads(done.stdout)} == {"would be imported"}
    assert query.runs(inside) == []


def old_database(path: Path, *, artifacts: str = "") -> None:
    """A database as MLflow 0.9 made them: metrics without steps, runs without names of their own."""
    with sqlite3.connect(path) as connection:
        connection.executescript(f"""
            CREATE TABLE experiments (experiment_id INTEGER, name TEXT, artifact_location TEXT, lifecycle_stage TEXT);
            CREATE TABLE runs (run_uuid TEXT, name TEXT, status TEXT, start_time INTEGER, end_time INTEGER,
                lifecycle_stage TEXT, artifact_uri TEXT, experiment_id INTEGER);
            CREATE TABLE metrics (key TEXT, value REAL, timestamp INTEGER, run_uuid TEXT);
            CREATE TABLE params (key TEXT, value TEXT, run_uuid TEXT);
            CREATE TABLE tags (key TEXT, value TEXT, run_uuid TEXT);
            INSERT INTO experiments VALUES (0, '../../etc', '', 'active');
            INSERT INTO runs VALUES ('../../up', '', 'FINISHED', 1000, 2000, 'active', '{artifacts}', 0);
            INSERT INTO metrics VALUES ('../loss', 0.5, 1500, '../../up');
            INSERT INTO tags VALUES ('mlflow.runName', 'old | <b>', '../../up');
        """)
    connection.close()


def test_an_old_schema_and_hostile_names_come_in_under_names_that_can_be(
    inside: Repo, mlgit: Call, tmp_path: Path
) -> None:
    old_database(tmp_path / "old.db")

    mlgit("import", "mlflow", f"sqlite:///{tmp_path}/old.db")

    (run,) = query.runs(inside)
    shown = (inside.read(run.commit, "experiment/run.yaml") or b"").decode()
    assert run.project == "etc"
    assert run.name == "old | <b>"
    assert run.metrics == {"../loss": 0.5}
    assert "id: ../../up" in shown
    assert "project: ../../etc" in shown


def test_artifacts_away_from_the_store_are_taken_only_where_somebody_says_so(
    inside: Repo, mlgit: Call, tmp_path: Path
) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "diary.txt").write_text("mine")
    (tmp_path / "store").mkdir()
    old_database(tmp_path / "store" / "old.db", artifacts=str(tmp_path / "private"))

    shy = mlgit("import", "mlflow", str(tmp_path / "store" / "old.db"), "--json", "--dry-run")
    mlgit("import", "mlflow", str(tmp_path / "store" / "old.db"), "--artifacts", str(tmp_path / "private"))

    assert "to take them: --artifacts" in json.loads(shy.stdout)[0]["problems"][0]
    assert [version.name for version in query.runs(inside)[0].logged] == ["diary.txt"]


def folder_of_runs(tmp_path: Path, files: dict[str, str]) -> Path:
    """A folder `mlruns` with one experiment, and in it *files*."""
    top = tmp_path / "mlruns"
    for name, text in ({"0/meta.yaml": "name: digits\n"} | files).items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)
    return top


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("0/a/meta.yaml", "", "its meta.yaml says nothing"),
        ("0/a/meta.yaml", "[1]", "its meta.yaml says nothing"),
        ("0/a/meta.yaml", "run_id: [", "its meta.yaml cannot be read: meta.yaml:2: did not find expected node"),
        ("0/a/meta.yaml", "start_time: soon", "MLflow does not tell when it began: its first value does instead"),
        ("0/a/meta.yaml", f"end_time: {10**20}", "MLflow has it as running: it may be going on, or have died"),
        ("0/a/meta.yaml", f"start_time: {10**18}", "it began at 1e+15 seconds after 1970, it says"),
        ("0/meta.yaml", "name: [", "its experiment's meta.yaml cannot be read: meta.yaml:2: did not find"),
        ("0/a/metrics/loss", "1500 0.5 0\n1600 0.", "loss: 1 torn line passed over"),
        ("0/a/metrics/loss", "1500 0.5 0\nsoon 0.5 1\n1500 low 2\n", "loss: 2 torn lines passed over"),
        ("0/a/metrics/val/acc", "", "val/acc: its file is empty"),
        ("0/a/metrics/_summary", "1500 0.5 0\n", "what it calls _summary was left out: the name is mlgit's own"),
    ],
)  # fmt: skip
def test_damage_in_a_folder_is_said_and_the_rest_comes(
    inside: Repo, mlgit: Call, tmp_path: Path, path: str, text: str, said: str
) -> None:
    whole = {"0/a/meta.yaml": "status: 3\nstart_time: 1000\nend_time: 2000\n", "0/a/metrics/acc": "1500 0.5 0\n"}
    top = folder_of_runs(tmp_path, {**whole, path: text})

    done = mlgit("import", "mlflow", str(top), "--json")

    (told,) = json.loads(done.stdout)
    (run,) = query.runs(inside)
    assert said in "\n".join(told["problems"])
    assert run.metrics["acc"] == 0.5


def test_runs_that_have_lost_a_meta_yaml_come_with_what_is_left(inside: Repo, mlgit: Call, tmp_path: Path) -> None:
    top = folder_of_runs(
        tmp_path,
        {"0/a/metrics/loss": "1500 0.5 0\n", "1/b/meta.yaml": "status: 3\n", "1/b/metrics/hollow/deep": "1 1 1\n"},
    )
    (top / "1/b/metrics/hollow/deep").unlink()

    done = mlgit("import", "mlflow", str(top), "--json")

    told = {one["id"]: (one["project"], "\n".join(one["problems"])) for one in json.loads(done.stdout)}
    assert told.keys() == {"a", "b"}
    assert "its meta.yaml cannot be read: No such file" in told["a"][1]
    assert told["b"][0] == "1"
    assert "its experiment's meta.yaml cannot be read: No such file" in told["b"][1]
    assert "hollow: an empty folder, where values should be" in told["b"][1]


def test_cells_of_a_database_that_are_of_another_kind_cost_no_more_than_themselves(
    inside: Repo, mlgit: Call, tmp_path: Path
) -> None:
    old_database(tmp_path / "old.db")
    with sqlite3.connect(tmp_path / "old.db") as connection:
        connection.executescript("""
            INSERT INTO metrics VALUES ('acc', 'high', 1500, '../../up'), ('acc', 0.75, 'soon', '../../up');
            INSERT INTO params VALUES ('lr', x'ff', '../../up');
            UPDATE runs SET start_time = 'soon', end_time = 1e300, artifact_uri = 'http://[';
        """)
    connection.close()

    done = mlgit("import", "mlflow", str(tmp_path / "old.db"), "--json")

    (run,) = query.runs(inside)
    problems = "\n".join(json.loads(done.stdout)[0]["problems"])
    assert run.metrics == {"../loss": 0.5, "acc": 0.75}
    assert run.created == 1.5
    assert "1 value of its metrics passed over: no number, or of no step" in problems
    assert "MLflow does not tell when it began" in problems
    assert "its artifacts lie at http://[" in problems


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database at all, but long enough to be taken for one" * 20)
    sqlite3.connect(tmp_path / "other.db").executescript("CREATE TABLE x (y)").connection.close()

    for text, message in (
        ("http://localhost:5000", "server's store"),
        (str(tmp_path / "text.db"), "cannot be read"),
        (str(tmp_path / "other.db"), "no table of runs"),
        (str(tmp_path / "nothing"), "There is no"),
        (str(tmp_path), "holds neither"),
        ("sqlite://", "names no file"),
        ("sqlite:mlflow.db", "names no file"),
        ("http://[", "no address of a store"),
    ):
        with pytest.raises(MlgitError, match=message):
            mlflow_stores.store(text)


@pytest.mark.parametrize("text", ["0.1", "3", "True", "None", "[1, 'a']", "{'a': 1}", "-1.5e-07"])
def test_params_that_were_values_are_values_again(text: str) -> None:
    assert repr(reader.value(text)) == text


@pytest.mark.parametrize("text", ["007", "1e-4", "adam", "'quoted'", "[1,2]", "1_000", "", "(1, 2)", "[" * 5000])
def test_params_that_were_written_otherwise_stay_text(text: str) -> None:
    assert reader.value(text) == text
