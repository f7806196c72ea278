"""Groups, pages and forms of `mlgit ls`."""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

import mlgit as wandb
from mlgit.git.repo import Repo

Mlgit = Callable[..., Any]
SCORES = {"adam": (0.9, 0.8, 0.94), "sgd": (0.5, 0.7), "lion": (0.55,)}


@pytest.fixture
def seeds(inside: Repo) -> Repo:
    """Runs of three optimizers, one of which says nothing of its accuracy."""
    for optimizer, scores in SCORES.items():
        for seed, score in enumerate(scores):
            config = {"optimizer": optimizer, "seed": seed}
            with wandb.init(project="p", name=f"{optimizer}-{seed}", tags=["x", "y"], config=config) as run:
                run.log({"accuracy": score, "loss": 1 - score})
    with wandb.init(project="p", name="=1+1", config={"seed": 9}) as run:
        run.log({"loss": float("nan")})
    return inside


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_seeds_are_summed_up_by_their_setting(seeds: Repo, mlgit: Mlgit) -> None:
    found = json.loads(mlgit("ls", "-g", "optimizer", "-m", "accuracy", "--json").stdout)

    assert [row["optimizer"] for row in found] == ["adam", "lion", "sgd", None]
    assert [row["runs"] for row in found] == [3, 1, 2, 1]
    adam, lion, sgd, none = found
    assert adam["accuracy.mean"] == pytest.approx(statistics.mean(SCORES["adam"]))
    assert adam["accuracy.std"] == pytest.approx(statistics.stdev(SCORES["adam"]))
    assert (adam["accuracy.min"], adam["accuracy.max"], adam["accuracy.n"]) == (0.8, 0.94, 3)
    margin = 4.30265 * statistics.stdev(SCORES["adam"]) / 3**0.5  # t of two degrees of freedom, from a printed table
    assert adam["accuracy.low"] == pytest.approx(adam["accuracy.mean"] - margin, rel=1e-5)
    assert adam["accuracy.high"] == pytest.approx(adam["accuracy.mean"] + margin, rel=1e-5)
    assert (lion["accuracy.std"], lion["accuracy.low"]) == ("nan", "nan")
    assert (none["accuracy.n"], none["accuracy.mean"]) == (0, "nan")
    assert sgd["accuracy.n"] == 2


def test_a_person_sees_the_mean_and_how_sure_it_is(seeds: Repo, mlgit: Mlgit) -> None:
    lines = mlgit("ls", "-g", "optimizer", "-m", "accuracy", "-s", "-accuracy").stdout.splitlines()

    assert lines[0].split("\t") == ["optimizer", "runs", "accuracy", "accuracy std", "accuracy min", "accuracy max"]
    assert lines[1].split("\t") == ["adam", "3", "0.88 ± 0.18", "0.07211", "0.8", "0.94"]
    assert [line.split("\t")[0] for line in lines[1:]] == ["adam", "sgd", "lion", ""]
    assert lines[4].split("\t")[1:3] == ["1", ""]


def test_groups_are_of_several_keys_and_of_what_a_condition_leaves(seeds: Repo, mlgit: Mlgit) -> None:
    asked = ("-g", "tag", "-g", "seed", "-w", "optimizer is not null", "-s", "-runs", "-s", "seed")
    found = json.loads(mlgit("ls", *asked, "--json").stdout)

    assert [(row["tag"], row["seed"], row["runs"]) for row in found] == [
        (["x", "y"], 0, 3), (["x", "y"], 1, 2), (["x", "y"], 2, 1)
    ]  # fmt: skip
    assert {"accuracy.mean", "loss.mean"} <= found[0].keys()  # what the newest runs say most by


@pytest.mark.parametrize("args", [("-g", "optimiser"), ("-g", "seed", "-m", "acuracy"), ("-g", "seed", "-s", "-los")])
def test_a_group_by_what_no_run_has_is_refused(seeds: Repo, mlgit: Mlgit, args: tuple[str, ...]) -> None:
    done = mlgit("ls", *args, check=False)

    assert done.returncode == 2
    assert f"No run has {args[-1].removeprefix('-')!r}" in done.stderr
    assert "did you mean" in done.stderr


def test_pages_follow_one_another(seeds: Repo, mlgit: Mlgit) -> None:
    whole = [row["id"] for row in json.loads(mlgit("ls", "-n", "0", "--json", "-s", "name").stdout)]
    pages = [mlgit("ls", "-n", "3", "-p", str(page), "--json", "-s", "name") for page in (1, 2, 3, 4)]

    assert [row["id"] for page in pages for row in json.loads(page.stdout)] == whole
    assert "4 more runs: --page 2, or --limit 0 for all" in mlgit("ls", "-n", "3").stderr
    assert "1 more run: --page 3" in mlgit("ls", "-n", "3", "-p", "2").stderr
    assert mlgit("ls", "-n", "3", "-p", "4").stderr == "The last page is 3.\n"
    assert not mlgit("ls", "-n", "3", "-p", "3").stderr
    assert "1 more group: --page 4" in mlgit("ls", "-g", "optimizer", "-n", "1", "-p", "3").stderr


def test_csv_and_parquet_hold_what_json_does(seeds: Repo, mlgit: Mlgit, tmp_path: Path) -> None:
    documents = json.loads(mlgit("ls", "--json", "-s", "name").stdout)
    rows = rows_of(mlgit("ls", "--csv", "-s", "name").stdout)
    mlgit("ls", "--parquet", tmp_path / "runs.parquet", "-s", "name")
    table = parquet.read_table(tmp_path / "runs.parquet").to_pydict()

    assert [row["id"] for row in rows] == table["id"] == [one["id"] for one in documents]
    assert rows[0]["name"] == "'=1+1"  # no spreadsheet computes it
    assert table["metrics.accuracy"][1:] == [one["metrics"]["accuracy"] for one in documents[1:]]
    groups = rows_of(mlgit("ls", "-g", "optimizer", "--csv", "-m", "loss").stdout)
    assert [row["optimizer"] for row in groups] == ["adam", "lion", "sgd", ""]
    assert mlgit("ls", "-g", "optimizer", "--csv", "-w", "seed > 100").stdout == "\n"
