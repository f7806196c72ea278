"""An artifact's ledger: numbers that are given for good, and what becomes of two that were written apart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mlgit.core import ledger
from mlgit.core.artifact import ArtifactVersion
from mlgit.core.ledger import Ledger

EMPTY = Ledger(project="p", name="digits")
WORDS = st.sampled_from(["", "gold", "old", "of March"])


def version(content: str, **about: object) -> ArtifactVersion:
    return ArtifactVersion(name="digits", type="dataset", hash=content * 32, size=1, path="data", **about)


CONTENTS = st.sampled_from("0123456789")
STEPS = st.lists(
    st.one_of(
        st.builds(lambda content: ("list", content * 32), CONTENTS),
        st.builds(
            lambda content, alias, words, when, deleted: (
                "add",
                version(content, aliases=(alias,), description=words, edited={"description": when}, deleted=deleted),
            ),
            CONTENTS,
            st.sampled_from(["gold", "latest", "paper"]),
            WORDS,
            st.sampled_from([1.0, 2.0, 3.0]),
            st.booleans(),
        ),
    ),
    max_size=6,
)


def after(one: Ledger, steps: list[tuple[str, object]]) -> Ledger:
    for what, about in steps:
        one = one.listing([about]) if what == "list" else one.telling(about)
    return one


@given(STEPS, STEPS, STEPS)
def test_two_ledgers_that_were_written_apart_come_together(shared, here, there):
    base = after(EMPTY, shared)
    ours, theirs = after(base, here), after(base, there)

    joined, _ = ledger.join(base, ours, theirs)

    assert joined.listed[: len(theirs.listed)] == theirs.listed
    assert set(joined.listed) == {*ours.listed, *theirs.listed}
    assert {one.hash for one in joined.added} == {one.hash for one in (*ours.added, *theirs.added)}
    assert {one.hash for one in joined.added} <= set(joined.listed)


@given(STEPS, STEPS, STEPS, STEPS)
def test_who_shares_with_one_remote_ends_with_the_same(shared, first, second, third):
    remote = base = after(EMPTY, shared)
    clones = [after(base, steps) for steps in (first, second, third)]
    bases = [base] * len(clones)
    for number in [0, 1, 2, 1, 0]:
        clones[number], _ = ledger.join(bases[number], clones[number], remote)
        remote = bases[number] = clones[number]

    assert clones[0] == remote
    assert ledger.join(bases[2], clones[2], remote)[0] == remote


@given(STEPS, STEPS)
def test_joining_again_changes_nothing(here, there):
    ours, theirs = after(EMPTY, here), after(EMPTY, there)
    joined, _ = ledger.join(EMPTY, ours, theirs)

    assert ledger.join(theirs, joined, theirs)[0] == joined
    assert ledger.join(joined, joined, joined) == (joined, ())


def test_edits_of_one_version_both_count_and_theirs_where_they_contradict_one_another():
    base = EMPTY.telling(version("a", aliases=("latest",), description="of March"))
    ours = base.telling(version("a", aliases=("latest", "gold"), description="ours"))
    theirs = base.telling(version("a", aliases=("latest", "paper"), description="theirs"))

    joined, clashes = ledger.join(base, ours, theirs)

    assert (joined.added[0].aliases, joined.added[0].description) == (("latest", "gold", "paper"), "theirs")
    assert [clash.field for clash in clashes] == ["versions.digits.description"]
