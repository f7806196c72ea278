"""Bytes go before what names them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.artifacts import carrying
from mlgit.dvc import project
from mlgit.dvc.caches import databases
from mlgit.dvc.caches.databases import md5
from mlgit.git.repo import Repo
from mlgit.store import ledgers
from tests import stores
from tests.conftest import make_repo

Mlgit = Callable[..., "subprocess.CompletedProcess[str]"]

RUN = """
import mlgit, pathlib, sys
pathlib.Path("model.bin").write_text(sys.argv[1])
with mlgit.init(name=sys.argv[1]) as run:
    run.log({"a": 1})
    if sys.argv[2:]:
        run.log_artifact("model.bin", name="churn", type="model")
"""


@pytest.fixture
def shared(repo: Repo, tmp_path: Path) -> Repo:
    """A repository with DVC and a git remote."""
    make_repo(tmp_path / "team.git", commit=False, bare=True)
    repo.git("remote", "add", "origin", str(tmp_path / "team.git"))
    project.setup(repo)
    return repo


def runs_there(tmp_path: Path) -> list[str]:
    found = Repo.find(tmp_path / "team.git")
    assert found
    return [ref.rpartition("/")[2].rpartition("-")[0] for ref in found.refs("refs/heads/exp/")]


def test_a_run_stays_here_until_its_bytes_are_there_and_others_go(
    shared: Repo, tmp_path: Path, mlgit: Mlgit, python: Mlgit
):
    with stores.shelf(tmp_path / "far", readonly=True) as (url, handler):
        stores.configure(shared.folder, "store", url)
        python("-c", RUN, "with-bytes", "yes", cwd=shared.folder)
        python("-c", RUN, "without", cwd=shared.folder)

        first = mlgit("sync", check=False, cwd=shared.folder)
        before = runs_there(tmp_path)
        handler.readonly = False
        second = mlgit("sync", cwd=shared.folder)
        kept = stores.held(tmp_path / "far")

    assert first.returncode == 1
    assert before == ["without"]
    assert first.stdout.startswith("1 run is pushed to origin\n")
    assert "with-bytes" in first.stderr
    assert "bytes go before what names them" in first.stderr
    assert "dvc remote modify --local store" in first.stderr
    assert "1 run and 1 ledger are pushed to origin\n1 artifact is pushed to the DVC remote\n" in second.stdout
    assert sorted(runs_there(tmp_path)) == ["with-bytes", "without"]
    assert len(kept) == 1


def test_what_push_false_is_said_of_stays_though_runs_and_ledgers_name_it(shared: Repo, tmp_path: Path, mlgit: Mlgit):
    top = shared.folder
    stores.configure(top, "store", str(tmp_path / "far"))
    (top / "dvc.yaml").write_text(
        'stages: {s: {cmd: "echo goes > goes; echo stays > stays", outs: [goes, stays: {push: false}]}}\n'
    )
    (top / "mine").write_text("mine\n")
    mlgit("data", "add", "mine", cwd=top)
    with (top / "mine.dvc").open("a") as pointer:
        pointer.write("  push: false\n")
    mlgit("data", "add", "mine", cwd=top)
    mlgit("run", "--", "dvc", "repro", cwd=top)

    synced = mlgit("sync", cwd=top)
    pushed = mlgit("data", "push", cwd=top)
    after = list(stores.held(tmp_path / "far"))
    named = mlgit("data", "push", "mine:v0", cwd=top)

    assert "1 artifact is pushed to the DVC remote" in synced.stdout
    assert pushed.stdout == "Nothing to push: all that lies here is there.\n"
    assert after == [md5(b"goes\n").hexdigest()]
    assert "mine" in named.stdout


def test_bytes_of_what_has_its_number_already_go_before_the_word_of_who_adds_it(
    shared: Repo, tmp_path: Path, mlgit: Mlgit
):
    content = md5(b"rows").hexdigest()
    with stores.shelf(tmp_path / "far", readonly=True) as (url, handler):
        stores.configure(shared.folder, "store", url)
        ledgers.change(shared, "repo", "rows", lambda known: known.listing([content]), why=lambda _: "listed")
        mlgit("sync", cwd=shared.folder)
        (shared.folder / "rows").write_text("rows")
        mlgit("data", "add", "rows", cwd=shared.folder)

        refused = mlgit("sync", check=False, cwd=shared.folder)
        far = Repo.find(tmp_path / "team.git")
        assert far
        before = ledgers.added(far)
        handler.readonly = False
        mlgit("sync", cwd=shared.folder)

    assert (refused.returncode, before) == (1, [])
    assert [version.hash for _, version in ledgers.added(far)] == [content]
    assert len(stores.held(tmp_path / "far")) == 1


def test_numbers_that_are_only_made_here_are_not_called_pulled(shared: Repo, mlgit: Mlgit, python: Mlgit):
    for name in ("one", "two"):
        python("-c", RUN, name, "yes", cwd=shared.folder)

        told = mlgit("sync", "--json", cwd=shared.folder)

        assert json.loads(told.stdout)["pulled"] == []
        assert "refs/mlgit/artifacts/" in told.stdout


def test_a_remote_that_drops_a_run_s_bytes_keeps_its_branch_here(
    shared: Repo, tmp_path: Path, mlgit: Mlgit, python: Mlgit
):
    with stores.shelf(tmp_path / "far", lie=staticmethod(lambda _path, _body: None)) as (url, _):
        stores.configure(shared.folder, "store", url)
        python("-c", RUN, "lost", "yes", cwd=shared.folder)

        done = mlgit("sync", "--json", check=False, cwd=shared.folder)

    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert runs_there(tmp_path) == []
    assert "churn of lost" in done.stderr
    assert "does not have it" in done.stderr
    assert set(shared.refs("refs/heads/exp/")) < told["held"].keys()
    assert told["pushed"] == []


def test_a_second_sync_sends_nothing_again(shared: Repo, tmp_path: Path, mlgit: Mlgit, python: Mlgit):
    stores.configure(shared.folder, "store", str(tmp_path / "far"))
    python("-c", RUN, "one", "yes", cwd=shared.folder)
    mlgit("sync", cwd=shared.folder)

    quiet = mlgit("sync", cwd=shared.folder)
    mlgit("tag", "one", "+good", cwd=shared.folder)
    edited = mlgit("sync", cwd=shared.folder)

    assert quiet.stdout == "Nothing to push or pull.\n"
    assert "artifact" not in edited.stdout


def a_day_passes(repo: Repo) -> None:
    """Since the DVC remote was asked last whether it has still what went there."""
    for stamp in (repo.own / "sent").glob("*.asked"):
        os.utime(stamp, (0, 0))


def test_what_was_collected_on_the_dvc_remote_elsewhere_goes_there_again(
    shared: Repo, tmp_path: Path, mlgit: Mlgit, python: Mlgit
):
    stores.configure(shared.folder, "store", str(tmp_path / "far"))
    shared.git("add", ".dvc")
    shared.git("commit", "-q", "-m", "dvc")
    shared.git("push", "-q", "origin", "main")
    for name in ("one", "two"):
        python("-c", RUN, name, "yes", cwd=shared.folder)
    mlgit("sync", cwd=shared.folder)
    subprocess.run(["git", "clone", "-q", str(tmp_path / "team.git"), str(tmp_path / "other")], check=True)
    stores.dvc("gc", "-q", "-w", "-c", "-f", cwd=tmp_path / "other")
    collected = stores.held(tmp_path / "far")
    gone = databases.md5(b"two").hexdigest()
    databases.place(next(databases.of(shared, "")), gone).unlink()
    believed = mlgit("sync", cwd=shared.folder)
    a_day_passes(shared)

    dry = mlgit("sync", "--dry-run", cwd=shared.folder)
    done = mlgit("sync", "--json", cwd=shared.folder)
    quiet = mlgit("sync", cwd=shared.folder)

    told = json.loads(done.stdout)["artifacts"]
    assert collected == {}
    assert believed.stdout == "Nothing to push or pull.\n"
    assert "1 artifact would be pushed to the DVC remote" in dry.stdout
    assert told["pushed"] == list(stores.held(tmp_path / "far")) == [databases.md5(b"one").hexdigest()]
    assert told["lost"] == [gone]
    assert "churn of two: neither whole here nor on the DVC remote" in done.stderr
    assert quiet.stdout == "Nothing to push or pull.\n"


FOLDER = """
import mlgit, pathlib
for name in "ab":
    pathlib.Path("weights").mkdir(exist_ok=True)
    pathlib.Path("weights", name).write_text(name)
with mlgit.init(name="folder") as run:
    run.log_artifact("weights", name="weights", type="model")
"""


def test_a_run_whose_bytes_are_nowhere_is_named_when_its_branch_goes(
    shared: Repo, tmp_path: Path, mlgit: Mlgit, python: Mlgit
):
    stores.configure(shared.folder, "store", str(tmp_path / "far"))
    python("-c", FOLDER, cwd=shared.folder)
    part = databases.place(next(databases.of(shared, "")), databases.md5(b"a").hexdigest())
    part.rename(tmp_path / "a")

    done = mlgit("sync", "--json", cwd=shared.folder)
    (tmp_path / "a").rename(part)
    mended = mlgit("data", "push", cwd=shared.folder)
    mlgit("tag", "folder", "+good", cwd=shared.folder)
    edited = mlgit("sync", cwd=shared.folder)

    assert "weights of folder: neither whole here nor on the DVC remote" in done.stderr
    assert len(json.loads(done.stdout)["artifacts"]["lost"]) == 1
    assert "weights of folder" in mended.stdout
    assert "neither" not in edited.stderr


def test_a_dvc_remote_that_does_not_answer_holds_up_no_sync_that_sends_it_nothing(
    shared: Repo, tmp_path: Path, mlgit: Mlgit, python: Mlgit
):
    with stores.shelf(tmp_path / "far") as (url, _):
        stores.configure(shared.folder, "store", url)
        python("-c", RUN, "one", "yes", cwd=shared.folder)
        mlgit("sync", cwd=shared.folder)
    python("-c", RUN, "without", cwd=shared.folder)
    a_day_passes(shared)

    done = mlgit("sync", cwd=shared.folder)

    assert done.stdout == "1 run is pushed to origin\n"
    assert "Whether all that was sent is still there is not known. The DVC remote store" in done.stderr


def test_a_run_that_is_named_sends_its_bytes_also_where_its_branch_is_there(
    shared: Repo, tmp_path: Path, mlgit: Mlgit, python: Mlgit
):
    python("-c", RUN, "early", "yes", cwd=shared.folder)
    homeless = mlgit("push", cwd=shared.folder)
    stores.configure(shared.folder, "store", str(tmp_path / "far"))

    named = mlgit("push", "early", cwd=shared.folder)

    assert "The bytes of 1 artifact stay here" in homeless.stderr
    assert "1 artifact is pushed to the DVC remote" in named.stdout
    assert len(stores.held(tmp_path / "far")) == 1


def test_what_was_shared_before_there_was_a_dvc_remote_goes_with_the_next_sync(
    shared: Repo, tmp_path: Path, mlgit: Mlgit, python: Mlgit
):
    python("-c", RUN, "early", "yes", cwd=shared.folder)
    mlgit("sync", cwd=shared.folder)
    stores.configure(shared.folder, "store", str(tmp_path / "far"))

    dry = mlgit("sync", "--dry-run", cwd=shared.folder)
    nothing = stores.held(tmp_path / "far")
    done = mlgit("sync", cwd=shared.folder)

    assert "1 artifact would be pushed to the DVC remote" in dry.stdout
    assert nothing == {}
    assert done.stdout == "1 artifact is pushed to the DVC remote\n"


def test_bytes_of_runs_that_were_archived_before_they_were_shared_go_too(
    shared: Repo, tmp_path: Path, mlgit: Mlgit, python: Mlgit
):
    stores.configure(shared.folder, "store", str(tmp_path / "far"))
    mlgit("sync", cwd=shared.folder)
    python("-c", RUN, "old", "yes", cwd=shared.folder)
    mlgit("archive", "old", cwd=shared.folder)

    done = mlgit("sync", cwd=shared.folder)

    assert "1 artifact is pushed to the DVC remote" in done.stdout
    assert len(stores.held(tmp_path / "far")) == 1


def test_a_clone_gets_the_bytes_when_it_asks_for_them_and_a_missing_one_is_named(
    shared: Repo, tmp_path: Path, mlgit: Mlgit, python: Mlgit
):
    stores.configure(shared.folder, "store", str(tmp_path / "far"))
    shared.git("add", ".dvc")
    shared.git("commit", "-q", "-m", "dvc")
    shared.git("push", "-q", "origin", "main")
    python("-c", RUN, "made", "yes", cwd=shared.folder)
    mlgit("sync", cwd=shared.folder)
    subprocess.run(["git", "clone", "-q", str(tmp_path / "team.git"), str(tmp_path / "other")], check=True)
    other = Repo.find(tmp_path / "other")
    assert other
    mlgit("pull", cwd=other.folder)
    (path,) = stores.held(tmp_path / "far").values()
    path.rename(tmp_path / "away")

    missing = python(
        "-c", "import mlgit; mlgit.Api().artifact('churn:v0').download('x')", check=False, cwd=other.folder
    )
    path.parent.mkdir(exist_ok=True)
    (tmp_path / "away").rename(path)
    python("-c", "import mlgit; mlgit.Api().artifact('churn:v0').download('x')", cwd=other.folder)

    assert "churn:v0" in missing.stderr
    assert "made" in missing.stderr
    assert "DVC remote store" in missing.stderr
    assert (other.folder / "x/model.bin").read_text() == "made"
    assert next(databases.of(other, "")).is_dir()


def test_credentials_of_a_remote_never_reach_git(shared: Repo, tmp_path: Path, mlgit: Mlgit, python: Mlgit):
    (shared.folder / ".dvc/.gitignore").unlink()
    secret = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEYab"
    stores.configure(shared.folder, "store", "s3://bucket", default=False, local=True, secret_access_key=secret)
    with (shared.folder / ".dvc/config").open("a") as file:
        file.write(f"['remote \"bad\"']\n    url = s3://other\n    secret_access_key = {secret}\n")

    python("-c", RUN, "snapshot", cwd=shared.folder)

    objects = shared.git("cat-file", "--batch-all-objects", "--batch")
    assert "snapshot" in objects
    assert secret not in objects


def test_a_terminal_shows_one_bar_at_a_time(
    shared: Repo,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    python: Mlgit,
    terminal: Callable[..., tuple[int, str]],
):
    stores.configure(shared.folder, "store", str(tmp_path / "far"))
    python("-c", RUN, "one", "yes", cwd=shared.folder)
    monkeypatch.chdir(shared.folder)

    code, shown = terminal("sync")

    assert code == 0, shown
    assert "1 artifact is pushed to the DVC remote" in shown


def test_a_dvc_remote_that_never_answers_is_waited_for_once_a_sync_and_runs_without_bytes_go(
    shared: Repo, tmp_path: Path, mlgit: Mlgit, python: Mlgit
):
    with stores.shelf(tmp_path / "far") as (url, _):
        stores.configure(shared.folder, "store", url)
        python("-c", RUN, "one", "yes", cwd=shared.folder)
        mlgit("sync", cwd=shared.folder)
    python("-c", RUN, "with-bytes", "yes", cwd=shared.folder)
    python("-c", RUN, "without", cwd=shared.folder)
    a_day_passes(shared)
    stores.configure(shared.folder, "store", url, connect_timeout="1", read_timeout="1")
    with stores.silent(int(url.rpartition(":")[2])):
        done = mlgit("sync", check=False, cwd=shared.folder)
        carrier = carrying.Carrier(shared)
        carrier.catch_up("")
        carrier.send(carrying.everything(shared))

    assert done.returncode == 1
    assert done.stdout.startswith("1 run is pushed to origin\n")
    assert f"The DVC remote store ({url}) does not answer" in done.stderr
    assert "bytes go before what names them" in done.stderr
    assert sorted(runs_there(tmp_path)) == ["one", "without"]
    assert carrier.error is carrier.unasked is not None


def test_what_was_lost_and_lies_here_or_there_again_is_cared_for_as_before(
    shared: Repo, tmp_path: Path, mlgit: Mlgit, python: Mlgit
):
    stores.configure(shared.folder, "store", str(tmp_path / "far"))
    python("-c", RUN, "one", "yes", cwd=shared.folder)
    mlgit("sync", cwd=shared.folder)
    (there,) = stores.held(tmp_path / "far").values()
    here = databases.place(next(databases.of(shared, "")), databases.md5(b"one").hexdigest())
    here.rename(tmp_path / "kept")
    there.unlink()
    a_day_passes(shared)
    lost = mlgit("sync", cwd=shared.folder)

    shutil.copy(tmp_path / "kept", here)
    sent = mlgit("sync", cwd=shared.folder)
    sent_there = there.exists()
    here.unlink()
    there.unlink(missing_ok=True)
    a_day_passes(shared)
    again = mlgit("sync", cwd=shared.folder)
    shutil.copy(tmp_path / "kept", there)
    a_day_passes(shared)
    quiet = mlgit("sync", cwd=shared.folder)
    there.unlink()
    a_day_passes(shared)
    third = mlgit("sync", cwd=shared.folder)

    assert "churn of one: neither whole here nor on the DVC remote" in lost.stderr
    assert (sent.stdout, sent_there) == ("1 artifact is pushed to the DVC remote\n", True)
    assert "churn of one: neither whole here nor on the DVC remote" in again.stderr
    assert (quiet.stdout, quiet.stderr) == ("Nothing to push or pull.\n", "")
    assert "churn of one: neither whole here nor on the DVC remote" in third.stderr


def test_a_run_that_was_archived_before_it_was_shared_is_named_if_its_bytes_are_nowhere(
    shared: Repo, tmp_path: Path, mlgit: Mlgit, python: Mlgit
):
    stores.configure(shared.folder, "store", str(tmp_path / "far"))
    python("-c", RUN, "shared", "yes", cwd=shared.folder)
    mlgit("sync", cwd=shared.folder)
    python("-c", RUN, "old", "yes", cwd=shared.folder)
    mlgit("archive", "shared", "old", cwd=shared.folder)
    shutil.rmtree(next(databases.of(shared, "")))

    done = mlgit("sync", cwd=shared.folder)

    assert "churn of old: neither whole here nor on the DVC remote" in done.stderr
    assert "shared" not in done.stderr
