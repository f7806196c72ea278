"""The section `queues` of mlgit.yaml: settings of backends, by a name of the project's."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlgit.errors import ConfigError, NotFoundError
from mlgit.launch import backends

if TYPE_CHECKING:
    from mlgit.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Queue:
    """Where jobs go that name it."""

    name: str
    backend: backends.Backend
    settings: Any
    """The backend's `Settings`."""


def record() -> type[Any]:
    """What one queue in the file is: the settings of one backend, under its name."""
    fields: list[tuple[str, Any, Any]] = []
    for name in backends.NAMES:
        told = dataclasses.field(default=None, metadata={"help": f"settings of the backend {name}"})
        fields.append((name, backends.backend(name).Settings | None, told))
    return dataclasses.make_dataclass("Queue", fields, frozen=True, kw_only=True)


def find(settings: Settings, name: str) -> Queue:
    """The queue *name* of the project, or the backend of that name as it is. Raises `ConfigError`, `NotFoundError`."""
    queues = read(settings)
    if name in queues:
        return queues[name]
    if name in backends.NAMES:
        backend = backends.backend(name)
        return Queue(name=name, backend=backend, settings=backend.Settings())
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
    lines = {key.value: key.line for key, _ in section.value}
    found = {}
    for name, queue in told.items():
        given = {kind: value for kind in backends.NAMES if (value := getattr(queue, kind)) is not None}
        where = f"{document.source}:{lines[name]}: queues.{name}"
        if len(given) != 1:
            got = " and ".join(given) or "none"
            raise ConfigError(f"{where}: expected the settings of one backend, got {got}")
        if name in backends.NAMES and name not in given:
            raise ConfigError(f"{where}: this is the name of another backend")
        ((kind, value),) = given.items()
        found[name] = Queue(name=name, backend=backends.backend(kind), settings=value)
    return found
