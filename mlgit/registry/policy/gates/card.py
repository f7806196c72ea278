"""People have said of the version what its card is to say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mlgit.core.model import ModelVersion
from mlgit.registry.policy.evidence import Evidence
from mlgit.registry.policy.kind import Finding, Kind, outcome


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a model card has to say."""

    card: tuple[str, ...] = field(
        metadata={"help": "fields that are filled in: license, intended_use, …; description is one too"}
    )


def problem(asked: Settings) -> str:
    """Why *asked* cannot be meant."""
    return "" if asked.card and all(asked.card) else "the gate asks nothing; name fields of the card"


def judge(asked: Settings, seen: Evidence) -> Finding:
    """Whether each of the fields says something."""
    one = seen.candidate
    missing = [name for name in asked.card if not _says(_value(one, name))]
    named = _list(asked.card)
    return Finding(
        gate=f"the card says {named}", outcome=outcome(not missing),
        observed=f"nothing of {_list(missing)}" if missing else "all filled in",
        said=f"its card says nothing of {_list(missing)}", asks=f"that it says {named}",
        fix=f"register it again as another version, with {' '.join(f'--set {name}=…' for name in missing)}",
        inputs={"card": {name: _value(one, name) for name in asked.card}},
    )  # fmt: skip


def _value(version: ModelVersion, name: str) -> Any:
    return version.fields.get(name, version.description if name == "description" else None)


def _says(value: Any) -> bool:
    """Whether a field says something: not blank, nor a list of nothing; `no` and 0 are answers."""
    return bool(value.strip()) if isinstance(value, str) else value is not None and value not in ([], {}, ())


def _list(names: Sequence[str]) -> str:
    return ", ".join(names)


KIND = Kind(settings=Settings, judge=judge, problem=problem)
