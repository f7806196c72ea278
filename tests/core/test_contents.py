from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mlgit.core import contents

FILES = st.dictionaries(st.text("abc/", min_size=1, max_size=3), st.sampled_from(["1", "2", "3"]))


def test_a_file_that_moved_is_renamed_once():
    found = contents.compare({"a": "1", "b": "1", "c": "2"}, {"x": "1", "c": "3"})

    assert found.renamed == (("a", "x"),)
    assert (found.added, found.removed, found.changed, found.same) == ((), ("b",), ("c",), 0)


@given(FILES, FILES)
def test_what_is_told_of_a_difference_makes_the_one_of_the_other(before: dict[str, str], after: dict[str, str]):
    found = contents.compare(before, after)

    made = {path: md5 for path, md5 in before.items() if path not in {*found.removed, *(a for a, _ in found.renamed)}}
    made |= {new: before[old] for old, new in found.renamed}
    made |= {path: after[path] for path in (*found.added, *found.changed)}
    assert made == after
    assert found.same + len(found.changed) == len(before.keys() & after.keys())
