from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mlgit.core.model import ModelVersion
from mlgit.core.verdict import Wait
from mlgit.errors import ConfigError
from mlgit.registry.policy import file, judging, windows
from mlgit.registry.policy.evidence import Evidence
from mlgit.registry.policy.windows import Window

WEEKEND = Window(since="fri 16:00", until="mon 09:00", zone="Europe/Zurich")
NIGHTS = Window(since="22:00", until="06:00", days=("mon", "tue"), zone="Europe/Zurich")


def at(text: str, zone: str = "Europe/Zurich") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def until(window: Window, text: str) -> str | None:
    """The end of the window that a moment is in, as a person reads it; None where it is in none."""
    found = windows.standing(window, at(text))
    return None if found is None else windows.moment(found.until) if found.until else "ever"


@pytest.mark.parametrize(
    ("moment", "end"),
    [
        ("2026-11-27T15:59:59", None),
        ("2026-11-27T16:00", "Mon 2026-11-30 09:00 CET"),
        ("2026-11-29T23:59:59", "Mon 2026-11-30 09:00 CET"),
        ("2026-11-30T08:59:59", "Mon 2026-11-30 09:00 CET"),
        ("2026-11-30T09:00", None),
    ],
)
def test_a_window_of_the_week_goes_on_over_its_end(moment: str, end: str | None):
    assert until(WEEKEND, moment) == end


@pytest.mark.parametrize(
    ("moment", "end"),
    [
        ("2026-11-23T05:00", None),  # the night of Sunday is none of them
        ("2026-11-23T22:00", "Tue 2026-11-24 06:00 CET"),
        ("2026-11-24T05:59", "Tue 2026-11-24 06:00 CET"),
        ("2026-11-24T06:00", None),
        ("2026-11-25T05:59", "Wed 2026-11-25 06:00 CET"),
        ("2026-11-25T22:00", None),
    ],
)
def test_a_window_across_midnight_belongs_to_the_day_on_which_it_begins(moment: str, end: str | None):
    assert until(NIGHTS, moment) == end


def test_days_without_times_are_whole_days_and_those_that_follow_one_another_end_together():
    weekend = Window(days=("sat", "sun"))

    found = windows.standing(weekend, at("2026-11-28T12:00", "UTC"))

    assert found
    assert found.until == datetime(2026, 11, 30, tzinfo=UTC)
    assert windows.standing(weekend, at("2026-11-30T00:00", "UTC")) is None
    assert until(Window(days=windows.DAYS), "2026-11-28T12:00") == "ever"


def test_where_clocks_are_turned_the_wall_counts():
    night = Window(since="01:00", until="04:00", zone="Europe/Zurich")

    assert until(night, "2026-03-29T03:30") == "Sun 2026-03-29 04:00 CEST"  # there was no 02:30
    assert until(night, "2026-10-25T02:30") == "Sun 2026-10-25 04:00 CET"
    second = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Zurich"), fold=1).timestamp()
    assert windows.standing(night, second)
    spring = Window(since="sat 16:00", until="mon 09:00", zone="Europe/Zurich")
    assert until(spring, "2026-03-28T20:00") == "Mon 2026-03-30 09:00 CEST"


def test_a_window_for_once_may_be_open_at_either_end():
    holidays = Window(since="2026-12-20", until="2027-01-03T12:00", zone="Europe/Zurich")

    assert until(holidays, "2026-12-19T23:59") is None
    assert until(holidays, "2026-12-20T00:00") == "Sun 2027-01-03 12:00 CET"
    assert until(holidays, "2027-01-03T12:00") is None
    assert until(Window(since="2026-12-20"), "2030-01-01T00:00") == "ever"
    assert until(Window(until="2026-12-20T00:00:00Z"), "2020-01-01T00:00") == "Sun 2026-12-20 00:00 UTC"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("{}", "it is never"),
        ("{days: [sat], zone: Europe/Zurrich}", "there is no 'Europe/Zurrich'"),
        ("{days: [sat], zone: /etc/passwd}", "there is no '/etc/passwd'"),
        ("{since: noon}", "'noon' is no time"),
        ("{since: '25:00'}", "'25:00' is no time"),
        ("{since: '16:00', until: mon 09:00}", "written in two ways"),
        ("{since: fri 16:00}", "has since and until"),
        ("{since: fri 16:00, until: mon 09:00, days: [sat]}", "no days besides"),
        ("{since: 2026-12-20, until: 2026-12-19}", "it ends before it begins"),
        ("{since: 2026-12-20, days: [mon]}", "days are for times of day"),
        ("{days: [saturday]}", "got 'saturday'"),
    ],
)
def test_a_freeze_that_cannot_be_meant_is_an_error_with_its_line(asked: str, said: str):
    text = f"stages:\n  prod:\n    gates:\n      - freeze: {asked}\n"

    with pytest.raises(ConfigError, match=r"policy.yaml:4: .*") as caught:
        file.read(text, source="policy.yaml")

    assert said in str(caught.value)


def judged(now: str, **known: Any) -> Any:
    text = "stages: {prod: {gates: [{freeze: {since: fri 16:00, until: mon 09:00, zone: Europe/Zurich, why: rest}}]}}"
    gates = file.read(text, source="p").gates("net", "prod")
    version = ModelVersion(model="net", version="v2", project="", run="", commit="", artifact="", hash="")
    seen = Evidence(stage="prod", candidate=version, now=at(now), **known)
    return judging.judge(judging.asked(gates, is_return=seen.is_return), seen)


def test_a_frozen_stage_waits_and_says_for_what():
    (weekend,), (monday,) = judged("2026-11-28T12:00"), judged("2026-11-30T09:00")

    assert (weekend.passed, weekend.waits, monday.passed, monday.waits) == (False, Wait.TIME, True, None)
    assert weekend.fix == "merge it after Mon 2026-11-30 09:00 CET"
    assert weekend.refused == "the stage is frozen until Mon 2026-11-30 09:00 CET (rest), the gate asks another time"
    assert monday.observed == "Mon 2026-11-30 09:00 CET"
    assert weekend.observed == "Sat 2026-11-28 12:00 CET (rest)"
