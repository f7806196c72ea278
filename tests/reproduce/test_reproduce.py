"""Runs made again: on another machine, aside from the user's work tree, by what they had, not by what is there now."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlgit.artifacts import log
from mlgit.core.run import Run
from mlgit.dvc import project as project_of_dvc
from mlgit.dvc.caches import databases
from mlgit.dvc.worktree import drift
from mlgit.errors import MlgitError
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.public.api import Api
from mlgit.report import evidence
from mlgit.reproduce import aside, bringing, pylock, recipe
from tests.conftest import make_repo, need
from tests.reproduce.wheels import wheel

Mlgit = Callable[..., Any]

TRAIN = """
import os, random, sys, time
import mlgit

run = mlgit.init(config={"lr": 0.1, "seed": 0})
words = open("data/words.txt").read().split()
with open(run.use_artifact("base:latest").file()) as file:
    x = float(file.read())
random.seed(run.config.seed)
for step in range(5):
    x -= run.config.lr * random.random() * len(words)
    mlgit.log({"loss": x, "epoch_seconds": time.time(), "val/nan": float("nan")})
with open("model.txt", "w") as file:
    file.write(str(x))
mlgit.log_artifact("model.txt", name="model", type="model")
"""


def git(folder: Path, *words: str) -> str:
    return subprocess.run(("git", *words), cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def commit(repo: Repo, **files: str) -> None:
    write(repo.folder, {name.replace("_py", ".py"): text for name, text in files.items()})
    git(repo.folder, "add", "."), git(repo.folder, "commit", "-qm", "code")


def run_of(repo: Repo, name: str) -> Run:
    return query.find(repo, name)


def told(done: Any) -> dict[str, Any]:
    """The verdict that `mlgit reproduce --json` printed."""
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def is_clean(repo: Repo) -> bool:
    """Whether nothing of an attempt is left, neither on disk nor in what git knows."""
    left = repo.own / "reproduce"
    return len(git(repo.folder, "worktree", "list").splitlines()) == 1 and not (left.is_dir() and [*left.iterdir()])


@pytest.fixture(autouse=True)
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """`python` is the one of these tests."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the repository `repo` and, beside it, the DVC remote `store`, for each test to copy."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("made")
        for name in ("GIT_AUTHOR", "GIT_COMMITTER"):
            patch.setenv(f"{name}_NAME", "Ada"), patch.setenv(f"{name}_EMAIL", "ada@example.com")
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        repo = make_repo(home / "repo")
        top = repo.folder
        write(top, {"train.py": TRAIN, "params.yaml": "lr: 0.1\n", ".gitignore": "/model.txt\n/artifacts\n",
                    "mlgit.yaml": "project: p\nrun:\n  params: params.yaml\n", "data/words.txt": "a b c\n",
                    ".dvc/config": REMOTE, ".dvc/.gitignore": "/cache\n/tmp\n/config.local\n"})  # fmt: skip
        for words in (("add", "-q", "data/words.txt"), ("push", "-q")):
            subprocess.run((sys.executable, "-m", "dvc", *words), cwd=top, check=True, capture_output=True)
        git(top, "add", "."), git(top, "commit", "-qm", "code")
        _run(top, "base", "-c", BASE.format("9.5"))
        (top / "train.py").write_text(f"{TRAIN}print('not committed')\n")
        _run(top, "first", "train.py", "-p", "lr=0.3")
        _run(top, "later", "-c", BASE.format("77"))  # base:latest is another one now
        git(top, "checkout", "-q", "train.py")
        return home


REMOTE = "[core]\n    remote = store\n['remote \"store\"']\n    url = ../../store\n"
BASE = "import mlgit, pathlib; pathlib.Path('artifacts').mkdir(exist_ok=True); r = mlgit.init(); "
BASE += "pathlib.Path('artifacts/b').write_text('{}'); r.log_artifact('artifacts/b', name='base', type='model')"


def _run(top: Path, name: str, *words: str) -> None:
    program, params = (words[:1], words[1:]) if words[0] != "-c" else (words, ())
    call = (sys.executable, "-m", "mlgit", "run", "-n", name, *params, "--", "python", *program)
    subprocess.run(call, cwd=top, check=True, capture_output=True)


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repo:
    """A project with data under DVC, a remote for that, and the run `first` on them and on an artifact."""
    shutil.copytree(made, tmp_path, symlinks=True, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path / "repo")
    found = Repo.find(tmp_path / "repo")
    assert found
    return found


COMPUTES = """
import datetime, os, mlgit
run = mlgit.init(config={"seed": 0, "out": os.path.abspath("out"), "run_dir": f"out/{datetime.datetime.now()}"})
run.summary["best"] = os.path.abspath("out/best.pt")
run.config.update({"me": f"{run.name} {run.id}", "words": WORDS})
model = mlgit.Artifact("model", "model", metadata={"layers": {"hidden": LAYERS}, "by": run.name})
open("m", "w").write("weights"), model.add_file("m")
run.log_artifact(model)
"""


def test_params_that_the_script_made_and_metadata_alone_are_part_of_the_verdict(
    inside: Repo, mlgit: Mlgit, tmp_path: Path
):  # fmt: skip
    count = tmp_path / "count"
    now = f"len(open({str(count)!r}).read())"
    commit(inside, train_py=COMPUTES.replace("WORDS", now).replace("LAYERS", now), **{".gitignore": "/m\n"})
    count.write_text("12")
    mlgit("run", "-n", "x", "--", "python", "train.py")
    same = told(mlgit("reproduce", "x", "--json"))
    count.write_text("123")
    done = mlgit("reproduce", "x", "--json", check=False)

    assert (same["verdict"], same["same"]) == ("bitwise", {"params": 4, "metrics": 1, "artifacts": 1, "metadata": 2})
    assert same["left_aside"] == ["run_dir"]
    assert (done.returncode, told(done)["verdict"], told(done)["same"]) == (
        1, "differs", {"params": 3, "metrics": 1, "artifacts": 1, "metadata": 1},
    )  # fmt: skip
    assert [(one["kind"], one["name"], one["before"], one["after"]) for one in told(done)["differences"]] == [
        ("param", "words", 2, 3), ("metadata", "model.layers.hidden", 2, 3),
    ]  # fmt: skip


def test_data_that_had_changed_and_were_never_added_come_by_the_remedy_that_is_said(inside: Repo, mlgit: Mlgit):
    project_of_dvc.setup(inside)
    commit(
        inside,
        train_py="import mlgit; mlgit.init().log({'n': len(open('in/a b.txt').read())})\n",
        **{"in/a b.txt": "1"},
    )
    git(inside.folder, "rm", "-q", "--cached", "in/a b.txt")
    mlgit("data", "add", "in/a b.txt")
    git(inside.folder, "add", "-A"), git(inside.folder, "commit", "-qm", "data")
    (inside.folder / "in/a b.txt").write_text("123")
    mlgit("run", "-n", "x", "--", "python", "train.py")

    done = mlgit("reproduce", "x", "--json", check=False)
    (lacked,) = told(done)["missing"]
    said = mlgit("reproduce", "x", check=False).stdout
    mlgit(*shlex.split(lacked["fix"].partition(" where")[0])[1:])

    assert (told(done)["verdict"], lacked["kind"], lacked["name"]) == ("cannot", "data", "in/a b.txt")
    assert "it had changed since its pointer and was never added" in lacked["why"]
    assert "mlgit sync where it was made" not in said
    assert told(mlgit("reproduce", "x", "--json"))["verdict"] == "bitwise"


def test_what_somebody_edited_after_a_run_is_no_difference(inside: Repo, mlgit: Mlgit):
    commit(inside, train_py="import mlgit; mlgit.init(config={'lr': 1}).log({'loss': 2})\n")
    mlgit("run", "-n", "x", "--", "python", "train.py")
    run = Api().run(run_of(inside, "x").id)
    run.config["lr"], run.summary["loss"] = 7, 8
    run.update()

    assert run_of(inside, "x").params == {"lr": 7}
    assert told(mlgit("reproduce", "x", "--json"))["verdict"] == "bitwise"


def test_a_run_comes_out_bitwise_the_same_from_a_clone_on_another_machine(
    project: Repo, mlgit: Mlgit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):  # fmt: skip
    origin = tmp_path / "origin.git"
    git(tmp_path, "init", "-q", "--bare", "-b", "main", str(origin))
    git(project.folder, "remote", "add", "origin", str(origin)), git(project.folder, "push", "-q", "origin", "main")
    mlgit("sync", cwd=project.folder)
    git(tmp_path, "clone", "-q", str(origin), "elsewhere")
    monkeypatch.setenv("HOME", str(tmp_path / "another-home")), (tmp_path / "another-home").mkdir()
    there = tmp_path / "elsewhere"
    mlgit("pull", cwd=there)
    clone = Repo.find(there)
    assert clone
    first = run_of(clone, "first")

    done = mlgit("reproduce", "first", "--json", cwd=there)

    found = told(done)
    assert (found["verdict"], found["environment"]) == ("bitwise", "current")
    assert found["same"] == {"params": 2, "series": 2, "points": 10, "metrics": 2, "artifacts": 1}
    assert found["left_aside"] == ["epoch_seconds"]
    again = query.of_id(clone, found["again"])
    assert again
    assert (again.reproduces, again.params, again.source) == (first.id, first.params, first.source)
    assert [one.hash for one in again.used] == [one.hash for one in first.used]
    assert "not committed" in done.stderr
    assert "given from outside" not in done.stderr  # as it was then
    assert git(there, "status", "--porcelain") == ""
    assert not (there / "data" / "words.txt").exists()
    assert is_clean(clone)


def test_nothing_of_the_users_work_tree_leaks_in_or_is_touched(project: Repo, mlgit: Mlgit):
    top = project.folder
    (top / "data" / "words.txt").write_text("changed since then, by hand\n")
    (top / "train.py").write_text("raise SystemExit('the new code')\n")
    (top / "params.yaml").write_text("lr: 77\n")
    before = git(top, "status", "--porcelain"), project.head(), project.resolve("HEAD")

    found = told(mlgit("reproduce", "first", "--json"))

    assert found["verdict"] == "bitwise"
    assert (git(top, "status", "--porcelain"), project.head(), project.resolve("HEAD")) == before
    assert (top / "params.yaml").read_text() == "lr: 77\n"


def test_a_gate_goes_by_the_verdict_that_the_new_run_keeps(inside: Repo, mlgit: Mlgit):
    train = "import mlgit, pathlib\nrun = mlgit.init()\nrun.log({'accuracy': 0.9})\n"
    train += "pathlib.Path('net.bin').write_text('w')\nrun.log_artifact('net.bin', name='net', type='model')\n"
    policy = "stages: {prod: {gates: [{reproduced: same}]}}\n"
    commit(inside, train_py=train, **{".gitignore": "net.bin\n", "registry/policy.yaml": policy})
    mlgit("run", "-n", "first", "--", "python", "train.py")
    mlgit("model", "register", "first", "--name", "net")

    before = mlgit("promote", "net@v1.0.0", "prod", "--dry-run", check=False)
    mlgit("reproduce", "first")
    after = mlgit("promote", "net@v1.0.0", "prod", "--dry-run")

    assert (before.returncode, "never made again" in before.stdout + before.stderr) == (4, True)
    again = run_of(inside, "first-again")
    assert f"bitwise: run {again.id}" in after.stdout
    assert "verdict: bitwise\n" in git(inside.folder, "show", f"{again.commit}:experiment/reproduction.yaml") + "\n"
    assert mlgit("fsck").returncode == 0


def test_a_reproduction_is_no_evidence_of_its_own(project: Repo, mlgit: Mlgit):
    first = run_of(project, "first")
    assert first.source
    before = evidence.find(evidence.Known(repo=project, project="p"), first.source)

    mlgit("reproduce", "first")

    assert evidence.find(evidence.Known(repo=project, project="p"), first.source) == before
    shown = json.loads(mlgit("ls", "--where", f"reproduces = {first.id}", "--json").stdout)
    assert [run["name"] for run in shown] == ["first-again"]


def test_a_run_that_is_made_again_takes_no_names_from_what_came_later(inside: Repo, mlgit: Mlgit):
    code = """
import pathlib, mlgit
r = mlgit.init(config={"x": 1})
pathlib.Path("m.txt").write_text(str(r.config.x))
r.link_artifact(r.log_artifact("m.txt", name="m", type="model", aliases=["best"]), "model-registry/all")
"""
    write(inside.folder, {".gitignore": "m.txt\n"})
    commit(inside, train_py=code)
    for x in (1, 2):
        mlgit("run", "-n", f"x{x}", "-p", f"x={x}", "--", "python", "train.py")
    before = [log.find(inside, f"{name}:{alias}").version.hash for name, alias in (("m", "best"), ("all", "latest"))]

    found = told(mlgit("reproduce", "x1", "--json"))

    assert found["verdict"] == "bitwise"
    assert [log.find(inside, f"m:{alias}").version.hash for alias in ("best", "latest")] == [before[0]] * 2
    assert log.find(inside, "all:latest").version.hash == before[1]


def test_what_is_missing_is_listed_as_a_whole_and_nothing_runs(project: Repo, mlgit: Mlgit, tmp_path: Path):
    first = run_of(project, "first")
    for folder in (project.folder / ".dvc" / "cache", tmp_path / "store"):
        for path in [path for path in folder.rglob("*") if path.is_file()]:
            path.unlink()

    checked = mlgit("reproduce", "first", "--check", "--json", check=False)
    done = mlgit("reproduce", "first", check=False)

    assert (checked.returncode, done.returncode) == (2, 2)
    missing = told(checked)["missing"]
    assert [(one["kind"], one["name"]) for one in missing] == [("data", "data/words.txt"), ("artifact", "base:latest")]
    assert first.data["data/words.txt"] in missing[0]["why"]
    assert "cannot: first cannot be made again here" in done.stdout
    assert "artifact  base:latest: " in done.stdout
    assert len(query.runs(project, project="p")) == 3


@pytest.mark.parametrize("kind", ["data", "artifact"])
def test_bytes_that_turn_out_to_be_damaged_are_missing_too(project: Repo, mlgit: Mlgit, tmp_path: Path, kind: str):
    first = run_of(project, "first")
    content = first.data["data/words.txt"] if kind == "data" else first.used[0].hash
    place = f"files/md5/{content[:2]}/{content[2:]}"
    for path in (project.folder / ".dvc" / "cache" / place, tmp_path / "store" / place):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
    (tmp_path / "store" / place).write_text("something else")

    done = mlgit("reproduce", "first", "--json", check=False)

    assert (done.returncode, told(done)["verdict"]) == (2, "cannot")
    (lacked,) = told(done)["missing"]
    assert (lacked["kind"], lacked["name"]) == (kind, "data/words.txt" if kind == "data" else "base:latest")
    assert "damaged" in lacked["why"]
    assert not lacked["why"].endswith(".")
    assert is_clean(project)


@pytest.mark.parametrize("kind", ["data", "artifact"])
def test_what_is_damaged_in_the_cache_comes_anew_from_the_remote(
    project: Repo, mlgit: Mlgit, tmp_path: Path, kind: str
):  # fmt: skip
    first = run_of(project, "first")
    content = first.data["data/words.txt"] if kind == "data" else first.used[0].hash
    here, there = (folder / "files/md5" / content[:2] / content[2:] for folder in
                   (project.folder / ".dvc" / "cache", tmp_path / "store"))  # fmt: skip
    there.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(here, there)
    here.unlink(), here.write_text("9.6")

    found = told(mlgit("reproduce", "first", "--json"))

    assert found["verdict"] == "bitwise"
    assert here.read_bytes() == there.read_bytes()


def test_what_was_brought_is_not_read_again_at_the_runs_end(project: Repo, monkeypatch: pytest.MonkeyPatch):
    first, read = run_of(project, "first"), list[Path]()
    real = databases.md5_of
    monkeypatch.setattr(databases, "md5_of", lambda path: (read.append(path), real(path))[1])

    with aside.at(project, first.source or "", "first", None) as place:
        missing = bringing.data(project, recipe.of(replace(first, used=()), {}), place.code)
        there = Repo.find(place.code)
        assert there
        unchanged, read_for_it = drift.found(there, first.source or "", ""), [*read]
        (place.code / "data/words.txt").write_text("c b a\n")
        changed = drift.found(there, first.source or "", "")

    assert (missing, unchanged, read_for_it) == ((), [], [])
    assert [one.path for one in changed] == ["data/words.txt"]


@pytest.mark.parametrize("path", ["../../out.txt", "/tmp/out.txt", "link/out.txt"])
def test_data_that_a_pointer_puts_outside_of_the_repository_is_refused(project: Repo, tmp_path: Path, path: str):
    first = run_of(project, "first")
    (tmp_path / "code").mkdir(), (tmp_path / "elsewhere").mkdir()
    (tmp_path / "code" / "link").symlink_to(tmp_path / "elsewhere")
    poisoned = recipe.of(replace(first, data={path: first.data["data/words.txt"]}), {})

    with pytest.raises(MlgitError, match="leads out of its repository"):
        bringing.data(project, poisoned, tmp_path / "code")

    assert not [*(tmp_path / "elsewhere").iterdir()]


def test_a_program_that_git_does_not_know_is_named(inside: Repo, mlgit: Mlgit):
    commit(inside, _gitignore="", a_py="print(1)\n")
    (inside.folder / ".git" / "info" / "exclude").write_text("hidden.py\n")
    write(inside.folder, {"hidden.py": "print(1)\n", ".env": "KEY=1\n"})
    mlgit("run", "-n", "x", "--", "python", "hidden.py")

    done = mlgit("reproduce", "x", "--check", check=False)

    assert done.returncode == 2
    assert "command   hidden.py: the command names it, and it is no file of the repository" in done.stdout
    assert ".env" in done.stdout


def test_a_file_that_the_program_does_not_find_any_more_is_named(inside: Repo, mlgit: Mlgit):
    (inside.folder / ".git" / "info" / "exclude").write_text("*.csv\n")
    commit(inside, train_py="import mlgit; r = mlgit.init(); r.log({'rows': len(open('big.csv').read())})\n")
    write(inside.folder, {"big.csv": "1,2\n"})
    mlgit("run", "-n", "x", "--", "python", "train.py")

    done = mlgit("reproduce", "x", check=False)

    assert done.returncode == 2
    assert "file      big.csv: the program did not find it" in done.stdout


def test_the_first_step_that_differs_is_told_with_what_was_otherwise(
    inside: Repo, mlgit: Mlgit, monkeypatch: pytest.MonkeyPatch
):  # fmt: skip
    code = """
import os, pathlib, mlgit
where = pathlib.Path(os.environ["COUNT"])
drift = int(where.read_text()) if where.exists() else 0
where.write_text(str(drift + 1))
run = mlgit.init()
for step in range(4):
    run.log({"loss": 4.0 - step + drift * 1e-9 * (step > 1), "lr": 1})
"""
    commit(inside, train_py=code)
    monkeypatch.setenv("COUNT", str(inside.git_dir / "count"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    mlgit("run", "-n", "x", "--", "python", "train.py")
    recorded(inside, "x", {"run.yaml": lambda text: text.replace(b'OMP_NUM_THREADS: "1"', b'OMP_NUM_THREADS: "3"')})

    done = mlgit("reproduce", "x", "--json", check=False)
    near = mlgit("reproduce", "x", "--tolerance", "1e-6", check=False)

    found = told(done)
    assert (done.returncode, found["verdict"]) == (1, "differs")
    first = found["differences"][0]
    assert (first["kind"], first["name"], first["step"], first["before"]) == ("history", "loss", 2, 2.0)
    assert first["after"] == 2.000000001
    assert [one["name"] for one in found["suspects"]] == ["seed"], "the variable is set as it was recorded"
    assert near.returncode == 0
    assert near.stdout.splitlines()[0] == "within tolerance (1e-06 of a value): x, made again"


def test_a_script_that_names_its_run_by_an_id_does_not_go_on_with_the_first(inside: Repo, mlgit: Mlgit, python: Mlgit):
    code = "import mlgit\nwith mlgit.init(id='fixed', resume='allow', name='mine') as r:\n    r.log({'a': 1})\n"
    commit(inside, train_py=code)
    python("train.py")
    before = run_of(inside, "fixed")

    found = told(mlgit("reproduce", "fixed", "--json"))

    assert found["verdict"] == "bitwise"
    assert run_of(inside, "fixed").commit == before.commit


def test_of_several_runs_of_a_process_each_is_compared_with_its_own(inside: Repo, mlgit: Mlgit, python: Mlgit):
    code = "import mlgit\nfor fold in range(3):\n    with mlgit.init(name=f'f{fold}') as r:\n        r.log({'a': fold})"
    commit(inside, train_py=code)
    python("train.py")
    before = evidence.find(evidence.Known(repo=inside, project=None), str(inside.resolve("HEAD")))

    found = [told(mlgit("reproduce", f"f{fold}", "--json")) for fold in (0, 2)]

    assert [one["verdict"] for one in found] == ["bitwise", "bitwise"]
    again = query.of_id(inside, found[1]["again"])
    assert again
    assert (again.metrics["a"], again.reproduces) == (2, run_of(inside, "f2").id)
    assert evidence.find(evidence.Known(repo=inside, project=None), str(inside.resolve("HEAD"))) == before


def test_a_history_that_is_longer_than_a_branch_holds_is_compared_as_far_as_it_is_here(inside: Repo, mlgit: Mlgit):
    write(inside.folder, {".dvc/config": "[core]\n", ".dvc/.gitignore": "/cache\n/tmp\n"})
    commit(inside, train_py="import mlgit\nr = mlgit.init()\nfor step in range(1500):\n    r.log({'a': step * 0.1})\n")
    mlgit("run", "-n", "long", "--", "python", "train.py")
    whole = told(mlgit("reproduce", "long", "--json"))
    shutil.rmtree(inside.folder / ".dvc" / "cache")

    part = told(mlgit("reproduce", "long", "--json"))

    assert (whole["verdict"], whole["whole_history"], whole["same"]["points"]) == ("bitwise", True, 1500)
    assert (part["verdict"], part["whole_history"]) == ("bitwise", False)
    assert part["same"]["points"] <= 1000


def test_a_script_of_w_b_is_made_again_as_one(inside: Repo, mlgit: Mlgit):
    code = "import net, wandb\nr = wandb.init(group='seeds', tags=['x'])\nr.log({'a': net.SIZE})\n"
    write(inside.folder, {"net.py": "SIZE = 3\n"})
    commit(inside, train_py=code)
    mlgit("run", "-n", "x", "--wandb", "--", "python", "train.py")
    write(inside.folder, {"net.py": "SIZE = 4\n"})

    found = told(mlgit("reproduce", "x", "--json"))

    assert found["verdict"] == "bitwise"
    again = query.of_id(inside, found["again"])
    assert again
    assert (again.group, again.tags, run_of(inside, "x").group) == (None, (), "seeds")


def test_code_that_is_on_pythons_path_in_the_work_tree_is_the_code_as_it_ran(
    inside: Repo, mlgit: Mlgit, monkeypatch: pytest.MonkeyPatch
):  # fmt: skip
    monkeypatch.setenv("PYTHONPATH", str(inside.folder / "src"))
    write(inside.folder, {"src/net.py": "SIZE = 3\n"})
    commit(inside, train_py="import mlgit, net\nr = mlgit.init()\nr.log({'size': net.SIZE})\n")
    mlgit("run", "-n", "x", "--", "python", str(inside.folder / "train.py"))
    write(inside.folder, {"src/net.py": "SIZE = 4\n", "train.py": "raise SystemExit(1)\n"})

    assert told(mlgit("reproduce", "x", "--json"))["verdict"] == "bitwise"


def test_a_folder_that_is_named_stays_and_can_be_looked_at(inside: Repo, mlgit: Mlgit, tmp_path: Path):
    commit(inside, train_py="import mlgit\nr = mlgit.init()\nr.log({'a': 1})\nopen('seen', 'w').close()\n")
    mlgit("run", "-n", "x", "--", "python", "train.py")

    done = mlgit("reproduce", "x", "--to", str(tmp_path / "again"))
    refused = mlgit("reproduce", "x", "--to", str(tmp_path / "again"), check=False)

    assert (tmp_path / "again" / "seen").exists()
    assert f"its code is in {tmp_path / 'again'}" in done.stderr
    assert (refused.returncode, "is there already" in refused.stderr) == (2, True)
    git(inside.folder, "worktree", "remove", "--force", str(tmp_path / "again"))
    assert is_clean(inside)


def test_a_folder_in_the_work_tree_is_taken_only_where_git_ignores_it(inside: Repo, mlgit: Mlgit):
    commit(inside, _gitignore="", train_py="import mlgit\nr = mlgit.init()\nr.log({'a': 1})\n")
    write(inside.folder, {".git/info/exclude": "/scratch\n"})
    mlgit("run", "-n", "x", "--", "python", "train.py")

    refused = mlgit("reproduce", "x", "--to", "again", check=False)
    done = mlgit("reproduce", "x", "--to", "scratch/again")

    assert (refused.returncode, "again is in your work tree" in refused.stderr) == (2, True)
    assert "commit a link to it" in refused.stderr
    assert not (inside.folder / "again").exists()
    assert "bitwise" in done.stdout
    assert git(inside.folder, "status", "--porcelain", ".") == ""


SLOW = """
import mlgit, os, time
r = mlgit.init()
r.log({"a": 1})
if "MLGIT_PINNED" in os.environ and os.path.exists(os.environ["SLOW"]):
    open(os.environ["SLOW"] + ".began", "w").close()
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_one_that_is_ended_leaves_nothing_behind_or_the_next_one_tidies_up(
    inside: Repo, mlgit: Mlgit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: signal.Signals
):  # fmt: skip
    commit(inside, train_py=SLOW)
    slow = tmp_path / "slow"
    monkeypatch.setenv("SLOW", str(slow))
    mlgit("run", "-n", "x", "--", "python", "train.py")
    slow.touch()
    words = (sys.executable, "-m", "mlgit", "reproduce", "x")
    with subprocess.Popen(words, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        until = time.monotonic() + 120
        while not Path(f"{slow}.began").exists() and time.monotonic() < until:
            time.sleep(0.02)
        assert not is_clean(inside)
        os.killpg(process.pid, number)
    slow.unlink()

    if number == signal.SIGINT:
        assert process.returncode == -signal.SIGINT
        assert is_clean(inside)
    assert told(mlgit("reproduce", "x", "--json"))["verdict"] == "bitwise"
    assert is_clean(inside)


def test_what_was_installed_is_installed_again_in_an_environment_of_its_own(
    inside: Repo, mlgit: Mlgit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):  # fmt: skip
    need("uv", pylock.uv() is not None)
    wheel(tmp_path / "wheels", "1.0"), wheel(tmp_path / "wheels", "2.0")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "wheels")), monkeypatch.setenv("UV_NO_INDEX", "1")
    commit(inside, train_py="import json, tiny\njson.dump({'v': tiny.VERSION}, open('m.json', 'w'))\n")
    site = tmp_path / "site"
    write(site, {"tiny.py": "VERSION = '1.0'\n"})
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONPATH", str(site))
        mlgit("run", "-n", "x", "-m", "m.json", "--", "python", "train.py")
    recorded(inside, "x", {"requirements.txt": b"tiny==1.0\n"})
    missing = mlgit("reproduce", "x", "--env", "none", check=False)

    found = told(mlgit("reproduce", "x", "--json"))

    assert (missing.returncode, "package   tiny: the program did not find it" in missing.stdout) == (2, True)
    assert (found["verdict"], found["environment"]) == ("bitwise", "uv")
    again = query.of_id(inside, found["again"])
    assert again
    assert inside.read(again.commit, "experiment/requirements.txt") == b"tiny==1.0\n"
    assert is_clean(inside)


def recorded(repo: Repo, name: str, changes: Mapping[str, Any]) -> None:
    """Let the run *name* have recorded *changes*: content, or what becomes of it, by file."""
    run = run_of(repo, name)
    before = {file: repo.read(run.commit, f"experiment/{file}") or b"" for file in changes}
    made = {f"experiment/{file}": new(before[file]) if callable(new) else new for file, new in changes.items()}
    tip = repo.commit(run.commit, made, git(repo.folder, "log", "-1", "--format=%B", run.commit))
    git(repo.folder, "update-ref", run.ref, tip)


def test_packages_that_nobody_has_are_named_before_anything_is_made(
    inside: Repo, mlgit: Mlgit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):  # fmt: skip
    need("uv", pylock.uv() is not None)
    wheel(tmp_path / "wheels", "1.0")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "wheels")), monkeypatch.setenv("UV_NO_INDEX", "1")
    commit(inside, train_py="print(1)\n")
    mlgit("run", "-n", "x", "--", "python", "train.py")
    recorded(inside, "x", {"requirements.txt": b"tiny==3.0\nnobodys.own==1.0\n"})

    done = mlgit("reproduce", "x", "--check", "--json", check=False)

    assert done.returncode == 2
    assert [(one["kind"], one["name"]) for one in told(done)["missing"]] == [
        ("package", "nobodys.own==1.0"), ("package", "tiny==3.0"),
    ]  # fmt: skip


def test_a_run_that_was_pulled_alone_finds_what_it_used(project: Repo, mlgit: Mlgit, tmp_path: Path) -> None:
    (project.folder / "given.txt").write_text("given\n")
    mlgit("data", "add", "given.txt", cwd=project.folder)
    commit(project, train_py="""
import mlgit
run = mlgit.init()
added = run.use_artifact("given:latest").file()
logged = run.use_artifact("base:latest").file()
run.log({"size": len(open(added).read()) + len(open(logged).read())})
""")  # fmt: skip
    mlgit("run", "-n", "alone", "--", "python", "train.py", cwd=project.folder)
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "origin.git")
    git(project.folder, "remote", "add", "origin", "../origin.git"), git(project.folder, "push", "-q", "origin", "main")
    mlgit("sync", cwd=project.folder)
    git(tmp_path, "clone", "-q", "origin.git", "elsewhere")
    mlgit("pull", "alone", cwd=tmp_path / "elsewhere")
    shutil.rmtree(project.folder)

    there = tmp_path / "elsewhere"

    done = mlgit("reproduce", "alone", "--json", cwd=there)
    git(there, "update-ref", "-d", "refs/mlgit/artifacts/p/given")
    bare = mlgit("reproduce", "alone", "--json", cwd=there)

    assert told(done)["verdict"] == told(bare)["verdict"] == "bitwise"
    assert "its number is not" not in done.stderr  # the ledgers came with it
    assert "given:latest: its content is known here, its number is not" in bare.stderr


def test_a_verdict_on_nothing_says_so(inside: Repo, mlgit: Mlgit) -> None:
    commit(inside, train_py="raise SystemExit(3)")
    mlgit("run", "-n", "bro\n  ken\x1b[1m", "--", "python", "train.py", check=False)

    said = mlgit("reproduce", "latest").stdout

    assert (
        "bitwise: bro ken, made again\n  it ended as it did then: failed\n  but for its end nothing was compared"
        in said
    )


def test_files_that_were_saved_with_a_run_and_hold_something_else_are_named(inside: Repo, mlgit: Mlgit) -> None:
    code = (
        "import mlgit, os\n"
        "with mlgit.init(name='saves') as run:\n"
        "    run.log({'a': 1})\n"
        "    for name, text in (('same.txt', 'same'), ('drawn.txt', os.urandom(8).hex())):\n"
        "        open(name, 'w').write(text)\n"
        "        run.save(name)\n"
    )
    (inside.folder / "train.py").write_text(code)
    mlgit("run", "--", "python", "train.py")

    told = json.loads(mlgit("reproduce", "saves", "--json").stdout)
    said = mlgit("reproduce", "saves").stdout

    assert (told["verdict"], told["saved_otherwise"]) == ("bitwise", ["drawn.txt"])
    assert "saved with it, of other bytes, and no part of the verdict: drawn.txt" in said
