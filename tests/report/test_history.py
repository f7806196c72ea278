import base64
import json

import pytest

from mlgit.report.history import MOST, Said, following, hidden
from mlgit.report.render import NoEvidence, render_missing


def test_a_report_of_the_same_commit_replaces_what_was_said_of_it() -> None:
    first = following("", "a" * 40, "accuracy 0.9")
    second = following(f"text\n{hidden(first)}\n", "b" * 40, "accuracy 0.95")

    again = following(f"text\n{hidden(second)}\n", "b" * 40, "accuracy 0.96 over 3 seeds")

    assert again == [Said("b" * 10, "accuracy 0.96 over 3 seeds"), Said("a" * 10, "accuracy 0.9")]


def test_only_so_many_are_kept() -> None:
    said: list[Said] = []
    for number in range(30):
        said = following(hidden(said), f"{number:040}"[::-1], "x" * 5000)

    assert len(said) == MOST
    assert said[1].commit == f"{28:040}"[::-1][:10]
    assert len(hidden(said)) < 4000


@pytest.mark.parametrize(
    "kept", [b"\xff", b"[" * 100_000, *(json.dumps(odd).encode() for odd in ({}, [1], [["a"]], [["a", 1]], "x", None))]
)
def test_what_somebody_has_put_in_its_place_is_no_history(kept: bytes) -> None:
    text = f"<!-- mlgit:history {base64.b64encode(kept).decode()} -->"

    assert following(text, "a" * 40, "v") == [Said("a" * 10, "v")]
    assert following("<!-- mlgit:history A -->", "a" * 40, "v") == [Said("a" * 10, "v")]


def test_what_somebody_has_put_into_it_stays_words() -> None:
    hostile = [Said("--> <b>", "`x` | @team #1 <!-- --> <script> \x1b[31m \u202e \n# h")]

    said = following(hidden(hostile), "a" * 40, "v -->")
    text = render_missing(NoEvidence(commit="a", branch="b", beside="main", base=None, stale=None), history=said)

    assert text.count("<!--") == 1
    assert text.replace("`--> <b>`", "").count("-->") == 1
    assert "<script" not in text
    assert "@team" not in text
    assert "\n# h" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
