"""The page on the first experiment on GitHub, word by word, its jobs by the commands that the workflow calls."""

from __future__ import annotations

import re
from pathlib import Path

from tests import github, played
from tests.conftest import need

PAGE = Path(__file__).parent.parent.parent / "docs/first-experiment.md"


def test_the_page_leads_from_an_empty_repository_to_a_report_and_a_search(tmp_path: Path):
    need("github", github.is_here())
    said: list[list[str]] = []
    asked: list[str] = []
    with played.stage(tmp_path) as stage:
        for event in stage.play(PAGE):
            asked += [one["body"] for one in stage.there.comments.values() if one["of"] == 2 and not said[1:]]
            played.act_out(stage, event)
            said.append([one["body"] for one in stage.there.comments.values() if one["of"] == 2])
        shown = {one.command: one.text for one in stage.shown}

        assert {pull["state"] for pull in stage.there.pulls.values() if pull["number"] != 2} == {"closed"}
    assert "ada on " in shown["mlgit login"]
    assert "✗" not in shown["mlgit ci check"]
    assert "That commit asks CI for it" in asked[0]
    (report,), (_, sweep) = said[1:]
    assert "### accuracy 0.815, \\+0.15 better than main's " in report
    assert "| lr | 0.0005 | **0.005** |" in report
    assert "### lr: loss 0.3894 after 8 trials" in sweep
    assert "![Each trial's params" in sweep
    assert re.search(r"trial +lr-4\n", shown["mlgit sweep best"])
    assert "Take the params of lr-4: momentum 0.9" in shown["git log --oneline -5"]
    assert "main is up to date" in " ".join(shown["git switch main"].split()).replace("Your branch", "main")
