"""What was otherwise around a run that came out otherwise (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlgit.core import drifted, surroundings
from mlgit.core.compare import MISSING, Change, flatten
from mlgit.core.seeds import is_seed


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """One difference of the surroundings: `packages.numpy`, 2.1.0 → 2.2.0."""

    name: str
    before: str
    after: str


def find(before: Mapping[str, Any], after: Mapping[str, Any], params: Mapping[str, Any]) -> list[Suspect]:
    """What two `run.yaml` say otherwise of their surroundings; that nothing told of a seed is one more.

    *params*: those of the run, one of which may be its seed.
    """
    found = [_suspect(change) for change in surroundings.differing(before, after)]
    found += [
        Suspect(name=f"data {path}", before=told, after="as it was when it began")
        for path, told in drifted.words(before).items()
        if not told.startswith(drifted.SINCE)  # that content is known, and was brought
    ]
    if isinstance(earlier := before.get("earlier"), Mapping):
        found.append(Suspect(name="resumed", before=f"after step {earlier.get('step', '?')}", after="in one go"))
    if isinstance(before.get("nth"), int) and after.get("nth") is None:
        found.append(
            Suspect(name="process", before=f"run {before['nth']} of its process", after="alone in its process")
        )
    if not before.get("seeds") and not any(map(is_seed, flatten(params))):
        found.append(Suspect(name="seed", before="none is known", after="none is known"))
    return found


def _suspect(change: Change) -> Suspect:
    before, after = ("—" if value is MISSING else str(value) for value in (change.base, change.head))
    return Suspect(name=change.key, before=before, after=after)
