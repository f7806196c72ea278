"""What a run says of itself and of where it was, read as if the run that it makes again had said it (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mlgit.core.run import Run
from mlgit.reproduce.verdict import Told

_SOME_PLACE = "(?:/.*)?"
"""A pattern of where the code may have lain, which no run records."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What one run calls itself and the other calls something else, though they mean the same."""

    first: Run
    again: Run
    code: str
    """Where the code lies of the one that was made again."""

    def read(self, before: Told, after: Told) -> Told:
        """*after* with its names of itself and its paths into the code as *before* has them, where these then agree."""
        return replace(
            after,
            params=self._values(before.params, after.params),
            artifacts=self._named(after.artifacts),
            metadata=self._values(before.metadata, self._named(after.metadata)),
        )

    def _named(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """*told*, with names as the first would give them that hold its id: `run-<id>-table`."""
        return {name.replace(self.again.id, self.first.id): value for name, value in told.items()}

    def _values(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self._value(before.get(name), value) for name, value in after.items()}

    def _value(self, then: Any, now: Any) -> Any:
        if isinstance(then, list | tuple) and isinstance(now, list | tuple) and len(then) == len(now):
            return [self._value(*pair) for pair in zip(then, now, strict=True)]
        if not isinstance(then, str) or not isinstance(now, str):
            return now
        parts = (
            part.replace(self.again.id, self.first.id).replace(self.again.name, self.first.name)
            for part in now.split(self.code)
        )
        return then if re.fullmatch(_SOME_PLACE.join(map(re.escape, parts)), then) else now
