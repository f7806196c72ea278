"""Runs that several processes log to, or begin side by side."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import mlgit
from mlgit.core.run import Run
from mlgit.errors import UsageError
from mlgit.git.repo import Repo
from mlgit.index import query

HANDED = """
import multiprocessing, sys, mlgit

def work(log, number):
    log({"a": number})

if __name__ == "__main__":
    with mlgit.init() as run:
        run.log({"a": -1})
        with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
            for number in range(3):
                pool.apply(work, (run.log, number))
"""
AT_ONCE = """
import multiprocessing, sys, mlgit

def work(run, numbers):
    for number in numbers:
        run.log({"a": number})

if __name__ == "__main__":
    processes = multiprocessing.get_context(sys.argv[1])
    with mlgit.init() as run:
        run.log({"a": -1})
        others = [processes.Process(target=work, args=(run, range(100 * n, 100 * n + 100))) for n in range(2)]
        [other.start() for other in others]
        work(run, range(200, 900))
        [other.join() for other in others]
"""
IN_THE_MIDST = """
import os, time, mlgit

class Slow:
    ndim, shape, dtype = 0, (), "float64"
    def item(self):
        os.write(go, b"1")
        time.sleep(0.3)
        return 1

with mlgit.init() as run:
    run.log({"a": 0})
    ready, go = os.pipe()
    child = os.fork()
    if not child:
        os.read(ready, 1)
        for number in range(2, 5):
            run.log({"a": number})
        os._exit(0)
    run.log({"a": Slow()})
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""
WITHOUT_PAUSE = """
import multiprocessing, time, mlgit

def work(run_id, number, ready):
    run, count = mlgit.attach(run_id), 0
    while True:
        try:
            run.log({f"a{number}": count})
        except mlgit.UsageError as exc:
            assert "has ended" in str(exc)
            with open(f"said{number}", "w") as said: said.write(str(count - 1))
            return
        count += 1
        ready.set()

if __name__ == "__main__":
    processes = multiprocessing.get_context("spawn")
    with mlgit.init() as run:
        ready = [processes.Event() for _ in range(2)]
        others = [processes.Process(target=work, args=(run.id, n, ready[n])) for n in range(2)]
        [other.start() for other in others]
        [one.wait() for one in ready]
    [other.join() for other in others]
    assert [other.exitcode for other in others] == [0, 0]
"""
TOO_LATE = """
import os, sys, mlgit

run = mlgit.init()
run.log({"a": 1})
ready, go = os.pipe()
child = os.fork()
if not child:
    os.close(go)
    os.read(ready, 1)
    for say in (lambda: run.log({"a": 2}), lambda: run.summary.update(b=2), lambda: run.config.update(c=2)):
        try:
            say()
        except mlgit.UsageError as exc:
            if "has ended" not in str(exc): os._exit(8)
        else:
            os._exit(9)
    os._exit(7)
os.close(ready)
run.finish()
os.close(go)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
"""
SHARED = """
import multiprocessing, mlgit as wandb

def work(run_id, number):
    shared = wandb.Settings(mode="shared", x_primary=False, x_label=f"w{number}")
    run = wandb.init(id=run_id, settings=shared, config={f"w{number}": number})
    run.log({"a": number})
    run.finish()

if __name__ == "__main__":
    settings = wandb.Settings(mode="shared", x_primary=True, x_label="main")
    run = wandb.init(id="abcdefgh", settings=settings, config={"lr": 1})
    processes = multiprocessing.get_context("spawn")
    others = [processes.Process(target=work, args=(run.id, number)) for number in range(2)]
    [other.start() for other in others]
    [other.join() for other in others]
    assert [other.exitcode for other in others] == [0, 0]
    run.log({"a": 2})
    run.finish()
"""
NOBODY = """
import mlgit as wandb
settings = wandb.Settings(x_primary=False, init_timeout=0.1)
with wandb.init(id="abcdefgh", mode="shared", settings=settings) as run: run.log({"a": 1})
"""
ATTACHED = """
import multiprocessing, mlgit

def work(run_id):
    run = mlgit.attach(run_id=run_id)
    run.config.child = 2
    run.log({"a": 1})

if __name__ == "__main__":
    run = mlgit.init(config={"parent": 1})
    child = multiprocessing.get_context("spawn").Process(target=work, args=(run.id,))
    child.start()
    child.join()
"""
FORKED = """
import os, mlgit

run = mlgit.init(name="parent")
child = os.fork()
if not child:
    own = mlgit.init(name="child", config={"x": 1})
    own.log({"a": 1})
    own.finish()
    os._exit(0)
os.waitpid(child, 0)
assert mlgit.run is run
run.log({"b": 1})
"""
POOL = """
import multiprocessing, mlgit

def work(number):
    with mlgit.init() as run:
        run.config.number = number
        run.log({"a": number})

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        pool.map(work, range(3), chunksize=1)
"""


INSIDE = "-m", "mlgit", "run", "--", sys.executable, "train.py"


def ran(repo: Repo, code: str, *words: str) -> list[Run]:
    (repo.folder / "train.py").write_text(code)
    subprocess.run([sys.executable, *words], cwd=repo.folder, check=True, timeout=120)
    return list(query.runs(repo))


@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_a_run_that_is_handed_to_other_processes_counts_their_rows_in_turn(
    repo: Repo, way: str, monkeypatch: pytest.MonkeyPatch
):
    (run,) = ran(repo, HANDED, "train.py", way)
    monkeypatch.chdir(repo.folder)

    assert run.metrics == {"a": 2}
    assert [row["a"] for row in mlgit.Api().run(run.id).scan_history()] == [-1, 0, 1, 2]


@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_of_a_run_that_several_log_to_at_once_no_row_is_lost(repo: Repo, way: str, monkeypatch: pytest.MonkeyPatch):
    (run,) = ran(repo, AT_ONCE, "train.py", way)
    monkeypatch.chdir(repo.folder)
    rows = list(mlgit.Api().run(run.id).scan_history())

    assert sorted(row["a"] for row in rows) == [-1, *range(900)]
    assert [row["_step"] for row in rows] == list(range(901))


def test_whoever_begins_to_share_a_run_in_the_midst_of_a_row_waits_for_its_end(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
):
    (run,) = ran(repo, IN_THE_MIDST, "train.py")
    monkeypatch.chdir(repo.folder)

    assert [(row["_step"], row["a"]) for row in mlgit.Api().run(run.id).scan_history()] == [
        (step, step) for step in range(5)
    ]


def test_a_run_ends_though_others_go_on_logging_to_it_and_has_all_that_they_were_told_it_has(repo: Repo):
    (run,) = ran(repo, WITHOUT_PAUSE, "train.py")

    assert [run.metrics[f"a{n}"] for n in range(2)] == [
        int((repo.folder / f"said{n}").read_text()) for n in range(2)
    ]  # fmt: skip


def test_a_process_that_logs_after_the_owners_end_is_told(repo: Repo):
    (run,) = ran(repo, TOO_LATE, "train.py")

    assert run.metrics == {"a": 1}


def test_processes_that_say_so_share_a_run_as_in_wandb(repo: Repo, monkeypatch: pytest.MonkeyPatch):
    (run,) = ran(repo, SHARED, "train.py")
    monkeypatch.chdir(repo.folder)

    assert run.params == {"lr": 1, "w0": 0, "w1": 1}
    assert sorted(row["a"] for row in mlgit.Api().run(run.id).scan_history()) == [0, 1, 2]


def test_a_process_that_may_not_begin_the_shared_run_and_finds_none_has_one_of_its_own(repo: Repo):
    (run,) = ran(repo, NOBODY, "train.py")

    assert (run.id != "abcdefgh", run.group, run.metrics) == (True, "abcdefgh", {"a": 1})


def test_another_process_takes_part_in_a_run_by_its_id(repo: Repo):
    (run,) = ran(repo, ATTACHED, "train.py")

    assert run.params == {"parent": 1, "child": 2}
    assert run.metrics == {"a": 1}


def test_a_forked_process_that_begins_a_run_has_one_of_its_own(repo: Repo):
    runs = {run.name: run for run in ran(repo, FORKED, "train.py")}

    assert runs["child"].params == {"x": 1}
    assert runs["child"].metrics == {"a": 1}
    assert runs["parent"].metrics == {"b": 1}


def test_of_many_processes_one_takes_part_in_the_run_around_them(repo: Repo):
    runs = ran(repo, POOL, *INSIDE)

    assert sorted(run.params["number"] for run in runs) == [0, 1, 2]


def test_a_script_that_names_an_id_has_that_run_also_inside_of_another(repo: Repo):
    runs = ran(repo, "import mlgit\nmlgit.init(id='abc', resume='allow').log({'a': 1})\n", *INSIDE)

    assert {run.id: dict(run.metrics) for run in runs}["abc"] == {"a": 1}


def test_a_copy_of_a_run_is_the_run(inside: Path):
    with mlgit.init() as run:
        assert copy.deepcopy(run) is run
        assert pickle.loads(pickle.dumps(run)) is run
        assert mlgit.attach(run_id=run.id) is run


def test_a_copy_of_a_disabled_run_is_disabled_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with mlgit.init(mode="disabled", config={"lr": 1}) as run:
        copied = pickle.loads(pickle.dumps(run))
        copied.log({"a": 1})

    assert copied.config == {"lr": 1}
    assert os.listdir(tmp_path) == []


def test_a_run_is_finished_by_the_words_of_wandb(inside: Path):
    run = mlgit.init()
    run.finish(exit_code=0, quiet=True)

    assert mlgit.run is None


def test_a_run_that_has_ended_is_not_taken_up(inside: Path):
    with mlgit.init() as run:
        pass

    with pytest.raises(UsageError, match="is under way"):
        mlgit.attach(run_id=run.id)
