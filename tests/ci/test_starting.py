"""What starts which workflow, by GitHub's rules; nothing that CI makes starts it again, whoever's token it is."""

from __future__ import annotations

import graphlib
import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from mlgit.ci import workflows
from mlgit.ci.workflows import WORKFLOWS, Options
from mlgit.core import refs
from mlgit.documents import reader
from tests.ci.test_workflows import PARSER
from tests.conftest import need

WORST = Options(watch=("**",), schedule="0 3 * * 1")
RESULT = "cosmic-clover-7: accuracy 0.9\n\nMlgit-Result: {}"
DATA = ("data.csv.dvc", "dvc.lock", "experiment/run.yaml")
MERGED = "Merge pull request #1 from acme/promote/digits/v1.0.0/production\n\nPromote digits v1.0.0 to production"


def push(ref: str, message: str = "change", files: Sequence[str] = DATA) -> dict[str, Any]:
    return {"event_name": "push", "ref": ref, "message": message, "files": files}


RUN = push("refs/heads/exp/digits/cosmic-clover-7-abc123", RESULT)
CHARTS = push("refs/heads/mlgit-assets", files=("a/b.png",))
VERSION = push(refs.version_tag("digits", "v1.0.0"))
STAGE = push(refs.stage_tag("digits", "production", 1))
PROPOSAL = push("refs/heads/promote/digits/v1.0.0/production", "Promote digits", ("registry/digits/production.yaml",))
BACK = push("refs/heads/revert/digits/v1.0.0/production", "Take back", ("registry/digits/production.yaml",))
PULL = {"event_name": "pull_request", "ref": "refs/pull/1/merge", "files": ("registry/digits/production.yaml",)}
ANSWER = {
    "event_name": "issue_comment", "ref": "refs/heads/main", "files": (),
    "issue": {"number": 1, "pull_request": {}},
    "comment": {"body": "@ada #2 does that.", "user": {"type": "Bot"}},
}  # fmt: skip
MAKES = {
    "experiment": (RUN, CHARTS), "retrain": (RUN, CHARTS, VERSION, PROPOSAL, PULL), "report": (CHARTS,),
    "launch": (RUN,), "settle": (STAGE, BACK, PULL), "comments": (VERSION, PROPOSAL, PULL, CHARTS, ANSWER),
}  # fmt: skip
"""What each pushes or opens. Nobody hears of comments and statuses."""


def started(event: Mapping[str, Any]) -> set[str]:
    """The workflows that *event* starts a job of."""
    texts = {name: workflows.rendered([name], WORST)[one.path].body for name, one in WORKFLOWS.items()}
    told = {name: reader.plain(text, source=name) for name, text in texts.items()}
    heard = [name for name, one in told.items() if hears(one["on"], event)]
    ref = event["ref"]
    context = {
        "event_name": event["event_name"], "ref": ref, "ref_name": re.sub("^refs/(heads|tags|pull)/", "", ref),
        "event": {"repository": {"default_branch": "main"}, "head_commit": {"message": event.get("message", "")},
            "issue": event.get("issue", {}), "comment": event.get("comment", {}),
        },
    }  # fmt: skip
    asked = [
        (name, job.get("if", "true")) for name in heard for job in told[name]["jobs"].values() if "needs" not in job
    ]
    return {name for (name, _), is_so in zip(asked, truths([text for _, text in asked], context), strict=True) if is_so}


def hears(on: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Whether the filters of *on* let *event* through, as GitHub describes them for `push` and `pull_request`."""
    if event["event_name"] not in on:
        return False
    rules = on[event["event_name"]] or {}
    kind, _, name = event["ref"].removeprefix("refs/").partition("/")
    if event["event_name"] == "push":
        if kind == "tags":  # where branches are named, tags are not heard unless they are, too
            return "tags" in rules or not {"branches", "branches-ignore"} & {*rules}
        if any(fits(one, name) for one in rules.get("branches-ignore", ())):
            return False
        if "branches" in rules and not any(fits(one, name) for one in rules["branches"]):
            return False
    return "paths" not in rules or any(is_counted(path, rules["paths"]) for path in event["files"])


def is_counted(path: str, patterns: Sequence[str]) -> bool:
    """Whether the last of *patterns* that *path* fits is none that takes it out."""
    fitting = [one for one in patterns if fits(one.removeprefix("!"), path)]
    return bool(fitting) and not fitting[-1].startswith("!")


def fits(pattern: str, name: str) -> bool:
    parts = re.split(r"(\*\*/?|\*)", pattern)
    words = {"**/": "(.*/)?", "**": ".*", "*": "[^/]*"}
    return re.fullmatch("".join(words.get(part, re.escape(part)) for part in parts), name) is not None


def truths(expressions: Sequence[str], github: Mapping[str, Any]) -> list[bool]:
    """What GitHub's own evaluator makes of *expressions*."""
    need("workflow-parser", bool(shutil.which("node")) and (PARSER / "node_modules").is_dir())
    words = ["node", Path(__file__).with_name("evaluate.mjs"), PARSER]
    asked = json.dumps({"expressions": expressions, "github": github})
    return list(json.loads(subprocess.run(words, input=asked, capture_output=True, text=True, check=True).stdout))


@pytest.mark.parametrize(
    ("event", "names"),
    [
        (push("refs/heads/idea", "try\n\nMlgit-Run: lr=0.1", ("train.py",)), {"experiment", "report"}),
        (push("refs/heads/idea", "try", ("train.py",)), {"report"}),
        (push("refs/heads/idea", "data"), {"report"}),
        (push("refs/heads/main", "data"), {"retrain"}),
        (push("refs/heads/main", MERGED, ("registry/digits/production.yaml",)), {"settle"}),
        ({"event_name": "schedule", "ref": "refs/heads/main", "files": ()}, {"retrain", "settle"}),
        (PULL, {"report"}),
    ],
)
def test_people_start_what_they_mean_to(event: dict[str, Any], names: set[str]):
    assert started(event) == names


def test_nothing_that_a_workflow_makes_leads_back_to_it():
    """Even by a token that starts workflows, which a job's own does not."""
    leads = {name: set[str]().union(*(started(event) for event in events)) for name, events in MAKES.items()}

    assert MAKES.keys() == WORKFLOWS.keys()
    assert leads == {
        "experiment": set(), "report": set(), "launch": set(), "retrain": {"report"}, "settle": {"report"},
        "comments": {"report"},
    }  # fmt: skip
    assert [*graphlib.TopologicalSorter(leads).static_order()]  # which raises for a circle
