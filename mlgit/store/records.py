"""A run's record as text: the trailer's JSON that the index reads, and `run.yaml` that people and tools read."""

from __future__ import annotations

import contextlib
import gc
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from mlgit.core import refs
from mlgit.core.artifact import ArtifactVersion, is_hash
from mlgit.core.run import Run, State, in_calendar
from mlgit.core.summary import is_object, rules_of

TRAILER = "Mlgit-Result"
FOLDER = "experiment"
"""Where a run's files lie, beside its project's `mlgit.yaml`."""
MOST_BYTES = 64 << 10
"""A record beyond this is not put into the commit message; it is read from the YAML files."""

# Fields of `Run` that the record carries as they are, left out where they are at their default.
_PLAIN = (
    "group", "sweep", "job_type", "notes", "parent", "reruns", "reproduces", "source", "tree", "dirty", "folder",
)  # fmt: skip
_OF_RUN = ("id", "name", "project", "state", "duration", "tags", "given", "data", "held", "code")
_TIMES = ("created", "finished", "paused", "seen")
_NEEDED = frozenset(("id", "name", "project", "state", "created"))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RARE = frozenset(("used", "logged", "define_metric", "held"))
_NONE = type(None)
_KINDS: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(
        ("group", "sweep", "job_type", "notes", "parent", "reruns", "reproduces", "source", "tree", "folder"),
        (str, _NONE),
    ),
    **dict.fromkeys(_TIMES, (float, int, _NONE)),
    **dict.fromkeys(("params", "metrics", "define_metric", "data", "held"), (dict, _NONE)),
    **dict.fromkeys(("tags", "given", "used", "logged"), (list, _NONE)),
    **dict.fromkeys(("id", "name", "project", "state"), (str,)),
    "created": (float, int),
}
"""Of what kind a field of a record is; those that it may lack can be null too."""
_LONG = re.compile(rb"\d{19}")
"""What may be a whole number that orjson rounds."""
_NESTED = 64
"""How deep a record is nested at the most."""
_STATES = {state.value: state for state in State}


def encode(value: Any) -> bytes:
    """*value* as one line of JSON; nan and the infinities as `{"$float": "nan"}`, which every reader of JSON takes."""
    try:
        text = json.dumps(value, separators=(",", ":"), allow_nan=False, default=_plain)
    except ValueError:
        text = json.dumps(_marked(value), separators=(",", ":"), default=_plain)
    return text.encode()


def decode(text: bytes | str, *, rounded: bool = False) -> Any:
    """What `encode` made of it; *rounded*: whole numbers beyond 64 bits may be floats, in a fifth of the time."""
    raw = text.encode() if isinstance(text, str) else text
    try:
        value = json.loads(raw) if not rounded and _LONG.search(raw) else orjson.loads(raw)
    except orjson.JSONDecodeError:  # half characters, which are no text, and whatever else it is strict about
        value = json.loads(json.dumps(json.loads(raw), ensure_ascii=False).encode("utf-8", "replace"))
    return _unmarked(value) if b'"$float"' in raw else value


def told(text: bytes | str, *, rounded: bool = False) -> Any:
    """`decode` of what somebody else may have written.

    Raises `ValueError` where it is none, or nested deeper than what mlgit records: not safe to go through.
    """
    try:
        value = decode(text, rounded=rounded)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    marks: tuple[Any, Any] = ("{", "[") if isinstance(text, str) else (b"{", b"[")
    if sum(map(text.count, marks)) > _NESTED and _is_deep(value):
        raise ValueError("it is nested too deep")
    return value


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_NESTED):
        level = [
            item
            for outer in level
            for item in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(item, dict | list)
        ]
        if not level:
            return False
    return True


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no plain data")


def _marked(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(value)}
    if isinstance(value, Mapping):
        return {key: _marked(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_marked(item) for item in value]
    return value


def _unmarked(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"$float"} and value["$float"] in ("nan", "inf", "-inf"):
            return float(value["$float"])
        return {key: _unmarked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_unmarked(item) for item in value]
    return value


def trailer(run: Run) -> str:
    """*run* as the value of its `Mlgit-Result` trailer: one line, or only its id where it would be too long.

    Of pictures, tables and the like it says no more than that there are such: `objects.yaml` has the rest.
    """
    text = line(replace(run, metrics={name: briefly(value) for name, value in run.metrics.items()}))
    return text if len(text) <= MOST_BYTES else json.dumps({"id": run.id, "folder": run.folder, "big": True})


def briefly(value: Any) -> Any:
    """*value*; of a picture, a table or the like, only that it is one."""
    return {"_type": value["_type"]} if is_object(value) else value


def line(run: Run) -> str:
    """*run* as one line of JSON, whatever its length."""
    return encode(content(run)).decode()


def content(run: Run) -> dict[str, Any]:
    """*run* as plain data, what is at its default left out: what a trailer says."""
    content: dict[str, Any] = {"id": run.id, "name": run.name, "project": run.project, "state": run.state.value,
                               "created": round(run.created, 3)}  # fmt: skip
    for name in ("finished", "seen"):
        if (moment := getattr(run, name)) is not None:
            content[name] = round(moment, 3)
    content |= {"paused": paused} if (paused := round(run.paused, 3)) else {}
    content |= {name: value for name in _PLAIN if (value := getattr(run, name))}
    content |= {"tags": list(run.tags)} if run.tags else {}
    content |= {"given": list(run.given)} if run.given else {}
    content |= {"params": dict(run.params), "metrics": dict(run.metrics)}
    content |= {"define_metric": {name: rule.document() for name, rule in run.rules.items()}} if run.rules else {}
    content |= {"data": dict(run.data)} if run.data else {}
    content |= {"held": dict(run.held)} if run.held else {}
    for kind in ("used", "logged"):
        if versions := getattr(run, kind):
            content[kind] = [version.document() for version in versions]
    return content


def understood(content: Any) -> bool:
    """Whether *content* is what a run says of itself: `run_of` takes it."""
    if not isinstance(content, dict):
        return False
    for name, value in content.items():
        if (kinds := _KINDS.get(name)) and type(value) not in kinds:
            return False
    if not content.keys() >= _NEEDED or content["state"] not in _STATES:
        return False
    if not refs.is_component(content["project"]) or not is_inside(content.get("folder") or ""):
        return False  # both become paths
    return _RARE.isdisjoint(content) or _is_rare_understood(content)


def _is_rare_understood(content: Mapping[str, Any]) -> bool:
    """`understood`, of what few runs have."""
    try:
        for kind in ("used", "logged"):
            for item in content.get(kind) or ():
                ArtifactVersion.of(item)
        rules_of(content.get("define_metric") or {})
        return all(map(is_hash, (content.get("held") or {}).values()))
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


def is_inside(folder: str) -> bool:
    """Whether the path *folder* stays in the repository."""
    return not folder.startswith("/") and ".." not in folder.split("/")


def run_of(content: Mapping[str, Any], *, ref: str = "", commit: str = "") -> Run:
    """What `content` was made of, with the place where it stands.

    Raises `ValueError`, `KeyError` or `TypeError` for what no run says of itself.
    """
    if not understood(content):
        raise ValueError("this is no record of a run")
    times = {name: in_calendar(content[name]) for name in _TIMES if content.get(name) is not None}
    return Run(
        id=content["id"], name=content["name"], project=content["project"], state=_STATES[content["state"]],
        tags=tuple(map(str, content.get("tags") or ())), given=tuple(map(str, content.get("given") or ())),
        params=content.get("params") or {}, metrics=content.get("metrics") or {}, data=content.get("data") or {},
        held=content.get("held") or {}, rules=rules_of(content.get("define_metric") or {}),
        used=tuple(ArtifactVersion.of(item) for item in content.get("used") or ()),
        logged=tuple(ArtifactVersion.of(item) for item in content.get("logged") or ()),
        ref=ref, commit=commit, **{name: content[name] for name in _PLAIN if content.get(name) is not None} | times,
    )  # fmt: skip


def run_document(run: Run, provenance: Mapping[str, Any]) -> dict[str, Any]:
    """`run.yaml`: who, when, from what code; params, metrics and artifacts have files of their own."""
    document: dict[str, Any] = {"id": run.id, "name": run.name, "project": run.project, "state": run.state.value,
                                "created": moment(run.created)}  # fmt: skip
    if run.finished is not None:
        document |= {"finished": moment(run.finished), "duration": round(run.duration or 0, 3)}
    document |= {"paused": paused} if (paused := round(run.paused, 3)) else {}
    document |= {"seen": moment(run.seen)} if run.seen is not None else {}
    for name in ("group", "sweep", "job_type", "notes", "parent", "reruns", "reproduces", "folder"):
        if value := getattr(run, name):
            document[name] = value
    document |= {"tags": list(run.tags)} if run.tags else {}
    document |= {"given": list(run.given)} if run.given else {}
    document |= {"source": run.source} if run.source else {}
    document |= {"code": {"tree": run.tree, "dirty": run.dirty}} if run.tree or run.dirty else {}
    document |= {"data": dict(run.data)} if run.data else {}
    document |= {"held": dict(run.held)} if run.held else {}
    return document | {key: value for key, value in provenance.items() if value not in (None, "", (), {}, [])}


def run_of_document(document: Mapping[str, Any]) -> tuple[Run, dict[str, Any]]:
    """What `run_document` was made of: the run without params, metrics and artifacts, and the provenance."""
    content = dict(document) | {
        "tree": document.get("code", {}).get("tree"),
        "dirty": document.get("code", {}).get("dirty"),
    }
    content = {key: value for key, value in content.items() if value is not None}
    content["created"] = seconds_of(document["created"])
    for name in ("finished", "seen"):
        if name in document:
            content[name] = seconds_of(document[name])
    return run_of(content), {key: value for key, value in document.items() if key not in (*_OF_RUN, *_TIMES, *_PLAIN)}


def moment(seconds: float) -> str:
    """A time for a record: UTC, ISO 8601, to the nearest millisecond, as a trailer has it."""
    rounded = timedelta(milliseconds=round(1000 * round(in_calendar(seconds), 3)))
    return (_EPOCH + rounded).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds_of(moment: str) -> float:
    """Seconds since the epoch of such a time. Raises `ValueError`."""
    return datetime.fromisoformat(moment).timestamp()


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """Without Python's collection of cycles, which records have none of: it takes a third of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
