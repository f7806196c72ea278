"""A plan, for people."""

from __future__ import annotations

from dataclasses import replace

from markdown_it import MarkdownIt

from mlgit.ci import told
from mlgit.ci.matrix import Job, Runner
from mlgit.ci.plan import Plan, Trial

PLAN = Plan(
    commit="c" * 40,
    project="p",
    trials=(
        Trial(number=1, id="a", name="one", params={"lr": 0.1}),
        Trial(number=2, id="b", name="two", params={"opt": "<b>|x"}),
        Trial(number=3, id="c", name="three"),
    ),
    jobs=(Job(runs_on=Runner(("gpu", "big")), trials=(1, 3)), Job(runs_on=Runner(("cpu",)), trials=(2,))),
    later=(4,),
    what="3 trials in 2 jobs",
    notes=("a budget is not kept",),
)


def test_each_trial_has_a_row() -> None:
    assert told.columns(PLAN) == ["trial", "job", "runner", "run", "lr", "opt"]
    assert told.rows(PLAN) == [
        ["1", "0", "gpu, big", "one", "0.1", ""],
        ["2", "1", "cpu", "two", "", "<b>|x"],
        ["3", "0", "gpu, big", "three", "", ""],
    ]


def test_a_summary_is_one_table_whatever_values_say() -> None:
    page = MarkdownIt("commonmark").enable("table").render(told.markdown(PLAN, most=2))

    assert page.count("<table>") == 1
    assert page.count("<tr>") == 3
    assert page.count("<td") == 12
    assert "<b>" not in page
    assert "… and 1 trial more." in page
    assert "1 trial more in a further dispatch." in page
    assert "a budget is not kept" in page


def test_a_summary_of_nothing_is_a_line() -> None:
    nothing = replace(PLAN, trials=(), jobs=(), later=(), notes=(), what="commit ccccccc asks CI for nothing")

    assert told.markdown(nothing) == "### Commit ccccccc asks CI for nothing\n"


def test_a_summary_holds_no_more_than_github_takes() -> None:
    params = {f"p{n}": "x" * 500 for n in range(300)}
    many = replace(PLAN, trials=tuple(replace(PLAN.trials[0], number=1, params=params) for _ in range(500)))

    text = told.markdown(many)

    assert len(text.encode()) < 2**20
    assert "… and 288 params more." in text
