from __future__ import annotations

import pytest

from mlgit.errors import ConfigError
from mlgit.registry.policy import freezes
from mlgit.registry.policy.freezes import Freeze

DAY = 86400.0
CHRISTMAS = Freeze(models="*", stages="prod*", since=10 * DAY, until=12 * DAY, why="Christmas", by="ada")


def test_what_is_written_is_read_back():
    open_end = Freeze(models="churn", stages="*", since=DAY)

    found = freezes.read(freezes.text([CHRISTMAS, open_end]))

    assert found == (CHRISTMAS, open_end)
    assert [one.where for one in found] == ["registry/freezes.yaml:3", "registry/freezes.yaml:9"]


@pytest.mark.parametrize("text", [None, "", "freezes: []\n"])
def test_no_file_and_an_empty_one_freeze_nothing(text: str | None):
    assert freezes.read(text) == ()


@pytest.mark.parametrize(
    ("model", "stage", "now", "stands"),
    [
        ("churn", "production", 10 * DAY, True),
        ("churn", "production", 12 * DAY - 1, True),
        ("churn", "production", 12 * DAY, False),
        ("churn", "production", 10 * DAY - 1, False),
        ("churn", "staging", 11 * DAY, False),
    ],
)
def test_a_freeze_stands_from_its_beginning_to_before_its_end(model: str, stage: str, now: float, stands: bool):
    assert (freezes.standing([CHRISTMAS], model, stage, now) is CHRISTMAS) is stands


def test_of_several_the_one_that_ends_last_is_told():
    longer = Freeze(models="churn", stages="production", since=0)

    assert freezes.standing([CHRISTMAS, longer], "churn", "production", 11 * DAY) is longer


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{since: soon}", r"registry/freezes\.yaml:1: freezes\.0\.since: no moment"),
        ("{since: 2026-12-20, until: 2026-12-19}", r"freezes\.0\.until: it ends before it begins"),
        ("{since: 2026-12-20, model: churn}", r"freezes\.0\.model: unknown key"),
        ("{models: churn}", r"since: required"),
    ],
)
def test_a_freeze_that_cannot_be_meant_is_said_with_its_line(entry: str, message: str):
    with pytest.raises(ConfigError, match=message):
        freezes.read(f"freezes: [{entry}]")


def test_a_day_begins_in_utc_and_a_moment_may_say_otherwise():
    found = freezes.read("freezes: [{since: 1970-01-02}, {since: '1970-01-02T01:00:00+01:00'}]")

    assert [one.since for one in found] == [DAY, DAY]
