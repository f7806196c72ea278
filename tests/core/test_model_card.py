from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from mlgit.core.model_card import ModelCard, Port, ports
from mlgit.errors import UsageError

X = np.zeros((5, 4), "float32")
MIXED = pd.DataFrame({
    "n": [1], "x": [1.5], "ok": [True], "at": np.array(["2026-01-01"], "datetime64[s]"), "kind": pd.Categorical(["u"]),
})  # fmt: skip
CARD = ModelCard(
    framework="torch", version="2.9.1", format="safetensors", made="net.Net", parameters=1234, dtype="float32",
    inputs=(Port(dtype="float32", shape=(-1, 4)),), size=10, sha256={"model.safetensors": "ab"},
)  # fmt: skip


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (X, ["float32 [any, 4]"]),
        ({"ids": X, "mask": X[0]}, ["ids float32 [any, 4]", "mask float32 [any]"]),
        ((X, X), ["float32 [any, 4]", "float32 [any, 4]"]),
        ([[1.5, 2.0], [3.0, 4.0]], ["float [any, 2]"]),
        (["a", "b"], ["str [any]"]),
        ("a text", ["str"]),
        (3, ["int"]),
        (np.float32(3), ["float32"]),
        (pd.DataFrame({"age": [1, 2], "pay": [1.5, 2.0]}), ["age int64 [any]", "pay float64 [any]"]),
        (Port(name="x", dtype="int8", shape=(2,)), ["x int8 [2]"]),
        (scipy.sparse.csr_matrix(X), ["float32 [any, 4]"]),
        (MIXED, ["n int64 [any]", "x float64 [any]", "ok bool [any]", "at datetime64[s] [any]", "kind category [any]"]),
        (pd.Series([1.5], name="y"), ["y float64 [any]"]),
        (pd.Series([1.5]), ["float64 [any]"]),
        ([{"age": 1, "pay": 1.5}, {"age": 2, "pay": 2.0}], ["age int [any]", "pay float [any]"]),
        ({"text": {"ids": X, "mask": X}, "n": 1}, ["text.ids float32 [any, 4]", "text.mask float32 [any, 4]", "n int"]),
        ({"age": [1, 2], "name": ["a", "b"]}, ["age int [any]", "name str [any]"]),
        ([], ["NoneType [any]"]),
        (None, []),
    ],
)  # fmt: skip
def test_data_says_what_it_is_made_of(data: Any, told: list[str]):
    assert [str(port) for port in ports(data)] == told


def test_a_card_is_the_same_after_it_was_written():
    assert ModelCard.of(CARD.document() | {"from": "a newer mlgit"}) == CARD


@pytest.mark.parametrize("document", [{"inputs": [3]}, {"parameters": "many"}, {"sha256": 4}, {"inputs": 4}])
def test_what_is_no_card_is_refused(document: dict[str, Any]):
    with pytest.raises((TypeError, ValueError, AttributeError)):
        ModelCard.of(document)


def test_a_card_in_brief_says_what_it_is_and_whether_it_is_unsafe():
    assert CARD.brief == "safetensors of torch 2.9.1, 1,234 parameters (float32)"
    assert ModelCard(format="pickle", unsafe="a pickle in m.pkl").brief == "pickle, UNSAFE: a pickle in m.pkl"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (X.astype("float64"), "it is of float64, not float32"),
        (X[:, :3], r"it has the shape \[-1, 3\]"),
        (X[0], r"it has the shape \[-1\]"),
        ((X, X), "2 inputs instead of 1"),
    ],
)
def test_data_that_a_model_does_not_take_is_refused(data: Any, problem: str):
    CARD.check_input(X[:1])

    with pytest.raises(UsageError, match=problem):
        CARD.check_input(data)


def test_columns_are_compared_by_name():
    frame = pd.DataFrame({"age": [1], "pay": [2.0]})
    card = ModelCard(inputs=ports(frame))
    card.check_input(frame[["pay", "age"]])

    with pytest.raises(UsageError, match="pay is missing"):
        card.check_input(frame[["age"]])


def test_python_s_own_numbers_are_taken_by_their_kind():
    card = ModelCard(inputs=ports(np.zeros((1, 2))))
    rows = ModelCard(inputs=ports(pd.DataFrame({"age": [1], "pay": [2.0]})))
    lists = ModelCard(inputs=ports([[1.0, 2.0]]))

    card.check_input([[1, 2.5], [3, 4]])
    card.check_input([[1, 2]])
    rows.check_input([{"age": 40, "pay": 3}, {"age": 41, "pay": 2.5}])
    lists.check_input(np.zeros((3, 2)))
    with pytest.raises(UsageError, match="it is of str, not float64"):
        card.check_input([["a", "b"]])
    with pytest.raises(UsageError, match="age is of float, not int64"):
        rows.check_input([{"age": 40.5, "pay": 3}])
    assert [port.dtype for port in ports([[1, 2.5], [3, 4]])] == ["float"]


def test_a_column_of_objects_may_hold_text():
    card = ModelCard(
        inputs=(Port(name="name", dtype="object", shape=(-1,)), Port(name="age", dtype="int64", shape=(-1,)))
    )

    card.check_input([Port(name="name", dtype="str", shape=(-1,)), Port(name="age", dtype="int64", shape=(-1,))])


def test_a_model_of_which_nothing_is_known_takes_anything():
    ModelCard().check_input(X)
