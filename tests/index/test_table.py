"""Columns answer what the plain rules of `core.condition` and `core.query` would, run by run."""

from __future__ import annotations

import math
import random
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mlgit
from benchmarks import crowd
from mlgit.core import condition, language
from mlgit.core import query as rules
from mlgit.core.artifact import ArtifactVersion, Link
from mlgit.core.condition import And, Condition, Not, Operation, Or, Predicate
from mlgit.core.run import Run, State
from mlgit.errors import UsageError
from mlgit.git.repo import Repo
from mlgit.index import build, cells, query
from mlgit.index.table import Table
from mlgit.store import edit, result, runs
from mlgit.store.telling import Account
from tests.recorded import track

VALUES: st.SearchStrategy[Any] = (
    st.sampled_from(
        [0, 1, 1.0, -1, 2**53, 2**53 + 1, 10**400, True, False, math.nan, math.inf, -math.inf, "a", "b", ""]
    )
    | st.floats()
    | st.integers()
    | st.text(max_size=4)
    | st.lists(st.sampled_from([1, "a", True, None, 2.5]), max_size=3)
)
NAMES = st.sampled_from(["a", "b", "a.b", "created", "state"])
KEYS = st.sampled_from(
    ["a", "b", "a.b", "params.a", "metrics.b", "state", "tag", "notes", "created", "duration", "name", "id", "branch",
     "commit", "nothing"]
)  # fmt: skip
TREES = st.dictionaries(NAMES, VALUES | st.none() | st.dictionaries(NAMES, VALUES, max_size=2), max_size=3)
RUNS = st.lists(
    st.builds(
        Run,
        id=st.uuids().map(str), name=st.sampled_from(["x", "y", "Z"]), project=st.just("p"),
        state=st.sampled_from(State),
        created=st.sampled_from([0.0, 1.0, 5.5]), finished=st.none() | st.sampled_from([3.0, 9.0]),
        tags=st.lists(st.sampled_from(["a", "b"]), max_size=2).map(tuple), notes=st.none() | st.just("b"),
        params=TREES, metrics=TREES,
    ),
    max_size=12, unique_by=lambda run: run.id,
)  # fmt: skip


ORDERS = st.lists(KEYS.flatmap(lambda key: st.sampled_from([key, f"-{key}"])), max_size=3)


def predicates() -> st.SearchStrategy[Condition]:
    figures = st.sampled_from(
        [0, 1, 2**53, 2**53 + 1, 10**400, 1.5, math.inf, math.nan, True, "a", "b", "x", "finished"]
    )
    one = st.tuples(figures)
    plain = [Operation.LESS, Operation.AT_MOST, Operation.MORE, Operation.AT_LEAST, Operation.EQUAL]
    return st.one_of(
        st.builds(Predicate, KEYS, st.sampled_from(plain), one),
        st.builds(Predicate, KEYS, st.just(Operation.EQUAL), st.lists(figures, min_size=1, max_size=3).map(tuple)),
        st.builds(Predicate, KEYS, st.just(Operation.MATCH), st.sampled_from([("a|b",), ("",), ("^x$",)])),
        st.builds(Predicate, KEYS, st.just(Operation.NULL)),
    )


CONDITIONS = st.recursive(
    predicates(),
    lambda inner: st.one_of(
        inner.map(Not), st.lists(inner, max_size=3).map(lambda parts: And(tuple(parts))),
        st.lists(inner, max_size=3).map(lambda parts: Or(tuple(parts))),
    ),
    max_leaves=4,
)  # fmt: skip


def newest_first(known: Sequence[Run]) -> list[Run]:
    return sorted(known, key=lambda run: (-run.created, run.id))


@pytest.fixture(scope="module")
def empty() -> sqlite3.Connection:
    return build.RUNS.open(None)


@settings(max_examples=300, deadline=None)
@given(known=RUNS, wanted=CONDITIONS, order=ORDERS, most=st.none() | st.integers(0, 5))
def test_a_table_answers_as_the_rules_do(
    empty: sqlite3.Connection, known: list[Run], wanted: Condition, order: list[str], most: int | None
):
    table = Table(empty, known)
    expected = [run for run in newest_first(known) if condition.holds(wanted, partial(rules.value_of, run))]

    rows = table.ordered(table.meeting(wanted), order, most)

    assert [known[row].id for row in rows] == [run.id for run in rules.ordered(expected, *order)[:most]]


@given(st.lists(st.tuples(st.integers(0, cells.SEGMENT - 1), VALUES), min_size=1, unique_by=lambda pair: pair[0]))
def test_what_is_packed_comes_back(pairs: list[tuple[int, Any]]):
    positions, values = [at for at, _ in pairs], [value for _, value in pairs]

    at, found = cells.unpack(cells.pack(positions, values))

    assert at == positions
    assert list(map(repr, found)) == list(map(repr, values)) or _same_but_for_whole(found, values)


KINDS = st.sampled_from([st.floats(allow_nan=False), st.integers(-9, 9), st.text(max_size=3), VALUES])


@settings(max_examples=300, deadline=None)
@given(KINDS.flatmap(lambda kind: st.lists(kind, min_size=2, max_size=8)), st.integers(1, 7))
def test_what_is_put_behind_is_as_if_all_were_packed_at_once(values: list[Any], count: int):
    count = min(count, len(values) - 1)
    first = cells.pack(range(count), values[:count])

    earlier, had = cells.unpack(first)
    whole = cells.pack(range(len(values)), [*had, *values[count:]])

    assert cells.extended(first, range(count, len(values)), values[count:]) == whole
    assert earlier == list(range(count))


def _same_but_for_whole(found: list[Any], values: list[Any]) -> bool:
    """Beside others that are none, a whole number comes back as a float that is equal to it."""
    alike = (
        repr(float(one)) == repr(float(other))
        if type(other) is int and type(one) is float
        else repr(one) == repr(other)
        for one, other in zip(found, values, strict=True)
    )
    return all(alike)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """More runs than one segment holds."""
    return crowd.build(tmp_path_factory.mktemp("many") / "repo", cells.SEGMENT + 300)


@pytest.mark.parametrize("span", ["2024", "2024-11", "2024-11-14", "2024-11-14T22:13", "1731622400.0"])
def test_each_of_many_is_before_a_span_of_time_in_it_or_after_it(many: Repo, span: str):
    found = {
        sign: query.ids(many, language.parse(f"created {sign} {span}")) for sign in ("<", "=", ">", "<=", ">=", "!=")
    }  # fmt: skip

    assert found["<"]
    assert found[">"]
    assert sorted((*found["<"], *found["="], *found[">"])) == sorted(query.ids(many))
    assert sorted((*found["<"], *found["="])) == sorted(found["<="])
    assert sorted((*found["="], *found[">"])) == sorted(found[">="])
    assert sorted((*found["<"], *found[">"])) == sorted(found["!="])


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("accuracy > 0.9 and lr < 1e-3", ["-accuracy"]),
        ("tag = paper or not optimizer in (adam, sgd)", ["optimizer", "-seed", "val/loss"]),
        ("state != finished and duration > 2h", ["state", "-duration"]),
        ("name ~ fern and created > 2024-06-01", ["name"]),
        ("branch ~ ^exp/digits/ and group is not null", []),
        ("group = group-17 or state in (failed, crashed) and tag = paper", ["created"]),
        ("params.optimizer in (lion, 'no such') and project != speech and optimizer ~ n", ["-lr"]),
    ],
)
def test_a_search_of_many_finds_what_the_rules_find(many: Repo, text: str, order: list[str]):
    known = query.runs(many)
    wanted = language.parse(text)
    expected = rules.ordered(
        [run for run in known if condition.holds(wanted, partial(rules.value_of, run))], *order
    )  # fmt: skip

    whole = query.search(many, wanted, order)
    page = query.search(many, wanted, order, skip=7, limit=5)

    assert len(expected) > 12
    assert [run.id for run in whole.runs] == [run.id for run in expected]
    assert whole.total == page.total == len(expected)
    assert page.runs == whole.runs[7:12]


def test_what_is_edited_hidden_and_made_is_found_as_it_is_then(many: Repo, tmp_path: Path):
    many.git("clone", "-q", "--mirror", str(many.folder), str(tmp_path / "copy"))
    repo = Repo.find(tmp_path / "copy")
    assert repo
    before = query.runs(repo)
    chosen = random.Random(0).sample(before, 30)
    for run in chosen[:10]:
        edit.edit(repo, run, lambda one: replace(one, tags=("chosen",), group=None))
    runs.hide(repo, chosen[10:20])
    repo.git("pack-refs", "--all")
    repo.git("branch", "-D", *(run.branch for run in chosen[20:]))

    left = query.runs(repo)

    assert {run.id for run in left} == {run.id for run in before} - {run.id for run in chosen[10:]}
    assert {run.id for run in query.search(repo, language.parse("tag = chosen")).runs} == {
        run.id for run in chosen[:10]
    }
    assert query.search(repo, language.parse("group is null")).total == 10
    assert query.projects(repo).total() == len(left)
    assert {run.id for run in runs.hidden(repo)} == {run.id for run in chosen[10:20]}
    assert build.check(repo) == []
    build.forget(repo)
    assert query.runs(repo) == left


def test_a_key_that_no_run_has_is_told(many: Repo):
    with pytest.raises(UsageError, match="No run has 'acuracy'") as caught:
        query.search(many, language.parse("acuracy > 1"))

    assert caught.value.fix == "did you mean 'accuracy'?"
    with pytest.raises(UsageError, match="No run has 'losss'"):
        query.search(many, limit=1, besides=["accuracy", "losss"])
    assert query.search(many, limit=1, besides=["accuracy", "params.lr", "state"]).total == cells.SEGMENT + 300
    assert {"accuracy", "metrics.accuracy", "lr", "state"} <= query.keys(many)


def test_refs_that_move_in_any_way_are_as_if_the_index_were_made_anew(tmp_path: Path):
    """Branches, hidden ones, and what a remote has, of few runs with a few edits each."""
    rng = random.Random(3)
    repo = crowd.build(tmp_path / "repo", 6, seed=1)
    tips = list(repo.refs("refs/heads/exp/").values())
    known = query.runs(repo)
    for number in range(12):
        tags = (f"t{number}",)
        edited = edit.edit(repo, known[number % 6], lambda one, tags=tags: replace(one, tags=tags))
        tips.append(edited.commit)
    places = ("refs/heads/exp/p/", "refs/mlgit/trash/exp/p/", "refs/remotes/origin/exp/p/")
    for _ in range(80):
        ref = f"{rng.choice(places)}run-{rng.randrange(5)}"
        if rng.random() < 0.3:
            repo.git("update-ref", "-d", ref)
        else:
            repo.git("update-ref", ref, rng.choice(tips))
        if rng.random() < 0.1:
            repo.git("pack-refs", "--all")
        if rng.random() < 0.5:
            assert build.check(repo) == []
            assert {run.id for run in query.search(repo, language.parse("lr > 0")).runs} == {
                run.id for run in query.runs(repo)
            }


def test_groups_of_many_keys_are_those_that_there_are(many: Repo):
    by = ["accuracy", "loss", "val/loss", "val/accuracy", "lr", "name"]  # more than 2**63 could be
    found = query.groups(many, by, ["epoch"])
    truth = {tuple(rules.value_of(run, key) for key in by): run for run in query.runs(many)}

    assert len(found) == len(truth)
    for group in found:
        run = truth[tuple(group.values.values())]
        assert (group.runs, group.summaries["epoch"].mean) == (1, rules.value_of(run, "epoch"))


def test_infinite_numbers_are_words_beside_whole_ones_that_no_float_holds(empty: sqlite3.Connection):
    values = {"a": 2**60 + 1, "b": math.inf, "c": -math.inf, "d": math.nan, "e": 2**60, "f": 1.5}
    known = [Run(id=name, name=name, project="p", params={"x": value}) for name, value in values.items()]

    rows = Table(empty, known).ordered(Table(empty, known).meeting(And(())), ["x"])

    assert [known[row].id for row in rows] == [run.id for run in rules.ordered(known, "x")] == list("feacbd")


def test_runs_that_have_something_are_found_by_where_it_stands(inside: Repo, tmp_path: Path):
    (tmp_path / "model.bin").write_bytes(b"weights")
    with mlgit.init(project="p", name="maker") as maker:
        maker.log_artifact(tmp_path / "model.bin", name="model", type="model")
    with mlgit.init(project="p", name="plain", tags=["a"]):
        pass
    with mlgit.init(project="p", name="user") as run:
        run.use_artifact("model:latest")

        assert [one.name for one in query.having(inside, "used", "logged")] == ["user", "maker"]
    assert [one.name for one in query.having(inside, "used", "logged", "tags")] == ["user", "plain", "maker"]
    assert [told.tellers for told in query.told(inside, "model").values()] == [[maker.id]]
    assert [one.name for one in query.search(inside, language.parse("used = model")).runs] == ["user"]
    assert query.having(inside, "nothing") == []


def test_what_only_mlgit_asks_about_is_said_alike_by_columns_and_by_a_run(inside: Repo):
    plain = replace(next(crowd.runs(1, str(inside.resolve("HEAD")))), id="plain", name="plain")
    version = ArtifactVersion(name="digits", type="dataset", hash="d41d8cd98f00b204e9800998ecf8427e", size=1, path="a")
    linked = replace(version, created=5.25, links=(Link(collection="best digits", linked=7.0),))
    source = track(inside, {"a.csv": version.hash, "b.csv": version.hash})
    told = replace(
        plain, id="told", name="told", source=source, given=("lr",),
        used=(version, replace(version, name="other")), logged=(version, linked),
    )  # fmt: skip
    known = list(result.record_all(inside, [Account(run=plain), Account(run=told)]))

    for key in (rules.GIVEN, rules.DATA, rules.HELD, rules.TREE, rules.USED, rules.LOGGED):
        having = {run.id: run for run in query.having(inside, key)}
        assert having.keys() == {run.id for run in known if rules.value_of(run, key)}
        said = dict(zip(*query.frame(inside, keys=["id", key]).values(), strict=True))
        assert {run_id: said[run_id] for run_id in having} == {
            one.id: rules.value_of(one, key) for one in having.values()
        }
        assert key in (rules.HELD, rules.TREE) or list(having) == ["told"]


def test_a_metric_and_a_param_of_one_value_are_one_group(inside: Repo):
    for number in range(2):
        with mlgit.init(project="p", config={} if number else {"opt": "adam"}) as run:
            run.summary.update({"opt": "adam"} if number else {})

    (group,) = query.groups(inside, ["opt"])

    assert (group.values, group.runs) == ({"opt": "adam"}, 2)
