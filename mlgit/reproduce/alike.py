"""What a run says of itself and of where it was, read as if the run that it makes again had said it (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mlgit.core.compare import is_number
from mlgit.core.run import Run
from mlgit.reproduce.moments import Span
from mlgit.reproduce.verdict import Told, is_same

_SOME_PLACE, _SAME_PLACE = "(?P<place>(?:/.*)?)", "(?P=place)"
"""Patterns of where the code may have lain, which no run records; it lay in one place."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What one run calls itself and the other calls something else, though they mean the same."""

    first: Run
    again: Run
    code: str
    """Where the code lies of the one that was made again."""

    def read(self, before: Told, after: Told) -> Told:
        """*after* with its names of itself and its paths into the code as *before* has them, where these then agree.

        What is another one because it tells when each of them ran is among its `moments`.
        """
        metadata = self._named(after.metadata)
        sides = {
            "param": (before.params, after.params),
            "metric": (before.metrics, after.metrics),
            "metadata": (before.metadata, metadata),
        }
        return replace(
            after,
            params=self._values(*sides["param"]),
            metrics=self._values(*sides["metric"]),
            artifacts=self._named(after.artifacts),
            metadata=self._values(*sides["metadata"]),
            moments=frozenset(
                (kind, name)
                for kind, (then, now) in sides.items()
                for name, value in now.items()
                if name in then and self._tells_when(then[name], value)
            ),
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
        first, *others = map(re.escape, parts)
        pattern = first + (_SOME_PLACE if others else "") + _SAME_PLACE.join(others)
        return then if re.fullmatch(pattern, then) else now

    def _tells_when(self, then: Any, now: Any) -> bool:
        """Whether the two differ, and in nothing but when it was: each says so of itself."""
        dated = self._dated(then, now)
        return not is_same(dated, now) and is_same(self._value(then, dated), then)

    def _dated(self, then: Any, now: Any) -> Any:
        """*now* with the moments of *then* in place of its own, each being of the time of its run."""
        if isinstance(then, list | tuple) and isinstance(now, list | tuple) and len(then) == len(now):
            return [self._dated(*pair) for pair in zip(then, now, strict=True)]
        spans = Span.of(self.first), Span.of(self.again)
        if isinstance(then, str) and isinstance(now, str):
            (parts, before), (others, _) = (span.split(text) for span, text in zip(spans, (then, now), strict=True))
            if len(parts) == len(others):
                return "".join(one + moment for one, moment in zip(others, [*before, ""], strict=True))
        elif is_number(then) and is_number(now) and spans[0].holds(then) and spans[1].holds(now):
            return then
        return now
