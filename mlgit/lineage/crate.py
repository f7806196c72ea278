"""Runs as a Process Run Crate (pure): an RO-Crate's `ro-crate-metadata.json`, in which each run is a CreateAction.

https://www.researchobject.org/workflow-run-crate/profiles/process_run_crate/
"""

from __future__ import annotations

import mimetypes
import posixpath
from collections.abc import Sequence
from typing import Any

from mlgit.core import escape, figures
from mlgit.core.compare import flatten, is_number
from mlgit.core.run import State
from mlgit.lineage.happening import Happening, Thing

FILE = "ro-crate-metadata.json"
_CRATE = "https://w3id.org/ro/crate/1.1"
_PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
_LICENSE = "#license"
Entity = dict[str, Any]


def render(happened: Sequence[Happening], *, name: str, license: str | None = None) -> dict[str, Any]:
    """The metadata of a crate about *happened*; *license*, an address or a name, is that of what it describes."""
    entities: dict[str, Entity] = {}
    for one in happened:
        for entity in _of_run(one):
            entities.setdefault(entity["@id"], entity)
    last = max((one.run.heard for one in happened), default=0.0)
    things = [key for key, entity in entities.items() if entity["@type"] in ("File", "Dataset")]
    actions = [_ref(f"#run-{one.run.id}") for one in happened]
    root: Entity = {
        "@id": "./", "@type": "Dataset", "name": name, "datePublished": _moment(last),
        "description": f"What {name} was made of, and what it led to, as mlgit recorded it.",
        "license": _ref(_LICENSE),
        "author": _alone([_ref(key) for key, entity in entities.items() if entity["@type"] == "Person"]),
        "conformsTo": _ref(_PROFILE), "hasPart": _alone([*map(_ref, things)]), "mentions": _alone(actions),
    }  # fmt: skip
    about: Entity = {"@id": FILE, "@type": "CreativeWork", "conformsTo": _ref(_CRATE), "about": _ref("./")}
    profile = {"@id": _PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"}
    terms = {
        "@id": _LICENSE, "@type": "CreativeWork", "name": license or "No licence stated",
        "description": f"See {license}." if license else "Ask who keeps the repository on which terms.",
    }  # fmt: skip
    return {
        "@context": [f"{_CRATE}/context", "https://w3id.org/ro/terms/workflow-run/context"],
        "@graph": [about, root, profile, terms, *entities.values()],
    }


def _moment(seconds: float) -> str:
    """A time as the profile has it, with its zone in digits."""
    return figures.moment(seconds).replace("Z", "+00:00")


def _ref(key: str) -> dict[str, str]:
    return {"@id": key}


def _alone(references: list[dict[str, str]]) -> list[dict[str, str]] | dict[str, str]:
    """*references*, or the only one of them by itself, as RO-Crate asks for it."""
    return references[0] if len(references) == 1 else references


def _of_run(one: Happening) -> list[Entity]:
    """The action, and all that it refers to."""
    run, instrument = one.run, _instrument(one)
    read, made = ([_thing(thing) for thing in things] for things in (one.read, one.made))
    params = [_value(run.id, "param", key, value) for key, value in flatten(run.params).items()]
    metrics = [_value(run.id, "metric", key, value) for key, value in run.scalars.items()]
    action: Entity = {
        "@id": f"#run-{run.id}", "@type": "CreateAction", "name": run.name,
        "description": one.command or f"Run {run.id} of the project {run.project}",
        "instrument": _ref(instrument["@id"]),
        "startTime": _moment(run.created), "endTime": _moment(run.heard),
        "object": _alone([_ref(entity["@id"]) for entity in (*read, *params)]),
        "result": _alone([_ref(entity["@id"]) for entity in (*made, *metrics)]),
    }  # fmt: skip
    if run.state is State.FINISHED:
        action["actionStatus"] = "http://schema.org/CompletedActionStatus"
    elif run.state is not State.RUNNING:
        action |= {"actionStatus": "http://schema.org/FailedActionStatus", "error": run.state.value}
    people: list[Entity] = []
    if one.author:
        people.append({"@id": f"#person-{escape.identifier(one.author)}", "@type": "Person", "name": one.author})
        action["agent"] = _ref(people[0]["@id"])
    return [action, instrument, *people, *read, *made, *params, *metrics]


def _instrument(one: Happening) -> Entity:
    """The code at its commit."""
    commit = one.run.source or "unknown"
    address = one.remote.removesuffix(".git") if one.remote.startswith("https://") else ""
    return {
        "@id": f"{address}/tree/{commit}" if address else f"urn:git:{commit}", "@type": "SoftwareSourceCode",
        "name": f"The code of {one.run.project}", "version": commit, "url": address or f"urn:git:{commit}",
        "codeRepository": one.remote or "unknown",
    }  # fmt: skip


def _thing(thing: Thing) -> Entity:
    entity: Entity = {
        "@id": f"urn:md5:{thing.content}", "@type": "Dataset" if thing.is_folder else "File",
        "name": thing.label, "description": f"A {thing.type} that DVC holds as {thing.content}",
        "identifier": thing.content,
    }  # fmt: skip
    if not thing.is_folder:
        entity["encodingFormat"] = mimetypes.types_map.get(
            posixpath.splitext(thing.name)[1], "application/octet-stream"
        )
    return entity | ({"contentSize": str(thing.size)} if thing.size is not None else {})


def _value(run_id: str, kind: str, key: str, value: Any) -> Entity:
    plain = value if isinstance(value, str | bool) or is_number(value) else figures.number(value)
    return {"@id": f"#{kind}-{run_id}-{escape.identifier(key)}", "@type": "PropertyValue", "name": key, "value": plain}
