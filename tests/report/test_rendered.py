"""Reports as people see them: by GitHub's own renderer and by mermaid itself, over names that are hostile."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from mlgit.ci import plan as plans
from mlgit.ci import progress, told
from mlgit.ci.matrix import Job
from mlgit.ci.plan import Plan, Trial
from mlgit.core import escape, xychart
from mlgit.core.artifact import ArtifactVersion
from mlgit.core.verdict import Outcome, Verdict
from mlgit.plots import canvas
from mlgit.report import findings
from mlgit.report.history import Said
from mlgit.report.render import NoEvidence, render, render_missing
from mlgit.report.view import Alert, Champion, Chart, build
from tests import renderers
from tests.ci.test_progress import stand
from tests.report.test_findings import of
from tests.report.test_render import BASE, HEAD, about

NAMES = [
    "a|b||c", "@team @org/team", "#1 GH-1 o/r#2", "<!-- mlgit:report --> -->", "<script>alert(1)</script><img src=x>",
    "\u202egnp.exe\u2066x", "\x1b[31mred\x1b[0m\x07", "`code` ``` ~~~ *em* __strong__ ~~del~~",
    "[x](http://evil.example) ![i](//e)", "www.evil.example https://evil.example", "$\\frac{1}{2}$ $$x$$",
    "> quote\n# head\n- list\n\n---", "</details></summary></td>", "&lt;b&gt; &amp; &#64;all", "::set-output name=x::y",
    "\\", "\\|", "a\\", "| --- |", ":x: :+1:", "${{ secrets.X }}", "[^1] [x]: y", "e\u0301 名前 🙂", "<https://evil.example>",
    "a<b", "{% raw %} {{ 7*7 }}",
]  # fmt: skip


def hostile_report(name: str) -> str:
    head = replace(
        HEAD, name=name, params={name: name, "lr": 1}, data={name: "b" * 32},
        metrics={name: 0.5, "accuracy": 0.9, "text": name},
        logged=(ArtifactVersion(name=name, type=name, hash="a" * 32, size=3, path="x"),),
    )  # fmt: skip
    base = replace(BASE, name=name, params={name: "x", "lr": 2}, metrics={name: 0.4, "accuracy": 0.8})
    compared = about(
        head=head, base=base, beside=name, siblings=(head, replace(head, id="s2", metrics={"accuracy": 0.99})),
        command=("python", name), alerts=(Alert(title=name, text=name, level="WARN"),),
        champion=Champion(name=name, run="x", metrics={name: 1, "accuracy": 0.7}),
        findings=of(0.3, 0.1, 0.2, hostile=name),
        surroundings=({"python": name, "packages": {name: "1"}}, {"python": "3.12", "packages": {name: "2"}}),
    )  # fmt: skip
    gates = [Verdict(gate=name, outcome=Outcome.FAILED, observed=name, where=name)]
    history = [Said("a" * 10, name), Said("b" * 10, name)]
    return render(
        build(compared, verdicts=gates, charts=[Chart(title=name, link="../blob/x.png?raw=true")]), history=history
    )


def no_evidence(name: str) -> str:
    missing = NoEvidence(
        commit="c" * 40, branch=name, beside=name, base=replace(BASE, name=name), stale=3, has_origin=True
    )
    return render_missing(missing, history=[Said("a" * 10, name)] * 2)


def planned(name: str) -> str:
    trial = Trial(number=1, id="aaaaaaa1", name=name, params={name: name})
    plan = Plan(
        commit="c" * 40, project="p", trials=(trial,), jobs=(Job(runs_on=(name,), trials=(1,)),), what=f"x {name}",
        notes=(name,),
    )  # fmt: skip
    assert plans.written(plan)
    return told.markdown(plan)


TEXTS: dict[str, Callable[[str], str]] = {
    "report": hostile_report,
    "missing": no_evidence,
    "findings": lambda name: findings.render(of(0.3, 0.1, 0.2, hostile=f" {name}")),
    "findings with charts": lambda name: findings.render(
        of(0.3, 0.1, hostile=name), charts=[Chart(title=name, link="../x.png")]
    ),
    "plan": planned,
    "progress": lambda name: progress.markdown(stand({name: [1.0, 2.0, 3.0]}, title=f"Trial 1: {name}")),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_names_arrive_on_github_as_text(kind: str) -> None:
    for name in NAMES:
        shown = renderers.check(TEXTS[kind](name), hidden=r"mlgit:history [A-Za-z0-9+/=]+")

        plain = " ".join(escape.line(name, 80).split())
        assert plain in " ".join(shown.text.split()), name
        assert shown.tables or kind == "missing"


def test_what_is_folded_and_what_is_said_loud_is_so_on_github() -> None:
    shown = renderers.github(hostile_report("plain"))

    assert {"details", "summary", "table", "h3", "code", "pre", "img"} <= shown.tags
    assert "❌" not in shown.text
    assert [row[0].replace("\xa0", " ") for row in shown.tables[0][1:]] == ["accuracy ↑", "plain", "text"]


LINES = {
    "hostile": ("".join(NAMES), [1.0, 2.0]),
    "quotes": ("a\"b' %% x --> y\n  line [1, 2] end", [-1.5, 0.0, 1e-7, 1e14]),
    "tiny": ("loss", [1e-12, 3e-13, -2e-12]),
}


@pytest.mark.parametrize("kind", LINES)
def test_mermaid_draws_the_curves_of_any_names_and_numbers(kind: str) -> None:
    name, values = LINES[kind]

    drawn = xychart.block(name, x=name, span=(0, 10**9), y=name, lines=[values, values])

    assert drawn
    svg = renderers.mermaid(drawn.removeprefix("```mermaid\n").removesuffix("```"))
    assert [f'stroke="{colour}"' in svg for colour in canvas.COLOURS[:3]] == [True, True, False]
    assert xychart.words(name, 80).split()[0] in re.sub(r"<[^>]+>", " ", svg)


@pytest.mark.parametrize("kind", ["findings", "progress"])
def test_the_diagrams_that_github_finds_in_a_text_are_those_that_mermaid_draws(kind: str) -> None:
    (diagram,) = renderers.github(TEXTS[kind](NAMES[0])).diagrams

    assert "<path" in renderers.mermaid(diagram)


def test_what_mermaid_cannot_read_is_not_drawn() -> None:
    for values in ([math.nan, 1.0], [math.inf, 1.0], [1e15, 1.0], [1.0], [], [1e-300, 2e-300]):
        assert xychart.block("x", x="x", span=(0, 1), y="x", lines=[values]) is None
    assert xychart.block("x", x="x", span=(0, 1), y="x", lines=[]) is None
