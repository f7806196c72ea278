"""Markdown on a terminal: what a page folds or pictures is told in words."""

from __future__ import annotations

import io
import itertools
import re
import sys

import pytest

from mlgit.cli import markdown
from mlgit.core import escape


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch):
    def show(text: str) -> str:
        screen = Terminal()
        monkeypatch.setattr(sys, "stdout", screen)
        markdown.say(text)
        return re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue())

    return show


def test_what_is_folded_lies_open_under_its_summary(shown) -> None:
    text = shown(
        "<details>\n<summary>3 params changed</summary>\n\n| param | main |\n|---|--:|\n| lr | 0.1 |\n\n</details>\n"
    )

    lines = [line.strip() for line in text.splitlines() if line.strip()]
    assert lines[0] == "3 params changed"
    assert lines[1].split() == ["param", "main"]
    assert lines[-1].split() == ["lr", "0.1"]


def test_a_picture_is_told_by_its_title(shown) -> None:
    assert shown("![Learning curves](../../assets/3f.png)").strip() == "(picture: Learning curves)"
    assert shown("![](x.png)").strip() == "(picture: without a title)"


def test_code_is_no_markup(shown) -> None:
    text = shown("```sh\ngit show '![x](y)' <details>\n```\n")

    assert "git show '![x](y)' <details>" in text


def test_no_two_lines_are_empty_in_a_row(shown) -> None:
    text = shown("# Title\n\n| a |\n|---|\n| 1 |\n\n---\n\n```\ncode\n```\n\n<!-- hidden -->\n\nend\n")

    assert "hidden" not in text
    blank = [not line.strip() for line in text.splitlines()]
    assert not any(one and two for one, two in itertools.pairwise(blank))
    assert text.splitlines()[0].startswith("Title")


def test_addresses_are_seen(shown) -> None:
    assert "https://evil.example/x" in shown("[harmless](https://evil.example/x)")


def test_a_pipe_gets_it_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    markdown.say("# Title\n\n<details>x</details>\n")

    assert capsys.readouterr().out == "# Title\n\n<details>x</details>\n"


def test_a_headline_is_told_in_words():
    said = escape.markdown("a_b 0.98, +0.08 better than @team's #1 (2 seeds, `x` <b> | GH-1)")

    assert (
        markdown.headline(f"### {said}\n\nmore") == "a_b 0.98, +0.08 better than @team's #1 (2 seeds, `x` <b> | GH-1)"
    )
    assert markdown.headline("") == ""
