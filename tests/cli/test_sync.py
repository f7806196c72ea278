from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import edit
from tests.conftest import make_repo
from tests.recorded import record

Mlgit = Callable[..., subprocess.CompletedProcess[str]]


def test_runs_made_outside_of_any_repository_move_to_one_by_a_path_as_it_is_seen_from_here(
    tmp_path: Path, mlgit: Mlgit
):
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "far.git")], check=True)
    (tmp_path / "here").mkdir()
    mlgit("run", "--", "true", cwd=tmp_path / "here")

    nowhere = mlgit("sync", cwd=tmp_path / "here", check=False)
    moved = mlgit("sync", "--to", "../far.git", cwd=tmp_path / "here")

    assert nowhere.returncode == 2
    assert "There is no remote 'origin'." in nowhere.stderr
    assert "remote add origin URL, or give a URL or a path in its place" in nowhere.stderr
    assert moved.stdout == f"1 run is pushed to {tmp_path / 'far.git'}\n"


@pytest.fixture
def clones(tmp_path: Path, repo: Repo) -> tuple[Repo, Repo]:
    """Two clones of one remote, the first of which has the run `abcdefgh`."""
    far = make_repo(tmp_path / "far.git", commit=False, bare=True)
    repo.git("remote", "add", "origin", str(far.folder))
    repo.git("push", "-q", "origin", "main")
    subprocess.run(["git", "clone", "-q", str(far.folder), str(tmp_path / "two")], check=True)
    two = Repo.find(tmp_path / "two")
    assert two
    record(repo, "abcdefgh")
    return repo, two


def note(repo: Repo, words: str) -> None:
    edit.edit(repo, query.runs(repo)[0], lambda run: replace(run, notes=words))


def test_runs_are_pushed_and_pulled(clones: tuple[Repo, Repo], mlgit: Mlgit):
    one, two = clones
    tried = mlgit("push", "--dry-run", cwd=one.folder)
    pushed = mlgit("push", "abcdefgh", cwd=one.folder)
    pulled = mlgit("pull", cwd=two.folder)
    again = mlgit("pull", cwd=two.folder)

    assert tried.stdout == "1 run would be pushed to origin\n  exp/p/n-abcdef\n"
    assert pushed.stdout == "1 run is pushed to origin\n"
    assert pulled.stdout == "1 run is pulled from origin\n"
    assert again.stdout == "Nothing to pull.\n"
    assert [run.ref for run in query.runs(two)] == ["refs/heads/exp/p/n-abcdef"]


@pytest.mark.parametrize("called", ["exp/p/other-one-zzzzzz", "other-one-zzzzzz", "other one"])
def test_one_run_that_only_the_remote_has_is_pulled(clones: tuple[Repo, Repo], mlgit: Mlgit, called: str):
    one, two = clones
    record(one, "zzzzzzzz", name="other one")
    mlgit("sync", cwd=one.folder)
    mlgit("pull", called, cwd=two.folder)

    assert [run.id for run in query.runs(two) if run.ref.startswith("refs/heads/")] == ["zzzzzzzz"]


def test_a_run_that_the_remote_has_not_or_twice_is_not_guessed(clones: tuple[Repo, Repo], mlgit: Mlgit):
    one, two = clones
    record(one, "zzzzzzzz")
    mlgit("sync", cwd=one.folder)

    none, several = (mlgit("pull", name, cwd=two.folder, check=False) for name in ("nobody", "n"))

    assert "no run 'nobody', neither here nor on a branch of origin" in none.stderr
    assert "'n' names 2 runs there: exp/p/n-abcdef, exp/p/n-zzzzzz." in several.stderr


@pytest.mark.parametrize("words", [("pull", "exp/p/typo-abcdef"), ("push", "exp/p/typo-abcdef"), ("push", "abcdefgh")])
def test_a_run_that_has_no_branch_on_either_side_is_named(
    clones: tuple[Repo, Repo], mlgit: Mlgit, words: tuple[str, ...]
):
    one, _ = clones
    mlgit("archive", "abcdefgh", cwd=one.folder)

    done = mlgit(*words, cwd=one.folder, check=False)

    assert done.returncode == 1
    assert "has no branch, neither here nor on origin" in done.stderr


def test_no_remote_is_not_this_folder(clones: tuple[Repo, Repo], mlgit: Mlgit):
    assert "'' is no address" in mlgit("push", "--to", "", cwd=clones[0].folder, check=False).stderr


def test_a_clash_tells_both_values_and_how_to_choose(clones: tuple[Repo, Repo], mlgit: Mlgit):
    one, two = clones
    mlgit("sync", cwd=one.folder)
    mlgit("sync", cwd=two.folder)
    note(one, "good")
    note(two, "bad\x1b[31m")
    record(two, "zzzzzzzz")
    mlgit("sync", cwd=one.folder)
    refused = mlgit("sync", cwd=two.folder, check=False)
    told = json.loads(mlgit("sync", "--json", cwd=two.folder, check=False).stdout)
    chosen = mlgit("sync", "--ours", "exp/p/n-abcdef", cwd=two.folder)
    mlgit("sync", cwd=one.folder)

    assert refused.returncode == 1
    assert refused.stdout == "1 run is pushed to origin\n"
    assert "exp/p/n-abcdef: notes: 'bad" in refused.stderr
    assert "here, 'good' there\nTo fix: mlgit sync --ours exp/p/n-abcdef to keep what is here" in refused.stderr
    assert "\x1b" not in refused.stderr
    assert told["clashes"]["refs/heads/exp/p/n-abcdef"][0]["theirs"] == "good"
    assert "with both edits now: exp/p/n-abcdef" in chosen.stderr
    assert next(run.notes for run in query.runs(one) if run.id == "abcdefgh") == "bad\x1b[31m"


def test_what_was_done_is_told_also_where_the_remote_refuses_the_rest(clones: tuple[Repo, Repo], mlgit: Mlgit):
    one, two = clones
    mlgit("sync", cwd=one.folder)
    record(two, "zzzzzzzz")
    hook = two.folder.parent / "far.git" / "hooks" / "update"
    hook.write_text("#!/bin/sh\necho not today >&2\nexit 1\n")
    hook.chmod(0o755)
    refused = mlgit("sync", "--json", cwd=two.folder, check=False)
    again = mlgit("sync", cwd=two.folder, check=False)
    record(one, "yyyyyyyy")
    hook.unlink()
    mlgit("sync", cwd=one.folder)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    third = mlgit("sync", cwd=two.folder, check=False)

    told = json.loads(refused.stdout)
    assert (told["pulled"], told["pushed"]) == (["refs/heads/exp/p/n-abcdef"], [])
    assert "origin refused exp/p/n-zzzzzz" in told["error"]
    assert "not today" in told["error"]
    assert [done.returncode for done in (refused, again, third)] == [1, 1, 1]
    assert again.stdout == ""
    assert "not today" in again.stderr
    assert third.stdout == "1 run is pulled from origin\n"
    assert json.loads(mlgit("sync", "--json", "--to", str(one.folder), cwd=two.folder).stdout)["error"] is None


def test_a_run_that_was_deleted_there_is_told(clones: tuple[Repo, Repo], mlgit: Mlgit):
    one, _ = clones
    mlgit("sync", cwd=one.folder)
    one.git("push", "-q", "origin", ":exp/p/n-abcdef")
    told = mlgit("sync", cwd=one.folder)
    sent = mlgit("push", "abcdefgh", cwd=one.folder)

    assert "deleted on origin, and still here: exp/p/n-abcdef" in told.stderr
    assert sent.stdout == "1 run is pushed to origin\n"


def test_what_is_hidden_is_said_to_be_so_on_either_side(clones: tuple[Repo, Repo], mlgit: Mlgit):
    one, two = clones
    mlgit("sync", cwd=one.folder)
    mlgit("sync", cwd=two.folder)
    mlgit("rm", "abcdefgh", cwd=one.folder)

    assert mlgit("sync", cwd=one.folder).stdout == "1 run is hidden on origin\n"
    assert mlgit("sync", cwd=two.folder).stdout == "1 run is hidden here\n"
    assert query.runs(two) == []


def test_a_branch_that_is_checked_out_is_told(clones: tuple[Repo, Repo], mlgit: Mlgit):
    one, two = clones
    for repo in (one, two):
        mlgit("sync", cwd=repo.folder)
    two.git("switch", "-q", "exp/p/n-abcdef")
    note(one, "n")
    mlgit("sync", cwd=one.folder)

    assert "exp/p/n-abcdef stays as it is here: it is checked out in" in mlgit("sync", cwd=two.folder).stderr


def test_datasets_go_along_and_who_counted_otherwise_hears_of_it(clones: tuple[Repo, Repo], mlgit: Mlgit):
    one, two = clones
    for repo, content in ((one, "one"), (two, "two")):
        (repo.folder / "x.csv").write_text(content)
        mlgit("init", "--project", "p", cwd=repo.folder)
        mlgit("data", "add", "x.csv", "--name", "digits", "--description", content, cwd=repo.folder)

    first = mlgit("sync", cwd=one.folder)
    second = mlgit("sync", cwd=two.folder)
    third = mlgit("sync", "--json", cwd=one.folder)

    assert "1 run and 1 ledger are pushed to origin" in first.stdout
    assert "digits:v0 here is digits:v1 now" in second.stderr
    assert json.loads(third.stdout)["renumbered"] == []
    told = [json.loads(mlgit("data", "history", "digits", "--json", cwd=repo.folder).stdout) for repo in (one, two)]
    assert told[0] == told[1]
    assert [(each["version"], each["description"], each["aliases"]) for each in told[0]] == [
        ("v1", "two", ["latest"]), ("v0", "one", []),
    ]  # fmt: skip


def test_datasets_are_pushed_to_the_dvc_remote_as_what_runs_logged_is(
    clones: tuple[Repo, Repo], mlgit: Mlgit, tmp_path: Path, python: Mlgit
):
    one, two = clones
    (one.folder / "x.csv").write_text("one")
    mlgit("init", "--project", "p", cwd=one.folder)
    python("-m", "dvc", "remote", "add", "-q", "-d", "far", str(tmp_path / "bytes"), cwd=one.folder)
    one.git("add", ".dvc", "mlgit.yaml")
    one.git("commit", "-q", "-m", "dvc")
    one.git("push", "-q", "origin", "main")
    mlgit("data", "add", "x.csv", "--name", "digits", cwd=one.folder)

    pushed = mlgit("sync", cwd=one.folder)
    two.git("pull", "-q")
    mlgit("pull", cwd=two.folder)
    python("-c", "import mlgit; mlgit.Api().artifact('digits:v0').download('there')", cwd=two.folder)

    assert "1 artifact is pushed to the DVC remote" in pushed.stdout
    assert (two.folder / "there/x.csv").read_text() == "one"
