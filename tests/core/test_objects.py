"""Pictures, tables and the like in a few words."""

from __future__ import annotations

from typing import Any

import pytest

from mlgit.core.objects import described


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"_type": "histogram", "values": [1, 2], "bins": [0, 1, 2]}, "histogram of 3"),
        ({"_type": "image-file", "width": 4, "height": 3, "path": "media/a.png"}, "image 4 × 3, media/a.png"),
        ({"_type": "images/separated", "count": 2, "width": 4, "height": 3}, "2 images 4 × 3"),
        ({"_type": "table-file", "nrows": 7, "ncols": 2, "path": "media/t.json"}, "table 7 × 2, media/t.json"),
        ({"_type": "audio"}, "audio"),
        ({"_type": "something-new-file"}, "something-new"),
    ],
)
def test_an_object_is_told_in_a_few_words(value: dict[str, Any], words: str):
    assert described(value) == words
