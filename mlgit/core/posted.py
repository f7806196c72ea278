"""A job as a project's list of jobs has it: what was asked for, where it went, and how it was last seen to stand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any

from mlgit.core import escape, refs
from mlgit.core.job import JobState, Needs, Standing

_BACKENDS_OWN = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9_./:@#-]{0,250}")
"""What may be a backend's own id of a job: it is handed to programs, and no option of theirs."""


@dataclass(frozen=True, kw_only=True)
class Posted(Needs):
    """One job. What is a secret's stands in none of its fields."""

    id: str
    """mlgit's own, the same on every machine: of a job with a key, made of that."""
    name: str
    project: str
    queue: str
    backend: str
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """Those of the queue, as they were: by them its backend is asked."""
    command: tuple[str, ...] = ()
    """What a person asked to run."""
    params: tuple[str, ...] = ()
    """`lr=0.1`, as `mlgit run -p` takes them."""
    run: str = ""
    """The id of the run that it records, of an array that of its first task; empty where it records none by itself."""
    code: str = ""
    """The commit that it runs; empty where it runs what its folder holds as it begins."""
    folder: str = ""
    """Where the command starts: in the repository, with its code; else on the disk."""
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    secrets: tuple[str, ...] = ()
    gpus: int = 0
    tasks: int | None = None
    """How many an array has; None of a job that is none."""
    preemptible: bool = False
    submitted: float = 0
    """When, in seconds since the epoch."""
    by: str = ""
    host: str = ""
    """The machine that alone can be asked; empty where any can."""
    machine: str = ""
    """What tells it from others of its name."""
    key: str = ""
    """A person's: launched again, it gives this job."""
    job: str = ""
    """The backend's own id; empty until it has taken the job."""
    state: JobState = JobState.QUEUED
    why: str = ""
    seen: float = 0
    """When it stood so, in seconds since the epoch."""

    @property
    def title(self) -> str:
        """Its name as a piece of a line, whoever gave it."""
        return escape.line(self.name)

    @property
    def standing(self) -> Standing:
        """How it was last seen to stand."""
        if not self.job and not self.state.ended:
            return Standing(state=self.state, why="whether its backend has taken it is not known")
        return Standing(state=self.state, why=self.why)

    def stood(self, found: Standing, when: float) -> Posted:
        """The same job, having been seen to stand as *found*; as it is where that is nothing new."""
        if (found.state, found.why) == (self.state, self.why) and (found.state.ended or self.seen):
            return self
        return replace(self, state=found.state, why=found.why, seen=when)

    def document(self) -> dict[str, Any]:
        """It as plain data, without what is at its default."""
        plain: dict[str, Any] = {}
        for one in sorted(fields(self), key=lambda one: one.name in self.needs):
            value = getattr(self, one.name)
            value = value.value if isinstance(value, JobState) else dict(value) if isinstance(value, Mapping) else value
            default = one.default_factory() if callable(one.default_factory) else one.default
            if value != default or one.name == "state":
                plain[one.name] = list(value) if isinstance(value, tuple) else value
        return plain


def read(document: Any) -> Posted:
    """The job that *document* tells of, which may come from anybody. Raises `ValueError` for what is none."""
    if not isinstance(document, Mapping):
        raise ValueError("it is no mapping")
    told = {one.name: document[one.name] for one in fields(Posted) if one.name in document}
    for name, value in told.items():
        if isinstance(value, bool) is not (name == "preemptible") or not isinstance(value, _KINDS[name]):
            raise ValueError(f"its {name} is none")
    for name in ("command", "params", "secrets"):
        told[name] = tuple(map(_text, told.get(name, ())))
    told["env"] = {_text(key): _text(value) for key, value in told.get("env", {}).items()}
    told["state"] = JobState(told.get("state", JobState.QUEUED.value))
    if missing := [name for name in ("id", "name", "project", "queue", "backend") if not told.get(name)]:
        raise ValueError(f"it has no {missing[0]}")
    found = Posted(**told)
    if not refs.is_component(found.id) or (found.job and not _BACKENDS_OWN.fullmatch(found.job)):
        raise ValueError("its id is none")
    return found


def _text(value: Any) -> str:
    if isinstance(value, str) and "\0" not in value:
        return value
    raise ValueError("it has something else where a text belongs")


_KINDS: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(
        ("id", "name", "project", "queue", "backend", "run", "code", "folder", "by", "host", "machine", "key", "job",
         "state", "why"), (str,),
    ),
    **dict.fromkeys(("settings", "env"), (Mapping,)),
    **dict.fromkeys(("command", "params", "secrets"), (list,)),
    **dict.fromkeys(("cpus", "tasks"), (int, type(None))),
    **dict.fromkeys(("memory_gb", "minutes"), (int, float, type(None))),
    **dict.fromkeys(("submitted", "seen"), (int, float)),
    "gpus": (int,), "image": (str, type(None)), "preemptible": (bool,),
}  # fmt: skip


def merged(ours: Posted, theirs: Posted) -> Posted:
    """What two machines say of one job: that a backend took it, and that it has ended, stands; else the newest word."""
    first, second = sorted((ours, theirs), key=lambda one: (bool(one.job), one.state.ended, one.seen, repr(one)))
    return second if second.job or not first.job else replace(second, job=first.job)
