"""What `mlgit affected` finds: all that a dataset has reached, however indirectly."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import mlgit
from mlgit import wiring
from mlgit.artifacts import log
from mlgit.core.run import Run, State
from mlgit.errors import NotFoundError, UsageError
from mlgit.git.repo import Repo
from mlgit.lineage.affected import Affected
from mlgit.store import result, runs
from mlgit.store.telling import Account
from mlgit.wiring import tracing
from tests.lineage.given import D0, D1, MODEL, OTHER, TRAIN, content, register, version, world
from tests.recorded import record

Cli = Callable[..., subprocess.CompletedProcess[str]]


def affected(repo: Repo, text: str, most: int | None = None) -> Affected:
    return tracing.affected(wiring.place(repo.folder), text, most=most)


def test_all_that_a_dataset_reached_is_found(inside: Repo):
    register(inside, world(inside)["trained1"], stage="production")

    found = affected(inside, "digits@v1")

    assert [key.name for key in found.runs] == ["evaluate", "tuned111", "trained1"]
    assert [key.name for key in found.contents] == [MODEL.hash, OTHER.hash]
    assert list(found.versions) == ["churn@v1.2.0"]
    assert [key.name for key in found.stages["churn#production"]][1:] == [
        "trained1", MODEL.hash, "churn@v1.2.0", "churn#production"
    ]  # fmt: skip


def test_what_it_did_not_reach_is_not(inside: Repo):
    register(inside, world(inside)["trained1"], stage="production")

    found = affected(inside, "digits:v0")

    assert ([key.name for key in found.runs], found.stages, found.versions) == (["apart111"], {}, {})


def test_data_is_found_by_its_hash(inside: Repo):
    world(inside)

    assert "evaluate" in {key.name for key in affected(inside, TRAIN).runs}


def test_a_hidden_run_passes_nothing_on(inside: Repo):
    runs.hide(inside, [world(inside)["trained1"]])

    assert {key.name for key in affected(inside, "digits:v1").runs} == {"tuned111"}


def test_a_model_that_retrains_itself_ends(inside: Repo):
    ring = [version("m", f"ring-{number}", type="model") for number in range(4)]
    for number, one in enumerate(ring):
        record(inside, f"{number}ring000", used=(one,), logged=(ring[number - 3],), created=1e9 + number)

    assert len(affected(inside, ring[0].hash).runs) == 4


def test_many_generations_are_followed(inside: Repo):
    for number in range(20):
        chain = (version("m", f"gen-{number}", type="model"),)
        record(
            inside, f"{number:02}gen000", used=chain, logged=(version("m", f"gen-{number + 1}"),), created=1e9 + number
        )

    found = affected(inside, content("gen-0"), most=3)

    assert (len(found.runs), len(found.contents)) == (20, 20)
    assert {node.type for node in found.nodes.values()} == {"run", "model", "dataset"}


def test_what_is_no_data_is_refused(inside: Repo):
    register(inside, world(inside)["trained1"], stage="production")

    with pytest.raises(UsageError, match=r"churn@production.* is a stage, no data"):
        affected(inside, "churn@production")
    with pytest.raises(NotFoundError):
        affected(inside, content("nothing"))


def test_one_file_of_a_dataset_is_found_by_its_hash(inside: Repo, ended: None):
    Path("data").mkdir()
    Path("data/good.csv").write_text("good")
    Path("data/bad.csv").write_text("bad")
    with mlgit.init(project="p", name="maker") as run:
        run.log_artifact("data", name="digits", type="dataset")
    with mlgit.init(project="p", name="reader") as run:
        run.use_artifact("digits:v0")

    found = affected(inside, content("bad"))

    assert [found.nodes[key].label for key in found.start] == ["digits:v0"]
    assert [found.nodes[key].label.partition(" ")[0] for key in found.runs] == ["reader"]


def test_a_person_sees_stages_first(inside: Repo, mlgit: Cli):
    register(inside, world(inside)["trained1"], stage="production")

    lines = mlgit("affected", "digits@v1", "--limit", "1").stdout.splitlines()

    assert lines[:4] == [
        "digits:v1 reached 1 stage, 1 version, 2 artifacts, 3 runs", "", "stages",
        "  churn#production  by train (trained1) > churn-model:v0 > churn@v1.2.0",
    ]  # fmt: skip
    assert lines[-1] == "  … and 2 more: mlgit affected digits@v1 --limit 0"
    assert "versions" not in mlgit("affected", "digits@v1", "--stages").stdout.splitlines()


def test_what_makes_a_run_again_is_counted_with_that_run(inside: Repo, mlgit: Cli):
    world(inside)
    for number in range(3):
        record(inside, f"{number}again11", name="train-again", used=(D1,), logged=(MODEL,), reproduces="trained1",
               created=2e9 + number)  # fmt: skip
    record(inside, "andagain1", name="train-again", used=(D1,), logged=(MODEL,), reproduces="2again11", created=2.5e9)

    shown = mlgit("affected", "digits@v1").stdout
    told = json.loads(mlgit("affected", "digits@v1", "--json").stdout)

    assert "reached 0 stages, 0 versions, 2 artifacts, 3 runs, made again 4 times" in shown
    assert "train-again" not in shown
    assert "  train (trained1)  finished, accuracy 0.98, loss 0.07, Ada, 2001-09-09, made again 4 times" in shown
    assert (len(told["runs"]), told["again"]) == (7, {"trained1": 4})


def test_runs_of_a_sweep_are_one_line(inside: Repo, mlgit: Cli):
    world(inside)
    for number in range(12):
        record(inside, f"{number:02}trial11", name=f"trial-{number}", used=(D1,), sweep="lr-1", group="night",
               created=2e9 + number)  # fmt: skip

    lines = mlgit("affected", "digits@v1").stdout.splitlines()

    assert "  sweep lr-1  12 runs, the newest trial-11 (11trial11)" in lines
    assert sum("trial-" in line for line in lines) == 1


def test_what_is_in_production_comes_first(inside: Repo, mlgit: Cli):
    known = world(inside)
    register(inside, known["trained1"], model="alpha", stage="dev")
    register(inside, known["tuned111"], model="beta", number="v1.0.0", stage="staging")
    register(inside, known["tuned111"], model="omega", number="v1.0.0", stage="production")
    register(inside, known["trained1"], model="churn", number="v0.1.0")

    found = affected(inside, "digits@v1")

    assert list(found.stages) == ["omega#production", "beta#staging", "alpha#dev"]
    assert list(found.versions) == ["omega@v1.0.0", "beta@v1.0.0", "alpha@v1.2.0", "churn@v0.1.0"]


def test_a_program_gets_all_of_it(inside: Repo, mlgit: Cli):
    register(inside, world(inside)["trained1"], stage="production")

    told = json.loads(mlgit("affected", "digits@v1", "--json").stdout)

    assert told["stages"] == [
        {"stage": "churn#production", "version": "churn@v1.2.0",
         "by": [told["data"][0]["hash"], "trained1", MODEL.hash, "churn@v1.2.0"]}
    ]  # fmt: skip
    assert told["runs"] == ["evaluate", "tuned111", "trained1"]
    assert told["data"][0]["version"] == "v1"
    assert D0.hash not in json.dumps(told)


@pytest.mark.parametrize("seed", range(3))
def test_it_is_what_a_plain_search_through_all_runs_finds(inside: Repo, seed: int):
    rng = random.Random(seed)
    things = [version("m", f"thing-{number}", created=1e9 + number) for number in range(15)]
    some = [
        Run(
            id=f"{number:02}random", name="n", project="p", state=State.FINISHED, created=1e9 + number,
            used=tuple(rng.sample(things, rng.randint(0, 2))), logged=tuple(rng.sample(things, rng.randint(0, 1))),
            parent=f"{rng.randrange(30):02}random" if rng.random() < 0.2 else None, source=inside.resolve("HEAD"),
        )
        for number in range(30)
    ]  # fmt: skip
    made = list(result.record_all(inside, [Account(run=run) for run in some]))
    runs.hide(inside, made[-3:])
    shown = made[:-3]

    contents, ids = {things[0].hash}, set[str]()
    while new := [
        run for run in shown
        if run.id not in ids and (run.parent in ids or any(one.hash in contents for one in run.used))
    ]:  # fmt: skip
        ids |= {run.id for run in new}
        contents |= {one.hash for run in new for one in run.logged}
    found = affected(inside, things[0].hash)

    assert {key.name for key in found.runs} == ids
    assert {key.name for key in (*found.start, *found.contents)} == contents


def test_each_project_counts_its_own_versions_and_a_bare_number_means_what_it_means_elsewhere(inside: Repo):
    for number, project in enumerate("pq"):
        one = version("digits", f"{project}0", created=1e9 + number)
        record(inside, f"{project}maker11", name="maker", project=project, logged=(one,), created=1e9 + number)
        record(inside, f"{project}reader1", name=f"{project}-reader", project=project, used=(one,), created=2e9)

    meant = log.find(inside, "digits:v0")
    found = affected(inside, "digits@v0")
    other = affected(inside, "p/digits@v0")

    assert [key.name for key in found.start] == [meant.version.hash] == [content("q0")]
    assert found.nodes[found.start[0]].label == "q/digits:v0"
    assert (other.nodes[other.start[0]].label, [key.name for key in other.runs]) == ("p/digits:v0", ["preader1"])
    with pytest.raises(NotFoundError, match="no version 'v1'"):
        affected(inside, "digits@v1")
