"""When a run was, and what in a text or a number tells of that (pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from mlgit.core.run import Run, in_calendar

_AROUND = 86_400.0
"""Seconds: a script may look at the clock before it begins its run, and mean any time zone."""
_CLOCK = r"(?:(?:[T /_-]|, ?)?\d\d(?P<t>[:._-]?)\d\d(?:(?P=t)\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_MOMENT = re.compile(
    rf"(?<!\d)(?:(?P<year>\d{{4}})(?P<d>[-_./]?)(?P<month>\d\d)(?P=d)|(?P<named>{'|'.join(_MONTHS)}))"
    rf"(?P<day>\d\d){_CLOCK}(?!\d)"
)
"""`2026-11-26 19:33:44.8+01:00`, `20261126_193344`, `2026-11-26/19-33-44`, and TensorBoard's `Nov26_19-33-44`."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """The time of a run, in seconds since the epoch, with a day around it."""

    begin: float
    end: float

    @classmethod
    def of(cls, run: Run) -> Self:
        """That of *run*."""
        return cls(
            begin=in_calendar(run.created - _AROUND), end=in_calendar((run.finished or run.created) + _AROUND)
        )  # fmt: skip

    def holds(self, seconds: float) -> bool:
        """Whether *seconds* since the epoch, or so many milli-, micro- or nanoseconds, are in it."""
        return any(self.begin * many <= seconds <= self.end * many for many in (1, 1e3, 1e6, 1e9))

    def split(self, text: str) -> tuple[list[str], list[str]]:
        """What of *text* stands around the days and moments that are in it, and these."""
        found = [match for match in _MOMENT.finditer(text) if self._holds_day(match)]
        ends = [0, *(match.end() for match in found)]
        starts = [*(match.start() for match in found), len(text)]
        return [text[a:b] for a, b in zip(ends, starts, strict=True)], [match[0] for match in found]

    def _holds_day(self, match: re.Match[str]) -> bool:
        month = int(match["month"] or _MONTHS.index(match["named"]) + 1)
        for year in [int(match["year"])] if match["year"] else self._years:
            try:
                noon = datetime(year, month, int(match["day"]), 12, tzinfo=UTC).timestamp()
            except ValueError:  # there is no such day
                continue
            if self.begin - _AROUND / 2 <= noon <= self.end + _AROUND / 2:
                return True
        return False

    @property
    def _years(self) -> list[int]:
        return [datetime.fromtimestamp(seconds, UTC).year for seconds in (self.begin, self.end)]
