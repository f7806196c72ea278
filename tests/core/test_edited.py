"""What people say of one version on two clones, each of which has logged it by itself: none of it is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlgit.core import merging
from mlgit.core.artifact import ArtifactVersion
from mlgit.core.merging import Side

BARE = ArtifactVersion(name="m", type="model", hash="a" * 32, size=1, path="m")
STEPS = st.lists(
    st.tuples(st.sampled_from([0, 1]), st.sampled_from(["add", "take", "set", "tell", "meet"])), max_size=12
)
Records = dict[int, ArtifactVersion]
"""What a clone knows: the records of that version, by who logged it."""


def seen(records: Records) -> ArtifactVersion:
    """The version as a person sees it."""
    every = [records[number] for number in sorted(records)]
    return every[-1].filled(every[0]).edited_by(every)


def edited(records: Records, change: dict[str, object], when: float) -> Records:
    """The records after a person has said something: it goes to the first one."""
    before, first = seen(records), min(records)
    after = replace(before, **change)
    return {**records, first: records[first].taking(after, dict.fromkeys(after.differing(before), when))}


def joined(base: Records, ours: Records, theirs: Records) -> Records:
    sides = [{n: [records[n]] if n in records else [] for n in (0, 1)} for records in (base, ours, theirs)]
    found = {n: merging.versions(*(side[n] for side in sides), Side.THEIRS)[0] for n in (0, 1)}
    return {n: versions[0] for n, versions in found.items() if versions}


@given(STEPS)
def test_tags_and_facts_stand_until_a_person_who_saw_them_takes_them_out(steps: list[tuple[int, str]]):
    clones: list[Records] = [{0: BARE}, {1: replace(BARE, tags=("raw",))}]
    base: Records = {}
    wanted = set[str]()
    for number, (clone, act) in enumerate(steps, 1):
        records, tags = clones[clone], seen(clones[clone]).tags
        if act == "add":
            clones[clone] = edited(records, {"tags": (*tags, f"t{number}")}, number)
            wanted.add(f"t{number}")
        elif act == "take" and tags:
            clones[clone] = edited(records, {"tags": tags[1:]}, number)
            wanted.discard(tags[0])
        elif act == "set":
            clones[clone] = edited(records, {"metadata": {**seen(records).metadata, f"m{number}": 1}}, number)
            wanted.add(f"m{number}")
        elif act == "tell":
            clones[clone] = edited(records, {"description": f"d{number}"}, number)
        elif act == "meet":
            base = joined(base, *clones)
            clones = [base, base]

    last = joined(base, *clones)
    other = joined(base, *clones[::-1])

    assert wanted <= {*seen(last).tags, *seen(last).metadata}
    assert {*seen(last).tags} <= wanted | {"raw"}
    assert ({*seen(last).tags}, seen(last).metadata) == ({*seen(other).tags}, seen(other).metadata)


@pytest.mark.parametrize("part", ["description.x", "tags", "name", "links.a"])
def test_a_date_of_what_is_no_part_of_the_words_is_passed_over(part: str):
    assert ArtifactVersion.of({**BARE.document(), "edited": {part: 1.0}}).edited == {}
