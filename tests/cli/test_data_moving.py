"""`mlgit data push` and `mlgit data pull`."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.dvc import project
from mlgit.dvc.caches import databases
from mlgit.dvc.worktree import adding
from mlgit.git.repo import Repo
from tests import disks, stores
from tests.conftest import need

Script = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def data(inside: Repo, tmp_path: Path) -> Path:
    """A folder that DVC holds, in a repository whose default remote is `far`."""
    project.setup(inside)
    stores.configure(inside.folder, "store", str(tmp_path / "far"))
    made = inside.folder / "data"
    made.mkdir()
    for number in range(3):
        (made / f"{number}.csv").write_text(f"{number}\n")
    adding.add(inside, made)
    return made


def test_data_moves_where_git_may_only_be_read(inside: Repo, data: Path, mlgit: Script, tmp_path: Path):
    shutil.rmtree(inside.own)

    with disks.read_only(inside.git_dir):
        pushed = mlgit("data", "push")
        there = mlgit("data", "verify", "--remote", "--read")
        lose(inside, data)
        looked = mlgit("data", "status", "--remote")
        pulled = mlgit("data", "pull")

    assert pushed.stdout.endswith("are pushed:\n  data\n")
    assert there.stdout == "store: 4 objects, 4 read there: 0 damaged or missing\n"
    assert "pushed" in looked.stdout
    assert pulled.stdout == "data is pulled\ndata is in its place\n"
    assert not inside.own.exists()


def test_a_file_or_a_folder_of_what_is_held_as_a_whole_comes_alone(inside: Repo, data: Path, mlgit: Script):
    (data / "sub").mkdir()
    (data / "sub/ü.csv").write_text("u\n")
    adding.add(inside, data)
    mlgit("data", "push")
    lose(inside, data)

    one = mlgit("data", "pull", "data/1.csv", "data/sub")
    there = {path.relative_to(data).as_posix() for path in data.rglob("*") if path.is_file()}
    again = mlgit("data", "pull", "data/1.csv")
    wrong = mlgit("data", "pull", "data/9.csv", check=False)
    version = mlgit("data", "pull", "digits:v1", check=False)
    mlgit("data", "pull")

    assert one.stdout.splitlines()[:2] == ["data/1.csv is pulled", "data/sub/ü.csv is pulled"]
    assert there == {"1.csv", "sub/ü.csv"}
    assert "all of it is here" in again.stdout
    assert "There is no 9.csv in" in wrong.stderr
    assert "digits" in version.stderr
    assert "up to date" in stores.dvc("status", cwd=inside.folder)


def lose(repo: Repo, *places: Path) -> None:
    subprocess.run(["rm", "-rf", *databases.of(repo, ""), *places], check=True)


def test_data_goes_there_and_comes_back_to_its_place(inside: Repo, data: Path, mlgit: Script, tmp_path: Path):
    tried = mlgit("data", "push", "--dry-run")
    nothing = stores.held(tmp_path / "far")
    pushed = mlgit("data", "push")
    again = mlgit("data", "push")
    lose(inside, data)
    lacking = mlgit("data", "pull", "--dry-run")
    pulled = mlgit("data", "pull")
    here = mlgit("data", "pull")

    assert tried.stdout.startswith("4 files, ")
    assert tried.stdout.endswith("would be pushed:\n  data\n")
    assert nothing == {}
    assert pushed.stdout.endswith("are pushed:\n  data\n")
    assert len(stores.held(tmp_path / "far")) == 4
    assert again.stdout == "Nothing to push: all that lies here is there.\n"
    assert lacking.stdout == "data would be pulled\n"
    assert pulled.stdout == "data is pulled\ndata is in its place\n"
    assert (data / "2.csv").read_text() == "2\n"
    assert here.stdout == "Nothing to pull: all of it is here.\n"


def test_versions_are_told_by_number_and_what_several_name_is_counted_once(inside: Repo, data: Path, mlgit: Script):
    (inside.folder / "deep").mkdir()
    for content in ("one", "two"):
        (inside.folder / "deep/rows.csv").write_text(content)
        mlgit("data", "add", "deep/rows.csv")

    tried = mlgit("data", "push", "--dry-run").stdout
    pushed = mlgit("data", "push").stdout

    assert tried.replace("would be", "are") == pushed
    assert pushed.startswith("6 files, ")
    assert {line.strip() for line in pushed.splitlines()[1:]} == {"data", "rows:v0", "rows:v1"}


def test_what_was_changed_here_and_kept_nowhere_stays(inside: Repo, data: Path, mlgit: Script):
    mlgit("data", "push")
    lose(inside)
    (data / "2.csv").write_text("mine\n")

    done = mlgit("data", "pull", check=False)

    assert done.returncode == 1
    assert done.stdout == "data is pulled\n"
    assert "data holds files that no cache holds, and stays as it is" in done.stderr
    assert (data / "2.csv").read_text() == "mine\n"


def test_one_of_several_is_named_by_path_or_version(inside: Repo, data: Path, mlgit: Script, tmp_path: Path):
    (inside.folder / "other.csv").write_text("other\n")
    mlgit("data", "add", "other.csv", "--name", "other")

    one = json.loads(mlgit("data", "push", "data", "--json").stdout)
    two = json.loads(mlgit("data", "push", "other@v0", "--json").stdout)
    lose(inside, data, inside.folder / "other.csv")
    back = json.loads(mlgit("data", "pull", "other@v0", "--json").stdout)
    nowhere = mlgit("data", "push", "nothing@v3", check=False)

    assert [each["name"] for each in one["pushed"]] == ["data"]
    assert (one["files"], one["stuck"]) == (4, [])
    assert [each["name"] for each in two["pushed"]] == ["other:v0, which Ada added"]
    assert [each["name"] for each in back["pulled"]] == ["other:v0, which Ada added"]
    assert back["brought"] == []
    assert not (inside.folder / "other.csv").exists()
    assert nowhere.returncode == 1


def test_several_remotes_and_those_that_pointers_name(inside: Repo, data: Path, mlgit: Script, tmp_path: Path):
    stores.configure(inside.folder, "cold", str(tmp_path / "cold"), default=False)
    pointer = data.with_name("data.dvc")
    plain = pointer.read_text()
    mlgit("data", "push", "-r", "cold")
    both = [len(stores.held(tmp_path / name)) for name in ("far", "cold")]
    subprocess.run(["rm", "-rf", tmp_path / "cold"], check=True)
    pointer.write_text(plain + "  remote: cold\n")

    mlgit("data", "push")
    named = [len(stores.held(tmp_path / name)) for name in ("far", "cold")]
    lose(inside, data)
    mlgit("data", "pull")
    pointer.write_text(plain + f"  remote: file://{tmp_path}/evil\n")
    poisoned = mlgit("data", "push", check=False)

    assert both == [0, 4]
    assert named == [0, 4]
    assert (data / "0.csv").read_text() == "0\n"
    assert poisoned.returncode == 2
    assert "There is no DVC remote" in poisoned.stderr
    assert not (tmp_path / "evil").exists()


def test_what_another_branch_configures_counts_for_nothing(inside: Repo, data: Path, mlgit: Script, tmp_path: Path):
    inside.git("add", ".dvc", "data.dvc")
    inside.git("commit", "-q", "-m", "data")
    inside.git("switch", "-q", "-c", "evil")
    stores.configure(inside.folder, "store", str(tmp_path / "evil"))
    inside.git("commit", "-q", "-am", "evil")
    inside.git("switch", "-q", "main")

    mlgit("data", "push")

    assert not (tmp_path / "evil").exists()
    assert len(stores.held(tmp_path / "far")) == 4


def test_bytes_that_are_missing_there_are_named_and_the_rest_comes(
    inside: Repo, data: Path, mlgit: Script, tmp_path: Path
):
    (inside.folder / "whole.csv").write_text("whole\n")
    mlgit("data", "add", "whole.csv")
    mlgit("data", "push")
    lose(inside, data, inside.folder / "whole.csv")
    torn = stores.held(tmp_path / "far")["26ab0db90d72e28ad0ba1e22ee510510"]  # of "2\n"
    torn.unlink()

    done = mlgit("data", "pull", check=False)

    assert done.returncode == 1
    assert "data: 2.csv is not there" in done.stderr
    assert "DVC remote store" in done.stderr
    assert "mlgit data push where it was made" in done.stderr
    assert (inside.folder / "whole.csv").read_text() == "whole\n"
    assert not data.exists()


def test_without_a_remote_it_says_how_to_get_one(inside: Repo, data: Path, mlgit: Script):
    (inside.folder / ".dvc/config").write_text("[core]\n    analytics = false\n")

    pushed = mlgit("data", "push", check=False)
    lose(inside, data)
    pulled = mlgit("data", "pull", check=False)

    assert (pushed.returncode, pulled.returncode) == (2, 2)
    assert all("dvc remote add -d NAME URL" in done.stderr for done in (pushed, pulled))


@pytest.mark.parametrize("kind", ["ssh", "webdav"])
def test_data_goes_by_ssh_and_webdav_and_comes_back(inside: Repo, data: Path, mlgit: Script, tmp_path: Path, kind: str):
    need(kind, {"ssh": stores.has_ssh, "webdav": stores.has_webdav}[kind]())
    with stores.reached(kind, inside.folder, tmp_path / "far"):
        pushed = json.loads(mlgit("data", "push", "--json").stdout)
        again = json.loads(mlgit("data", "push", "--json").stdout)
        lose(inside, data)
        mlgit("data", "pull")
        came = sorted(path.read_text() for path in data.iterdir())
    there = stores.held(tmp_path / "far")
    torn, gone = (there[databases.md5(f"{number}\n".encode()).hexdigest()] for number in (0, 1))
    torn.write_text("x\n")
    gone.unlink()
    with stores.reached(kind, inside.folder, tmp_path / "far"):
        lose(inside, data)
        lacking = mlgit("data", "pull", check=False)

    assert (pushed["files"], pushed["stuck"], again["files"]) == (4, [], 0)
    assert came == ["0\n", "1\n", "2\n"]
    assert lacking.returncode == 1
    assert "data: 0.csv is damaged there" in lacking.stderr
    assert "data: 1.csv is not there" in lacking.stderr


@pytest.mark.parametrize("kind", ["ssh", "webdav"])
def test_the_folder_that_a_remote_lies_in_is_made_where_it_is_missing(
    inside: Repo, data: Path, mlgit: Script, tmp_path: Path, kind: str
):
    need(kind, {"ssh": stores.has_ssh, "webdav": stores.has_webdav}[kind]())
    with stores.reached(kind, inside.folder, tmp_path / "far", below="/team/a b/store"):
        dry = mlgit("data", "push", "--dry-run")
        before = list((tmp_path / "far").iterdir())
        mlgit("data", "push")
        lose(inside, data)
        mlgit("data", "pull")

    assert "would be pushed" in dry.stdout
    assert before == []
    assert len(stores.held(tmp_path / "far/team/a b/store")) == 4


@pytest.mark.parametrize("kind", ["ssh", "webdav"])
def test_ssh_and_webdav_that_let_nobody_in_or_do_not_answer_are_told(
    inside: Repo, data: Path, mlgit: Script, tmp_path: Path, kind: str
):
    need(kind, {"ssh": stores.has_ssh, "webdav": stores.has_webdav}[kind]())
    with stores.reached(kind, inside.folder, tmp_path / "far", password="not-the-secret"):
        refused = mlgit("data", "push", check=False, stdin=subprocess.DEVNULL)
    away = mlgit("data", "push", check=False)

    assert (refused.returncode, away.returncode) == (1, 1)
    assert "does not let us in" in refused.stderr
    assert "could not be reached" in away.stderr
    assert "not-the-secret" not in refused.stdout + refused.stderr + away.stderr


def test_a_dvc_project_in_a_folder_of_the_repository_has_its_own_remote(
    inside: Repo, mlgit: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    own = inside.folder / "sub"
    project.setup(inside, "sub")
    stores.configure(own, "store", str(tmp_path / "far"))
    monkeypatch.chdir(own)
    (own / "data").mkdir()
    (own / "data/x.csv").write_text("1\n")
    mlgit("data", "add", "data")
    (own / "data/x.csv").write_text("2\n")
    mlgit("data", "add", "data")
    pushed = mlgit("data", "push")
    subprocess.run(["rm", "-rf", own / ".dvc/cache", own / "data"], check=True)

    mlgit("data", "checkout", "data:v0")

    assert sorted(pushed.stdout.splitlines()[1:]) == ["  data:v0", "  data:v1"]
    assert (own / "data/x.csv").read_text() == "1\n"
    assert stores.dvc("status", cwd=own) == "Data and pipelines are up to date.\n"


def test_what_is_pulled_into_a_cache_of_a_group_is_open_to_the_group(
    inside: Repo, data: Path, mlgit: Script, tmp_path: Path
):
    mlgit("data", "push")
    lose(inside, data)
    database = next(databases.of(inside, ""))
    database.mkdir(parents=True)
    database.chmod(0o2775)

    mlgit("data", "pull")

    assert {folder.stat().st_mode & 0o7777 for folder in database.glob("??")} == {0o2775}


def test_what_stages_made_goes_and_comes_as_stock_dvc_moves_it(inside: Repo, data: Path, mlgit: Script, tmp_path: Path):
    top = inside.folder
    (top / "sub").mkdir()
    (top / "dvc.yaml").write_text(
        """stages:
  folder: {cmd: "mkdir out && echo 1 > out/1 && echo 2 > out/2", outs: [out]}
  score: {wdir: sub, cmd: "echo {} > m.json; echo s > s; echo k > k",
          metrics: [m.json: {cache: false}], plots: [s: {x: step}], outs: [k: {push: false}]}
  each: {foreach: [a, b], do: {cmd: "echo ${item} > ${item}.txt", outs: ["${item}.txt"]}}
"""
    )
    stores.dvc("repro", "-q", cwd=top)
    with (top / "dvc.lock").open("a") as lock:
        lock.write(f"  gone:\n    cmd: x\n    outs: [{{path: g, md5: '{'0' * 32}'}}]\n")
    made = ("out", "sub/s", "a.txt", "b.txt")

    pushed = mlgit("data", "push", *made, "data")
    kept = mlgit("data", "push", "sub/k")
    stores.configure(top, "stock", str(tmp_path / "stock"))
    stores.dvc("push", "-q", cwd=top)
    stores.configure(top, "store", str(tmp_path / "far"))
    status = mlgit("data", "status", "--remote")
    subprocess.run(["rm", "-rf", *databases.of(inside, ""), *(top / one for one in made)], check=True)
    pulled = mlgit("data", "pull", *made)

    assert pushed.stdout.splitlines()[1:] == [f"  {one}" for one in (*made, "data")]
    assert "push: false" in kept.stderr
    assert stores.held(tmp_path / "far").keys() == stores.held(tmp_path / "stock").keys()
    assert {line.split()[0] for line in status.stdout.splitlines()[1:]} == {*made, "data", "sub/k"}
    assert pulled.returncode == 0
    assert "up to date" in stores.dvc("status", "folder", "each@a", "each@b", cwd=top)


def test_what_dvc_2_kept_is_told_with_the_command_that_moves_it(inside: Repo, mlgit: Script, tmp_path: Path):
    top, md5 = inside.folder, databases.md5(b"old").hexdigest()
    project.setup(inside)
    stores.configure(top, "store", str(tmp_path / "far"))
    old = top / ".dvc/cache" / md5[:2] / md5[2:]
    old.parent.mkdir(parents=True)
    old.write_text("old")
    (top / "old.csv.dvc").write_text(f"outs:\n- md5: {md5}\n  size: 3\n  path: old.csv\n")

    pushed = mlgit("data", "push", check=False)
    stores.dvc("push", "-q", cwd=top)
    old.unlink()
    pulled = mlgit("data", "pull", check=False)
    status = mlgit("data", "status")
    stores.dvc("pull", "-q", cwd=top)
    again = mlgit("data", "pull")
    mlgit("data", "add", "old.csv")
    last = mlgit("data", "push")

    assert (pushed.returncode, pushed.stdout) == (1, "")
    assert "dvc push moves them" in pushed.stderr
    assert (pulled.returncode, pulled.stdout) == (1, "")
    assert "dvc pull moves them" in pulled.stderr
    assert "as DVC 2 keeps it" in status.stdout
    assert (again.returncode, again.stderr) == (0, "")
    assert "1 file, 3 B are pushed" in last.stdout


def test_what_was_imported_is_left_to_dvc_which_knows_where_from(
    inside: Repo, data: Path, mlgit: Script, tmp_path: Path
):
    pointer = inside.folder / "data.dvc"
    mlgit("data", "push")
    lose(inside, data, tmp_path / "far")
    pointer.write_text(pointer.read_text() + "deps:\n- path: data\n  repo: {url: ../src, rev_lock: abc}\n")

    pushed = mlgit("data", "push", "data")
    pulled = mlgit("data", "pull", check=False)

    assert "data is kept here: it is imported" in pushed.stderr
    assert (pulled.returncode, pulled.stdout) == (1, "")
    assert "dvc pull data brings it" in pulled.stderr


def test_versions_of_the_clouds_own_are_told_apart_and_left_to_dvc(inside: Repo, data: Path, mlgit: Script):
    pointer = inside.folder / "kept.dvc"
    (inside.folder / "kept").mkdir()
    (inside.folder / "kept" / "a").write_text("a\n")
    text = f"""outs:
- files:
  - relpath: a
    md5: {databases.md5(b"a" + bytes([10])).hexdigest()}
    size: 2
    cloud: {{cloud: {{version_id: one}}}}
  size: 2
  nfiles: 1
  hash: md5
  path: kept
"""
    pointer.write_text(text)

    status = mlgit("data", "status", "kept")
    pushed = mlgit("data", "push", check=False)
    (inside.folder / "kept" / "b").write_text("b")
    added = mlgit("data", "add", "kept", check=False)
    changed = mlgit("data", "status", "kept")

    assert "unchanged" in status.stdout
    assert "versions of the cloud's own" in status.stdout
    assert pushed.returncode == 1
    assert "dvc push moves them" in pushed.stderr
    assert "dvc commit" in added.stderr
    assert "changed" in changed.stdout.replace("unchanged", "")
    assert pointer.read_text() == text
    assert stores.dvc("status", "kept.dvc", cwd=inside.folder).startswith("kept.dvc")
