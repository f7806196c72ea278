"""What people see of our Markdown: GitHub's own renderer (cmark-gfm), and mermaid itself (its JavaScript, in QuickJS).

What GitHub does after that is done here by its rules: only some tags pass; a mention, the number of an issue and an
address become links wherever they stand in text, but not in code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from importlib.util import find_spec

from tests.conftest import need

TAGS = frozenset(
    "a blockquote br code del details em h1 h2 h3 h4 h5 h6 hr img li ol p pre strong sub summary sup table tbody td th "
    "thead tr ul".split()
)
"""Those that we write: GitHub lets them pass, and anything else is somebody's."""
LINKED = re.compile(r"(?<!\w)@\w|(?<!\w)#\d|\bGH-\d|\bwww\.|https?://|(?<!\d):[\w+-]+:", re.IGNORECASE)
"""What GitHub makes a link, or a picture, of where it stands in text."""
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_VOID = ("br", "hr", "img")


@dataclass
class Shown(HTMLParser):
    """A rendered document."""

    tags: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    """HTML's comments."""
    tables: list[list[list[str]]] = field(default_factory=list)
    prose: str = ""
    """What stands in no code."""
    text: str = ""
    """All of it."""
    diagrams: list[str] = field(default_factory=list)
    in_diagram: bool = False
    open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        given = dict(attrs)
        if tag in ("a", "img"):
            self.links.append(given.get("href") or given.get("src") or "")
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        if tag == "pre":
            self.in_diagram = given.get("lang") == "mermaid"
            self.diagrams += [""] * self.in_diagram
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in _VOID
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"{tag} is closed after {self.text[-200:]}"

    def handle_data(self, data: str) -> None:
        plain = data.replace("\u200b", "")
        self.text += plain
        if not {"code", "pre"} & set(self.open):
            self.prose += data
        elif self.in_diagram and "pre" in self.open:
            self.diagrams[-1] += data
        if self.tables and {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += plain

    def handle_comment(self, data: str) -> None:
        self.hidden.append(data)


def github(text: str) -> Shown:
    """*text* as GitHub shows it."""
    need("cmarkgfm", find_spec("cmarkgfm") is not None)
    from cmarkgfm import github_flavored_markdown_to_html
    from cmarkgfm.cmark import Options

    shown = Shown()
    shown.feed(github_flavored_markdown_to_html(text, options=Options.CMARK_OPT_UNSAFE))
    shown.close()
    assert not shown.open
    return shown


def check(text: str, *, hidden: str = "") -> Shown:
    """The same; fails where anything in it acts: markup, links, mentions, what cannot be seen, a torn table."""
    shown = github(text)
    assert shown.tags <= TAGS
    assert all(link.startswith("../") for link in shown.links), shown.links
    assert all(re.fullmatch(hidden, one.strip()) for one in shown.hidden), shown.hidden
    assert not (found := LINKED.search(shown.prose)), shown.prose[max(0, found.start() - 40) : found.end() + 40]
    assert not UNSEEN.search(shown.text)
    for table in shown.tables:
        assert {len(row) for row in table} == {len(table[0])}
    return shown


def mermaid(text: str) -> str:
    """The drawing that mermaid makes of *text*, as SVG; fails where it cannot read it."""
    need("mermaidx", find_spec("mermaidx") is not None)
    import mermaidx

    return str(mermaidx.render(text).svg())
