from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlgit.core import condition, filters, language, query
from mlgit.core.run import Run, State
from mlgit.errors import UsageError

RUN = Run(
    id="k3f9a2xy", name="radiant-glade", project="digits", state=State.FINISHED, created=1_700_000_000.0,
    finished=1_700_000_060.0, tags=("good", "fast"), group="g", notes=None,
    params={"lr": 0.1, "net": {"depth": 3}, "opt": "adam", "a.b": 1, "flag": True, "nothing": None, "list": [1, 2]},
    metrics={"acc": 0.9, "loss": {"min": 0.2}},
)  # fmt: skip


@pytest.mark.parametrize(
    "tree",
    [
        None, {}, {"config.lr": 0.1}, {"config.lr.value": 0.1}, {"config.lr": {"$gt": 0.01, "$lt": 1}},
        {"config.net.depth": 3}, {"config.net": {"depth": 3}}, {"config.a.b": 1}, {"config.flag": True},
        {"summary_metrics.acc": {"$gte": 0.9}}, {"summary_metrics.loss.min": {"$lte": 0.2}},
        {"state": "finished"}, {"state": {"$in": ["finished", "failed"]}}, {"state": {"$nin": ["running"]}},
        {"tags": "good"}, {"tags": {"$in": ["fast", "slow"]}}, {"tags": {"$nin": ["slow"]}}, {"tags": {"$ne": "slow"}},
        {"tags": ["good", "fast"]}, {"name": "k3f9a2xy"}, {"name": "radiant-glade"},
        {"display_name": {"$regex": "^rad"}},
        {"displayName": {"$regex": "GLADE$", "$options": "i"}}, {"config.list": 2}, {"config.list": [1, 2]},
        {"notes": None}, {"notes": {"$exists": False}}, {"group": {"$exists": True}}, {"config.nothing": None},
        {"config.missing": None}, {"config.missing": {"$ne": 3}}, {"config.lr": {"$not": {"$gt": 1}}},
        {"$and": [{"config.lr": 0.1}, {"state": "finished"}]}, {"$or": [{"config.lr": 5}, {"group": "g"}]},
        {"$nor": [{"config.lr": 5}, {"group": "h"}]}, {"$not": {"state": "failed"}},
        {"created_at": {"$gt": "2023-11-14T00:00:00", "$lt": "2023-11-15"}},
        {"createdAt": {"$gte": "2023-11-14T22:13:20Z"}},
        {"username": "Ada"}, {"duration": 60.0}, {"config.net.value.depth": 3}, {"config.a.b.value": 1},
        {"tags": {"$all": ["fast", "good"]}}, {"tags": {"$size": 2}}, {"config.opt": {"$all": ["adam"]}},
        {"summary_metrics._step": {"$gte": 7}},
    ],
)  # fmt: skip
def test_a_run_passes(tree: Any):
    beside = {"username": "Ada", "_step": 7}
    parsed = filters.parse(tree, beside=lambda _, name: beside[name])
    assert parsed.holds(RUN)
    assert condition.holds(parsed.needs, partial(query.value_of, RUN))


@pytest.mark.parametrize(
    "tree",
    [
        {"config.lr": 1}, {"config.lr": "0.1"}, {"config.flag": 1}, {"config.opt": {"$gt": 3}},
        {"config.missing": {"$lt": 3}}, {"config.missing": {"$in": [3]}}, {"tags": "slow"},
        {"tags": {"$nin": ["good"]}},
        {"tags": {"$ne": "good"}}, {"state": "running", "group": "g"}, {"$or": [{"group": "x"}, {"group": "y"}]},
        {"$nor": [{"group": "g"}]}, {"config.net": {"depth": 4}}, {"config.nothing": {"$gt": 0}},
        {"tags": {"$all": ["fast", "slow"]}}, {"tags": {"$all": []}}, {"tags": {"$size": 1}}, {"group": {"$size": 1}},
        {"summary_metrics._step": {"$gte": 7}}, {"config.net.value.width": 3},
        {"created_at": {"$lt": "2023-11-14"}}, {"group": {"$exists": False}}, {"config.lr": {"$regex": "0"}},
    ],
)  # fmt: skip
def test_a_run_does_not_pass(tree: Any):
    assert not filters.parse(tree).holds(RUN)


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"config.lr": {"$gtt": 1}}, "no operator '$gtt'.*did you mean $gt"),
        ({"$xor": []}, "no operator '$xor'"), ({"$or": {"a": 1}}, "$or takes a list"), ({"$and": []}, "$and takes"),
        ({"config.lr": {"$in": 3}}, "$in takes a list"),
        ({"tags": {"$all": "a"}}, "$all takes a list"), ({"name": {"$regex": "("}}, "no pattern"),
        ({"name": {"$regex": 3}}, "$regex takes a text"), ({"name": {"$options": "i"}}, "goes with $regex"),
        ({"name": {"$regex": "a", "$options": "q"}}, "not 'q'"), ({"created_at": {"$gt": "yesterday"}}, "no moment"),
        ([], "a mapping"), ({3: 4}, "no text"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_the_operator(tree: Any, message: str):
    with pytest.raises(UsageError, match="(?s)" + message.replace("$", r"\$")):
        filters.parse(tree)


def test_a_key_that_no_run_can_have_is_one_that_every_run_lacks():
    assert not filters.parse({"acc": 1}).holds(RUN)
    assert filters.parse({"acc": None, "host": {"$ne": "here"}}).holds(RUN)


def test_runs_are_ordered_with_those_that_lack_the_value_last():
    runs = [
        Run(id=id, name=id, project="p", created=number, metrics={} if acc is None else {"acc": acc})
        for number, (id, acc) in enumerate([("a", 0.5), ("b", None), ("c", 0.9), ("d", float("nan")), ("e", 0.1)])
    ]

    def named(order: str) -> str:
        return "".join(run.id for run in filters.ordered(runs, order))

    assert named("+created_at") == named("created_at") == "abcde"
    assert named("-created_at") == "edcba"
    assert named("+summary_metrics.acc") == "eacbd"
    assert named("-summary_metrics.acc") == "caebd"
    assert named("-display_name") == "edcba"


NUMBERS = st.one_of(st.integers(-2, 2), st.booleans(), st.none(), st.sampled_from(["x", "y"]))
OPERATORS = st.one_of(
    st.tuples(st.sampled_from(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]), NUMBERS),
    st.tuples(st.sampled_from(["$in", "$nin"]), st.lists(NUMBERS, max_size=3)),
    st.tuples(st.just("$exists"), st.booleans()),
)
LEAVES = st.dictionaries(
    st.sampled_from(["config.a", "config.b"]), st.one_of(NUMBERS, OPERATORS.map(lambda pair: dict([pair]))), max_size=2
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from(["$and", "$or", "$nor"]), st.lists(inner, min_size=1, max_size=3), max_size=2),
        inner.map(lambda tree: {"$not": tree}),
    ),
    max_leaves=6,
)


def naive(tree: dict[str, Any], params: dict[str, Any]) -> bool:
    """MongoDB's meaning, written down once more in the plainest way."""
    for key, value in tree.items():
        if key == "$not":
            good = not naive(value, params)
        elif key in ("$and", "$or", "$nor"):
            answers = [naive(item, params) for item in value]
            good = {"$and": all(answers), "$or": any(answers), "$nor": not any(answers)}[key]
        else:
            good = all(
                one(operator, key.removeprefix("config."), wanted, params)
                for operator, wanted in (value if isinstance(value, dict) else {"$eq": value}).items()
            )
        if not good:
            return False
    return True


def one(operator: str, name: str, wanted: Any, params: dict[str, Any]) -> bool:
    if operator == "$exists":
        return (name in params) is wanted
    found = params.get(name)
    if operator in ("$eq", "$ne"):
        return (repr(found) == repr(wanted)) == (operator == "$eq")
    if operator in ("$in", "$nin"):
        return (repr(found) in map(repr, wanted)) == (operator == "$in")
    if type(found) is not type(wanted) or found is None:
        return False
    order = (found > wanted) - (found < wanted)
    return {"$gt": order > 0, "$gte": order >= 0, "$lt": order < 0, "$lte": order <= 0}[operator]


@given(TREES, st.dictionaries(st.sampled_from(["a", "b"]), NUMBERS))
def test_a_filter_means_what_mongodb_means(tree: dict[str, Any], params: dict[str, Any]):
    run = Run(id="i", name="n", project="p", params=params)

    parsed = filters.parse(tree)

    assert parsed.holds(run) == naive(tree, params)
    is_found = condition.holds(parsed.needs, partial(query.value_of, run))
    assert is_found == parsed.holds(run) if parsed.is_all else is_found or not parsed.holds(run)


@pytest.mark.parametrize(
    ("tree", "needs", "is_all"),
    [
        (None, "", True),
        ({"config.lr": {"$gt": 0.1, "$lte": 1}, "state": "finished"},
         "params.lr > 0.1 and params.lr <= 1 and state = 'finished'", True),
        ({"$or": [{"tags": {"$in": ["a", "b"]}}, {"summary_metrics.acc": {"$gte": 0.9}}]},
         "tags in (a, b) or metrics.acc >= 0.9", True),
        ({"display_name": {"$regex": "^a", "$options": "i"}}, "name ~ '(?i)^a'", True),
        ({"name": "x"}, "id = x or name = x", True),
        ({"config.lr": {"$ne": 1}, "state": {"$nin": ["failed", "running"]}, "$not": {"name": "x"}},
         "params.lr != 1 and state not in (failed, running) and not (id = x or name = x)", True),
        ({"$nor": [{"state": "failed"}, {"username": "ada"}], "config.lr": {"$gt": 0.5}}, "params.lr > 0.5", False),
        ({"username": "ada", "config.a": None, "group": {"$exists": False}, "tags": ["a"]}, "", False),
        ({"config.lr": {"$not": {"$gt": 1}}, "summary_metrics._step": 3, "config.a": float("nan")}, "", False),
    ],
)  # fmt: skip
def test_what_a_filter_needs_is_looked_up_by_a_condition(tree: Any, needs: str, is_all: bool):
    parsed = filters.parse(tree)
    for number in range(24):
        run = Run(
            id="x" if number % 5 == 0 else "i", name="abx"[number % 3], project="p", state=list(State)[number % 5],
            tags=tuple("abc"[: number % 4]), params={"lr": number / 12}, metrics={"acc": number / 24},
        )  # fmt: skip
        wanted = language.parse(needs) if needs else condition.And(())
        is_found = condition.holds(parsed.needs, partial(query.value_of, run))
        assert is_found == condition.holds(wanted, partial(query.value_of, run))
        assert not parsed.is_all or is_found == parsed.holds(run)
    assert parsed.is_all == is_all


@pytest.mark.parametrize(
    ("order", "keys"),
    [
        ("+created_at", ("created",)), ("-summary_metrics.acc, config.lr", ("-metrics.acc", "params.lr")), ("", ()),
        ("-display_name", ("-name",)), ("name", ("name",)), ("heartbeat_at", None), ("-summary_metrics._step", None),
        ("state,username", None),
    ],
)  # fmt: skip
def test_an_order_is_one_of_the_index_where_that_knows_its_keys(order: str, keys: tuple[str, ...] | None):
    assert filters.keys_of(order) == keys


@given(st.recursive(NUMBERS, lambda inner: st.dictionaries(st.text(max_size=4), inner), max_leaves=5))
def test_any_filter_is_understood_or_refused(tree: Any):
    try:
        answer: object = filters.parse(tree).holds(RUN)
    except UsageError as exc:
        answer = exc.what

    assert answer in (True, False) or str(answer).startswith("filters: ")
