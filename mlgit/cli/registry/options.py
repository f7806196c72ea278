"""Options that the verbs of `mlgit registry` share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from mlgit.cli.choose import MODEL
from mlgit.core.run import in_calendar

BASE = click.option("--base", metavar="BRANCH", help="The branch whose files count.  [default: main]")
JSON = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
MODELS = click.argument("model", type=MODEL, required=False)


class Moment(click.ParamType):  # type: ignore[type-arg]  # click 8.1, which we take too, has no such argument
    """A moment, as seconds since the epoch: ISO 8601, in UTC unless it says otherwise."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """*value* in seconds since the epoch."""
        if isinstance(value, float):
            return value
        try:
            found = datetime.fromisoformat(str(value))
            return in_calendar((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
        except (ValueError, OverflowError):
            self.fail(f"{str(value)[:80]!r} is no time; write it like 2026-03-01, or 2026-03-01T12:00:00Z", param, ctx)
