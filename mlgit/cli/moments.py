"""A moment, as an option takes it."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Any

import click

from mlgit.core.run import in_calendar

_SECONDS = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


class Moment(click.ParamType):  # type: ignore[type-arg]  # click 8.1, which we take too, has no such argument
    """Seconds since the epoch: ISO 8601, in UTC unless it says otherwise; *ahead*, also how far off: 12h, 2d."""

    name = "moment"

    def __init__(self, *, ahead: bool = False) -> None:
        self.ahead = ahead

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """*value* in seconds since the epoch."""
        text = str(value)
        if self.ahead and (found := re.fullmatch(r"(\d{1,6})([mhdw])", text)):
            return float(int(time.time()) + int(found[1]) * _SECONDS[found[2]])
        try:
            said = datetime.fromisoformat(text)
            return in_calendar((said if said.tzinfo else said.replace(tzinfo=UTC)).timestamp())
        except (ValueError, OverflowError):
            more = ", 12h or 2d" if self.ahead else ""
            self.fail(f"{text[:80]!r} is no moment; write 2026-12-27, 2026-12-27T18:00{more}.", param, ctx)
