"""Conditions between params: read, asked, and never run as code."""

from __future__ import annotations

from typing import Any

import pytest

from mlgit.errors import UsageError
from mlgit.sweeps import rule

NAMES = ("lr", "depth", "width", "optimizer", "optimizer.name", "weight-decay", "name", "created", "fast")
POINT: dict[str, Any] = {
    "lr": 0.1, "depth": 2, "width": 8, "optimizer": "sgd", "optimizer.name": "adam", "weight-decay": 0, "name": 5,
    "created": 3, "fast": True,
}  # fmt: skip


def holds(text: str, **params: Any) -> bool:
    return rule.parse(text, NAMES).holds(POINT | params)


@pytest.mark.parametrize(
    "text",
    [
        "optimizer = sgd",
        "optimizer == 'sgd' and lr <= 1e-1",
        "optimizer.name in (adam, adamw)",
        "optimizer not in (adam, adamw) and optimizer ~ '^s'",
        "depth * width <= 16",
        "width > depth",
        "width / depth - 3 = 1",
        "(depth + 1) * (width - 2) = 18",
        "2 * (depth + width) >= 20",
        "(depth < 1 or (width > 7)) and not lr > 0.5",
        "((depth + 1)) < width",
        "`weight-decay` = 0 and weight-decay < 1",
        "width != depth and optimizer != optimizer.name",
        "name = 5 and created < 4",
        "fast = true",
        "depth < 16 - 2 * 3",
        "depth / weight-decay = 1 or lr = 0.1",
    ],
)
def test_what_holds_of_a_point(text: str) -> None:
    assert holds(text)
    assert not holds(f"not ({text})")


def test_what_is_not_there_meets_null_and_what_is_denied_alone() -> None:
    asked = {
        text: rule.parse(text, NAMES) for text in ("lr < 1", "lr is null", "lr != 1", "lr + 1 < depth", "lr < depth")
    }

    assert [one.holds({"depth": 3}) for one in asked.values()] == [False, True, True, False, False]
    assert [one.counts({"depth": 3}) for one in asked.values()] == [False, True, False, False, False]
    assert not rule.parse("depth < width", NAMES).holds({"depth": "a", "width": 3})


def test_a_number_of_thousands_of_digits_is_one() -> None:
    assert holds(f"depth < {'9' * 5000}")


def test_it_says_which_params_it_is_about() -> None:
    assert rule.parse("(depth + 1) * width < 9 and optimizer = sgd", NAMES).names == {"depth", "width", "optimizer"}


def test_a_text_that_a_choice_never_is_is_found() -> None:
    asked = rule.parse("optimizer in (sgd, adm) and lr > 0", NAMES)

    assert asked.alien({"optimizer": ("sgd", "adam")}) == ("optimizer", "adm")
    assert asked.alien({"optimizer": ("sgd", "adm")}) is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "the name of a metric, a param or a field is expected here"),
        ("lrr < 1", "no param is called 'lrr'; did you mean 'lr'?"),
        ("depth/width < 1", "no param is called 'depth/width'; blanks around a sign make it one"),
        ("depth < wdith + 1", "'wdith' is neither a number nor a param; did you mean 'width'?"),
        ("optimizer = 16-mixed", "no param is called 'mixed'; a text stands in quotes"),
        ("1 < 2", "the name of a param is expected here"),
        ("lr", "what about lr?"),
        ("lr < 1 lr", "'and', 'or' or the end is expected here"),
        ("lr < 1 / 0", "this comes to no number"),
        ("(lr < 1", "')' is expected here"),
        ("__import__('os').system('true')", "no param is called '__import__'"),
        ("lr ** 2 < 1", "is expected here"),
        ("lr < 1 && depth > 1", "'and', 'or' or the end is expected here"),
        ("not " * 60 + "lr < 1", "nested too deep"),
        ("lr < " + "(" * 60 + "1" + ")" * 60, "nested too deep"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(text: str, complaint: str) -> None:
    with pytest.raises(UsageError) as caught:
        rule.parse(text, NAMES)

    assert "The condition cannot be read at character" in caught.value.what
    assert complaint in caught.value.what
