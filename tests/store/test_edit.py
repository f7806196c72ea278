from __future__ import annotations

import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from mlgit.core.run import Run
from mlgit.errors import NotFoundError, UsageError
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.public.api import Api
from mlgit.store import edit, result, runs
from mlgit.tracking import session


def recorded(**about: object) -> Run:
    run = session.init(name="first", config={"lr": 0.1}, **about)
    run.log({"loss": 0.5})
    run.finish()
    return query.runs(run._journal.repo)[0]


def test_an_edit_is_one_more_result_on_the_run_s_branch(inside: Repo):
    before = recorded(notes="as it was")

    after = edit.edit(
        inside, before, lambda run: replace(run, tags=("good",), notes="better", params={**run.params, "lr": 0.2})
    )

    (read,) = query.runs(inside)
    assert read == after
    assert (read.tags, read.notes, read.params, read.metrics) == (("good",), "better", {"lr": 0.2}, {"loss": 0.5})
    assert inside.git("rev-parse", f"{read.commit}^").strip() == before.commit
    assert runs.provenance(inside, read)["tags"] == ["good"]
    assert runs.provenance(inside, read)["command"] == runs.provenance(inside, before)["command"]
    assert runs.history(inside, read) == runs.history(inside, before)
    assert inside.git("diff", "--name-only", before.commit, read.commit).split() == [
        "experiment/params.yaml", "experiment/run.yaml",
    ]  # fmt: skip


def test_an_edit_that_changes_nothing_makes_no_commit(inside: Repo):
    before = recorded()

    assert edit.edit(inside, before, lambda run: run) == before


def test_edits_at_the_same_moment_all_count(inside: Repo):
    before = recorded()

    def tag(word: str) -> None:
        edit.edit(inside, before, lambda run: replace(run, tags=(*run.tags, word)))

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(tag, "abcde"))

    assert sorted(query.runs(inside)[0].tags) == list("abcde")


def test_many_runs_are_edited_at_once_wherever_they_are(inside: Repo, mlgit: Callable[..., object]):
    ended = [recorded() for _ in range(3)]
    mlgit("archive", ended[0].id)
    remote = ended[1]
    inside.git("update-ref", f"refs/remotes/origin/{remote.branch}", remote.commit)
    inside.git("branch", "-D", remote.branch)
    active = session.init(name="alive")

    done = edit.edit_all(inside, query.runs(inside), lambda run: replace(run, tags=("good",)), why="tag +good")
    active.finish()

    found = query.runs(inside)
    assert [run.tags for run in found] == [("good",)] * 4
    assert {run.id for run in done} == {run.id for run in found}
    assert not inside.git("fsck", "--no-dangling")
    assert inside.git("log", "-1", "--format=%P %b", ended[2].branch).startswith(f"{ended[2].commit} tag +good\n")


def test_edits_of_many_runs_at_the_same_moment_all_count(inside: Repo):
    before = [recorded() for _ in range(4)]

    def tag(word: str) -> None:
        edit.edit_all(inside, before, lambda run: replace(run, tags=(*run.tags, word)))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(tag, "abc"))

    assert [sorted(run.tags) for run in query.runs(inside)] == [list("abc")] * 4


@pytest.mark.parametrize("count", [1, 2])
def test_the_work_tree_of_a_branch_that_is_checked_out_follows_its_edits(inside: Repo, count: int):
    ended = [recorded() for _ in range(count)]
    inside.git("switch", "-q", ended[0].branch)
    (inside.folder / "mine").write_text("untracked")
    metrics = inside.folder / "experiment" / "metrics.yaml"
    metrics.write_text("loss: 0.1\n")

    edit.edit_all(inside, ended, lambda run: replace(run, tags=("good",)))
    edit.edit_all(inside, query.runs(inside), lambda run: replace(run, metrics={"loss": 0.2}))

    assert "tags: [good]" in (inside.folder / "experiment" / "run.yaml").read_text()
    assert metrics.read_text() == "loss: 0.1\n", "what is in no commit stays"
    assert (inside.folder / "mine").exists()


def test_a_run_that_has_gone_is_named_where_many_are_edited(inside: Repo):
    before = [recorded() for _ in range(3)]
    inside.git("branch", "-D", before[1].branch)

    with pytest.raises(NotFoundError, match="no branch any more"):
        edit.edit_all(inside, before, lambda run: replace(run, notes="x"))


def test_tags_that_a_script_sets_stand_beside_those_put_on_its_run_from_outside(inside: Repo):
    with session.init(name="alive", tags=["begun", "todo"]) as active:
        (known,) = query.runs(inside)
        edit.edit(inside, known, lambda run: replace(run, tags=("begun", "outside")))
        active.tags += ("first",)
        active.tags = [tag for tag in active.tags if tag != "begun"] + ["second"]
        assert query.runs(inside)[0].tags == ("first", "outside", "second")

    assert query.runs(inside)[0].tags == ("first", "outside", "second")


def test_a_run_that_is_under_way_is_edited_in_its_live_folder(inside: Repo):
    active = session.init(name="first", config={"lr": 0.1})
    (before,) = query.runs(inside)

    edit.edit(
        inside, before,
        lambda run: replace(run, tags=("t",), params={**run.params, "depth": 3}, metrics={**run.metrics, "best": 1.5}),
    )  # fmt: skip
    active.finish()

    (after,) = query.runs(inside)
    assert (after.tags, after.params, after.metrics) == (("t",), {"lr": 0.1, "depth": 3}, {"best": 1.5})


def test_a_metric_that_is_taken_away_from_a_run_under_way_is_gone(inside: Repo):
    active = session.init(name="first")
    active.log({"a": 1, "b": 2})
    seen = Api().run(active.id)
    del seen.summary["a"]
    seen.summary.update()
    active.finish()

    assert query.runs(inside)[0].metrics == {"b": 2}


def test_a_run_known_from_a_remote_gets_a_local_branch(inside: Repo):
    before = recorded()
    branch = before.branch
    inside.git("update-ref", f"refs/remotes/origin/{branch}", before.commit)
    inside.git("branch", "-D", branch)
    (seen,) = query.runs(inside)
    assert seen.ref.startswith("refs/remotes/")

    edit.edit(inside, seen, lambda run: replace(run, notes="mine"))

    (after,) = query.runs(inside)
    assert (after.ref, after.notes) == (f"refs/heads/{branch}", "mine")


def test_tokens_do_not_get_into_git_by_an_edit(inside: Repo):
    before = recorded()
    token = "ghp_" + "a1B2" * 9

    edit.edit(inside, before, lambda run: replace(run, notes=f"see {token}"), why=f"noted {token}")

    said = subprocess.run(["git", "log", "-p", before.branch], capture_output=True, text=True, cwd=inside.folder).stdout
    assert "see ***" in said
    assert token not in said


def test_what_a_run_is_cannot_be_edited(inside: Repo):
    before = recorded()

    with pytest.raises(UsageError, match="id of a run"):
        edit.edit(inside, before, lambda run: replace(run, id="other"))
    with pytest.raises(UsageError, match="has a name"):
        edit.edit(inside, before, lambda run: replace(run, name=" "))
    inside.git("branch", "-D", before.branch)
    with pytest.raises(NotFoundError):
        edit.edit(inside, before, lambda run: replace(run, notes="x"))


@pytest.mark.parametrize("resumed", [False, True])
def test_an_edit_at_the_very_moment_of_the_end_is_part_of_the_run(
    inside: Repo, monkeypatch: pytest.MonkeyPatch, resumed: bool
):
    if resumed:
        with session.init(id="abc", name="first"):
            pass
    active = session.init(id="abc", name="first", resume="allow")
    (before,) = [run for run in query.runs(inside) if not run.commit]
    commit = result.commit

    def edited(*args: Any) -> Run:
        monkeypatch.setattr(result, "commit", commit)  # the run is read, and not yet recorded
        edit.edit(inside, before, lambda run: replace(run, tags=("late",), metrics={"best": 1}))
        return commit(*args)

    monkeypatch.setattr(result, "commit", edited)
    active.finish()

    (after,) = query.runs(inside)
    assert (after.tags, after.metrics) == (("late",), {"best": 1})
    assert not list((inside.own / "live").iterdir())
