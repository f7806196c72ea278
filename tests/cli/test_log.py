"""What became of a run's record, as its branch tells it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mlgit.core.run import Run
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.public.api import Api
from mlgit.store import edit, records
from mlgit.tracking import session

Mlgit = Callable[..., Any]


@pytest.fixture
def run(inside: Repo) -> Run:
    with session.init(project="p", name="one", config={"lr": 0.1}, tags=["todo"]) as active:
        active.log({"accuracy": 0.5})
    return query.runs(inside)[0]


def told(mlgit: Mlgit, *words: str) -> list[str]:
    """The last column of `mlgit log`, the oldest first."""
    return [line.split("\t")[3] for line in mlgit("log", *words).stdout.splitlines()[:0:-1]]


def test_every_edit_is_told_by_whom_it_was_and_what_it_changed(inside: Repo, run: Run, mlgit: Mlgit):
    mlgit("tag", "one", "+good", "-todo")
    mlgit("note", "one", "better")
    mlgit("note", "one", "--clear")
    mlgit("group", "one", "g")
    mlgit("rename", "one", "two")
    found = Api().run(run.id)
    found.summary["accuracy"], found.config["depth"] = 0.75, 3
    found.update()

    assert told(mlgit, "two") == [
        "recorded: finished, accuracy 0.5", "tags +good -todo", "note: better", "note taken away", "group — → g",
        "name one → two", "metrics.accuracy 0.5 → 0.75; params.depth — → 3",
    ]  # fmt: skip
    first = json.loads(mlgit("log", "two", "--json").stdout)[-2]
    assert (first["author"], first["email"], first["why"]) == ("Ada", "ada@example.com", "tag +good -todo")
    assert first["changes"] == [{"key": "tags", "before": ["todo"], "after": ["good"]}]
    assert (
        first["commit"]
        == inside.git("rev-list", "--reverse", f"{run.commit}..{query.find(inside, 'two').branch}").split()[0]
    )


def test_the_history_ends_where_the_code_begins(inside: Repo, run: Run, mlgit: Mlgit):
    assert len(json.loads(mlgit("log", "--json").stdout)) == 1
    assert int(inside.git("rev-list", "--count", run.branch)) > 1


def test_a_run_that_went_on_and_its_checkpoints_are_told(inside: Repo, run: Run, mlgit: Mlgit):
    with session.init(id=run.id, resume="must") as active:
        active.log({"accuracy": 0.6})
        mlgit("checkpoint", run.id)
        active.log({"accuracy": 0.7})

    assert [line.partition(":")[0] for line in told(mlgit)] == ["recorded", "checkpoint", "went on"]


def test_a_run_that_has_no_record_yet_says_so(inside: Repo, mlgit: Mlgit):
    with session.init(project="p", name="alive"):
        said = mlgit("log", "alive")
        listed = json.loads(mlgit("log", "alive", "--json").stdout)

    assert "first record" in said.stderr
    assert (said.stdout, listed) == ("", [])


def test_an_archived_run_is_told_as_before(inside: Repo, run: Run, mlgit: Mlgit):
    mlgit("tag", "one", "+old")
    mlgit("archive", "one")
    mlgit("tag", "one", "+older")

    assert told(mlgit, "one")[1:] == ["tags +old", "tags +older"]


def test_what_others_committed_on_the_branch_is_told_too(inside: Repo, run: Run, mlgit: Mlgit):
    tip = inside.commit_on(run.ref, {"a.txt": b""}, "by \x1b[31mhand\n\nmore", expect=run.commit)
    after = edit.edit(inside, run, lambda now: replace(now, metrics={f"m{n}": n for n in range(9)}), why="all anew")

    assert told(mlgit)[1] == "by hand: by hand"
    assert told(mlgit)[2].endswith("; 4 more")
    assert inside.resolve(f"{after.commit}^") == tip


def test_a_record_that_is_too_big_for_a_message_is_told_as_well(inside: Repo, run: Run, mlgit: Mlgit):
    many = {f"metric-{number}": number for number in range(records.MOST_BYTES // 10)}
    edit.edit(inside, run, lambda now: replace(now, metrics=many))
    mlgit("tag", run.id, "+big")

    assert told(mlgit)[2] == "tags +big"
