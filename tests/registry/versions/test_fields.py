from __future__ import annotations

import pytest

from mlgit.errors import ConfigError, UsageError
from mlgit.registry.versions import fields

CARD = b"""\
---
license: mit
tags: [vision, small]
base_model: org/net
---

# Digits

It reads digits.

---

And no more.
"""


def test_a_card_of_hugging_faces_is_fields_and_text():
    said, text = fields.read(CARD, source="README.md")

    assert said == {"license": "mit", "tags": ["vision", "small"], "base_model": "org/net"}
    assert text == "# Digits\n\nIt reads digits.\n\n---\n\nAnd no more."


def test_windows_lines_and_a_byte_order_mark_are_read_too():
    said, text = fields.read(b"\xef\xbb\xbf" + CARD.replace(b"\n", b"\r\n"), source="README.md")

    assert said["license"] == "mit"
    assert text.startswith("# Digits")


def test_yaml_alone_is_fields_and_markdown_alone_is_text():
    assert fields.read(b"# Only text", source="README.md") == ({}, "# Only text")
    assert fields.read(b"license: mit\nseats: 3\n", source="card.yaml") == ({"license": "mit", "seats": 3}, "")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"---\n- a\n- b\n---\n", "no fields of a model card"),
        (b"---\nlicense: mit\nlicense: gpl\n---\n", "twice|duplicate|already"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_what_is_no_card_is_refused_with_its_place(content: bytes, told: str):
    with pytest.raises(ConfigError, match=rf"(?s)README\.md:\d+:.*({told})"):
        fields.read(content, source="README.md")


@pytest.mark.parametrize(
    "wrong",
    [
        {"license": ["mit"]}, {"license": ""}, {"license": 3}, {"tags": [1]}, {"tags": {"a": "b"}}, {"a b": 1},
        {"": 1}, {"x" * 65: 1}, {"-x": 1}, {"long": "x" * 40_000},
    ],
)  # fmt: skip
def test_fields_that_no_card_can_have_are_refused(wrong: dict[str, object]):
    with pytest.raises(UsageError):
        fields.checked(wrong)
