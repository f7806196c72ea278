"""Markdown as people see it on a forge: one HTML page that needs nothing beside it.

What is shown was written by others. Everything goes through one allow-list after rendering, as GitHub does it, and the
page's own policy forbids scripts and every address: pictures are inside or they are not shown.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urlsplit

from mlgit.core import escape
from mlgit.report import templates
from mlgit.report.changed import File
from mlgit.report.templates import NONE, Own

_VOID = ("br", "hr", "img")
_ALIGNED = re.compile(r"text-align:\s*(left|right|center)")
_CLASS = re.compile(r"language-[\w+-]{1,40}")
_PLAIN_TAGS = (
    "p br hr h1 h2 h3 h4 h5 h6 blockquote pre em strong s del ins b i kbd samp sub sup "
    "ul li table thead tbody tr summary"
)
_TAGS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_PLAIN_TAGS.split(), ()),
    "a": ("href", "title"), "img": ("src", "alt", "title", "width", "height"), "code": ("class",), "ol": ("start",),
    "th": ("style", "align", "colspan"), "td": ("style", "align", "colspan"), "details": ("open",),
}  # fmt: skip
"""What may stand on the page, and with which attributes."""

_POLICY = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; style-src '
    "'unsafe-inline'; form-action 'none'; base-uri 'none'\">\n"
    '<meta name="referrer" content="no-referrer">'
)
"""First of all, so that it holds for whatever a template prints."""

_SILENT = ("script", "style", "iframe", "object", "template", "textarea", "title", "noscript")
"""Elements whose content is no text for readers."""

_ALERT = re.compile(r"(<blockquote>\n<p>)\[!(NOTE|TIP|IMPORTANT|WARNING|CAUTION)\](?:\n|(?=</p>))")
"""As GitHub writes it, which CommonMark knows nothing of."""
_KINDS = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"RIFF": "webp"}


@dataclass(frozen=True, kw_only=True)
class Post:
    """One piece of a conversation: who, what they did, when, and their Markdown."""

    author: str
    did: str
    """`commented`, `approved`."""
    when: str
    body: str


@dataclass(frozen=True, kw_only=True)
class Check:
    """One line of the list of checks."""

    name: str
    state: str
    """`success`, `failure`, `error`, `pending`."""
    words: str = ""
    url: str = ""


@dataclass(frozen=True, kw_only=True)
class Page:
    """What a page shows, top to bottom."""

    title: str
    number: int | None = None
    state: str = ""
    """`open`, `merged`, `closed`, `draft`; or nothing, for a page that is no pull request."""
    line: str = ""
    posts: Sequence[Post] = ()
    checks: Sequence[Check] = ()
    files: Sequence[File] = ()


def render(page: Page, picture: Callable[[str], bytes | None], own: Own = NONE) -> str:
    """*page* as one HTML document, for light and dark; *picture* answers a link with its bytes, or None.

    *own*: the project's templates. What theirs makes has the same policy: no script runs in it, and it loads nothing.
    Raises `ConfigError` where that is wrong.
    """
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from markupsafe import Markup

    env = ImmutableSandboxedEnvironment(
        loader=templates.loader(own), undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    env.filters["markdown"] = lambda text: Markup(html(text, picture))  # noqa: S704  (passed the allow-list)
    env.filters["line"] = escape.line
    env.filters["web"] = lambda url: url if _is_web(url) else ""
    text = templates.fill(env, templates.PAGE, own, page=page)
    return f"<!doctype html>\n{_POLICY}\n{text}"


def html(text: str, picture: Callable[[str], bytes | None]) -> str:
    """*text* (Markdown, with the HTML that GitHub lets pass) as HTML that is safe on any page."""
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    clean = _Clean(picture)
    told = markdown.render(escape.terminal(text))
    clean.feed(_ALERT.sub(lambda found: f"{found[1]}<strong>{found[2].capitalize()}</strong><br>\n", told))
    clean.close()
    return clean.result()


class _Clean(HTMLParser):
    """Writes down what it allows, escaped anew and balanced; all else is left out, its text kept."""

    def __init__(self, picture: Callable[[str], bytes | None]) -> None:
        super().__init__(convert_charrefs=True)
        self._picture = picture
        self._out: list[str] = []
        self._open: list[str] = []
        self._silent: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._silent is None and tag in _SILENT:
            self._silent = tag
        if self._silent or tag not in _TAGS:
            return
        allowed = {name: value or "" for name, value in attrs if name in _TAGS[tag]}
        if tag == "img":
            self._out.append(self._image(allowed))
            return
        kept = "".join(f' {name}="{escape.html(value)}"' for name, value in allowed.items() if _fits(name, value))
        self._out.append(f"<{tag}{kept}>")
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._silent == tag:
            self._silent = None
        elif self._silent is None and tag in self._open:
            while (closed := self._open.pop()) != tag:
                self._out.append(f"</{closed}>")
            self._out.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if self._silent is None:
            self._out.append(escape.html(data))

    def result(self) -> str:
        """What came through, everything closed that was opened."""
        return "".join((*self._out, *(f"</{tag}>" for tag in reversed(self._open))))

    def _image(self, attrs: dict[str, str]) -> str:
        source, alt = attrs.get("src", ""), escape.html(attrs.get("alt", ""))
        content = self._picture(source)
        kind = next((kind for mark, kind in _KINDS.items() if content and content.startswith(mark)), None)
        if kind is None and content and b"<svg" in content[:1000]:
            kind = "svg+xml"
        if content is None or kind is None:
            words = alt or "picture"
            inside_link = "a" in self._open
            return f'<a href="{escape.html(source)}">{words}</a>' if _is_web(source) and not inside_link else words
        size = "".join(f' {name}="{attrs[name]}"' for name in ("width", "height") if _fits(name, attrs.get(name, "")))
        return f'<img src="data:image/{kind};base64,{base64.b64encode(content).decode()}" alt="{alt}"{size}>'


def _fits(name: str, value: str) -> bool:
    """Whether an attribute's value is one that we let through."""
    if name == "href":
        return _is_web(value) or (value.startswith("mailto:") and value.isprintable())
    rules = {"style": _ALIGNED, "class": _CLASS, "align": re.compile("left|right|center")}
    if name in ("start", "colspan", "width", "height"):
        return value.isascii() and value.isdigit() and len(value) < 5
    return name not in rules or rules[name].fullmatch(value) is not None


def _is_web(address: str) -> bool:
    try:
        return urlsplit(address).scheme in ("http", "https") and address.isprintable()
    except ValueError:
        return False
