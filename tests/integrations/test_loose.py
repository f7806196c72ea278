"""The functions of W&B's `util` that libraries lean on."""

from __future__ import annotations

import json

import numpy
import pytest

from mlgit.integrations import loose


def test_json_takes_whatever_log_takes():
    value = {"loss": numpy.float32(0.5), "seen": numpy.arange(3), "names": ("a", "b"), "on": numpy.bool_(1)}

    text = loose.json_dumps_safer(value, indent=1)

    assert json.loads(text) == {"loss": 0.5, "seen": [0, 1, 2], "names": ["a", "b"], "on": True}
    with pytest.raises(TypeError, match="cannot be stored"):  # by which Ray knows that its text is to be logged instead
        loose.json_dumps_safer({"trainer": object()})


def test_values_are_made_friendly_one_by_one():
    assert [loose.make_json_if_not_number(value) for value in (1.5, "a", [numpy.int64(1)])] == [1.5, '"a"', "[1]"]
    assert loose.json_friendly(numpy.int64(3)) == (3, True)
    assert loose.json_friendly([1]) == ([1], False)
    assert loose.json_friendly_val({"at": (numpy.int64(1), 2), "of": ...}) == {"at": [1, 2], "of": "Ellipsis"}
