"""Lineage for other programs: golden files, and what these programs' own libraries make of them."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mlgit as api
from mlgit.core.run import Run, State
from mlgit.git.repo import Repo
from mlgit.lineage import crate, croissant, openlineage
from mlgit.lineage.croissant import Dataset, File
from mlgit.lineage.happening import Happening
from tests.conftest import need
from tests.lineage.given import D1, MODEL, TRAIN, world

Cli = Callable[..., subprocess.CompletedProcess[str]]
Golden = Callable[[str, str], None]
HOSTILE = 'x"\\ </script>\n../é#[]'
RUNS = [
    Happening(
        run=Run(
            id="prepare1", name="prepare", project="p", state=State.FINISHED, created=1e9, finished=1e9 + 60,
            logged=(D1,), source="a" * 40,
        ),
        author="Ada", command="python prepare.py", remote="https://example.com/ada/churn.git",
        labels={D1.hash: "digits:v1"},
    ),
    Happening(
        run=Run(
            id="trained1", name=HOSTILE, project="p", state=State.FAILED, created=1e9 + 100, finished=1e9 + 200,
            job_type="train", params={"lr": 0.1, "opt": {"name": "adam", HOSTILE: True}},
            metrics={"loss": float("nan"), "accuracy": 0.98}, data={"data/train.csv": TRAIN}, used=(D1,),
            logged=(MODEL,), source="b" * 40,
        ),
        author="Ada", command="python train.py", remote="git@example.com:ada/churn.git",
        labels={D1.hash: "digits:v1"}, columns={TRAIN: {"x": "int", HOSTILE: "text", "nothing": "empty"}},
    ),
    Happening(run=Run(id="now11111", name="now", project="p", created=1e9 + 300, parent="trained1"), labels={}),
]  # fmt: skip
DATASET = Dataset(
    name="digits", version="v2", description="Small pictures of digits", published=1e9, by="Ada",
    license="https://spdx.org/licenses/CC0-1.0",
    files=[
        File(path="train.csv", md5="d41d8cd98f00b204e9800998ecf8427e", sha256="e" * 64, size=0,
             columns={"x": "int", "y": "float", "name": "text"}),
        File(path="deep/test.jsonl", md5="d41d8cd98f00b204e9800998ecf8427e", size=10, columns={"x": "int32"}),
        File(path="picture.png", md5="d41d8cd98f00b204e9800998ecf8427e", size=10),
        File(path="far.bin", address="s3://bucket/far.bin", size=None),
    ],
)  # fmt: skip


def test_open_lineage_is_said_so(golden: Golden):
    lines = "".join(f"{json.dumps(event)}\n" for event in openlineage.events(RUNS))

    golden(lines, "lineage/openlineage.jsonl")


def test_a_crate_is_said_so(golden: Golden):
    golden(json.dumps(crate.render(RUNS, name="churn"), indent=2) + "\n", "lineage/ro-crate-metadata.json")


def test_croissant_is_said_so(golden: Golden):
    golden(json.dumps(croissant.render(DATASET), indent=2) + "\n", "lineage/croissant.json")


def test_many_files_are_told_by_what_they_end_with():
    some = [File(path=f"{number}.png", md5="d" * 32) for number in range(200)]

    told = croissant.render(Dataset(name="n", version="v0", files=[*some, File(path="a.csv", columns={"x": "int"})]))

    assert [one["@id"] for one in told["distribution"]] == ["a.csv", "files.png"]


def test_open_lineages_own_client_reads_every_event():
    """Its classes are made of the published schemas: they take no field that is not there, and check times and ids."""
    need("openlineage", importlib.util.find_spec("openlineage") is not None)
    from openlineage.client import event_v2, serde
    from openlineage.client.generated import (
        dataset_type_dataset,
        dataset_version_dataset,
        error_message_run,
        job_type_job,
        nominal_time_run,
        output_statistics_output_dataset,
        parent_run,
        schema_dataset,
        source_code_location_job,
        symlinks_dataset,
    )

    kinds = {
        "version": dataset_version_dataset.DatasetVersionDatasetFacet,
        "datasetType": dataset_type_dataset.DatasetTypeDatasetFacet,
        "jobType": job_type_job.JobTypeJobFacet,
        "sourceCodeLocation": source_code_location_job.SourceCodeLocationJobFacet,
        "outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet,
        "nominalTime": nominal_time_run.NominalTimeRunFacet, "parent": parent_run.ParentRunFacet,
        "schema": schema_dataset.SchemaDatasetFacet,
        "errorMessage": error_message_run.ErrorMessageRunFacet, "symlinks": symlinks_dataset.SymlinksDatasetFacet,
    }  # fmt: skip

    def facets(told: dict[str, Any]) -> dict[str, Any]:
        made = {}
        for name, facet in told.items():
            said = {key: value for key, value in facet.items() if not key.startswith("_")}
            if name == "schema":
                said["fields"] = [schema_dataset.SchemaDatasetFacetFields(**one) for one in said["fields"]]
            made[name] = kinds[name](producer=facet["_producer"], **said)
            assert made[name]._schemaURL == facet["_schemaURL"], name
        return made

    def dataset(kind: Any, told: dict[str, Any]) -> Any:
        more = {key: facets(told[key]) for key in ("facets", "outputFacets") if key in told}
        return kind(namespace=told["namespace"], name=told["name"], **more)

    for told in openlineage.events(RUNS):
        event = event_v2.RunEvent(
            eventTime=told["eventTime"], producer=told["producer"], eventType=event_v2.RunState[told["eventType"]],
            run=event_v2.Run(runId=told["run"]["runId"], facets=facets(told["run"]["facets"])),
            job=event_v2.Job(**{**told["job"], "facets": facets(told["job"]["facets"])}),
            inputs=[dataset(event_v2.InputDataset, one) for one in told["inputs"]],
            outputs=[dataset(event_v2.OutputDataset, one) for one in told["outputs"]],
        )  # fmt: skip
        assert event.schemaURL == told["schemaURL"]
        assert serde.Serde.to_dict(event)["job"] == told["job"]


@pytest.mark.parametrize(
    ("state", "end"),
    [(State.FINISHED, "COMPLETE"), (State.FAILED, "FAIL"), (State.CRASHED, "FAIL"), (State.PREEMPTED, "ABORT"),
     (State.RUNNING, "RUNNING")],
)  # fmt: skip
def test_each_state_has_an_event_that_says_how_it_ended(state: State, end: str):
    run = Run(id="trial111", name="trial", project="p", state=state, created=1e9, sweep="lr-1")

    first, last = openlineage.events([Happening(run=run, labels={})])

    assert (first["eventType"], last["eventType"]) == ("START", end)
    assert ("errorMessage" in last["run"]["facets"]) == (end in ("FAIL", "ABORT"))
    assert last["run"]["facets"]["parent"]["job"]["name"] == "p.sweep"


def test_the_parent_of_an_event_is_the_run_of_other_events():
    told = list(openlineage.events(RUNS))

    assert told[-1]["run"]["facets"]["parent"]["run"]["runId"] == told[2]["run"]["runId"]


def test_the_repository_that_a_run_recorded_is_named(inside: Repo, ended: None, mlgit: Cli):
    inside.git("remote", "add", "origin", "https://example.com/ada/churn.git")
    api.init(project="p", name="one")
    api.finish()

    (event, _) = map(json.loads, mlgit("lineage", "one", "--to", "openlineage").stdout.splitlines())

    assert event["job"]["namespace"] == "https://example.com/ada/churn.git"
    assert event["job"]["facets"]["sourceCodeLocation"]["repoUrl"] == "https://example.com/ada/churn.git"


def test_ro_crates_own_library_reads_a_crate(tmp_path: Path):
    need("rocrate", importlib.util.find_spec("rocrate") is not None)
    from rocrate.rocrate import ROCrate

    (tmp_path / crate.FILE).write_text(json.dumps(crate.render(RUNS, name="churn")))

    read = ROCrate(tmp_path)
    actions = {one.id: one for one in read.get_by_type("CreateAction")}

    assert read.root_dataset["conformsTo"].id == "https://w3id.org/ro/wfrun/process/0.5"
    assert {one.id for one in read.root_dataset["mentions"]} == actions.keys()
    assert actions["#run-trained1"]["instrument"].type == "SoftwareSourceCode"
    assert [one["name"] for one in actions["#run-trained1"]["object"]][:2] == ["digits:v1", "data/train.csv"]


def test_a_crate_says_what_the_profile_demands():
    """The musts of the Process Run Crate profile 0.5, and of RO-Crate 1.1's root data entity."""
    graph = {one["@id"]: one for one in crate.render(RUNS, name="churn", license="MIT")["@graph"]}

    def references(value: Any) -> list[str]:
        if isinstance(value, list):
            return [key for one in value for key in references(one)]
        return [value["@id"]] if isinstance(value, dict) else []

    assert graph["./"].keys() >= {"name", "description", "datePublished", "license", "conformsTo"}
    assert graph["ro-crate-metadata.json"]["about"] == {"@id": "./"}
    for entity in graph.values():
        plain = (value for name, value in entity.items() if name != "conformsTo")
        assert {key for value in plain for key in references(value)} <= graph.keys(), entity["@id"]
        if entity["@type"] == "CreateAction":
            assert graph[entity["instrument"]["@id"]]["@type"] == "SoftwareSourceCode"


@pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")  # rdflib's, in mlcroissant
def test_croissants_own_library_reads_the_records_of_a_dataset(inside: Repo, ended: None, mlgit: Cli):
    need("mlcroissant", importlib.util.find_spec("mlcroissant") is not None)
    import mlcroissant

    Path("digits/deep").mkdir(parents=True)
    Path("digits/train.csv").write_text("x,a label\n1,one\n2,two\n")
    Path("digits/deep/test.jsonl").write_text('{"x": 3}\n{"x": 4}\n')
    with api.init(project="p") as run:
        run.log_artifact("digits", name="digits", type="dataset")
    mlgit("lineage", "digits:v0", "--to", "croissant", "--license", "https://spdx.org/licenses/CC0-1.0", "-o", "digits")

    read = mlcroissant.Dataset("digits/croissant.json")

    assert not read.metadata.ctx.issues.errors
    assert [dict(one) for one in read.records("records/train.csv")] == [
        {"records/train.csv/x": 1, "records/train.csv/a~20~label": b"one"},
        {"records/train.csv/x": 2, "records/train.csv/a~20~label": b"two"},
    ]
    assert [one["records/deep/test.jsonl/x"] for one in read.records("records/deep/test.jsonl")] == [3, 4]


def test_tables_say_their_columns_where_their_bytes_are_here(inside: Repo, ended: None, mlgit: Cli):
    for name, text in (
        ("data/train.csv", "x,name\n1,a\n"),
        ("data/test.csv", "x,name\n2,b\n"),
        ("other.csv", "y\n.5\n"),
    ):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text)
    with api.init(project="p", name="one") as run:
        run.log_artifact("data", name="same", type="dataset")
        Path("data/more.csv").write_text("z\n1\n")
        run.log_artifact("data", name="mixed", type="dataset")
        run.log_artifact("other.csv", name="single", type="dataset")

    (_, event) = map(json.loads, mlgit("lineage", "one", "--to", "openlineage").stdout.splitlines())

    told = {one["name"]: one["facets"].get("schema", {}).get("fields") for one in event["outputs"]}
    assert told["single"] == [{"name": "y", "type": "float", "ordinal_position": 1}]
    assert [(one["name"], one["type"]) for one in told["same"]] == [("x", "int"), ("name", "text")]
    assert told["mixed"] is None


def test_the_command_writes_where_it_is_told(inside: Repo, mlgit: Cli):
    world(inside)

    assert mlgit("lineage", "train", "--to", "ro-crate", "-o", "out").stdout == "out/ro-crate-metadata.json\n"
    lines = mlgit("lineage", "evaluate", "--up", "--to", "openlineage").stdout.splitlines()
    events = list(map(json.loads, lines))

    assert [(one["job"]["name"], one["eventType"]) for one in events] == [("p", "START"), ("p", "COMPLETE")] * 3
    assert events[-1]["inputs"][0]["facets"]["version"]["datasetVersion"] == MODEL.hash
    assert "train" in Path("out/ro-crate-metadata.json").read_text()


@pytest.mark.parametrize(
    "words", [("train", "--to", "croissant"), ("digits:v1", "--to", "croissant"), ("train", "-o", "x")]
)
def test_what_cannot_be_exported_is_said_so(inside: Repo, mlgit: Cli, words: tuple[str, ...]):
    world(inside)

    done = mlgit("lineage", *words, check=False)

    assert done.returncode in (1, 2)
    assert "To fix" in done.stderr or "--output" in done.stderr
