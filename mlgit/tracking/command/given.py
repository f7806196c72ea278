"""What `-p` gives, by the file that it goes into: `lr` into the project's params file, `net.toml:depth` into that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlgit.core.compare import flatten
from mlgit.errors import UsageError
from mlgit.tracking import files

FORMS = (".json", ".py", ".toml", ".yaml", ".yml")
"""How the names of params files end."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """Params from outside."""

    own: Mapping[str, Any]
    """Those that name no file."""
    others: Mapping[Path, Mapping[str, Any]]
    """Those of a file that they name."""

    def check_fit(self, known: Mapping[str, Any], file: Path) -> None:
        """Raise `UsageError` where one of its own is a mapping in the params *file*, or lies in what is none."""
        for key, value in self.own.items():
            inner = next((name for name in known if name.startswith(f"{key}.")), None)
            outer = next((name for name in known if key.startswith(f"{name}.") and known[name] != {}), None)
            if inner and not isinstance(value, Mapping):
                raise UsageError(f"{key} is a mapping in {file.name}.", fix=f"give one of it: -p {inner}=…")
            if outer:
                raise UsageError(f"{outer} is {known[outer]!r} in {file.name}, no mapping.", fix=f"-p {outer}=…")

    def texts(self, file: Path | None, known: Mapping[str, Any]) -> dict[Path, str]:
        """The text of each file that they change; *known* is what the project's params *file* states.

        Raises `UsageError` where a file that is named has no such param.
        """
        changed: dict[Path, dict[str, Any]] = {}
        for path, values in self.others.items():
            there = flatten(files.read_params(path))
            if unknown := [name for name in values if name not in there]:
                raise UsageError(f"{unknown[0]} is not in {path.name}.", fix="add it there first, or correct the name")
            changed[path] = _differing(values, there)
        if file:
            changed.setdefault(file, {}).update(_differing(self.own, known))
        return {path: files.with_params(path, values) for path, values in sorted(changed.items()) if values}

    def files(self, file: Path | None) -> Sequence[Path]:
        """The files that they may change, in the order in which everybody locks them."""
        return sorted({*self.others, *([file] if file and self.own else [])})


def _differing(values: Mapping[str, Any], there: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name in there and there[name] != value}


def by_file(params: Mapping[str, Any], folder: Path) -> Given:
    """*params* as a command in *folder* is given them. A `FILE:` that is no params file is a part of the name."""
    own: dict[str, Any] = {}
    others: dict[Path, dict[str, Any]] = {}
    for name, value in params.items():
        path, colon, key = name.rpartition(":")
        if colon and key and path.endswith(FORMS) and (folder / path).is_file():
            others.setdefault((folder / path).resolve(), {})[key] = value
        else:
            own[name] = value
    return Given(own=own, others=others)
