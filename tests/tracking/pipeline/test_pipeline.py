"""A pipeline of dvc.yaml as a run: its stages are run as stock `dvc repro` would, and each is recorded."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from mlgit.core.run import State
from mlgit.dvc import cache
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import live, runs
from tests.recorded import only
from tests.tracking.pipeline.made import FILES, STAGES, Script, commit, did, newest, until, write


def test_the_stages_of_a_pipeline_are_one_run(project: Repo, run: Script, dvc: Script):
    done = run()
    found = runs.complete(project, only(project))

    assert did(project, found) == {"prepare": "ran", "train": "ran"}
    assert found.metrics == {"accuracy": 0.9, "by.class": 2, "loss": 0.1}
    assert list(runs.history(project, found)["loss"].steps) == [0, 5]
    assert found.params == {"lr": 0.1}
    model, prepared = sorted(found.logged, key=lambda version: version.name)
    assert (model.name, model.type, model.description, model.tags) == ("churn", "model", "who leaves", ("small",))
    assert (prepared.name, prepared.type, prepared.path) == ("data-prepared.csv", "dataset", "data/prepared.csv")
    assert found.data.keys() == {"data/raw.csv"}  # what one stage makes and another reads is the run's own
    assert cache.exists(project, model.hash)
    assert "trained with 0.1" in runs.output(project, found)
    assert "stages: prepare ran" in done.stderr
    assert "up to date" in dvc("status").stdout
    assert "didn't change" in dvc("repro").stdout
    commit(project)
    assert found.tree == project.git("rev-parse", "HEAD^{tree}"), "its code is not what a commit afterwards holds"
    assert project.git("show", f"{found.commit}:dvc.lock") == (project.folder / "dvc.lock").read_text().strip()


def test_what_is_unchanged_is_skipped_and_what_ran_before_is_restored(project: Repo, run: Script):
    run()
    assert did(project, newest(project)) == {"prepare": "ran", "train": "ran"}
    second = run()
    assert did(project, newest(project)) == {"prepare": "unchanged", "train": "unchanged"}
    assert newest(project).metrics["accuracy"] == 0.9
    assert newest(project).data.keys() == {"data/raw.csv"}
    assert "unchanged: prepare, train" in second.stderr

    (project.folder / "params.yaml").write_text("lr: 0.5\n")
    run()
    assert did(project, newest(project)) == {"prepare": "unchanged", "train": "ran"}
    (project.folder / "params.yaml").write_text("lr: 0.1\n")
    run()
    assert did(project, newest(project)) == {"prepare": "unchanged", "train": "restored"}
    run("--force")
    assert did(project, newest(project)) == {"prepare": "ran", "train": "ran"}


def test_a_trial_gives_everything_back(project: Repo, run: Script, dvc: Script):
    run()
    commit(project)
    before = {path: path.read_bytes() for path in project.folder.glob("*[!t]") if path.is_file()}

    done = run("-p", "lr=0.5", "--stage", "train", "-m", "metrics.json")
    trial = newest(project)

    assert (trial.params, trial.metrics["accuracy"], trial.given) == ({"lr": 0.5}, 0.5, ("lr",))
    assert "wrote no metrics" not in done.stderr
    assert "lr: 0.5" in project.git("show", f"{trial.commit}:dvc.lock")
    assert cache.exists(project, trial.logged[-1].hash)
    assert {path: path.read_bytes() for path in before} == before
    assert project.git("status", "--porcelain") == ""
    assert (project.folder / "out/churn.bin").read_text().startswith("0.1")
    assert "up to date" in dvc("status").stdout


def test_a_param_that_no_stage_could_read_is_refused(project: Repo, run: Script):
    done = run("-p", "learning=1", check=False)

    assert done.returncode == 2
    assert "learning is not in params.yaml" in done.stderr
    assert not query.search(project).runs


def test_a_params_file_that_is_not_there_is_said_to_be_missing_from_where_stages_run(project: Repo, run: Script):
    done = run("-p", "net.toml:depth=1", check=False)

    assert done.returncode == 2
    assert f"There is no params file net.toml in {project.folder}." in done.stderr


def test_a_stage_that_is_given_as_a_command_beside_options_for_stages_is_told_how(project: Repo, run: Script):
    done = run("--single-item", "train", check=False)

    assert done.returncode == 2
    assert "To fix: mlgit run --single-item --stage train" in done.stderr


def test_a_stage_that_fails_is_named_and_what_ran_is_kept(project: Repo, run: Script, mlgit: Script):
    write(project, {"train.py": "import sys\nsys.exit(3)\n"})

    done = run(check=False)
    found = newest(project)

    assert done.returncode == 255
    assert found.state is State.FAILED
    assert did(project, found) == {"prepare": "ran", "train": "failed"}
    assert [version.name for version in found.logged] == ["data-prepared.csv"]
    assert "the stage train failed with exit code 3; what ran before it is kept" in done.stderr
    assert "train: failed with exit code 3" in mlgit("show", found.id, cwd=project.folder).stdout
    run(check=False)
    assert did(project, newest(project))["prepare"] == "unchanged"


def test_scripts_of_several_stages_take_part_in_the_one_run(project: Repo, run: Script):
    for name in ("prepare", "train"):
        text = f"import mlgit\nmlgit.init()\nmlgit.log({{'by_{name}': 1}})\nmlgit.finish()\n"
        write(project, {f"{name}.py": text + FILES[f"{name}.py"]})

    run()
    found = only(project)

    assert found.metrics.keys() >= {"by_prepare", "by_train", "accuracy"}
    assert found.state is State.FINISHED
    assert len(found.logged) == 2


def test_stages_of_a_loop_and_of_a_folder_below(project: Repo, run: Script, dvc: Script):
    dvc_yaml = """\
stages:
  fold:
    foreach: [1, 2]
    do:
      cmd: mkdir -p out && echo ${item} > out/fold${item}.csv && echo '{"score":${item}}' > score${item}.json
      params:
        - other.yaml:
      outs:
        - out/fold${item}.csv
      metrics:
        - score${item}.json: {cache: false}
  grid:
    matrix: {size: [small], kind: [a, b]}
    cmd: echo ${item.size}-${item.kind} > grid-${item.kind}.txt
    outs:
      - grid-${item.kind}.txt
  kept:
    frozen: true
    cmd: exit 1
    deps: [other.yaml]
"""
    write(project, {"sub/dvc.yaml": dvc_yaml, "sub/other.yaml": "depth: 3\n"})

    run("--stage", "sub/dvc.yaml")
    found = newest(project)

    assert did(project, found) == {
        "sub/dvc.yaml:fold@1": "ran", "sub/dvc.yaml:fold@2": "ran", "sub/dvc.yaml:grid@small-a": "ran",
        "sub/dvc.yaml:grid@small-b": "ran", "sub/dvc.yaml:kept": "unchanged",
    }  # fmt: skip
    assert found.metrics == {"score1/score": 1, "score2/score": 2}
    assert found.params == {"lr": 0.1, "depth": 3}
    assert {version.path for version in found.logged} >= {"sub/out/fold1.csv", "sub/grid-a.txt"}
    run("--stage", "sub/dvc.yaml:grid@small-a")
    assert did(project, newest(project)) == {"sub/dvc.yaml:grid@small-a": "unchanged"}


def test_what_dvclive_leaves_in_a_project_below_is_taken(repo: Repo, dvc: Script, mlgit: Script):
    """Metrics and plots on the top level, in a folder of the repository; a dependency that git and DVC know not."""
    code = """
import os
for place, text in {
    "live/metrics.json": '{"train": {"loss": 0.2}}',
    "live/plots/metrics/train/loss.tsv": "step\\tloss\\n0\\t1\\n1\\t0.2\\n",
    "live/plots/metrics/val/loss.tsv": "step\\tloss\\n0\\t2\\n1\\t0.4\\n",
    "live/plots/confusion.csv": "actual,predicted\\ncat,dog\\n",
}.items():
    os.makedirs(os.path.dirname(place), exist_ok=True)
    open(place, "w").write(text)
os.makedirs("parts", exist_ok=True)
open("parts/1", "w").write(open("local.csv").read())
"""
    pipeline = """\
params: [live/params.yaml]
metrics: [live/metrics.json]
plots:
  - live/plots/metrics: {x: step}
  - live/plots/confusion.csv: {template: confusion, x: actual, y: predicted}
stages:
  all: {cmd: python all.py, deps: [all.py, local.csv], outs: [parts]}
"""
    write(repo, {"sub/mlgit.yaml": "project: q\n", "sub/dvc.yaml": pipeline, "sub/all.py": code, "sub/local.csv": "1\n",
                 ".gitignore": "*.csv\n"})  # fmt: skip
    dvc("init", "-q")
    commit(repo)

    mlgit("run", cwd=repo.folder / "sub")
    found = only(repo)

    assert (found.project, found.folder) == ("q", "sub")
    assert found.metrics["train.loss"] == 0.2
    history = runs.history(repo, found)
    assert {name: list(one.values) for name, one in history.items()} == {"train/loss": [1, 0.2], "val/loss": [2, 0.4]}
    assert found.data.keys() == {"local.csv"}
    assert [(version.path, version.type, version.files) for version in found.logged] == [("parts", "dataset", 1)]
    assert repo.git("cat-file", "-t", f"{found.commit}:sub/dvc.lock") == "blob"


def test_a_dry_run_says_which_stages_would_run_and_why(project: Repo, run: Script, mlgit: Script):
    before = run("--dry-run").stdout
    run()
    (project.folder / "params.yaml").write_text("lr: 0.5\n")

    after = run("--dry-run").stdout
    told = json.loads(run("--dry-run", "--json", "-s", "train").stdout)
    asked = {"_MLGIT_COMPLETE": "bash_complete", "COMP_WORDS": "mlgit run -s tr", "COMP_CWORD": "3"}
    completed = mlgit(env=os.environ | asked, cwd=project.folder).stdout

    assert told[-1] == {"name": "train", "would_run": True, "why": ["lr modified"]}
    assert completed == "plain,train\n"
    assert "prepare: would run" in before
    assert "train: would run" in before
    assert "prepare: unchanged\n" in after
    assert "train: would run (lr modified)\n" in after
    assert only(project).params == {"lr": 0.1}


def test_without_a_pipeline_there_is_nothing_to_run(repo: Repo, mlgit: Script):
    none = mlgit("run", cwd=repo.folder, check=False)
    write(repo, {"dvc.yaml": STAGES})
    no_dvc = mlgit("run", cwd=repo.folder, check=False)
    other = mlgit("run", "--stage", "tarin", cwd=repo.folder, check=False)

    assert "There is no command to run." in none.stderr
    assert "dvc.yaml" in none.stderr
    assert "mlgit init" in no_dvc.stderr
    assert "did you mean train?" in other.stderr
    assert [done.returncode for done in (none, no_dvc, other)] == [2, 2, 2]
    assert not query.search(repo).runs


def test_trials_side_by_side_wait_for_one_another(project: Repo, run: Script, mlgit: Script):
    run()
    commit(project)
    write(project, {"sweep.yaml": "method: grid\nparameters: {lr: {values: [0.2, 0.3]}}\ncommand: [mlgit, run]\n"})

    mlgit("sweep", "run", "sweep.yaml", "--agents", "2", cwd=project.folder)
    found = query.search(project).runs

    assert sorted(run.metrics["accuracy"] for run in found) == [0.7, 0.8, 0.9]
    assert project.git("status", "--porcelain") == "?? sweep.yaml"


def test_a_pipeline_is_made_again_bitwise(project: Repo, run: Script, mlgit: Script):
    run("-p", "lr=0.5", "-n", "first")

    again = mlgit("reproduce", "first", cwd=project.folder)
    alone = mlgit("run", "--", "dvc", "repro", "--single-item", "train", cwd=project.folder)

    assert "put back" not in again.stderr + alone.stderr
    assert newest(project).data.keys() == {"data/raw.csv", "data/prepared.csv"}
    assert "\nbitwise: first" in again.stdout
    assert did(project, query.search(project).runs[1]) == {"prepare": "ran", "train": "ran"}


# -- signals


SLOW = "import pathlib, time\npathlib.Path('began').touch()\ntime.sleep(300)\n"


@pytest.fixture
def slow(project: Repo, run: Script) -> Iterator[subprocess.Popen[bytes]]:
    """`mlgit run -p lr=0.5` in the middle of a stage that takes long."""
    run()
    commit(project)
    write(project, {"train.py": SLOW})
    words = [sys.executable, "-m", "mlgit", "run", "-p", "lr=0.5"]
    with subprocess.Popen(words, cwd=project.folder, start_new_session=True) as process:
        until(lambda: (project.folder / "began").exists())
        yield process


def rest(project: Repo, dvc: Script) -> None:
    """What a run that was ended leaves: nothing that is in the way of the next."""
    assert (project.folder / "params.yaml").read_text() == FILES["params.yaml"]
    assert "lr: 0.1" in (project.folder / "dvc.lock").read_text()
    write(project, {"train.py": FILES["train.py"]})
    done = dvc("repro")
    assert "train" in done.stdout
    assert project.git("status", "--porcelain") == "?? began"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_stage_and_the_run(
    number: signal.Signals, slow: subprocess.Popen[bytes], project: Repo, dvc: Script
):
    slow.send_signal(number)
    slow.wait(60)
    found = newest(project)

    assert found.state is (State.PREEMPTED if number == signal.SIGTERM else State.CRASHED)
    assert did(project, found) == {"prepare": "unchanged", "train": "failed"}
    rest(project, dvc)


def test_a_run_that_is_killed_is_no_hindrance(slow: subprocess.Popen[bytes], project: Repo, mlgit: Script, dvc: Script):
    slow.kill()
    slow.wait()
    until(lambda: not (folders := live.folders(project)) or not _has_process(folders[0]))
    mlgit("ls", cwd=project.folder)
    found = newest(project)

    assert found.state is State.CRASHED
    assert (project.folder / "out/churn.bin").read_text().startswith("0.1")
    rest(project, dvc)


@pytest.fixture
def killed(slow: subprocess.Popen[bytes], project: Repo) -> None:
    """The same, killed with all that it began."""
    began = psutil.Process(slow.pid).children(recursive=True)
    for process in [*began, slow]:
        process.kill()
    slow.wait()
    until(lambda: not _has_process(live.folders(project)[0]))
    until(lambda: not any(psutil.pid_exists(one.pid) for one in began))  # as long as that DVC heeds its locks


@pytest.mark.usefixtures("killed")
def test_a_trial_that_is_killed_with_all_its_processes_says_how_its_outputs_come_back(
    project: Repo, mlgit: Script, dvc: Script
):
    assert not (project.folder / "out/churn.bin").exists()  # DVC takes it away first
    said = mlgit("ls", cwd=project.folder).stderr
    dvc("checkout")

    assert "dvc checkout brings what dvc.lock says" in said
    assert (project.folder / "out/churn.bin").read_text().startswith("0.1")
    rest(project, dvc)


@pytest.mark.usefixtures("killed")
def test_what_somebody_does_after_a_trial_was_killed_is_not_undone(project: Repo, mlgit: Script, dvc: Script):
    before = (project.folder / "dvc.lock").read_text()
    write(project, {"train.py": FILES["train.py"], "params.yaml": "lr: 0.7\n"})
    dvc("repro")
    said = mlgit("ls", cwd=project.folder).stderr

    assert "up to date" in dvc("status").stdout
    assert "lr: 0.7" in (project.folder / "dvc.lock").read_text()
    assert (project.folder / "dvc.lock.before").read_text() == before
    assert "dvc.lock was changed during the run and stays as it is" in said
    assert "metrics.json.before holds what it was" in said


def test_dvc_that_is_killed_is_no_hindrance(slow: subprocess.Popen[bytes], project: Repo, dvc: Script):
    (worker,) = (one for one in psutil.Process(slow.pid).children() if "mlgit.tracking.command.stages" in one.cmdline())
    command = worker.children(recursive=True)
    worker.kill()
    for process in command:  # as `dvc repro` leaves it, too
        process.kill()
    slow.wait(60)

    assert newest(project).state is State.CRASHED
    rest(project, dvc)


def test_stock_dvc_at_the_same_stage_is_named_and_left_alone(project: Repo, run: Script, dvc: Script):
    write(project, {"dvc.yaml": "stages:\n  slow: {cmd: cat gate > made.txt, outs: [made.txt]}\n"})
    os.mkfifo(project.folder / "gate")
    with subprocess.Popen(["dvc", "repro", "-q"], cwd=project.folder) as stock:
        until(lambda: (project.folder / "made.txt").exists())
        busy = run(check=False)
        (project.folder / "gate").write_text("through\n")
        stock.wait(120)
    run()

    assert busy.returncode == 255
    assert f"(PID {stock.pid})" in busy.stderr
    assert stock.returncode == 0
    assert (project.folder / "made.txt").read_text() == "through\n"
    assert did(project, newest(project)) == {"slow": "unchanged"}
    assert json.loads((project.folder / ".dvc/tmp/rwlock").read_text()).get("write", {}) == {}


def _has_process(folder: Path) -> bool:
    from mlgit.store import locks

    return locks.is_alive(folder)
