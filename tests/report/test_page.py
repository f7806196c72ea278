from html.parser import HTMLParser

import pytest

from mlgit.errors import ConfigError
from mlgit.report import page
from mlgit.report.templates import Own

PNG = b"\x89PNG\r\n\x1a\nrest"


def no_picture(link: str) -> None:
    return None


class Tags(HTMLParser):
    """What a browser would find in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def test_markdown_becomes_what_a_forge_shows():
    html = page.html("# Hi\n\n| a | b |\n|--:|---|\n| 1 | `x` |\n\n~~no~~ **yes**\n", no_picture)

    assert "<h1>Hi</h1>" in html
    assert '<td style="text-align:right">1</td>' in html
    assert "<s>no</s> <strong>yes</strong>" in html


def test_an_alert_is_headed_by_its_word():
    text = page.html("> [!WARNING]\n> Few trials.\n\n> [!NOTE]\n\n`> [!TIP]`", no_picture)

    assert "<p><strong>Warning</strong><br>\nFew trials.</p>" in text
    assert "<p><strong>Note</strong><br>\n</p>" in text
    assert "<code>&gt; [!TIP]</code>" in text


def test_details_fold_and_hold_markdown():
    html = page.html("<details><summary>more</summary>\n\n- x\n\n</details>", no_picture)

    assert html.replace("\n", "") == "<details><summary>more</summary><ul><li>x</li></ul></details>"


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>", "<SCRIPT SRC=//evil></SCRIPT>", "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))", "<a href='java\nscript:alert(1)'>x</a>", "<a href=' javascript:alert(1)'>x</a>",
        "<svg onload=alert(1)>", "<style>body{display:none}</style>", "<iframe src=//evil>",
        "<details ontoggle=x open>",
        "![x](https://evil.example/track.png)", "<img src='https://evil.example/track.png'>", "<form action=//evil>",
        "<a href='data:text/html,<script>alert(1)</script>'>x</a>", "<p style='background:url(//evil)'>x",
        "<th style='text-align:right;background:url(//evil)'>", '<a title="&quot; onclick=alert(1) x=&quot;">x</a>',
        "<scr<script>ipt>alert(1)</script>", "<!--><img src=x onerror=alert(1)>-->", "<math><img src=x onerror=y>",
        "<base href=//evil>", "<meta http-equiv=refresh content=0>", "<object data=//evil>", "<a href='//evil'>x</a>",
        "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>", "<textarea><img src=x onerror=y></textarea>",
    ],
)  # fmt: skip
def test_nothing_that_somebody_wrote_acts(text):
    for tag, attrs in Tags(page.html(text, no_picture)).found:
        assert tag in page._TAGS
        assert not [name for name in attrs if name.startswith("on") or name in ("src", "action", "srcdoc")]
        assert attrs.get("style", "text-align:right") in ("text-align:right", "text-align:left", "text-align:center")
        assert (attrs.get("href") or "https:").startswith("https:")


def test_a_comment_cannot_break_out_of_its_box():
    html = page.html("</div></article><details><b><table><tr><td>", no_picture)

    assert html.count("<details>") == html.count("</details>") == 1
    assert "</div>" not in html
    assert "</article>" not in html


def test_a_picture_travels_inside_the_page():
    html = page.html("![curves](../../assets/x.png)", {"../../assets/x.png": PNG}.get)

    assert '<img src="data:image/png;base64,iVBORw0KGgpyZXN0" alt="curves">' in html


def test_a_picture_from_elsewhere_becomes_a_link():
    html = page.html("![curves](https://example.com/x.png)", no_picture)

    assert html == '<p><a href="https://example.com/x.png">curves</a></p>\n'


def test_what_is_no_picture_is_not_embedded_as_one():
    assert "<img" not in page.html("![x](a)", {"a": b"<html><script>"}.get)


def test_hidden_markers_stay_hidden():
    assert page.html("<!-- mlgit:report -->\nseen", no_picture).strip() == "<p>seen</p>"


def test_a_page_escapes_all_that_is_not_markdown():
    hostile = "<b>x</b>\"'>\x1b[31m"
    text = page.render(
        page.Page(
            title=hostile, number=3, state="open", line=hostile,
            posts=(page.Post(author=hostile, did="commented", when="now", body="*hi*"),),
            checks=(page.Check(name=hostile, state="failure", words=hostile, url="javascript:alert(1)"),),
        ),
        no_picture,
    )  # fmt: skip

    assert "<b>x</b>" not in text
    assert "\x1b" not in text
    assert "javascript:" not in text
    assert "<em>hi</em>" in text
    assert "default-src 'none'" in text


def test_a_projects_page_takes_the_place_of_ours_and_loads_and_runs_no_more_than_that():
    extended = '{% extends "mlgit/page.html.j2" %}{% block style %}{{ super() }}b { color: red }{% endblock %}'
    evil = "<title>{{ page.title }}</title><script>alert(1)</script>{{ page.posts[0].body | markdown }}"
    shown = page.Page(title="<b>x</b>", posts=(page.Post(author="", did="", when="", body="*hi* <script>2</script>"),))

    ours = page.render(shown, no_picture)
    theirs = page.render(shown, no_picture, Own(texts={"page.html.j2": extended}))
    bare = page.render(shown, no_picture, Own(texts={"page.html.j2": evil}))

    assert theirs.replace("b { color: red }", "") == ours
    assert [text.index("Content-Security-Policy") < text.index("<title>") for text in (ours, theirs, bare)] == [
        True
    ] * 3
    assert "<title>&lt;b&gt;x" in bare
    assert "<em>hi</em>" in bare
    assert bare.count("<script>") == 1
    with pytest.raises(ConfigError, match=r"templates/report/page\.html\.j2:1: .*unsafe"):
        page.render(shown, no_picture, Own(texts={"page.html.j2": "{{ page.__class__.__mro__ }}"}))
