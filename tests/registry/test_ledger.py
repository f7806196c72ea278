from __future__ import annotations

import pytest
from gto.tag import parse_name
from hypothesis import given, settings
from hypothesis import strategies as st

from mlgit.errors import UsageError
from mlgit.registry import ledger
from mlgit.registry.ledger import Action
from mlgit.store.registry import Tag


def tag(name: str, when: float, commit: str = "c1") -> Tag:
    return Tag(name=name, commit=commit, when=when)


def test_state_follows_the_taggers_time():
    tags = [
        tag("net@v1.0.0", 1), tag("net@v1.1.0", 2, "c2"), tag("net#prod#2", 4, "c2"), tag("net#prod#1", 3),
        tag("other@v1.0.0", 9), tag("v1.0.0", 1), tag("net@latest", 1),
    ]  # fmt: skip

    known = ledger.read(tags)["net"]

    assert list(known.versions) == ["v1.0.0", "v1.1.0"]
    assert known.stages == {"prod": "v1.1.0"}
    assert known.next_count == 3
    assert [event.version for event in known.history if event.action is Action.ASSIGN] == ["v1.0.0", "v1.1.0"]


def test_what_was_taken_back_is_gone_but_its_number_stays_used():
    known = ledger.of(
        [tag("net@v1.0.0", 1), tag("net#prod#1", 2), tag("net#prod!#2", 3), tag("net@v1.0.0!#3", 4)], "net"
    )

    assert known.versions == {}
    assert known.stages == {}
    assert known.latest is None
    assert known.next_version("minor") == "v1.1.0"


@pytest.mark.parametrize(
    ("used", "bump", "following"),
    [
        ([], "minor", "v1.0.0"),
        (["v1.2.3"], "major", "v2.0.0"),
        (["v1.2.3", "v1.10.0"], "minor", "v1.11.0"),
        (["v1.2.3"], "patch", "v1.2.4"),
        (["v2.0.0-rc.1"], "patch", "v2.0.0"),
    ],
)
def test_the_next_version_is_after_the_highest(used: list[str], bump: ledger.Bump, following: str):
    assert ledger.of([tag(f"net@{version}", 1) for version in used], "net").next_version(bump) == following


def test_two_tags_never_share_a_second():
    assert ledger.of([tag("net@v1.0.0", 100)], "net").next_time(100.4) == 101
    assert ledger.of([tag("net@v1.0.0", 100)], "net").next_time(500) == 500


def test_the_latest_is_a_release_if_there_is_one():
    assert ledger.of([tag("n@v1.0.0", 1), tag("n@v2.0.0-rc.1", 2)], "n").latest == "v1.0.0"
    assert ledger.of([tag("n@v2.0.0-rc.1", 2)], "n").latest == "v2.0.0-rc.1"


@pytest.mark.parametrize(
    "text", ["a..b", "a@b", "a#b", "a b", "a.b", "", "-a", "a_", "versions", "a/b", "ü", "a\nb", "x!"]
)
def test_names_that_gto_or_git_would_not_take_are_refused(text: str):
    with pytest.raises(UsageError):
        ledger.name(text, "model")


@pytest.mark.parametrize("text", ["1.2", "v01.0.0", "v1.0.0-01", "v1.0.0+x", "latest", "v1.0.0..", ""])
def test_versions_that_are_none_are_refused(text: str):
    with pytest.raises(UsageError):
        ledger.version(text)


PIECES = (
    "net",
    "a",
    "-",
    "_",
    "/",
    ".",
    "=",
    "@",
    "#",
    "!",
    "v1.0.0",
    "v01.0.0",
    "-rc.1",
    "-01",
    "deprecated",
    "prod",
    "7",
)


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=7).map("".join))
def test_tags_are_read_as_gto_reads_them(name: str):
    theirs = parse_name(name, raise_on_fail=False)
    ours = ledger.parse(tag(name, 1))

    assert (ours is None) == (not theirs)
    if ours and theirs:
        assert (ours.version, ours.stage, ours.count) == (
            theirs.get("version"), theirs.get("stage"), theirs.get("counter", 0)
        )  # fmt: skip
