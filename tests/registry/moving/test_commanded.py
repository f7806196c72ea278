from __future__ import annotations

import pytest

from mlgit.errors import UsageError
from mlgit.registry.moving import commanded
from mlgit.registry.moving.commanded import USAGE, Request, Verb


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("/mlgit", Request(verb=Verb.HELP)),
        ("/mlgit help", Request(verb=Verb.HELP)),
        (
            "/mlgit promote digits@v1.2.0 production\r\nbecause it is better\n/mlgit lift digits production",
            Request(verb=Verb.PROMOTE, model="digits", version="v1.2.0", stage="production"),
        ),
        (
            "/mlgit  promote   digits@latest production --lift ",
            Request(verb=Verb.PROMOTE, model="digits", version="latest", stage="production", lifts=True),
        ),
        (
            "/mlgit rollback digits production --to v1.0.0 --reason it doesn't answer",
            Request(
                verb=Verb.ROLLBACK, model="digits", stage="production", version="v1.0.0", reason="it doesn't answer"
            ),
        ),
        (
            "/mlgit hold digits production --reason 'the fair'",
            Request(verb=Verb.HOLD, model="digits", stage="production", reason="the fair"),
        ),
        ("/mlgit approve", Request(verb=Verb.APPROVE)),
        ("/mlgit approve 4F2c91d07be35a86\nfine", Request(verb=Verb.APPROVE, commit="4f2c91d07be35a86")),
        ("/mlgit lift digits production", Request(verb=Verb.LIFT, model="digits", stage="production")),
    ],
)
def test_the_first_line_of_a_comment_says_what_is_asked(line: str, asked: Request):
    assert commanded.read(line) == asked


@pytest.mark.parametrize(
    "talk",
    [
        "",
        "see /mlgit promote",
        " /mlgit help",
        "> /mlgit help",
        "/mlgitx",
        "/MLGIT help",
        "`/mlgit help`",
        "\n/mlgit help",
    ],
)
def test_talk_asks_for_nothing(talk: str):
    assert commanded.read(talk) is None


@pytest.mark.parametrize(
    "line",
    [
        "promote", "promote digits production", "promote digits@v1@v2 production", "promote digits@v1.0.0",
        "promote digits@v1.0.0 production --direct", "promote digits@v1.0.0 production --emergency --reason x",
        "promote --base=evil digits@v1.0.0", "promote digits@--lift production", "promote ../x@v1.0.0 production",
        "promote digits@v1.0.0 ../../main", "promote digits@v1.0.0;id production", "promote digits@$(id) production",
        "promote digits@v1.0.0 production --reason because", "promote digits@`id` production", "hold digits",
        "hold digits production extra", "hold -x production", "hold digits production --reason", "hold digits --lift",
        "rollback digits production --to", "rollback digits production --to --direct", "rollback digits production v1",
        "rollback digits production --direct", "lift digits production --reason x", "help me", "rm -rf /",
        "hold digits production --reason " + "x" * 501, "hold digits " + "x" * 1_000, "hold digits prod\u202euction",
        "hold digits pro\x1b[31md", "hold policy production", "hold digits\u00a0production",
        "approve 4f2c91d07be35a8", "approve main", "approve 4f2c91d07be35a86 please",
        "approve 4f2c91d07be35a86 --reason x",
    ],
)  # fmt: skip
def test_nothing_else_than_the_words_of_a_verb_is_taken(line: str):
    with pytest.raises(UsageError) as refused:
        commanded.read(f"/mlgit {line}")

    assert "\x1b" not in str(refused.value)


def test_who_errs_is_told_how_the_nearest_verb_is_written():
    with pytest.raises(UsageError, match=r"/mlgit rollback MODEL STAGE"):
        commanded.read("/mlgit rolback digits production")

    assert USAGE.keys() == {*Verb}


def test_who_asked_is_told_by_the_description_or_by_the_commit():
    body, message = commanded.marked("It does.", "ada"), commanded.signed("Promote", "ada")

    assert commanded.askers(body, message) == commanded.askers(body, "Merge main") == ("ada",)
    assert commanded.askers("", message) == ("ada",)
    assert commanded.askers(body, commanded.signed("Promote", "eve")) == ("ada", "eve")
    assert commanded.askers("Asked for by @ada", "Promote") == ()
