"""Which runs have to do with which contents: what columns say, looked up one by one or all at once."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlgit import wiring
from mlgit.core.artifact import ArtifactVersion, Link, Naming, claims
from mlgit.core.roll import Told
from mlgit.git.repo import Repo
from mlgit.index import build, cells, now, segment, words
from mlgit.index.relations import Relations
from mlgit.index.segment import Segment
from mlgit.wiring import upkeep
from tests.recorded import record

ODD = ['"],["', "a b", '"', "\\", "],[", "é", "", "a", "x\n"]
LISTS = st.lists(st.lists(st.sampled_from(ODD) | st.text(max_size=3), min_size=1, max_size=3), min_size=1, max_size=8)


@given(LISTS)
def test_texts_are_read_one_by_one_as_all_at_once(lists: list[list[str]]):
    packed = cells.pack(range(len(lists)), lists)
    one = Segment(packed.positions, packed.codes or b"", packed.others or "[]")

    assert [one.texts_of(one.codes[at]) for at in range(len(lists))] == lists
    told = [(at, text) for at, texts in enumerate(lists) for text in texts]
    assert list(one.those(range(len(lists)))) == list(one.lines(0)) == told


@given(LISTS, st.booleans())
def test_a_word_is_found_alone_as_among_all(lists: list[list[str]], claims: bool):
    packed = cells.pack(range(len(lists)), lists)
    one = Segment(packed.positions, packed.codes or b"", packed.others or "[]", claims=claims)

    for word in {*one.words(text for texts in lists for text in texts), "of none"}:
        having = {one.codes[at] for at, texts in enumerate(lists) if word in one.words(texts)}
        assert set(one.codes_of(word)) == having == set(one.saying(word, cells.records.encode(word).decode()[1:-1]))


@given(st.lists(st.integers(0, 700), min_size=1, max_size=300))
def test_the_rows_of_a_code_are_found_by_its_bytes(codes: list[int]):
    """Also where the bytes of two neighbours look like those of another code: 1, 256 and 257 among them."""
    raw = array("h", codes).tobytes()
    one = Segment(array("H", range(len(codes))).tobytes(), raw, "[]")

    for code in {*codes[:50], 0, 1, 256, 257}:
        assert list(one.rows(code)) == [at for at, other in enumerate(codes) if other == code]


@pytest.mark.parametrize(
    "others", ['[["a"],[],["b"]]', '[["a" ], ["b"]]', '[["a"],["b"],["c"]]', '["a","b"]', "[[1],[2]]"]
)
def test_lists_that_are_written_in_another_way_are_read_too(others: str):
    one = Segment(bytes((0, 0)), bytes((1, 0)), others)

    assert one.texts_of(1) == one.texts[1]


def version(mark: int, **more: Any) -> ArtifactVersion:
    about = {"name": "digits", "type": "dataset", "size": 1, "path": "d", "created": 1e9 + mark} | more
    return ArtifactVersion(hash=f"{mark:032}", **about)


@pytest.fixture
def known(inside: Repo) -> Repo:
    linked = version(2, links=(Link(collection='best "digits"', linked=2e9),))
    record(inside, "a11111111", name="a", logged=(version(1), linked), created=1.0)
    record(inside, "b11111111", name="b", used=(version(1),), logged=(version(3, name="m"),), created=2.0)
    record(inside, "c11111111", name="c", used=(version(1), version(3)), parent="b11111111", created=3.0)
    record(inside, "d11111111", name="d", logged=(version(2),), created=4.0, sweep="s", data={"x": version(3).hash})
    return inside


def names(asked: Relations, rows: Iterator[int] | list[int]) -> list[str]:
    some = list(rows)
    ids = asked.ids(some)
    return [ids[row][0] for row in some]


def logged_as(asked: Relations, name: str) -> list[tuple[float, str]]:
    """When runs of `p` logged what under *name*."""
    told = asked.told(name, "p").get("p", Told())
    return sorted(zip(told.logged, told.contents, strict=True))


@pytest.mark.parametrize("few", [0, 100])
def test_what_runs_read_and_made_is_found_both_ways(known: Repo, monkeypatch: pytest.MonkeyPatch, few: int):
    monkeypatch.setattr(segment, "_FEW", few)
    monkeypatch.setattr(segment, "_ASKED", few)
    monkeypatch.setattr(words, "_SOME", few)

    def answer(state: now.Now) -> None:
        asked = state.relations
        row = asked.rows(["a11111111", "b11111111", "c11111111", "d11111111"])
        assert names(asked, asked.readers(version(1).hash)) == ["b", "c"]
        assert names(asked, asked.readers(version(3).hash)) == ["c", "d"]
        assert names(asked, asked.makers(version(2).hash)) == ["a", "d"]
        assert names(asked, asked.children("b11111111")) == ["c"]
        assert names(asked, asked.trials("s")) == ["d"]
        assert asked.read_by(row["c11111111"]) == [version(1).hash, version(3).hash]
        assert asked.made_by(row["a11111111"]) == [version(1).hash, version(2).hash]
        assert asked.parent(row["c11111111"]) == "b11111111"
        assert asked.readers("0" * 32) == asked.makers("nothing") == []
        assert asked.is_name('best "digits"')
        assert not asked.is_name("best")
        assert logged_as(asked, 'best "digits"') == [(2e9, version(2).hash)]
        assert logged_as(asked, "digits") == [
            (1e9 + 1, version(1).hash), (1e9 + 2, version(2).hash), (1e9 + 2, version(2).hash)
        ]  # fmt: skip

    now.ask(known, answer)


def test_archived_runs_are_related_by_their_shards(known: Repo, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(build, "_MANY", 1)
    every = now.ask(known, lambda state: state.runs(state.newest()))
    folded = upkeep.fold(wiring.place(known.folder), every)
    build.forget(known)

    assert len(folded) == 4
    assert build.check(known) == []
    assert now.ask(known, lambda state: names(state.relations, state.relations.readers(version(1).hash))) == ["b", "c"]


def test_a_claim_is_written_and_read(known: Repo):
    blanks = version(4, links=(Link(collection="a name with blanks", linked=1.5),))
    record(known, "e11111111", name="e", logged=(blanks,))
    odd = Naming(blanks.hash, "a name with blanks", 2.5, ("best one", "latest"), is_deleted=True)

    def told(name: str) -> list[tuple[float, str]]:
        return now.ask(known, lambda state: logged_as(state.relations, name))

    assert told("a name with blanks") == [(1.5, blanks.hash)]
    assert told("blanks") == told("name with blanks") == []
    assert Naming.of(odd.text) == odd
    with pytest.raises(ValueError, match="not enough values"):
        Naming.of("x")
    assert [one.logged for one in claims([replace(version(1), created=0.0)] * 2, 10.0)] == [10.0, 10.000001]
