"""`tag`, `note`, `rename`, `group`: edits of runs, each a commit that says who and what, each undone by a command."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlgit.core.run import Run
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.tracking import session
from tests.conftest import make_repo

Mlgit = Callable[..., Any]
Terminal = Callable[..., tuple[int, str]]


def recorded(name: str, **about: Any) -> Run:
    with session.init(project="p", name=name, **about) as run:
        run.log({"loss": 0.5})
    return next(found for found in query.runs(run._journal.repo) if found.id == run.id)


def now(repo: Repo, run: Run) -> Run:
    found = query.of_id(repo, run.id)
    assert found
    return found


def undo(mlgit: Mlgit, said: str) -> None:
    for line in re.findall(r"^undo: mlgit ((?:.|\n)+?)(?=\nundo:|\Z)", said, re.MULTILINE):
        mlgit(*shlex.split(line))


def test_tags_are_put_on_several_runs_and_taken_off(inside: Repo, mlgit: Mlgit):
    one, two = recorded("one", tags=["todo", "old"]), recorded("two", tags=["new"])

    done = mlgit("tag", "one", two.id, "+new", "-todo", "+good")

    assert now(inside, one).tags == ("old", "new", "good")
    assert now(inside, two).tags == ("new", "good")
    assert f"{one.branch[len('exp/p/') :]}: +new +good -todo  (now old, new, good)" in done.stdout
    assert "Ada: tag +new +good -todo" in inside.git("log", "-1", "--format=%an: %b", one.branch)
    undo(mlgit, done.stderr)
    assert set(now(inside, one).tags) == {"todo", "old"}
    assert now(inside, two).tags == ("new",)


def test_tags_go_onto_all_runs_of_which_a_condition_holds(inside: Repo, mlgit: Mlgit):
    one, two = recorded("one", config={"lr": 1}), recorded("two", config={"lr": 2})

    mlgit("tag", "--where", "lr > 1", "+fast")
    refused = mlgit("tag", "--where", "lr > 2", "+fast", check=False)

    assert (now(inside, one).tags, now(inside, two).tags) == ((), ("fast",))
    assert (refused.returncode, "No run fits" in refused.stderr) == (2, True)


def test_tags_like_options_can_be_taken_off_and_come_back(inside: Repo, mlgit: Mlgit):
    run = recorded("one", tags=["-h", "h", "a b"])

    done = mlgit("tag", "one", "--", "-h", "--h", "-a b")

    assert now(inside, run).tags == ()
    undo(mlgit, done.stderr)
    undo(mlgit, mlgit("tag", "one", "--clear").stderr)
    assert set(now(inside, run).tags) == {"-h", "h", "a b"}


def test_the_tags_of_a_project_and_of_runs_are_listed(inside: Repo, mlgit: Mlgit):
    recorded("one", tags=["a", "b"]), recorded("two", tags=["b"])

    assert mlgit("tag").stdout.splitlines() == ["tag\truns", "b\t2", "a\t1"]
    assert json.loads(mlgit("tag", "--json").stdout) == [{"tag": "b", "runs": 2}, {"tag": "a", "runs": 1}]
    assert mlgit("tag", "one").stdout.endswith("\ta, b\n")


def test_a_word_that_is_no_run_may_have_been_meant_as_a_tag(inside: Repo, mlgit: Mlgit):
    recorded("one")

    for words in (("one", "baseline"), ("", "+x"), ("one", "+ "), ("+x",)):
        refused = mlgit("tag", *words, check=False)
        assert refused.returncode in (1, 2), words
        assert "To fix:" in refused.stderr
    assert "mlgit tag RUN +baseline" in mlgit("tag", "one", "baseline", check=False).stderr
    assert "mlgit tag RUN" not in mlgit("tag", "two", "+baseline", check=False).stderr


def test_what_would_be_changed_is_said_before_it_is(inside: Repo, mlgit: Mlgit):
    run = recorded("one", tags=["a"])

    said = mlgit("tag", "one", "+b", "--dry-run")
    (told,) = json.loads(mlgit("tag", "one", "+b", "--dry-run", "--json").stdout)

    assert "would be: +b  (now a, b)" in said.stdout
    assert (told["id"], told["before"], told["after"]) == (run.id, ["a"], ["a", "b"])
    assert now(inside, run) == run
    assert "undo" not in said.stderr


def test_a_run_that_is_under_way_takes_tags_and_keeps_them(inside: Repo, mlgit: Mlgit):
    with session.init(project="p", name="one") as run:
        done = mlgit("tag", "one", "+live")

    assert done.stderr == f"undo: mlgit tag {run.id} -live\n"
    assert query.runs(inside)[0].tags == ("live",)


def test_what_a_run_has_already_is_no_edit(inside: Repo, mlgit: Mlgit):
    run = recorded("one", tags=["a"])

    done = mlgit("tag", "one", "+a", "-b")

    assert done.stdout.endswith(": nothing to change\n")
    assert done.stderr == ""
    assert now(inside, run).commit == run.commit


def test_tags_are_completed(inside: Repo, mlgit: Mlgit):
    recorded("one", tags=["baseline", "best"])
    env = os.environ | {"_MLGIT_COMPLETE": "fish_complete", "COMP_WORDS": "mlgit tag one", "COMP_CWORD": "+ba"}

    assert mlgit(env=env).stdout == "plain,+baseline\n"


def test_runs_are_filed_under_a_group_and_come_back_to_theirs(inside: Repo, mlgit: Mlgit):
    one, two = recorded("one", group="g"), recorded("two")

    done = mlgit("group", "one", "two", "h")

    assert (now(inside, one).group, now(inside, two).group) == ("h", "h")
    undo(mlgit, done.stderr)
    assert (now(inside, one).group, now(inside, two).group) == ("g", None)
    undo(mlgit, mlgit("group", "--clear", "one").stderr)
    assert now(inside, one).group == "g"
    assert mlgit("group", "one", check=False).returncode == 2
    mlgit("group", "one", "--", "-g")
    undo(mlgit, mlgit("group", "one", "h").stderr)
    assert now(inside, one).group == "-g"


def test_a_run_is_renamed_and_found_by_both(inside: Repo, mlgit: Mlgit):
    run = recorded("one")

    done = mlgit("rename", "one", "ResNet, größer")

    assert now(inside, run).name == "ResNet, größer"
    assert now(inside, run).branch == f"exp/p/resnet-groer-{run.id[:6]}"
    assert json.loads(mlgit("show", "ResNet, größer", "--json").stdout)["id"] == run.id
    undo(mlgit, done.stderr)
    assert (now(inside, run).name, now(inside, run).branch) == ("one", run.branch)
    mlgit("rename", "one", "--", "--json")
    undo(mlgit, mlgit("rename", run.id, "two").stderr)
    assert now(inside, run).name == "--json"
    mlgit("rename", run.id, "one")
    assert mlgit("rename", "one", " ", check=False).returncode == 2
    assert mlgit("rename", "one", "two", "--dry-run").stdout.endswith("would be: 'one' is now 'two'\n")
    assert list(inside.refs("refs/heads/exp/")) == [run.ref]


@pytest.mark.parametrize("known", ["remote", "pushed", "worktree", "archive"])
def test_a_branch_that_others_know_stays_where_a_run_is_renamed(inside: Repo, mlgit: Mlgit, known: str, tmp_path: Path):
    run = recorded("one")
    if known == "remote":
        inside.git("update-ref", f"refs/remotes/origin/{run.branch}", run.commit)
    elif known == "pushed":
        make_repo(tmp_path / "far", commit=False, bare=True)
        mlgit("push", "--to", str(tmp_path / "far"))
    elif known == "worktree":
        inside.git("worktree", "add", "-q", str(tmp_path / "out"), run.branch)
    else:
        mlgit("archive", "one")

    said = mlgit("rename", "one", "two").stderr

    assert (now(inside, run).name, now(inside, run).branch) == ("two", run.branch)
    assert f"its branch stays {run.branch}" in said


def test_a_renamed_run_takes_no_branch_from_a_namesake(inside: Repo, mlgit: Mlgit):
    one, other = recorded("one", id="samesame"), recorded("two", id="samesam3")

    mlgit("rename", one.id, "two")

    assert now(inside, one).branch == "exp/p/two-samesame"
    assert now(inside, other).branch == other.branch == "exp/p/two-samesa"


def test_a_note_is_written_gone_on_with_read_and_taken_away(inside: Repo, mlgit: Mlgit, python: Mlgit):
    run = recorded("one")

    mlgit("note", "one", "-m", "- it diverges")
    done = python("-m", "mlgit", "note", "one", "-a", "-", input="* warm-up\n  helps\n")

    assert now(inside, run).notes == "- it diverges\n\n* warm-up\n  helps"
    assert mlgit("note", "one").stdout == "- it diverges\n\n* warm-up\n  helps\n"
    undo(mlgit, done.stderr)
    assert json.loads(mlgit("note", "one", "--json").stdout)["notes"] == "- it diverges"
    mlgit("note", "one", "--clear")
    assert mlgit("note", "one").stdout == ""
    assert mlgit("note", "one", "--message", "text", "--clear", check=False).returncode == 2


def test_one_note_goes_onto_several_runs(inside: Repo, mlgit: Mlgit):
    runs = recorded("one", notes="first"), recorded("two")

    done = mlgit("note", "one", "two", "--append", "-m", "the disk was full")

    assert [now(inside, run).notes for run in runs] == ["first\n\nthe disk was full", "the disk was full"]
    undo(mlgit, done.stderr)
    assert [now(inside, run).notes for run in runs] == ["first", None]
    mlgit("note", "--where", "name = two", "-m", "other")
    mlgit("note", "one", "two", "--clear")
    assert [now(inside, run).notes for run in runs] == [None, None]
    for words in (("one", "two", "text"), ("--where", "name = two", "text")):
        assert "--message TEXT" in mlgit("note", *words, check=False).stderr


@pytest.mark.parametrize(
    ("script", "kept"), [("printf 'better' >", "better"), ("true", "first"), ("printf '' >", None), ("false", "first")]
)
def test_a_note_is_written_in_gits_own_editor(
    inside: Repo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, terminal: Terminal, script: str, kept: str | None
):
    run = recorded("one", notes="first")
    editor = tmp_path / "editor"
    editor.write_text(f'#!/bin/sh\ngrep -qx first "$1" || exit 9\n{script} "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("GIT_EDITOR", str(editor))

    code, _ = terminal("note", "one")

    assert now(inside, run).notes == kept
    assert (code == 0) == (script != "false")
