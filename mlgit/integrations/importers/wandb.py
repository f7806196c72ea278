"""Runs that W&B recorded offline: `wandb/offline-run-…/run-<id>.wandb`, and the files beside it.

The log is read as W&B wrote it, a record at a time, so that the run of a killed process gives all that reached the
disk. The numbers of fields are those of W&B's wandb_internal.proto.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from mlgit.core import secrets, wire
from mlgit.core.run import State, is_time
from mlgit.core.summary import Rule
from mlgit.core.wire import Message
from mlgit.errors import NotFoundError
from mlgit.integrations.importers import beside
from mlgit.integrations.importers.foreign import Bundle, Foreign, readable
from mlgit.integrations.importers.leveldb import Log
from mlgit.tracking.notice import notify

_HISTORY, _SUMMARY, _OUTPUT, _CONFIG, _STATS, _ARTIFACT, _ALERT, _METRIC, _RAW, _RUN, _EXIT, _PREEMPTING, _USED = (
    2, 3, 4, 5, 7, 8, 10, 12, 13, 17, 18, 23, 25
)  # fmt: skip
_ENVIRONMENT = 26
_OF_WANDB = frozenset(("run_table", "job", "wandb-history"))
"""Types of artifacts that W&B makes for itself; a table's file is among the run's media anyway."""
_READ_OTHERWISE = frozenset(
    ("config.yaml", "output.log", "requirements.txt", "wandb-metadata.json", "wandb-summary.json")
)


def folders(paths: Iterable[Path]) -> list[Path]:
    """The run folders that *paths* are or hold, each once, oldest first. Raises `NotFoundError` where one has none."""
    found: dict[Path, Path] = {}
    for path in paths:
        here = path.parent if path.suffix == ".wandb" else path
        some = [
            folder
            for pattern in ("run-*.wandb", "*run-*/run-*.wandb", "wandb/*run-*/run-*.wandb")
            for folder in sorted(log.parent for log in here.glob(pattern))
            if folder.name != "latest-run" or folder == here
        ]
        if not some:
            why = "A run of W&B's has a file run-<id>.wandb in a folder offline-run-… or run-…."
            fix = "give the folder `wandb`, the one that holds it, or a run's own"
            what = f"{path} holds no run of W&B's." if path.exists() else f"There is no {path}."
            raise NotFoundError(what, why=why, fix=fix)
        for folder in some:
            found.setdefault(folder.resolve(), folder)
    return sorted(found.values(), key=lambda folder: folder.resolve().name.removeprefix("offline-"))


def runs(paths: Iterable[Path]) -> Iterator[Foreign]:
    """The runs in *paths*; several folders of one id, as a resumed run leaves them, are one run.

    One that cannot be read is a run with nothing but its problem.
    """
    by_id: dict[str, list[Path]] = {}
    for folder in folders(paths):
        for log in sorted(folder.glob("run-*.wandb")):
            by_id.setdefault(log.stem.removeprefix("run-"), []).append(log)
    for run_id, logs in by_id.items():
        yield readable("wandb", run_id, logs[-1], _Reading(run_id, [Log(log) for log in logs]).foreign)


@dataclass
class _Reading:
    """Gathers what the logs of one run tell, in their order."""

    id: str
    logs: list[Log]
    run: dict[str, Any] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    system: list[dict[str, Any]] = field(default_factory=list)
    output: list[str] = field(default_factory=list)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    artifacts: dict[tuple[str, str], Message] = field(default_factory=dict)
    used: list[str] = field(default_factory=list)
    environment: Message = field(default_factory=dict)
    exit: Message | None = None
    preempting: bool = False
    last_row: bytes = b""
    started: float | None = None
    last: float = 0.0
    problems: list[str] = field(default_factory=list)

    def foreign(self) -> Foreign:
        for log in self.logs:
            self.exit, self.preempting = None, False  # what a resumed run says last counts
            self.read(log)
        if not self.run and not self.problems:
            self.problems.append(f"{self.logs[-1].path.name} says nothing of its run")
        created = self.started or self.last or self.logs[0].path.stat().st_mtime
        return Foreign(
            tool="wandb",
            id=str(self.run.get("id") or self.id),
            source=str(self.logs[-1].path.parent),
            created=created,
            finished=max(self.last, created),
            state=self.state(),
            exit_code=wire.integer(self.exit, 1) if self.exit else None,
            params={name: value for name, value in self.params.items() if name != "_wandb"},
            rows=_Rows(self.logs),
            summary={name: value for name, value in self.summary.items() if not _is_internal(name)},
            unlisted=self.unlisted(),
            system=self.system,
            output="".join(self.output).encode() or self.printed(),
            rules=tuple(self.rules),
            bundles=tuple(self.bundles()),
            media=self.files("media"),
            files=self.files(),
            about=self.about(),
            original={
                name: value
                for name, value in (
                    ("entity", self.run.get("entity")), ("host", self.run.get("host")), ("used", self.used),
                    ("folders", [log.path.parent.name for log in self.logs[:-1]]),
                )
                if value
            },
            problems=tuple(self.problems),
            is_readable=bool(self.run),
            **{name: self.run[name] for name in _OF_RUN if self.run.get(name)},
        )  # fmt: skip

    def read(self, log: Log) -> None:
        try:
            for data in log:
                try:
                    for number, content in wire.fields(data):
                        if number == _HISTORY and isinstance(content, bytes):
                            self.last_row = content  # all of them are read where they are written
                        elif number in _READERS and isinstance(content, bytes):
                            _READERS[number](self, wire.message(content))
                except ValueError:
                    log.damaged += 1
        except (OSError, ValueError) as exc:
            self.problems.append(f"{log.path.name} cannot be read: {exc}")
        with suppress(ValueError):
            if is_time(moment := _row(self.last_row).get("_timestamp", 0.0)):
                self.last = max(self.last, moment)
        if log.damaged:
            self.problems.append(f"{log.damaged} damaged piece{'s' * (log.damaged > 1)} of {log.path.name} passed over")
        if log.torn:
            self.problems.append(f"{log.path.name} ends in the midst of a record: the run was killed")

    # -- a record each

    def read_run(self, found: Message) -> None:
        git = wire.part(found, 21)
        fields = {
            "id": wire.text(found, 1), "entity": wire.text(found, 2), "project": wire.text(found, 3),
            "group": wire.text(found, 6), "job_type": wire.text(found, 7), "name": wire.text(found, 8),
            "notes": wire.text(found, 9), "tags": tuple(wire.texts(found, 10)), "sweep": wire.text(found, 12),
            "host": wire.text(found, 13), "commit": git and wire.text(git, 2), "remote": git and wire.text(git, 1),
        }  # fmt: skip
        if branch := wire.part(found, 23):
            fields["parent"] = wire.text(branch, 1)
        self.run |= {name: value for name, value in fields.items() if value}
        begun = wire.moment(wire.part(found, 17))
        self.started = min(self.started or begun, begun) if begun else self.started
        if config := wire.part(found, 4):
            self.read_config(config)

    def read_config(self, found: Message) -> None:
        _change(self.params, found)

    def read_summary(self, found: Message) -> None:
        _change(self.summary, found)

    def read_stats(self, found: Message) -> None:
        moment = wire.moment(wire.part(found, 2)) or 0.0
        self.last = max(self.last, moment)
        self.system.append(dict(_items(found, 3)) | {"_timestamp": moment})

    def read_output(self, found: Message) -> None:
        self.last = max(self.last, wire.moment(wire.part(found, 2)) or 0.0)
        self.output.append(wire.text(found, 3))

    def read_alert(self, found: Message) -> None:
        self.alerts.append({"title": wire.text(found, 1), "text": wire.text(found, 2), "level": wire.text(found, 3)})

    def read_metric(self, found: Message) -> None:
        summary, options = wire.part(found, 7) or {}, wire.part(found, 6) or {}
        rule = Rule(
            name=wire.text(found, 1) or wire.text(found, 2),
            summary=tuple(name for number, name in _SUMMARIES if number in summary),
            step_metric=wire.text(found, 4) or None,
            step_sync=1 in options,
            hidden=2 in options,
            goal=_GOALS.get(wire.integer(found, 8)),
        )
        if rule.document() and 10 not in found:  # what a glob was expanded to is the glob's
            self.rules.append(rule)

    def read_artifact(self, found: Message) -> None:
        if wire.text(found, 4) not in _OF_WANDB:
            self.artifacts[wire.text(found, 5), wire.text(found, 6)] = found

    def read_used(self, found: Message) -> None:
        self.used.append(wire.text(found, 3) or wire.text(found, 1))

    def read_environment(self, found: Message) -> None:
        """Written in pieces: each adds to what is known."""
        self.environment |= found

    def read_exit(self, found: Message) -> None:
        self.exit = found
        if self.started and 2 in found and len(self.logs) == 1:
            self.last = max(self.last, self.started + wire.integer(found, 2))

    def read_preempting(self, _found: Message) -> None:
        self.preempting = True

    # -- put together

    def state(self) -> State:
        """How it ended: without a word of its end, its process was killed."""
        if self.exit is None:
            return State.PREEMPTED if self.preempting else State.CRASHED
        if wire.integer(self.exit, 1) == 0:
            return State.FINISHED
        return State.PREEMPTED if self.preempting else State.FAILED

    def unlisted(self) -> tuple[str, ...]:
        """Names whose summary is told in parts (`loss.min`), so that their last value is none of it."""
        in_parts = [name for name, value in self.summary.items() if isinstance(value, Mapping) and "_type" not in value]
        silent = [rule.name for rule in self.rules if "none" in rule.summary]
        return tuple(name for name in (*in_parts, *silent) if not _is_internal(name))

    def printed(self) -> bytes:
        """What it printed, by the file, where the log does not tell."""
        texts = []
        for log in self.logs:
            path = log.path.parent / "files" / "output.log"
            if beside.is_inside(path, log.path.parent) and path.is_file():
                texts.append(path.read_bytes())
        return b"".join(texts)

    def files(self, below: str = "") -> dict[str, Path]:
        """The files beside the logs: those *below* a folder, or all others that are the run's own."""
        found: dict[str, Path] = {}
        for log in self.logs:
            folder = log.path.parent
            top = folder / "files" / below
            for path, reason in beside.walk(top, outermost=_home(folder)):
                name = path.relative_to(top).as_posix()
                if not below and (name.startswith("media/") or name in _READ_OTHERWISE):
                    continue
                if reason is None:
                    found[name] = path
                else:
                    self.problems.append(f"{path.relative_to(folder / 'files')} was left out: {reason}")
        return found

    def bundles(self) -> Iterator[Bundle]:
        """The artifacts that it logged, as far as their bytes are still on this machine."""
        for found in self.artifacts.values():
            name, kind = wire.text(found, 5), wire.text(found, 4)
            manifest = wire.part(found, 12) or {}
            files: dict[str, Path] = {}
            for entry in map(wire.message, wire.parts(manifest, 4)):
                path, local, elsewhere = wire.text(entry, 1), wire.text(entry, 6), wire.text(entry, 3)
                if not beside.is_plain(path):
                    self.problems.append(f"the artifact {name}: {path[:80]!r} leaves its folder and was left out")
                elif elsewhere:
                    self.problems.append(f"the artifact {name}: {path} is a reference to {elsewhere}, not a file")
                elif secrets.is_secret_file(path):
                    self.problems.append(f"the artifact {name}: {path} may hold credentials and was left out")
                elif not beside.has_digest(
                    Path(local), wire.text(entry, 2)
                ):  # nobody gets at other files by naming them
                    self.problems.append(f"the artifact {name}: the bytes of {path} are no more where they were logged")
                else:
                    files[path] = Path(local)
            if files:
                yield Bundle(name=name, type=kind, files=files, is_folder=len(wire.parts(manifest, 4)) > 1)

    def about(self) -> dict[str, Any]:
        """What `run.yaml` tells of where and how it ran."""
        found = self.environment
        args = wire.texts(found, 5)
        program = wire.text(found, 7) or wire.text(found, 6).rpartition("/")[2]
        gpus = [wire.text(wire.message(gpu), 1) for gpu in wire.parts(found, 24)]
        system = {"os": wire.text(found, 1), "cpus": wire.integer(found, 17) or wire.integer(found, 16)}
        return {
            "command": list(secrets.redact_command(("python", program, *args))) if program else [],
            "python": wire.text(found, 2).rpartition(" ")[2],
            "system": {name: value for name, value in system.items() if value},
            "gpu": {"models": gpus or [wire.text(found, 18)] * bool(wire.text(found, 18))}
            if gpus or 18 in found
            else {},
            "packages": self.packages(),
            "alerts": self.alerts,
        }

    def packages(self) -> dict[str, str]:
        """The installed packages, as `requirements.txt` lists them."""
        path = self.logs[-1].path.parent / "files" / "requirements.txt"
        if not beside.is_inside(path, path.parent) or not path.is_file():
            return {}
        lines = path.read_text(errors="replace").splitlines()
        pairs = (line.strip().partition("==") for line in lines)
        found = {name.lower().replace("_", "-"): version for name, equals, version in pairs if equals and version}
        return dict(sorted(found.items()))


_OF_RUN = ("project", "group", "job_type", "name", "notes", "tags", "sweep", "commit", "parent")
_SUMMARIES = ((1, "min"), (2, "max"), (3, "mean"), (4, "best"), (5, "last"), (6, "none"), (7, "copy"), (8, "first"))
_GOALS = {1: "minimize", 2: "maximize"}
_READERS = {
    _SUMMARY: _Reading.read_summary, _OUTPUT: _Reading.read_output, _CONFIG: _Reading.read_config,
    _STATS: _Reading.read_stats, _ARTIFACT: _Reading.read_artifact, _ALERT: _Reading.read_alert,
    _METRIC: _Reading.read_metric, _RAW: _Reading.read_output, _RUN: _Reading.read_run, _EXIT: _Reading.read_exit,
    _PREEMPTING: _Reading.read_preempting, _USED: _Reading.read_used, _ENVIRONMENT: _Reading.read_environment,
}  # fmt: skip


@dataclass(frozen=True)
class _Rows:
    """The history in *logs*, read anew each time; where a later log begins at 0 again, it goes on behind the last."""

    logs: list[Log]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        last, shift = -1, 0
        for log in self.logs:
            is_first = True
            for row in _history(log):
                step = row.get("_step")
                step = step if isinstance(step, int) else last + 1 - shift
                if is_first and step + shift <= last:
                    shift = last + 1 - step
                is_first, last = False, max(last, step + shift)
                yield row | {"_step": step + shift}


def _history(log: Log) -> Iterator[dict[str, Any]]:
    damaged = 0
    with suppress(OSError, ValueError):  # said when the rest was read
        for data in log:
            with suppress(ValueError):  # so was this
                for number, content in wire.fields(data):
                    if number != _HISTORY or not isinstance(content, bytes):
                        continue
                    try:
                        yield _row(content)
                    except ValueError:
                        damaged += 1
    if damaged:
        notify(f"{damaged} damaged row{'s' * (damaged > 1)} of {log.path.name} passed over")


def _row(content: bytes) -> dict[str, Any]:
    found = wire.message(content)
    row: dict[str, Any] = {}
    for path, value in _named(found, 1):
        _put(row, path, value)
    if "_step" not in row and 2 in found:
        row["_step"] = wire.integer(wire.part(found, 2) or {}, 1)
    return row


def _items(found: Message, number: int) -> Iterator[tuple[str, Any]]:
    for path, value in _named(found, number):
        yield ".".join(path), value


def _named(found: Message, number: int) -> Iterator[tuple[list[str], Any]]:
    """The path of names and the value of each item in the field *number*."""
    for item in wire.parts(found, number):
        path: list[str] = []
        value: Any = None
        for inner, content in wire.fields(item):
            if inner in (1, 2) and isinstance(content, bytes):
                path.append(content.decode("utf-8", "replace"))
            elif inner == 16 or inner == 8:
                value = _json(content)
            elif inner in _TYPED:
                kind, read = _TYPED[inner]
                if not isinstance(content, kind):
                    raise ValueError("a value of another kind than its field's")
                value = read(content)
        if path:
            yield path, value


_TYPED: Mapping[int, tuple[type, Callable[[Any], Any]]] = {
    3: (int, lambda _: None), 4: (int, bool), 5: (int, wire.zigzag), 6: (bytes, wire.number_of),
    7: (bytes, lambda text: text.decode("utf-8", "replace")),
}  # fmt: skip
"""The field of a value → how it is written on the wire, and what reads it."""


def _json(content: int | bytes) -> Any:
    """The value of a piece of JSON; text that is none stays text."""
    if isinstance(content, int):
        return content
    try:
        return orjson.loads(content)
    except ValueError:  # nan, the infinities, whole numbers beyond 64 bits
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            return content.decode("utf-8", "replace")


def _put(tree: dict[str, Any], path: list[str], value: Any) -> None:
    for name in path[:-1]:
        inner = tree.get(name)
        if not isinstance(inner, dict):
            inner = tree[name] = {}
        tree = inner
    tree[path[-1]] = value


def _change(tree: dict[str, Any], found: Message) -> None:
    """Apply a record of updates (field 1) and removals (field 2) to *tree*."""
    for path, value in _named(found, 1):
        _put(tree, path, value)
    for path, _ in _named(found, 2):
        node: Any = tree
        for name in path[:-1]:
            node = node.get(name) if isinstance(node, dict) else None
        if isinstance(node, dict):
            node.pop(path[-1], None)


def _is_internal(name: str) -> bool:
    return name in ("_wandb", "_runtime", "_timestamp", "_step")


def _home(folder: Path) -> Path:
    """The folder that a run's links may lead into: the one that holds `wandb/`, in which the script ran."""
    resolved = folder.resolve()
    return resolved.parent.parent if resolved.parent.name == "wandb" else resolved
