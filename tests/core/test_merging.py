"""Two edits of one run, made into one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlgit.core import merging
from mlgit.core.artifact import ArtifactVersion, Link
from mlgit.core.merging import Clash, Side, merge
from mlgit.core.run import Run
from mlgit.core.summary import Rule

BASE = Run(id="a", name="n", project="p", tags=("x", "y"), params={"lr": 0.1, "net": {"d": 2}}, metrics={"loss": 1})
NAMES = st.sampled_from(["a", "b", "c"])
SCALARS = st.sampled_from([0, 1, True, 1.0, float("nan"), "x", None])
VALUES = st.recursive(SCALARS, lambda inner: st.dictionaries(NAMES, inner, max_size=2), max_leaves=4)
TREES = st.dictionaries(NAMES, VALUES, max_size=3)
LINKS = st.builds(
    Link, collection=NAMES, aliases=st.lists(NAMES, unique=True, max_size=2).map(tuple),
    linked=st.sampled_from([0.0, 1.0, 2.0]),
)  # fmt: skip
VERSIONS = st.builds(
    ArtifactVersion, name=NAMES, type=st.just("model"), hash=NAMES, size=st.just(1), path=st.just("m"),
    aliases=st.lists(NAMES, unique=True, max_size=2).map(tuple), description=st.sampled_from(["", "d"]),
    claimed=st.sampled_from([0.0, 1.0]), deleted=st.booleans(),
    edited=st.dictionaries(st.sampled_from(["description", "tags.a"]), st.sampled_from([1.0, 2.0]), max_size=2),
    links=st.lists(LINKS, unique_by=lambda link: link.collection, max_size=2).map(tuple),
)  # fmt: skip
RUNS = st.builds(
    Run, id=st.just("a"), name=NAMES, project=st.just("p"), tags=st.lists(NAMES, unique=True).map(tuple),
    notes=st.none() | NAMES, reruns=st.none() | NAMES, group=st.none() | NAMES, params=TREES, metrics=TREES,
    rules=st.dictionaries(NAMES, st.just(Rule(name="a")), max_size=1),
    logged=st.lists(VERSIONS, unique_by=lambda one: (one.name, one.hash), max_size=2).map(tuple),
)  # fmt: skip


def told(run: Run) -> str:
    """What can be compared where there is a nan."""
    return repr(merging._told({**vars(run), "logged": [vars(one) for one in run.logged]}))


@given(RUNS, RUNS, RUNS)
def test_it_does_not_matter_which_side_is_which(base: Run, ours: Run, theirs: Run):
    one, clashes = merge(base, ours, theirs)
    other, turned = merge(base, theirs, ours)

    assert told(one) == told(other)
    assert {clash.field for clash in clashes} == {clash.field for clash in turned}


@given(RUNS, RUNS, RUNS)
def test_who_is_preferred_is_a_matter_of_sides(base: Run, ours: Run, theirs: Run):
    one, _ = merge(base, ours, theirs, Side.OURS)
    other, _ = merge(base, theirs, ours, Side.THEIRS)

    assert told(one) == told(other)


@given(RUNS, RUNS)
def test_what_only_one_side_has_changed_is_as_it_is_there(base: Run, ours: Run):
    for sides in ((ours, base), (base, ours), (ours, ours)):
        merged, clashes = merge(base, *sides)

        assert told(merged) == told(ours)
        assert not clashes


@given(RUNS, st.lists(RUNS, min_size=3, max_size=3))
def test_edits_that_do_not_clash_come_to_the_same_in_any_order(base: Run, edits: list[Run]):
    def all_of(order: list[Run]) -> tuple[Run, bool]:
        (one, first), last = merge(base, order[0], order[1]), order[2]
        merged, second = merge(base, one, last)
        return merged, bool(first or second)

    found = [all_of([edits[n] for n in order]) for order in ((0, 1, 2), (1, 2, 0), (2, 0, 1))]

    if not any(clashes for _, clashes in found):
        assert len({told(run) for run, _ in found}) == 1


def test_each_field_goes_by_itself():
    ours = replace(BASE, name="m", tags=("x", "y", "z"), params={"lr": 0.2, "net": {"d": 2, "width": 8}})
    theirs = replace(BASE, notes="n", tags=("y", "a"), params={"lr": 0.1, "net": {"d": 3}}, metrics={})

    merged, clashes = merge(BASE, ours, theirs)

    assert not clashes
    assert (merged.name, merged.notes, merged.tags) == ("m", "n", ("y", "a", "z"))
    assert merged.params == {"lr": 0.2, "net": {"d": 3, "width": 8}}
    assert merged.metrics == {}


@pytest.mark.parametrize(
    ("ours", "theirs", "clash"),
    [
        ({"name": "m"}, {"name": "o"}, Clash(field="name", ours="m", theirs="o")),
        ({"notes": None}, {"notes": "o"}, None),
        ({"metrics": {"loss": 2}}, {"metrics": {}}, Clash(field="metrics.loss", ours=2, theirs=None)),
        ({"params": {"net": {"d": 3}}}, {"params": {"net": 1}}, Clash(field="params.net", ours={"d": 3}, theirs=1)),
    ],
)  # fmt: skip
def test_a_clash_tells_both_values(ours: dict[str, Any], theirs: dict[str, Any], clash: Clash | None):
    _, clashes = merge(BASE, replace(BASE, **ours), replace(BASE, **theirs))

    assert clash is None or clash in clashes
    assert bool(clash) == bool(clashes)


def test_of_one_version_aliases_are_united_and_the_newest_claim_counts():
    version = ArtifactVersion(name="m", type="model", hash="h", size=1, path="m", aliases=("latest",), claimed=1)
    base = replace(BASE, logged=(version,))
    ours = replace(BASE, logged=(replace(version, aliases=("latest", "best"), claimed=5),))
    theirs = replace(BASE, logged=(replace(version, aliases=(), description="d", claimed=3),))

    (merged,), clashes = (found := merge(base, ours, theirs))[0].logged, found[1]

    assert not clashes
    assert merged == replace(version, aliases=("best",), description="d", claimed=5)


def test_links_of_one_version_to_several_collections_all_stand():
    version = ArtifactVersion(name="m", type="model", hash="h", size=1, path="m", links=(Link(collection="a"),))
    base = replace(BASE, logged=(version,))
    ours = replace(BASE, logged=(replace(version, links=(Link(collection="b", aliases=("x",), linked=2),)),))
    linked = replace(version, links=(Link(collection="a", aliases=("y",), linked=3), Link(collection="c", linked=1)))
    theirs = replace(BASE, logged=(linked,))

    merged, clashes = merge(base, ours, theirs)

    assert not clashes
    assert merged.logged[0].links == (Link(collection="b", aliases=("x",), linked=2), Link(collection="c", linked=1))
