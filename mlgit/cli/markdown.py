"""Markdown for who reads it on a terminal; whoever pipes it gets it as it is."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mlgit.cli import output
from mlgit.core import escape

if TYPE_CHECKING:
    from markdown_it.token import Token

_WIDTH = 120
"""Longer lines are hard to read, however wide the terminal is."""
_STYLES = {
    **{f"markdown.h{level}": "bold" for level in range(1, 7)},
    "markdown.code": "cyan",
    "markdown.hr": "dim",
    "markdown.table.border": "dim",
    "markdown.table.header": "bold",
}
_SUMMARY = re.compile(r"<summary>(.*?)</summary>", re.DOTALL)


def say(text: str) -> None:
    """*text* (Markdown), laid out on a terminal."""
    if not output.is_terminal():
        output.say(text.removesuffix("\n"))
        return
    from rich.console import Console
    from rich.markdown import Markdown
    from rich.theme import Theme

    console = Console(theme=Theme(_STYLES))
    # hyperlinks=False: an address is seen, not hidden behind words
    laid_out = Markdown(escape.terminal(text), code_theme="ansi_dark", hyperlinks=False)
    laid_out.parsed = list(_readable(laid_out.parsed))
    with console.capture() as captured:
        console.print(laid_out, width=min(console.width, _WIDTH))
    blank = False
    for line in captured.get().splitlines():
        was, blank = blank, not escape.terminal(line).strip()
        if not (was and blank):  # tables and code bring empty lines of their own
            sys.stdout.write(f"{line}\n")


def headline(text: str) -> str:
    """The first line of *text* (Markdown), as words for whoever reads no Markdown."""
    from markdown_it import MarkdownIt

    (inline,) = MarkdownIt("commonmark").parseInline(text.partition("\n")[0].lstrip("# "))
    return "".join(part.content for part in inline.children or ()).replace("\u200b", "")


def _readable(tokens: Sequence[Token]) -> Iterator[Token]:
    """*tokens* for a terminal: what is folded on a page lies open under its summary, a picture is told by its title."""
    from markdown_it.token import Token

    for token in tokens:
        if token.type == "html_block":
            for summary in _SUMMARY.findall(token.content):
                words = Token("inline", "", 0, children=[Token("text", "", 0, content=escape.line(summary))])
                yield from (Token("heading_open", "h4", 1), words, Token("heading_close", "h4", -1))
        elif token.type == "image":
            title = "".join(child.content for child in token.children or ()) or "without a title"
            yield Token("text", "", 0, content=f"(picture: {title})")
        else:
            if token.tag == "h1":
                token.tag = "h2"  # rich centres an h1, and on a wide terminal nobody finds it
            if token.children:
                token.children = list(_readable(token.children))
            yield token
