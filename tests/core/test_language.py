"""The language of conditions: what holds, what is read, and how what can't be read is said."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlgit.core import condition, query
from mlgit.core.condition import And, Condition, Not, Operation, Or, Predicate
from mlgit.core.language import parse
from mlgit.core.run import Run, State
from mlgit.errors import UsageError

RUN = Run(
    id="abcdefgh", name="radiant", project="p", state=State.FAILED, created=100.0, finished=160.0, tags=("a", "b c"),
    params={"lr": 1e-3, "model": {"depth": 3}, "flag": True, "who": "no", "layers": [64, 128], "1st": 1},
    metrics={"accuracy": 0.9, "lr": 5, "bad": math.nan, "best": math.inf, "val/acc": 0.8},
)  # fmt: skip


def holds(text: str) -> bool:
    return condition.holds(parse(text), partial(query.value_of, RUN))


@pytest.mark.parametrize(
    "text",
    [
        "accuracy > 0.8", "accuracy>=.9", "accuracy=0.90", "accuracy==9e-1", "not accuracy > 0.9", "accuracy < 1",
        "params.lr<=1e-3", "lr=5", "lr = 5.0", "metrics.lr=+5", "params.model.depth=3", "val/acc<1", "best > 1e308",
        "best = inf", "best=+Infinity",
        "bad = nan", "bad in (1, NaN)", "best != nan", "bad != 0", "not bad > 0 and not bad <= 0",
        "state=failed", "state = 'failed'", 'state = "failed"', "STATE is null", "state != finished",
        "name ~ rad", "name ~ '^r.*t$'", "name !~ '^a'", "name ~ '(?i)RAD'",
        "tag = a", "tags=a", "tag = 'b c'", "tag != z", "tag ~ ^b", "tag in (x, a)", "tag not in (x, y)",
        "nothing is null", "nothing != 1", "nothing not in (1, 2)", "nothing !~ x", "not nothing > 1", "group is null",
        "flag=true", "flag = TRUE", "flag != false", "flag != 1", "who=no", "who != 'yes'", "who > 'n'", "who < nz",
        "layers = 64", "layers in (1, 128)", "not layers = 3", "accuracy is not null", "`1st` = 1",
        "duration>=60", "duration = 1m", "duration>59s", "duration < 1.5m", "duration<1h30m", "duration = '1m 0s'",
        "created<1e3", "created >= 1970-01-01", "created=1970-01-01", "created = 1970", "created = 1970-01",
        "created = 1970-01-01T00:01", "created = '1970-01-01 00:01'", "created=1970-01-01T00:01:40Z", "created = 100",
        "created > 1970-01-01T00:00Z", "created < 1971", "created != 1970-01-02", "created in (1969, 1970-01-01)",
        "created > 1969", "created <= 1970-01", "created <= 1970-01-01T00:01:40", "created > 1970-01-01T00:01:39Z",
        "created > 1970-01-01T02:00+02:00", "created = '1970-01-01 02:01+02:00'", "created <= 1970-01-01T00:01Z",
        "finished > 150 and finished < 9999-12-31",
        "accuracy > 1 or lr = 5 and state = failed", "(accuracy > 1 or lr = 5) and not (state = x or state = y)",
        "NOT accuracy > 1 AND lr IN (5)", "not not lr = 5", "lr=5 and who=no",
    ],
)  # fmt: skip
def test_a_condition_that_holds(text: str):
    assert holds(text)
    assert not holds(f"not ({text})")


@pytest.mark.parametrize(
    "text",
    [
        "bad>0", "bad<=0", "bad = 'nan'", "accuracy = nan", "nothing = nan",
        "nothing>1", "nothing = ''", "nothing ~ ''", "nothing in (1)", "flag=1",
        "lr=true", "lr = '5'", "who = 0", "accuracy ~ 0", "name ~ RAD", "tags=z", "tag != a", "accuracy is null",
        "tag is null",
        "created>=1970-01-02", "created<1970-01-01T02:00+02:00", "created != 1970-01-01", "created > 1970-01",
        "created > 1970", "created > 1970-01-01T00:01", "created > 1970-01-01T00:01:40", "created < 1970-01-01T00:01",
        "created > 1970-01-01T02:01+02:00", "created < 1970", "created > 100", "created < 100",
        "created = 1971", "duration>0h1m", "state in (finished, running)", "model = 3",
    ],
)  # fmt: skip
def test_a_condition_that_does_not(text: str):
    assert not holds(text)
    assert holds(f"not ({text})")


SPANS = st.sampled_from(["%Y", "%Y-%m", "%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%SZ", "%Y-%m-%dT%H:%M+01:00"])
MOMENTS = st.datetimes(datetime(1999, 11, 29), datetime(2001, 2, 2))


@given(MOMENTS, SPANS, MOMENTS | st.none(), st.integers(-61, 61) | st.floats(-1, 1))
def test_a_run_is_before_a_span_of_time_in_it_or_after_it(
    named: datetime, form: str, created: datetime | None, beside: float
):
    span = named.strftime(form)
    seconds = (created or named).replace(tzinfo=UTC).timestamp() + beside

    met = {sign for sign in ("<", "<=", "=", ">=", ">", "!=")
           if condition.holds(parse(f"created {sign} '{span}'"), lambda _: seconds)}  # fmt: skip

    assert met in ({"<", "<=", "!="}, {"<=", "=", ">="}, {">=", ">", "!="})


def test_and_binds_closer_than_or_and_not_closest():
    assert parse("a=1 or b=2 and not c=3 or d=4") == parse("a=1 or (b=2 and (not c=3)) or d=4")


def test_any_name_may_be_asked_about():
    text = "`and` = 1 and `a``b` > 2 and `my metric` is null and Größe = 1 and a.b/c-d_e = 1"

    assert list(condition.keys(parse(text))) == ["and", "a`b", "my metric", "Größe", "a.b/c-d_e"]


@pytest.mark.parametrize(
    ("text", "at", "said"),
    [
        ("", 1, "the name of a metric"),
        ("accuracy", 9, "what about accuracy?"),
        ("> 1", 1, "the name of a metric"),
        ("acc > ", 7, "a value is expected"),
        ("acc >> 1", 6, "a value is expected"),
        ("acc > 1 lr = 2", 9, "'and', 'or' or the end"),
        ("acc > 1 and", 12, "the name of a metric"),
        ("(acc > 1", 9, "')' is expected"),
        ("acc in 1", 8, "'(' is expected"),
        ("acc in (1 2)", 11, "')' is expected"),
        ("acc in ()", 9, "a value is expected"),
        ("acc not 1", 9, "'in' is expected"),
        ("acc is 1", 8, "'null' is expected"),
        ("null = 1", 1, "a name is expected here; one that is called null stands"),
        ("name = 'a", 8, "this quote is not closed"),
        ("`a = 1", 1, "this quote is not closed"),
        ("name ~ '('", 8, "this is no regular expression"),
        ("created > soon", 11, "this is no date"),
        ("created = 2026-02-30", 11, "this is no date"),
        ("duration<5x", 10, "this is no duration"),
        ("a = 1 and\n b : 2", 14, "what about b?"),
        ("(" * 60, 51, "it is nested too deep"),
        ("not " * 60, 201, "it is nested too deep"),
    ],
)
def test_what_cannot_be_read_is_pointed_at(text: str, at: int, said: str):
    with pytest.raises(UsageError) as caught:
        parse(text)
    line, pointer = caught.value.why.split("\n")

    assert f"at character {at}: {said}" in caught.value.what
    assert len(pointer) == min(at, 61)
    assert pointer.endswith("^")
    assert len(line) <= 100


NAMES = st.text(min_size=1) | st.sampled_from(["lr", "val/acc", "not", "created", "duration", "state"])
PLAIN = NAMES.filter(lambda name: name not in ("created", "finished", "duration", "state", "id", "name"))
NUMBERS = st.integers() | st.floats(allow_nan=False)


@st.composite
def predicates(draw: st.DrawFn) -> Condition:
    operation = draw(st.sampled_from(Operation))
    key = draw(PLAIN)
    if operation is Operation.NULL:
        return Predicate(key, operation)
    if operation is Operation.MATCH:
        return Predicate(key, operation, (draw(st.sampled_from(["a'b", "^.*$", "", 'x"y', "\\d+"])),))
    values = NUMBERS | st.booleans() | st.text()
    many = draw(st.lists(values, min_size=1, max_size=3 if operation is Operation.EQUAL else 1))
    return Predicate(key, operation, tuple(many))


def denied(one: Condition) -> Condition:
    return one if isinstance(one, Not) else Not(one)


TREES = st.recursive(
    predicates(),
    lambda inner: (
        inner.map(denied)
        | st.lists(inner, min_size=2, max_size=3).map(lambda parts: And(tuple(parts)))
        | st.lists(inner, min_size=2, max_size=3).map(lambda parts: Or(tuple(parts)))
    ),
    max_leaves=8,
)


@given(TREES)
def test_what_is_written_is_read_as_the_same(tree: Condition):
    assert parse(str(tree)) == tree


@given(st.text() | st.text(alphabet="ab ()'\"`=<>~!,1.and or not in is null"))
@example("a = 1" + " or a = 1" * 5000)
@example("created = 9999-12-31")
@example("duration = 1e999")
@example("a = " + "9" * 5000)
def test_any_text_is_read_or_refused(text: str):
    try:
        tree = parse(text)
    except UsageError:
        return
    value: dict[str, Any] = {}
    assert condition.holds(tree, value.get) in (True, False)
    assert parse(str(tree)) == tree


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("acc > 1 && lr < 1", "write and for &&"),
        ("acc > 1 || lr < 1", "write or for ||"),
        ("!(acc > 1)", "write not for !"),
        ("name like 'a'", "write ~ for like"),
        ("name = “a”", "write ' or \" for “"),
        ("acc > 1 likelihood < 1", "write it like \"accuracy > 0.9 and tag = 'baseline'\""),
    ],
)
def test_what_other_languages_write_is_told_in_the_words_of_this_one(text: str, fix: str):
    with pytest.raises(UsageError) as caught:
        parse(text)

    assert caught.value.fix == fix
