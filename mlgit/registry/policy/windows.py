"""Times in which stages stand still: every week, on some days, or once, by the clock of some place (pure).

Times of day are those on the wall: where clocks are turned, a window begins and ends when the wall says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK = r"(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)"
_OF_DAY = re.compile(_CLOCK)
_OF_WEEK = re.compile(rf"(?P<day>{'|'.join(DAYS)})\s+{_CLOCK}")
_FOREVER = 14
"""Windows that join one another without a gap, of which no end is looked for any more."""
FORMS = "fri 16:00 (of a week), 16:00 (of a day), 2026-12-20 or 2026-12-20T18:00 (once)"


@dataclass(frozen=True, kw_only=True)
class Window:
    """When a stage stands still."""

    since: str = field(default="", metadata={"help": f"when it begins: {FORMS}"})
    until: str = field(
        default="", metadata={"help": "when it ends, written likewise; a date alone is its first moment"}
    )
    days: tuple[Day, ...] = field(
        default=(),
        metadata={"help": "on which days it begins, where since and until are times of day, or are not said"},
    )
    zone: str = field(default="UTC", metadata={"help": "whose clock: Europe/Zurich"})
    why: str = field(default="", metadata={"help": "what whoever meets it reads"})

    def __str__(self) -> str:
        return self.why or self.when

    @property
    def when(self) -> str:
        """When it is, in words: `fri 16:00 to mon 09:00 Europe/Zurich`."""
        span = f"{self.since or 'ever'} to {self.until or 'ever'}" if self.since or self.until else ""
        return " ".join(filter(None, (", ".join(self.days), span, self.zone)))


@dataclass(frozen=True, kw_only=True)
class Standing:
    """That a moment is in a window."""

    until: datetime | None
    """When that ends, by the window's clock; None where it does not."""


def problem(window: Window) -> str:
    """Why *window* cannot be meant; empty where it can."""
    try:
        ZoneInfo(window.zone)
    except (ValueError, OSError, KeyError):  # an absolute path, a folder, none
        return f"zone: there is no {window.zone!r}; write it like Europe/Zurich"
    ends = [end for end in (window.since, window.until) if end]
    if not ends and not window.days:
        return "it is never; give days, or since and until"
    forms = {_form(end) for end in ends}
    if None in forms:
        wrong = next(end for end in ends if _form(end) is None)
        return f"{wrong!r} is no time; write it like {FORMS}"
    if len(forms) > 1:
        return f"since and until are written in two ways; both like {FORMS}"
    if forms == {"week"} and (len(ends) < 2 or window.days):
        return "a window of the week has since and until, with their days in them, and no days besides"
    if forms == {"week"} and window.since == window.until:
        return "it begins and ends at once"
    if forms == {"once"} and window.days:
        return "days are for times of day; since and until are dates here"
    if forms == {"once"} and len(ends) == 2 and _once(window, window.since) >= _once(window, window.until):
        return "it ends before it begins"
    return ""


def standing(window: Window, now: float) -> Standing | None:
    """Whether *now*, in seconds since the epoch, is in *window*, and how long that goes on; None where it is not."""
    zone = ZoneInfo(window.zone)
    here = datetime.fromtimestamp(now, zone)
    if (window.since or window.until) and _form(window.since or window.until) == "once":
        return _standing_once(window, here)
    wall = here.replace(tzinfo=None)
    end: datetime | None = None
    for _ in range(_FOREVER):
        found = next(
            (stop for start, stop in _spans(window, (end or wall).date()) if start <= (end or wall) < stop), None
        )
        if found is None:
            return Standing(until=end.replace(tzinfo=zone)) if end else None
        end = found
    return Standing(until=None)


def _form(text: str) -> Literal["week", "day", "once"] | None:
    if _OF_WEEK.fullmatch(text):
        return "week"
    if _OF_DAY.fullmatch(text):
        return "day"
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return None
    return "once"


def _standing_once(window: Window, here: datetime) -> Standing | None:
    until = _once(window, window.until) if window.until else None
    if (window.since and here < _once(window, window.since)) or (until and here >= until):
        return None
    return Standing(until=until)


def _once(window: Window, text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(window.zone))


def _spans(window: Window, day: date) -> Iterator[tuple[datetime, datetime]]:
    """The times on the wall, from and to, that may hold a moment of *day*."""
    if (begin := _OF_WEEK.fullmatch(window.since)) and (stop := _OF_WEEK.fullmatch(window.until)):
        monday = day - timedelta(days=day.weekday())
        for week in (monday - timedelta(days=7), monday):
            start = _at(week + timedelta(days=DAYS.index(begin["day"])), begin)
            end = _at(week + timedelta(days=DAYS.index(stop["day"])), stop)
            yield start, end if end > start else end + timedelta(days=7)
        return
    first, last = _OF_DAY.fullmatch(window.since), _OF_DAY.fullmatch(window.until)
    for one in (day - timedelta(days=1), day):
        if not window.days or DAYS[one.weekday()] in window.days:
            start, end = _at(one, first), _at(one, last)
            yield start, end if end > start else end + timedelta(days=1)


def _at(day: date, clock: re.Match[str] | None) -> datetime:
    hour, minute = (int(clock["hour"]), int(clock["minute"])) if clock else (0, 0)
    return datetime(day.year, day.month, day.day, hour, minute)  # on the wall


def moment(when: datetime) -> str:
    """*when* for a person: `Mon 2026-11-30 09:00 CET`."""
    return when.strftime("%a %Y-%m-%d %H:%M ") + (when.tzname() or "UTC")


def now_there(window: Window, now: float) -> str:
    """*now* by the clock of *window*, for a person."""
    return moment(datetime.fromtimestamp(now, ZoneInfo(window.zone)))
