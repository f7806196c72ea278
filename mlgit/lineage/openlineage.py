"""Runs as OpenLineage's events (pure): https://openlineage.io/spec/2-0-2/OpenLineage.json, a line of JSON each."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mlgit.core import figures
from mlgit.core.run import Run, State
from mlgit.lineage.happening import Happening, Thing

_PRODUCER = "https://github.com/mlgit/mlgit"
_SPEC = "https://openlineage.io/spec"
_ENDS = {
    State.FINISHED: "COMPLETE", State.FAILED: "FAIL", State.CRASHED: "FAIL", State.PREEMPTED: "ABORT",
    State.PRUNED: "ABORT", State.RUNNING: "RUNNING",
}  # fmt: skip
_FACETS = {
    "jobType": "2-0-4/JobTypeJobFacet", "sourceCodeLocation": "1-1-0/SourceCodeLocationJobFacet",
    "version": "1-0-1/DatasetVersionDatasetFacet", "datasetType": "1-0-1/DatasetTypeDatasetFacet",
    "outputStatistics": "1-0-2/OutputStatisticsOutputDatasetFacet", "nominalTime": "1-0-1/NominalTimeRunFacet",
    "parent": "1-2-0/ParentRunFacet", "errorMessage": "1-0-1/ErrorMessageRunFacet",
    "symlinks": "1-0-1/SymlinksDatasetFacet", "schema": "1-2-0/SchemaDatasetFacet",
}  # fmt: skip
"""The published schemas of what is said beside the bare events."""


def events(happened: Iterable[Happening]) -> Iterator[dict[str, Any]]:
    """Two events for each run: that it began, and how it ended, with what it read and made."""
    for one in happened:
        yield _event(one, "START", one.run.created)
        yield _event(one, _ENDS[one.run.state], one.run.finished or one.run.heard)


def run_id(run: Run) -> str:
    """A UUID for a run, the same on every machine."""
    return _uuid(run.project, run.id)


def _uuid(project: str, name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"mlgit:{project}/{name}"))


def _event(one: Happening, kind: str, when: float) -> dict[str, Any]:
    has_ended = kind != "START"
    run, space = one.run, one.remote or "mlgit"
    return {
        "eventType": kind,
        "eventTime": figures.moment(when),
        "producer": _PRODUCER,
        "schemaURL": f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": run_id(run), "facets": _of_run(run, space, kind)},
        "job": {"namespace": space, "name": _job(run), "facets": _of_job(one)},
        "inputs": [_dataset(thing, space, one.columns.get(thing.content)) for thing in one.read],
        "outputs": [_made(thing, space, one.columns.get(thing.content)) for thing in one.made] if has_ended else [],
    }


def _job(run: Run) -> str:
    """What its runs have in common: the project, and its kind of job where one is named."""
    return f"{run.project}.{run.job_type}" if run.job_type else run.project


def _of_run(run: Run, space: str, kind: str) -> dict[str, Any]:
    """When it began, the run that it goes on from or the sweep that planned it, and, at a bad end, how that was."""
    facets = {"nominalTime": _facet("nominalTime", nominalStartTime=figures.moment(run.created))}
    if above := run.parent or run.sweep:
        job = {"namespace": space, "name": _job(run) if run.parent else f"{run.project}.sweep"}
        facets["parent"] = _facet("parent", run={"runId": _uuid(run.project, above)}, job=job)
    if kind in ("FAIL", "ABORT"):
        message = f"{run.name} ({run.id}) {run.state.value}"
        facets["errorMessage"] = _facet("errorMessage", message=message, programmingLanguage="PYTHON")
    return facets


def _of_job(one: Happening) -> dict[str, Any]:
    kind = _facet("jobType", processingType="BATCH", integration="MLGIT", jobType=one.run.job_type or "RUN")
    if not one.run.source:
        return {"jobType": kind}
    where = {"repoUrl": one.remote} if one.remote else {}
    url = one.remote if "://" in one.remote else f"urn:git:{one.run.source}"
    branch = {"branch": one.run.branch} if one.run.branch else {}
    code = _facet("sourceCodeLocation", type="git", url=url, version=one.run.source, **where, **branch)
    return {"jobType": kind, "sourceCodeLocation": code}


def _made(thing: Thing, space: str, columns: Mapping[str, str] | None) -> dict[str, Any]:
    told = {} if thing.size is None else {"outputStatistics": _facet("outputStatistics", size=thing.size)}
    return _dataset(thing, space, columns) | ({"outputFacets": told} if told else {})


def _dataset(thing: Thing, space: str, columns: Mapping[str, str] | None) -> dict[str, Any]:
    facets = {
        "version": _facet("version", datasetVersion=thing.content),
        "datasetType": _facet("datasetType", datasetType=thing.type.upper()),
    }
    if thing.label != thing.name:
        facets["symlinks"] = _facet("symlinks", identifiers=[_called(space, thing.label)])
    if columns:
        facets["schema"] = _facet("schema", fields=[_field(*one) for one in enumerate(columns.items(), 1)])
    return {"namespace": space, "name": thing.name, "facets": facets}


def _field(place: int, column: tuple[str, str]) -> dict[str, Any]:
    """A column of a table; of one without a value in it no type is said."""
    name, kind = column
    return {"name": name, **({"type": kind} if kind != "empty" else {}), "ordinal_position": place}


def _called(space: str, label: str) -> dict[str, str]:
    """The version by its number, as people call it."""
    return {"namespace": space, "name": label, "type": "VERSION"}


def _facet(name: str, **said: Any) -> Mapping[str, Any]:
    version, _, kind = _FACETS[name].partition("/")
    return {"_producer": _PRODUCER, "_schemaURL": f"{_SPEC}/facets/{version}/{kind}.json#/$defs/{kind}", **said}
