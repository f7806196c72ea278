"""Text from elsewhere, made harmless for where it is shown. Run names, params and metric names are hostile."""

from __future__ import annotations

import re

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_WRITTEN = re.compile(r"\\(?:[tnr]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")
_COMPUTED = "=+-@＝＋－＠"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]inf")
_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})
_TALK = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "@&#8203;", "#": "&#35;&#8203;"}
_MARKS = r"\`*_{}[]()+!|~$"
_MARKDOWN = str.maketrans(_TALK | {mark: f"\\{mark}" for mark in _MARKS})
_INSIDE = str.maketrans(_TALK | {mark: f"&#{ord(mark)};" for mark in _MARKS})


def terminal(text: str) -> str:
    """*text* without escapes, control characters, direction overrides, half characters; tabs and newlines stay."""
    return _CONTROL.sub("", _ANSI.sub("", text))


def line(text: str, limit: int = 200) -> str:
    """*text* on one line of a terminal, at most *limit* characters."""
    flat = " ".join(terminal(text).split())
    return flat if len(flat) <= limit else f"{flat[: limit - 1]}…"


def uncommanded(text: str) -> str:
    """A line of *text* for the log of a job of CI: what its runner would take for a command is none any more.

    Both of its forms: `::set-output …` where a line begins, `##[add-path]…` anywhere in it.
    """
    return re.sub(r"^(\s*):(?=:)", r"\1: ", text).replace("##[", "## [")


def cell(text: str) -> str:
    """*text* whole, as a cell of a tab-separated table: what cannot be seen stands as Python writes it, `\\t`."""
    plain = _WRITTEN.sub(lambda found: f"\\x5c{found[0][1:]}", text)
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in plain)


def of_cell(text: str) -> str:
    """The text of which `cell` makes *text*."""
    return _WRITTEN.sub(lambda found: found[0].encode().decode("unicode_escape"), text)


def formula(text: str) -> str:
    """*text* as a cell of a table that a spreadsheet may open: what it would compute stands behind a quote.

    As OWASP has it ("CSV Injection"); a number stays one.
    """
    return f"'{text}" if text.lstrip()[:1] in _COMPUTED and text.strip() and not _NUMBER.fullmatch(text) else text


def identifier(text: str) -> str:
    """*text* as a piece of an address or an id, its own alone: letters, digits and `./_-` stay, `~20~` is a blank."""
    return "".join(
        char if char.isascii() and (char.isalnum() or char in "./_-") else f"~{ord(char):x}~" for char in text
    )


def html(text: str) -> str:
    """*text* as the content of an HTML element or a quoted attribute."""
    return text.translate(_HTML)


def markdown(text: str, limit: int = 500) -> str:
    """*text* as plain words inside a Markdown cell or sentence: no markup, no HTML, no mention, no issue link."""
    return _unlinked(line(text, limit).translate(_MARKDOWN))


def inside(text: str, limit: int = 500) -> str:
    """*text* as the content of an HTML element in Markdown (a summary), where a backslash is one."""
    return _unlinked(line(text, limit).translate(_INSIDE))


_LINKING = re.compile(r"\b(?:https?|ftp|www)(?=[:.])|\bGH(?=-\d)|:(?=(?:[\w+\\-]|&#\d+;)+(?::|$))", re.IGNORECASE)


def _unlinked(text: str) -> str:
    """*text*, in which no address and no `GH-1` is made a link of, and no `:x:` a picture."""
    return _LINKING.sub(r"\g<0>&#8203;", text)


def code(text: str, limit: int = 500) -> str:
    """*text* as a Markdown code span that also stands inside a table."""
    plain = line(text, limit).replace("`", "'").replace("|", "\\|")
    return f"`{plain}`" if plain else ""
