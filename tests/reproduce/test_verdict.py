"""The verdict's rules: what is the same to the last bit, what is near, and where two runs first part."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlgit.core.compare import MISSING
from mlgit.core.history import Logged, Series
from mlgit.core.run import Run
from mlgit.errors import UsageError
from mlgit.reproduce import verdict
from mlgit.reproduce.alike import Reading
from mlgit.reproduce.verdict import Kind, Told, Tolerance

numbers = st.floats() | st.integers(-(2**60), 2**60)
columns = st.lists(numbers, max_size=20)


def series(values: list[float], steps: list[int] | None = None, begin: float = 0.0) -> Series:
    at = steps or list(range(len(values)))
    return Series(at, [begin + step for step in at], [1e9 + begin + step for step in at], values)


def told(**what: Any) -> Told:
    return Told(**{"end": "finished", **what})


@given(st.dictionaries(st.text(max_size=8), numbers), st.dictionaries(st.text(max_size=8), columns))
def test_the_same_is_bitwise_whenever_it_was_logged(metrics: dict[str, float], values: dict[str, list[float]]):
    first = told(metrics=metrics, series={name: series(one) for name, one in values.items()})
    again = told(metrics=dict(metrics), series={name: series(list(one), begin=77.5) for name, one in values.items()})

    found = verdict.compare(first, again)

    assert (found.kind, found.differences) == (Kind.BITWISE, ())
    assert found.same.get("metrics", 0) == sum(not verdict.is_clock(name) for name in metrics)


@given(columns.filter(bool), st.data())
def test_one_other_bit_is_found_at_its_step(values: list[float], data: st.DataObject):
    at = data.draw(st.integers(0, len(values) - 1))
    other = data.draw(numbers.filter(lambda number: not verdict.is_same(number, values[at])))
    changed = [*values[:at], other, *values[at + 1 :]]

    found = verdict.compare(told(series={"loss": series(values)}), told(series={"loss": series(changed)}))

    assert found.kind is Kind.DIFFERS
    assert (found.differences[0].kind, found.differences[0].name, found.differences[0].step) == ("history", "loss", at)
    assert verdict.is_same(found.differences[0].before, values[at])
    assert verdict.is_same(found.differences[0].after, other)


@given(st.dictionaries(st.sampled_from("abc"), columns), st.dictionaries(st.sampled_from("abc"), columns))
def test_the_kind_does_not_depend_on_which_run_was_first(one: dict[str, list[float]], two: dict[str, list[float]]):
    sides = [told(series={name: series(values) for name, values in side.items()}) for side in (one, two)]
    for limit in (None, Tolerance(0.1), Tolerance(0, 5)):
        assert verdict.compare(*sides, limit).kind is verdict.compare(*reversed(sides), limit).kind


@given(st.floats(allow_nan=False, allow_infinity=False, width=32), st.floats(0, 1e-3))
def test_numbers_within_the_tolerance_pass_and_are_said_to(value: float, share: float):
    near = value * (1 + share)

    found = verdict.compare(told(metrics={"m": value}), told(metrics={"m": near}), Tolerance(2e-3))

    assert found.kind is (Kind.BITWISE if verdict.is_same(value, near) else Kind.WITHIN)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (math.nan, math.nan, True),
        (0.0, -0.0, False),
        (1, 1.0, True),
        (1, True, False),
        (math.inf, -math.inf, False),
        ("1", 1, False),
        ({"a": [1, math.nan]}, {"a": [1, math.nan]}, True),
        (MISSING, None, False),
    ],
)
def test_the_same_to_the_last_bit(one: Any, other: Any, same: bool):
    assert verdict.is_same(one, other) is same


def test_the_first_step_at_which_anything_parts_is_named_before_what_follows_from_it():
    first = told(series={"loss": series([3, 2, 1]), "acc": series([1, 2, 3])}, metrics={"loss": 1, "acc": 3})
    again = told(series={"loss": series([3, 2.5, 2]), "acc": series([1, 2, 4])}, metrics={"loss": 2, "acc": 4})

    found = verdict.compare(first, again)

    assert [(one.kind, one.name, one.step) for one in found.differences] == [
        ("history", "loss", 1), ("history", "acc", 2), ("metric", "acc", None), ("metric", "loss", None),
    ]  # fmt: skip


def test_a_step_that_one_of_them_lacks_is_a_difference_there():
    first = told(series={"loss": series([3, 2, 1], [0, 5, 10])})
    short = told(series={"loss": series([3, 1], [0, 10])})

    found = verdict.compare(first, short).differences[0]

    assert (found.step, found.before, found.after) == (5, 2, MISSING)
    assert verdict.compare(first, told(), Tolerance(1.0)).kind is Kind.DIFFERS


def test_what_tells_of_time_is_left_aside_and_named():
    first = told(metrics={"_runtime": 1.0, "epoch_seconds": 3, "loss": 1, "samples/sec": 9, "trainTime": 1})
    again = told(metrics={"_runtime": 2.0, "epoch_seconds": 4, "loss": 1, "samples/sec": 8, "trainTime": 2})

    found = verdict.compare(first, again)

    assert found.kind is Kind.BITWISE
    assert found.clocks == ("_runtime", "epoch_seconds", "samples/sec", "trainTime")
    assert not any(map(verdict.is_clock, ("loss", "estimates", "sometimes", "secondary_loss", "val/acc", "super")))


def test_an_artifact_of_other_bytes_is_not_bitwise_and_no_matter_of_tolerance():
    first, again = told(artifacts={"model": "a" * 32}), told(artifacts={"model": "b" * 32})

    assert verdict.compare(first, again).kind is Kind.DIFFERS
    assert verdict.compare(first, again, Tolerance()).kind is Kind.WITHIN
    assert verdict.compare(first, told(), Tolerance(1)).kind is Kind.DIFFERS


def test_a_run_that_ends_otherwise_differs_whatever_else_it_said():
    found = verdict.compare(told(metrics={"a": 1}), told(end="failed, exit code 1", metrics={"a": 2}), Tolerance(9))

    assert found.kind is Kind.DIFFERS
    assert found.differences[0].kind == "end"


def test_pictures_and_texts_are_compared_by_what_they_hold():
    def picture(sha: str) -> Told:
        return told(objects={"shot": [Logged(0, 1.5, 9.0, {"_type": "image-file", "sha256": sha})]})

    assert verdict.compare(picture("a"), picture("a")).kind is Kind.BITWISE
    assert verdict.compare(picture("a"), picture("b")).differences[0].kind == "object"


@pytest.mark.parametrize("text", ["", "x", "1/2/3", "-1", "nan", "inf"])
def test_what_is_no_tolerance_is_refused(text: str):
    with pytest.raises(UsageError, match="is no tolerance"):
        verdict.tolerance(text)
    assert verdict.tolerance("1e-6/1e-9") == Tolerance(1e-6, 1e-9)


def test_params_and_metadata_that_differ_are_named_params_before_what_may_follow_from_them():
    first = told(params={"width": 3, "lr": 0.1}, series={"loss": series([1, 2])}, metadata={"model.layers": 2})
    again = told(params={"width": 4, "lr": 0.1}, series={"loss": series([1, 3])}, metadata={"model.heads": 2})

    found = verdict.compare(first, again)

    assert found.kind is Kind.DIFFERS
    assert [(one.kind, one.name, one.before, one.after) for one in found.differences] == [
        ("param", "width", 3, 4), ("history", "loss", 2, 3),
        ("metadata", "model.heads", MISSING, 2), ("metadata", "model.layers", 2, MISSING),
    ]  # fmt: skip
    assert found.same == {"params": 1}


def test_a_setting_with_a_name_of_time_counts_where_it_is_the_same_and_is_left_aside_where_not():
    found = verdict.compare(
        told(params={"warmup_seconds": 3, "date": "a"}), told(params={"warmup_seconds": 3, "date": "b"})
    )

    assert (found.kind, found.same, found.clocks) == (Kind.BITWISE, {"params": 1}, ("date",))


@pytest.mark.parametrize(
    ("then", "now", "same"),
    [
        ("/home/ada/p/out", "/tmp/tree/p/out", True),
        ("--to=/home/ada/p/out", "--to=/tmp/tree/p/out", True),
        ("/home/ada/p/out", "/tmp/tree/p/other", False),
        ("relative/out", "/tmp/tree/p/relative/out", False),
        (["/home/ada/p", 1], ["/tmp/tree/p", 1], True),
        ("first of id1", "first-again of id2", True),
        ("first of id1", "first-again of id3", False),
        ("cuda", "cpu", False),
    ],
)
def test_what_a_run_calls_itself_and_where_its_code_lies_are_no_difference(then: Any, now: Any, same: bool):
    reading = Reading(
        first=Run(id="id1", name="first", project="p"), again=Run(id="id2", name="first-again", project="p"),
        code="/tmp/tree/p",
    )  # fmt: skip
    before = told(params={"a": then}, metrics={"b": then})
    after = told(params={"a": now}, metrics={"b": now}, artifacts={"run-id2-table": "x"})

    read = reading.read(before, after)

    assert verdict.is_same(before.params["a"], read.params["a"]) is same
    assert verdict.is_same(before.metrics["b"], read.metrics["b"]) is same
    assert same or read.params["a"] == now
    assert read.artifacts == {"run-id1-table": "x"}


def test_the_place_of_the_code_is_found_in_a_text_that_is_full_of_it():
    reading = Reading(
        first=Run(id="id1", name="first", project="p"),
        again=Run(id="id2", name="first-again", project="p"),
        code="/tree",
    )
    then, now = (":".join(f"{place}/lib" for _ in range(many)) for place, many in (("/home/ada", 60), ("/tree", 30)))

    def read(then: str) -> Any:
        return reading.read(told(params={"path": then}), told(params={"path": now})).params["path"]

    assert read(f"{then}!") == now  # each place by itself could be sought for ever
    assert read(then[: len(then) // 2]) == then[: len(then) // 2]


@pytest.mark.parametrize(
    ("then", "now", "is_of_its_time"),
    [
        ("outputs/2026-03-01/10-00-00", "outputs/2026-07-09/11-12-13", True),
        ("2026-03-01T10:00:00.25+01:00", "2026-07-09T11:12:13.125+01:00", True),
        ("runs/Mar01_10-00-00_ada", "runs/Jul09_11-12-13_ada", True),
        ("20260301100000", "20260709111213", True),
        (["20260301", 1], ["20260709", 1], True),
        ("/home/ada/out/20260301_100000", "/tree/out/20260709_111213", True),
        (1772359200.5, 1783595533.25, True),
        (1772359200500, 1783595533250, True),
        ("2026-03-01", "2026-05-01", False),  # no time of either: what the data end with, perhaps
        ("2025-12-31", "2026-07-09", False),
        ("outputs/2026-03-01", "other/2026-07-09", False),
        ("2026-99-99", "2026-07-09", False),
        (1772359200.5, 1783595533.25 + 9e5, False),
        (True, 1783595533, False),
        ("2026-03-01", None, False),
    ],
)
def test_a_moment_of_each_run_s_own_time_is_left_aside_and_named(then: Any, now: Any, is_of_its_time: bool):
    march, july = 1772359200.0, 1783595533.0
    reading = Reading(
        first=Run(id="id1", name="first", project="p", created=march, finished=march + 60),
        again=Run(id="id2", name="first-again", project="p", created=july), code="/tree",
    )  # fmt: skip
    before, after = told(params={"out": then}, metadata={"m.out": 1}), told(params={"out": now}, metadata={"m.out": 1})

    found = verdict.compare(before, reading.read(before, after))

    assert (found.kind is Kind.BITWISE) is is_of_its_time
    assert found.clocks == (("out",) if is_of_its_time else ())


def test_a_moment_that_is_the_same_is_compared_as_anything_else():
    reading = Reading(
        first=Run(id="id1", name="first", project="p"),
        again=Run(id="id2", name="first-again", project="p"),
        code="/tree",
    )
    before = told(params={"until": "1970-01-01"})

    found = verdict.compare(before, reading.read(before, before))

    assert (found.same["params"], found.clocks) == (1, ())
