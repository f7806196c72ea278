"""The section `queues` of mlgit.yaml: settings of backends, what jobs there have and may have, by a name of the
project's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mlgit.core import figures
from mlgit.core.job import JobSpec, Needs
from mlgit.errors import ConfigError, NotFoundError, UsageError
from mlgit.launch import backends

if TYPE_CHECKING:
    from mlgit.documents.reader import Document
    from mlgit.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Defaults:
    """What a job has that does not say otherwise."""

    cpus: int | None = field(default=None, metadata={"help": "CPUs"})
    gpus: int | None = field(default=None, metadata={"help": "GPUs"})
    memory_gb: float | None = field(default=None, metadata={"help": "memory"})
    minutes: float | None = field(default=None, metadata={"help": "a bound on its time"})
    image: str | None = field(default=None, metadata={"help": "the container image to run in"})
    env: Mapping[str, str] = field(default_factory=dict, metadata={"help": "variables, by name: {NCCL_DEBUG: INFO}"})


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The most of each that a job may ask for, and how many jobs there may be."""

    cpus: int | None = field(default=None, metadata={"help": "CPUs of one job"})
    gpus: int | None = field(default=None, metadata={"help": "GPUs of one job"})
    memory_gb: float | None = field(default=None, metadata={"help": "memory of one job"})
    minutes: float | None = field(
        default=None, metadata={"help": "the longest that one job may take; also the bound of a job that says none"}
    )
    tasks: int | None = field(default=None, metadata={"help": "tasks of one array"})
    jobs: int | None = field(default=None, metadata={"help": "jobs that have not ended, as far as the list knows them"})


IN_IMAGE = "/home/runner/run.sh"
"""Where the runner's program lies in GitHub's own image, ghcr.io/actions/actions-runner."""


@dataclass(frozen=True, kw_only=True)
class Runners:
    """What `mlgit runner start` starts in a queue."""

    program: str | None = field(
        default=None,
        metadata={"help": f"where run.sh of GitHub's runner lies on the machine of a job; in an image {IN_IMAGE}"},
    )
    labels: tuple[str, ...] = field(default=(), metadata={"help": "what jobs find them by, besides self-hosted: [gpu]"})
    idle_minutes: float = field(default=30, metadata={"help": "after so long without a job one ends"})
    organization: str | None = field(
        default=None, metadata={"help": "whose runners they are, where they are not the repository's alone"}
    )
    group: int = field(default=1, metadata={"help": "the number of the organization's runner group"})


@dataclass(frozen=True, kw_only=True)
class Queue:
    """Where jobs go that name it."""

    name: str
    kind: str
    """The backend's name."""
    backend: backends.Backend
    settings: Any
    """The backend's `Settings`."""
    defaults: Defaults = Defaults()
    limits: Limits = Limits()
    runner: Runners = field(default_factory=Runners)
    lines: Mapping[str, int] = field(default_factory=dict)
    """Where mlgit.yaml says its limits, by their names."""

    @property
    def is_here(self) -> bool:
        """Whether only this machine can be asked how its jobs stand."""
        return bool(getattr(self.settings, "is_here", False))

    @property
    def is_away(self) -> bool:
        """Whether its jobs see no disk of this machine's: their code is the backend's to bring."""
        return bool(getattr(self.settings, "is_away", False))

    @property
    def brings_code(self) -> bool:
        """Whether its jobs start in the code that they were launched from."""
        return not self.is_away or bool(getattr(self.settings, "brings_code", False))

    @property
    def own_token(self) -> str:
        """The secret by which its jobs may push to where their code is from; empty: there is none of its own."""
        return str(getattr(self.settings, "own_token", ""))

    def filled(self, spec: JobSpec, wish: Needs) -> JobSpec:
        """*spec* with what *wish* says, and what the queue's defaults say besides."""
        told = {name: getattr(self.defaults, name) if value is None else value for name, value in wish.needs.items()}
        if told["minutes"] is None:
            told["minutes"] = self.limits.minutes
        given = {name: value for name, value in told.items() if value is not None}
        return replace(spec, **given, env={**self.defaults.env, **spec.env})

    def check(self, spec: JobSpec, others: int = 0) -> None:
        """Raise `UsageError` where *spec* is more than the queue allows, beside *others* that have not ended."""
        asked = {**spec.needs, "tasks": len(spec.array), "jobs": others + 1}
        for name, value in asked.items():
            if (most := getattr(self.limits, name, None)) is not None and value is not None and value > most:
                what = (
                    f"The job {spec.name!r} asks for {value:g} {_WORDS.get(name, name)}, and the queue "
                    f"{self.name} gives {most:g} at the most."
                )
                fix = "ask for less"
                if name == "jobs":
                    busy = figures.count(others, "job")
                    what = f"The queue {self.name} has {busy} under way, and takes {most:g} at once."
                    fix = "wait until one has ended (mlgit jobs ls)"
                why = f"The limit is {_FILE}:{self.lines[name]}: queues.{self.name}.limits.{name}."
                raise UsageError(what, why=why, fix=f"{fix}, another queue with --on, or change the limit")


_WORDS = {"cpus": "CPUs", "gpus": "GPUs", "memory_gb": "GB of memory"}
_FILE = "mlgit.yaml"


def record() -> type[Any]:
    """What one queue in the file is: the settings of one backend, under its name, with defaults, limits and runners."""
    fields: list[tuple[str, Any, Any]] = []
    for name in backends.NAMES:
        told = dataclasses.field(default=None, metadata={"help": f"settings of the backend {name}"})
        fields.append((name, backends.backend(name).Settings | None, told))
    for name, into, help_ in (
        ("defaults", Defaults, "what a job has that does not say otherwise"),
        ("limits", Limits, "the most that a job may ask for"),
        ("runner", Runners, "GitHub's runners that mlgit runner start starts there"),
    ):
        fields.append((name, into | None, dataclasses.field(default=None, metadata={"help": help_})))
    return dataclasses.make_dataclass("Queue", fields, frozen=True, kw_only=True)


def find(settings: Settings, name: str) -> Queue:
    """The queue *name* of the project, or the backend of that name as it is. Raises `ConfigError`, `NotFoundError`."""
    queues = read(settings)
    if name in queues:
        return queues[name]
    if name in backends.NAMES:
        backend = backends.backend(name)
        return Queue(name=name, kind=name, backend=backend, settings=backend.Settings())
    known = ", ".join((*queues, *backends.NAMES))
    raise NotFoundError(f"There is no queue {name!r}, and no such backend.", fix=f"one of {known}")


def read(settings: Settings) -> dict[str, Queue]:
    """The queues of the project, by name. Raises `ConfigError`."""
    document = settings.document
    section = dict(document.pairs()).get("queues") if document else None
    if document is None or section is None:
        return {}
    into: Any = dict[str, record()]  # type: ignore[misc]  # its fields are those of the table
    told = document.section("queues", into) or {}
    lines = {key.value: (key.line, _limits_lines(value)) for key, value in section.value}
    found = {}
    for name, queue in told.items():
        given = {kind: value for kind in backends.NAMES if (value := getattr(queue, kind)) is not None}
        where = f"{document.source}:{lines[name][0]}: queues.{name}"
        if len(given) != 1:
            got = " and ".join(given) or "none"
            raise ConfigError(f"{where}: expected the settings of one backend, got {got}")
        if name in backends.NAMES and name not in given:
            raise ConfigError(f"{where}: this is the name of another backend")
        ((kind, value),) = given.items()
        found[name] = Queue(
            name=name, kind=kind, backend=backends.backend(kind), settings=value, lines=lines[name][1],
            defaults=queue.defaults or Defaults(), limits=queue.limits or Limits(),
            runner=queue.runner or Runners(),
        )  # fmt: skip
        _check(document, found[name])
    return found


def _limits_lines(queue: Any) -> dict[str, int]:
    limits = next((value.value for key, value in queue.value if key.value == "limits"), None)
    return {key.value: key.line for key, _ in limits or ()}


def _check(document: Document, queue: Queue) -> None:
    """Raise `ConfigError` for numbers that are none, and for a default beyond the limit."""
    for one in dataclasses.fields(queue.settings):
        value, is_above_0 = getattr(queue.settings, one.name), "is_above_0" in one.metadata
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and (not 0 <= value < float("inf") or (is_above_0 and not value)):
            what = "a number above 0" if is_above_0 else "a number, 0 or more"
            document.fail(("queues", queue.name, queue.kind, one.name), f"expected {what}")
    for part in ("defaults", "limits", "runner"):
        for name, value in vars(getattr(queue, part)).items():
            is_number = isinstance(value, int | float) and value != (0 if name == "gpus" else None)
            if is_number and not 0 < value < float("inf"):
                document.fail(("queues", queue.name, part, name), "expected a number above 0")
    for name in ("cpus", "gpus", "memory_gb", "minutes"):
        default, most = getattr(queue.defaults, name), getattr(queue.limits, name)
        if default is not None and most is not None and default > most:
            document.fail(("queues", queue.name, "defaults", name), f"{default:g} is more than the limit, {most:g}")
