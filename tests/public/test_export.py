"""Runs leave as tables, archives and folders that other programs read."""

from __future__ import annotations

import csv
import json
import math
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mlgit as wandb
from mlgit.core import escape
from mlgit.core.run import Run
from mlgit.errors import UsageError
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.public import export
from mlgit.store import records
from mlgit.tracking import session
from tests.recorded import record

Mlgit = Callable[..., Any]


@pytest.fixture
def two(inside: Repo, tmp_path: Path) -> list[Run]:
    """A run with everything, and one that failed with little."""
    (tmp_path / "model.bin").write_bytes(b"weights")
    with session.init(project="p", name="=cmd|' /C calc'!A0", config={"lr": 0.1, "opt": {"name": "@sgd"}}) as run:
        for step in range(3):
            run.log({"loss": 1 / (step + 1), "+acc": step})
        run.log({"odd": float("nan"), "image": wandb.Image([[0, 1], [1, 0]])})
        run.log_artifact(str(tmp_path / "model.bin"), name="model", type="model")
    with pytest.raises(ZeroDivisionError), session.init(project="p", name="two", config={"lr": 1, "deep": True}):
        raise ZeroDivisionError
    return query.runs(inside)


def document(run: Run) -> dict[str, Any]:
    return {"id": run.id, "metrics": run.scalars}


def exported(repo: Repo, runs: list[Run], target: Path, **wish: bool) -> export.Exported:
    return export.export(repo, runs, target, export.Wish(**wish), document=document)


def test_a_table_has_a_line_a_run_and_no_formula(inside: Repo, two: list[Run], tmp_path: Path):
    exported(inside, two, tmp_path / "runs.csv")

    second, first = csv.DictReader((tmp_path / "runs.csv").read_text().splitlines())
    assert (first["name"], first["params.opt.name"]) == ("'=cmd|' /C calc'!A0", "'@sgd")
    assert (first["params.lr"], first["metrics.+acc"], first["metrics.odd"]) == ("0.1", "2", "nan")
    assert (second["state"], second["params.deep"], second["metrics.loss"]) == ("failed", "true", "")
    assert first["commit"] == two[1].commit
    assert not any("image" in name for name in first)


def test_histories_stand_in_a_table_beside_it(inside: Repo, two: list[Run], tmp_path: Path):
    pandas = pytest.importorskip("pandas")

    for ending, read, name in (("csv", pandas.read_csv, "'+acc"), ("parquet", pandas.read_parquet, "+acc")):
        done = exported(inside, two, tmp_path / f"runs.{ending}", history=True)
        rows = read(done.written[1])
        assert [path.name for path in done.written] == [f"runs.{ending}", f"runs.history.{ending}"]
        assert list(rows.columns) == ["run", "name", "metric", "step", "_runtime", "_timestamp", "value"]
        assert list(rows[rows.metric == name].value) == [0, 1, 2]
        assert list(rows[rows.metric == "loss"].step) == [0, 1, 2]
        assert math.isnan(rows[rows.metric == "odd"].value.iloc[0])


def test_a_column_of_one_kind_keeps_it_in_parquet(inside: Repo, two: list[Run], tmp_path: Path):
    from pyarrow import parquet

    exported(inside, two, tmp_path / "runs.parquet")

    table = parquet.read_table(tmp_path / "runs.parquet")
    kinds = {name: str(table.schema.field(name).type) for name in table.column_names}
    assert (kinds["params.lr"], kinds["params.deep"], kinds["metrics.+acc"]) == ("double", "bool", "int64")
    assert table["name"].to_pylist() == ["two", "=cmd|' /C calc'!A0"]


def test_json_holds_what_a_script_sees_and_the_history(inside: Repo, two: list[Run], tmp_path: Path):
    exported(inside, two, tmp_path / "runs.json", history=True)

    _, first = json.loads((tmp_path / "runs.json").read_text())
    assert first["metrics"]["odd"] == "nan"
    assert first["history"]["+acc"]["value"] == [0, 1, 2]
    assert first["history"]["+acc"]["_step"] == [0, 1, 2]


@pytest.mark.parametrize("name", ["runs", "runs.zip", "runs.tar.gz"])
def test_files_and_artifacts_go_along_where_they_are_wished_for(
    inside: Repo, two: list[Run], tmp_path: Path, name: str
):
    done = exported(inside, two, tmp_path / name, history=True, files=True, artifacts=True)

    found = _content(tmp_path / name)
    home = f"p/{two[1].branch.rpartition('/')[2]}"
    assert {"runs.csv", "runs.json", "history.csv", f"{home}/run.yaml", f"{home}/metrics.yaml"} <= found.keys()
    assert found[f"{home}/artifacts/model/model.bin"] == b"weights"
    assert any(path.startswith(f"{home}/media/images/") and path.endswith(".png") for path in found)
    assert done.missing == ()


def _content(place: Path) -> dict[str, bytes]:
    if place.name.endswith(".zip"):
        with zipfile.ZipFile(place) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    if place.name.endswith(".gz"):
        with tarfile.open(place) as archive:
            return {one.name: archive.extractfile(one).read() for one in archive.getmembers()}
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def test_a_project_that_is_called_like_a_table_has_its_files_beside_it(inside: Repo, tmp_path: Path):
    run = record(inside, "a", project="Runs.csv")

    exported(inside, [run], tmp_path / "out", files=True)

    found = _content(tmp_path / "out")
    assert {"runs.csv", f"Runs.csv-runs/{run.branch.rpartition('/')[2]}/run.yaml"} <= found.keys()


def test_no_file_leaves_the_export_on_windows_either(inside: Repo, tmp_path: Path):
    (tmp_path / "f").write_bytes(b"1")
    with session.init(project="p", name="one") as run:
        made = wandb.Artifact("data", "dataset")
        for name in ("..\\..\\up", "C:up"):
            made.add_file(str(tmp_path / "f"), name=name)
        run.log_artifact(made)
    exported(inside, query.runs(inside), tmp_path / "runs.zip", artifacts=True)

    found = [path.rpartition("/")[2] for path in _content(tmp_path / "runs.zip") if "/artifacts/" in path]
    assert sorted(found) == ["..%5C..%5Cup", "C%3Aup"]


def test_what_cannot_be_is_said_and_leaves_nothing(inside: Repo, two: list[Run], tmp_path: Path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("")

    with pytest.raises(UsageError, match="holds no files"):
        exported(inside, two, tmp_path / "runs.csv", files=True)
    with pytest.raises(UsageError, match="not empty"):
        exported(inside, two, tmp_path / "full")
    for name in ("runs.xlsx", "runs.csv.gz", "runs.tar"):
        with pytest.raises(UsageError, match=f"written as {name}"):
            exported(inside, two, tmp_path / name)
    exported(inside, two, tmp_path / "full" / "export-v1.2")
    (tmp_path / "full" / "runs.txt").mkdir()
    exported(inside, two, tmp_path / "full" / "runs.txt")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "model.bin", "repo"]


def test_artifacts_whose_bytes_are_elsewhere_are_named(inside: Repo, two: list[Run], tmp_path: Path):
    for path in (inside.own / "cache").rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            path.unlink()

    done = exported(inside, two, tmp_path / "runs.zip", artifacts=True)

    assert done.missing == (f"model of {two[1].name}",)


def test_a_run_that_somebody_spoiled_takes_no_other_along(inside: Repo, two: list[Run], tmp_path: Path):
    changes = {"experiment/media.dvc": b"outs: ["}
    message = f"spoiled\n\n{records.TRAILER}: {records.trailer(two[0])}"
    inside.commit_on(two[0].ref, changes, message, expect=two[0].commit)

    done = exported(inside, query.runs(inside), tmp_path / "runs.zip", files=True)

    assert done.missing == ("files of two",)
    assert any(path.endswith(".png") for path in _content(tmp_path / "runs.zip"))


def test_a_long_history_is_whole_or_said_to_be_thinned(inside: Repo, tmp_path: Path):
    with session.init(project="p", name="long") as run:
        for step in range(3000):
            run.log({"loss": step})
    (found,) = query.runs(inside)

    assert exported(inside, [found], tmp_path / "a.csv", history=True).thinned == ()
    assert len((tmp_path / "a.history.csv").read_text().splitlines()) == 3001
    for path in (inside.own / "cache").rglob("*"):
        path.chmod(0o755) if path.is_dir() else path.unlink()
    assert exported(inside, [found], tmp_path / "b.csv", history=True).thinned == (found,)


def test_runs_are_exported_from_the_command_line(inside: Repo, two: list[Run], mlgit: Mlgit, tmp_path: Path):
    said = mlgit("export", "--to", str(tmp_path / "all.csv")).stdout
    told = json.loads(mlgit("export", "two", "--history", "--to", str(tmp_path / "two.csv"), "--json").stdout)
    mlgit("export", "--where", "lr < 0.5", "--to", str(tmp_path / "some.json"))

    assert said.startswith(f"2 runs in {tmp_path / 'all.csv'}, ")
    assert told["written"] == [str(tmp_path / "two.csv"), str(tmp_path / "two.history.csv")]
    assert [run["id"] for run in json.loads((tmp_path / "some.json").read_text())] == [two[1].id]
    assert mlgit("export", check=False).returncode == 2
    (inside.folder / "mlgit.yaml").write_text("project: other\n")
    words = ("export", "--where", "lr < 0.5", "--to", str(tmp_path / "p.csv"))
    assert mlgit(*words, check=False).returncode == 2
    assert mlgit(*words, "--all").stdout.startswith("1 run in ")


@given(st.text(alphabet=st.sampled_from("=+-@＝\t\r \n1.5einfa'\"|!"), max_size=8) | st.floats().map(repr))
def test_no_spreadsheet_computes_what_is_exported(text: str):
    cell = escape.formula(text)

    assert cell.removeprefix("'") == text.removeprefix("'") or cell == f"'{text}"
    if cell.strip()[:1] in ("=", "+", "-", "@", "＝"):
        assert math.isfinite(float(cell)) or math.isinf(float(cell))
