"""Secrets are hidden wherever a stream is cut."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlgit.core import masking, secrets
from mlgit.core.masking import Mask

LETTERS = st.text("ab\n", max_size=30).map(str.encode)
VALUES = st.lists(st.text("ab", min_size=1, max_size=5).map(str.encode), min_size=1, max_size=3)


def masked(values: list[bytes], *blocks: bytes) -> bytes:
    mask = Mask(values)
    return b"".join(map(mask.feed, blocks)) + mask.end()


@given(values=VALUES, blocks=st.lists(LETTERS, max_size=8))
def test_how_a_stream_is_cut_changes_nothing_and_no_secret_is_left(values: list[bytes], blocks: list[bytes]):
    text = b"".join(blocks)
    inside = {
        n for v in values for one in re.finditer(b"(?=%s)" % v, text) for n in range(one.start(), one.start() + len(v))
    }

    found = masked(values, *blocks)

    assert found == masked(values, text)
    assert found.replace(b"***", b"") == bytes(byte for n, byte in enumerate(text) if n not in inside)


def test_what_cannot_be_a_secret_is_shown_at_once():
    mask = Mask([b"hush-hush"])

    assert [mask.feed(block) for block in (b"a h", b"ush", b"-hu", b"sh!", b" hu", b"t")] == [
        b"a ", b"", b"", b"***!", b" ", b"hut"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("hush", ["hush"]),
        (" hush\n", ["hush"]),
        ("x", ["x"]),
        ("", []),
        ("\n \n", []),
        ('{\n  "key": "abc"\n}\n', ['"key": "abc"']),
        ("first line\r\nsecond", ["first line", "second"]),
    ],
)
def test_of_a_value_with_several_lines_each_is_hidden(value: str, expected: list[str]):
    assert masking.parts(value) == expected


def test_what_is_told_to_be_hidden_is_hidden_in_texts_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(secrets, "_known", ())
    secrets.hide(["grüß\udcff", "grüß"])

    assert secrets.redact("ein grüß\udcff und\ud800 ein grüßle") == "ein *** und\ud800 ein ***le"
    assert secrets.redact_params({"a": ["grüß"], "b": 1}) == {"a": ["***"], "b": 1}
