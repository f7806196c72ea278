import math
from collections.abc import Callable
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from mlgit.core.compare import Goal
from mlgit.core.run import Run, State
from mlgit.core.verdict import Outcome, Verdict
from mlgit.report.render import MOST_CHARACTERS, NoEvidence, render, render_missing
from mlgit.report.view import Chart, Compared, build

HOSTILE = (
    "a|b `c` @team #1 <script>alert(1)</script> --> \n\n# h\n``` [x](javascript:1) ![i](http://evil.example/x.png) "
    "$\\frac{$ " + "x" * 500
)

BASE = Run(
    id="base0001", name="noble-river-3", project="digits", state=State.FINISHED, created=1_700_000_000.0,
    finished=1_700_000_042.0, source="b" * 40, tree="c" * 40, ref="refs/heads/exp/digits/noble-river-3-base00",
    commit="d" * 40, params={"lr": 0.01, "net": {"width": 64}, "epochs": 10}, data={"data/train": "a" * 32},
    metrics={"accuracy": 0.969, "loss": 0.12, "f1": 0.9, "epoch": 10, "_runtime": 42.0},
)  # fmt: skip
HEAD = Run(
    id="head0001", name="radiant-glade-12", project="digits", state=State.FINISHED, created=1_700_001_000.0,
    finished=1_700_001_200.0, source="1" * 40, tree="2" * 40, dirty=True, sweep="lr-search",
    ref="refs/heads/exp/digits/radiant-glade-12-head00", commit="3" * 40,
    params={"lr": 0.0001, "net": {"width": 64}, "epochs": 10, "dropout": 0.5}, data={"data/train": "b" * 32},
    metrics={"accuracy": 0.981, "loss": 0.15, "epoch": 10, "grad_norm": math.nan, "_runtime": 200.0},
)  # fmt: skip
GOALS = {"accuracy": Goal.MAXIMIZE}
CHARTS = (
    Chart(title="Learning curves", link="../../assets/ab/abc.png"),
    Chart(title="Sweep", link="../../assets/x.png"),
)
VERDICTS = (
    Verdict(gate="accuracy ≥ 0.95", outcome=Outcome.PASSED, observed="0.981", where="registry/policy.yaml:7"),
    Verdict(
        gate="not worse than production",
        outcome=Outcome.FAILED,
        observed="0.981 (v1.0.0: 0.99)",
        where="registry/policy.yaml:9",
    ),
)


def about(**changes: object) -> Compared:
    sibling = replace(HEAD, id="s2", name="calm-sea-4", metrics={"accuracy": 0.99})
    lost = replace(HEAD, id="s3", name="lost-sun-5", metrics={}, state=State.CRASHED)
    given = {
        "head": HEAD, "base": BASE, "beside": "main", "goals": GOALS, "siblings": (HEAD, sibling, lost),
        "command": ("python", "train.py", "--note", "it's fine"), "has_origin": True,
    }  # fmt: skip
    return Compared(**(given | changes))


def parsed(text: str) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(text)


def tables(text: str) -> list[list[list[str]]]:
    """Every table of a document: rows of cells, as they show."""
    found: list[list[list[str]]] = []
    tokens = parsed(text)
    for place, token in enumerate(tokens):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type in ("td_open", "th_open"):
            children = tokens[place + 1].children or []
            found[-1][-1].append("".join(child.content for child in children))
    return found


def flat(text: str) -> list[Token]:
    """Every token, those inside lines too."""
    return [inner for token in parsed(text) for inner in (token, *(token.children or ()))]


def test_a_report_reads_as_agreed(golden: Callable[[str, str], None]) -> None:
    text = render(build(about(), verdicts=VERDICTS, charts=CHARTS))

    golden(text, "report/comment.md")


def test_its_tables_parse_and_say_better_and_worse_in_words() -> None:
    metrics, gates, params, data, runs = tables(render(build(about(), verdicts=VERDICTS, charts=CHARTS)))

    assert metrics == [
        ["metric", "main: noble-river-3", "this change: radiant-glade-12", "Δ", ""],
        ["accuracy\u00a0↑", "0.969", "0.981", "+0.012\u00a0(+1.2%)", "✔\u00a0better"],
        ["epoch", "10", "10", "0", "same"],
        ["f1\u00a0↑", "0.9", "—", "", "gone"],
        ["grad_norm", "—", "nan", "", "new"],
        ["loss\u00a0↓", "0.12", "0.15", "+0.03\u00a0(+25%)", "✘\u00a0worse"],
    ]
    assert [row[2] for row in gates] == ["", "✔ passed", "✘ refused"]
    assert params == [["param", "main", "this change"], ["dropout", "—", "0.5"], ["lr", "0.01", "0.0001"]]
    assert data[1] == ["data/train", "a" * 12, "b" * 12]
    assert [row[0] for row in runs] == ["run", "radiant-glade-12", "noble-river-3"]


def test_the_first_sentence_is_the_verdict() -> None:
    text = render(build(about()))

    heading = next(token for token in parsed(text) if token.type == "inline")
    shown = "".join(child.content for child in heading.children or ())
    assert shown == "accuracy 0.981, +0.012 better than main's noble-river-3."


def test_without_a_base_head_stands_alone_and_it_says_why(golden: Callable[[str, str], None]) -> None:
    text = render(build(about(base=None, alone="no run speaks for main or for any of its ancestors.", siblings=())))

    golden(text, "report/alone.md")
    assert tables(text)[0][0] == ["metric", "radiant-glade-12"]
    assert "better" not in text


def test_a_far_base_and_a_crashed_head_are_said_loudly() -> None:
    text = render(build(about(head=replace(HEAD, state=State.CRASHED), distance=3)))

    assert "> [!WARNING]\n> **The run crashed" in text
    assert "lies 3 commits before main" in text
    assert text.startswith("### crashed: accuracy")


def test_a_change_without_evidence_is_told_how_to_make_some(golden: Callable[[str, str], None]) -> None:
    missing = NoEvidence(commit="f" * 40, branch="feature/x y", beside="main", base=BASE, stale=2, has_origin=True)

    golden(render_missing(missing), "report/missing.md")


def test_hostile_names_stay_words() -> None:
    hostile = replace(
        HEAD, name=HOSTILE, params={HOSTILE: HOSTILE}, metrics={HOSTILE: 1.0, "word": HOSTILE}, data={HOSTILE: HOSTILE},
        sweep=HOSTILE, ref=f"refs/heads/{HOSTILE}", commit=HOSTILE, source=HOSTILE,
    )  # fmt: skip
    verdict = Verdict(gate=HOSTILE, outcome=Outcome.FAILED, observed=HOSTILE, where=HOSTILE)
    view = build(
        about(head=hostile, base=replace(hostile, params={}, metrics={}, data={}), beside=HOSTILE, command=(HOSTILE,),
              siblings=(hostile, HEAD)),
        verdicts=(verdict,), charts=(Chart(title=HOSTILE, link="javascript:x) <b>"),),
    )  # fmt: skip

    text = render(view)

    tokens = flat(text)
    assert [token.content for token in tokens if token.type == "html_inline"] == []
    html = "".join(token.content for token in tokens if token.type == "html_block")
    assert set(html.replace(" open", "").split("\n")) <= {
        "<details>", "</details>", "", "<summary>1 param changed</summary>", "<summary>1 data set changed</summary>",
        "<summary>Where this comes from, and how to run it again</summary>",
    }  # fmt: skip
    assert [token for token in tokens if token.type in ("link_open", "heading_open") and token.markup != "###"] == []
    assert len([token for token in tokens if token.type == "image"]) <= 1
    assert all(len({len(row) for row in table}) == 1 for table in tables(text))
    words = "".join(token.content for token in tokens if token.type == "text")
    assert "@team" not in words
    assert "#1" not in words
    outside_code = [line for line in text.split("```sh")[0].splitlines() if "`" not in line]
    assert not any("<script" in line or "@team" in line or "-->" in line for line in outside_code)


def test_a_giant_report_loses_rows_and_says_how_many() -> None:
    many = {f"metric/{n:05}-{'@#' * 30}": float(n) for n in range(5000)}
    head = replace(HEAD, metrics=many, params={f"p{n}": n for n in range(5000)})

    text = render(build(about(head=head)))

    assert len(text) <= MOST_CHARACTERS
    assert "… and " in text
    found = tables(text)
    assert found[0][-1][0].startswith("… and 49")
    assert [len({len(row) for row in table}) for table in found] == [1] * len(found)
    assert text.count("<details") == text.count("</details>")


def test_everything_at_its_worst_still_fits() -> None:
    worst = "@#" * 2000
    big = {f"{worst}{n}": worst for n in range(300)}
    head = replace(HEAD, name=worst, metrics=big, params=big, data=big)
    verdicts = [Verdict(gate=worst, outcome=Outcome.FAILED, observed=worst, where=worst)] * 300

    text = render(build(about(head=head, base=replace(head, metrics={}, params={}, data={})), verdicts=verdicts))

    assert len(text) <= MOST_CHARACTERS
    assert text.count("<details") == text.count("</details>")


@pytest.mark.parametrize("most", [65_000, 4000])
def test_the_bound_holds(most: int) -> None:
    head = replace(HEAD, metrics={f"m{n}": n for n in range(3000)})

    assert len(render(build(about(head=head)), most=most)) <= most
