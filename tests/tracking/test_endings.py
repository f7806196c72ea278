"""How a run ends: signals, exceptions, threads, several runs in one process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

import mlgit
from mlgit.core.run import State
from mlgit.errors import UsageError
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import live, recover, runs

Script = Callable[..., "subprocess.CompletedProcess[str]"]


def ended(repo: Repo, code: str, python: Script) -> tuple[int, State]:
    """(exit code, state) of a script that begins a run, logs, and goes on with *code*."""
    done = python("-c", f"import os, signal, sys, mlgit\nmlgit.init()\nmlgit.log({{'a': 1}})\n{code}",
                  cwd=repo.folder, check=False)  # fmt: skip
    recover.recover_all(repo, lambda _text: None)
    (run,) = query.runs(repo)
    assert dict(run.metrics)["a"] == 1
    return done.returncode, run.state


TERM = "os.kill(os.getpid(), signal.SIGTERM)"
PRUNE = """
from pathlib import Path
from mlgit.git.repo import Repo
from mlgit.store import live
live.prune(live.folder_of(Repo.find(Path(".")), mlgit.run.id), "others did better")
"""
CALLED_OFF = """
mlgit.run.call_off("others did better")
try:
    mlgit.log({"a": 2})
except Exception:
    print("a training that goes on whatever happens")
"""
HANDLER = "signal.signal(signal.SIGTERM, lambda *_: {0})\n"


@pytest.mark.parametrize(
    ("code", "exit_code", "state"),
    [
        (TERM, -15, State.PREEMPTED),
        (f"with mlgit.run:\n  {TERM}", -15, State.PREEMPTED),
        (f"{HANDLER.format('sys.exit(0)')}{TERM}", 0, State.FINISHED),
        (f"{HANDLER.format('sys.exit(7)')}{TERM}", 7, State.FAILED),
        (f"signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{TERM}", 0, State.FINISHED),
        ("raise KeyboardInterrupt", -2, State.CRASHED),
        ("with mlgit.run:\n  raise KeyboardInterrupt", -2, State.CRASHED),
        ("with mlgit.run:\n  raise ValueError('oh')", 1, State.FAILED),
        ("with mlgit.run:\n  raise SystemExit(3)", 3, State.FAILED),
        ("with mlgit.run:\n  raise SystemExit(0)", 0, State.FINISHED),
        ("import threading\nt = threading.Thread(target=sys.exit, args=(3,))\nt.start(); t.join()", 0, State.FINISHED),
        ("mlgit.mark_preempting()\nsys.exit(1)", 1, State.PREEMPTED),
        ("mlgit.mark_preempting()", 0, State.FINISHED),
        ("mlgit.mark_preempting()\nos.kill(os.getpid(), 9)", -9, State.PREEMPTED),
        ("os._exit(3)", 3, State.CRASHED),
        (f"{PRUNE}{TERM}", -15, State.PRUNED),
        (f"{PRUNE}os.kill(os.getpid(), 9)", -9, State.PRUNED),
        (f"{HANDLER.format('sys.exit(0)')}{PRUNE}{TERM}", 0, State.PRUNED),
        (CALLED_OFF, 1, State.PRUNED),
        ("mlgit.teardown()", 0, State.FINISHED),
    ],
)
def test_a_run_ends_as_its_process_does(repo: Repo, python: Script, code: str, exit_code: int, state: State):
    assert ended(repo, code, python) == (exit_code, state)


def test_a_pruned_run_says_why_and_that_nothing_went_wrong(repo: Repo, python: Script):
    ended(repo, f"{PRUNE}raise ValueError('of a worker that was told to end')", python)

    (run,) = query.runs(repo)
    about = runs.provenance(repo, run)
    assert about["pruned"] == "others did better"
    assert not {"error", "exit_code"} & about.keys()


def test_a_run_that_had_said_its_end_is_not_pruned(repo: Repo, python: Script):
    said = "mlgit.run._journal.live.event(end={'state': 'finished', 'time': 1.0})\n"

    assert ended(repo, f"{said}{PRUNE}os.kill(os.getpid(), 9)", python)[1] is State.FINISHED


@pytest.mark.parametrize(("way", "code"), [("sys.exit(0)", 0), ("sys.exit(7)", 7)])
def test_a_handler_that_was_there_is_called_and_the_run_is_preempted(repo: Repo, python: Script, way: str, code: int):
    script = f"import os, signal, sys, mlgit\n{HANDLER.format(way)}mlgit.init()\n{TERM}\nprint('not reached')"
    done = python("-c", script, cwd=repo.folder, check=False)

    assert (done.returncode, done.stdout) == (code, "")
    assert [run.state for run in query.runs(repo)] == [State.PREEMPTED]


def test_a_child_that_is_terminated_ends_no_run(repo: Repo, python: Script):
    code = """
import multiprocessing, time
for _ in range(20):  # each as early as can be
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(5,))
    child.start(); child.terminate(); child.join()
    assert child.exitcode == -15, child.exitcode
mlgit.log({"a": 1})
"""
    assert ended(repo, code, python) == (0, State.FINISHED)


def test_what_a_forked_child_logs_is_kept_and_its_end_is_not_the_runs(repo: Repo, python: Script):
    code = """
import multiprocessing
def work(number): mlgit.log({f"child{number}": number}); mlgit.finish(); sys.exit(3)
children = [multiprocessing.get_context("fork").Process(target=work, args=(n,)) for n in range(3)]
[child.start() for child in children]; [child.join() for child in children]
mlgit.log({"a": 1})
"""
    assert ended(repo, code, python) == (0, State.FINISHED)
    assert dict(query.runs(repo)[0].metrics) == {"a": 1, "child0": 0, "child1": 1, "child2": 2}


def test_runs_side_by_side_in_threads_are_runs_of_their_own(repo: Repo, python: Script):
    code = """
import threading
def work(number):
    with mlgit.init(name=f"t{number}", reinit="create_new") as run:
        for step in range(50): run.log({"n": number * 100 + step})
threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
"""
    python("-c", f"import mlgit\n{code}", cwd=repo.folder)
    found = {run.name: run for run in query.runs(repo)}

    assert sorted(found) == ["t0", "t1", "t2", "t3"]
    for number in range(4):
        assert list(runs.history(repo, found[f"t{number}"])["n"].values) == [number * 100 + step for step in range(50)]


def test_a_run_inside_of_another_leaves_it_as_it_was(repo: Repo, python: Script):
    code = """
import mlgit
with mlgit.init(name="outer") as outer:
    outer.log({"a": 1})
    with mlgit.init(name="inner", reinit="create_new") as inner:
        inner.log({"b": 1})
        mlgit.log({"a": 2})
    outer.log({"a": 3})
"""
    python("-c", code, cwd=repo.folder)

    assert {run.name: dict(run.metrics) for run in query.runs(repo)} == {"outer": {"a": 3}, "inner": {"b": 1}}


def test_finish_from_two_threads_records_once_and_both_wait(inside: Repo):
    import mlgit

    run = mlgit.init()
    run.log({"a": 1})
    seen: list[int] = []

    def finish() -> None:
        run.finish()
        seen.append(len(inside.refs("refs/heads/exp/")))

    with ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(finish)

    assert seen == [1, 1, 1, 1]
    with pytest.raises(UsageError, match=run.name):
        run.log({"a": 2})


def test_a_run_of_a_process_that_lost_its_folder_ends_with_a_word(repo: Repo, python: Script):
    code = """
import os, mlgit
run = mlgit.init(settings={'x_disable_stats': True})
run.log({'a': 1})
os.rename(run.sync_dir, 'gone')  # at once: the run's thread may write into it at any moment
run.log({'a': 2})
"""
    done = python("-c", code, cwd=repo.folder)

    assert "is not a branch yet" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("kill", "state", "code"),
    [("SIGKILL", "crashed", 137), ("SIGTERM", "preempted", 143), ("SIGINT", "crashed", -2)],
)
def test_mlgit_run_tells_by_which_signal_the_command_died(
    repo: Repo, mlgit: Script, kill: str, state: str, code: int
):  # fmt: skip
    done = mlgit("run", "--", "sh", "-c", f"kill -{kill[3:]} $$", cwd=repo.folder, check=False)

    assert done.returncode == code
    assert [run.state.value for run in query.runs(repo)] == [state]


def test_mlgit_run_goes_on_with_a_run(repo: Repo, mlgit: Script, python: Script):
    script = "import mlgit; run = mlgit.init(); print(run.resumed, run.step); mlgit.log({'a': 1})"
    first = mlgit("run", "-n", "one", "--", sys.executable, "-c", f"{script}; exit(3)", cwd=repo.folder, check=False)
    second = mlgit("run", "--resume", "one", "--", sys.executable, "-c", script, cwd=repo.folder)
    fork = mlgit("run", "-n", "two", "--fork", "one@0", "--", sys.executable, "-c", script, cwd=repo.folder)
    found = {run.name: run for run in query.runs(repo)}

    assert [done.stdout.strip() for done in (first, second, fork)] == ["False 0", "True 1", "False 1"]
    assert list(runs.history(repo, found["one"])["a"].steps) == [0, 1]
    assert found["one"].state is State.FINISHED
    assert found["two"].parent == found["one"].id


def test_two_scripts_of_one_run_share_its_steps(repo: Repo, mlgit: Script):
    script = f'{sys.executable} -c \'import mlgit; mlgit.init(); mlgit.log({{"a": 1}}); mlgit.log({{"a": 2}})\''
    mlgit("run", "--", "sh", "-c", f"{script} && {script}", cwd=repo.folder)
    (run,) = query.runs(repo)

    assert list(runs.history(repo, run)["a"].steps) == [0, 1, 2, 3]
    assert not live.folders(repo)


def test_disabled_takes_every_call_and_touches_no_disk(tmp_path: os.PathLike[str], python: Script):
    code = """
import mlgit
run = mlgit.init(mode="disabled", resume="must", id="abc", config={"a": 1})
run.log({"a": 1}); run.mark_preempting(); run.status(); run.sync_dir; run.resumed; run.starting_step; run.sweep_url
run.pin_config_keys(["a"]); run.to_html(); run.display(); run.name = "x"; run.tags += ("b",); run.summary["s"] = 1
mlgit.mark_preempting(); mlgit.teardown(); mlgit.ensure_configured()
"""
    done = python("-c", code, cwd=tmp_path)

    assert done.stderr == ""
    assert os.listdir(tmp_path) == []


def test_a_run_whose_folder_somebody_removed_is_said_to_be_lost(inside: Repo, capsys: pytest.CaptureFixture[str]):
    run = mlgit.init(id="abcdefgh")
    os.rename(live.folder_of(inside, "abcdefgh"), "gone")
    run.finish()

    assert "Its folder was removed: it is lost." in capsys.readouterr().err
