"""What the machine was doing while a run was alive."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mlgit.core.history import Series
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import recover, runs

Script = Callable[..., "subprocess.CompletedProcess[str]"]

OFTEN = {"MLGIT_SYSTEM_SECONDS": "0.1"}
LOOKED_AT = """
import mlgit, pathlib
run = mlgit.init()
seen = pathlib.Path(run.dir).parent / "system.jsonl"
def looks(number):
    while not seen.exists() or seen.read_bytes().count(b"\\n") < number: pass
"""


def seen(repo: Repo) -> Mapping[str, Series]:
    recover.recover_all(repo, lambda _text: None)
    (run,) = query.runs(repo)
    return runs.system(repo, run)


def test_the_names_are_those_of_wandb(repo: Repo, python: Script):
    python("-c", f"{LOOKED_AT}\nlooks(3)", cwd=repo.folder, env={**os.environ, **OFTEN})
    told = seen(repo)

    assert told.keys() >= {
        "cpu", "proc.cpu.threads", "proc.memory.rssMB", "proc.memory.percent", "proc.memory.availableMB",
        "memory_percent", "disk./.usagePercent", "disk./.usageGB", "network.sent", "network.recv",
    }  # fmt: skip
    assert not any(name.startswith("_") for name in told)
    assert len(told["cpu"]) >= 3
    assert all(0 <= percent <= 101 for percent in told["memory_percent"].values)
    assert told["proc.memory.rssMB"].values[-1] > 5


def test_all_of_the_process_tree_counts(repo: Repo, python: Script):
    code = f"""
import subprocess, sys
{LOOKED_AT}
looks(2)
alone = len(seen.read_bytes().splitlines())
holds = "import sys; x = bytearray(100 << 20); print(flush=True); sys.stdin.read()"
child = subprocess.Popen([sys.executable, "-c", holds], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
looks(alone + 3)
child.communicate()
run.summary["alone"] = alone
"""
    python("-c", code, cwd=repo.folder, env={**os.environ, **OFTEN})
    resident = seen(repo)["proc.memory.rssMB"].values

    assert max(resident) > resident[0] + 90
    assert seen(repo)["proc.cpu.threads"].values[0] >= 2


def test_a_run_that_is_shorter_than_the_first_look_pays_nothing(repo: Repo, python: Script):
    code = "import mlgit, sys; mlgit.init(); mlgit.finish(); print('psutil' in sys.modules)"

    assert python("-c", code, cwd=repo.folder).stdout == "False\n"
    assert seen(repo) == {}


@pytest.mark.parametrize("how", ["environment", "file", "settings", "interval", "forever"])
def test_it_is_off_where_nobody_wants_it(repo: Repo, python: Script, how: str):
    settings = {
        "settings": {"x_disable_stats": True},
        "interval": {"x_stats_sampling_interval": 0},
        "forever": {"x_stats_sampling_interval": 1e300},
    }.get(how, {})
    env = {**os.environ, **({"WANDB_SYSTEM_SECONDS": "0"} if how == "environment" else {})}
    if how == "file":
        (repo.folder / "mlgit.yaml").write_text("project: p\nrun:\n  system_seconds: 0\n")
    code = f"import mlgit, os; mlgit.init(settings={settings}); print(len(os.listdir('/proc/self/task')))"

    assert python("-c", code, cwd=repo.folder, env=env).stdout == "1\n"


def test_other_disks_are_looked_at_by_name(repo: Repo, python: Script, tmp_path: Path):
    settings = {"x_stats_disk_paths": [str(tmp_path), "/no such place"], "x_stats_sampling_interval": 0.1}
    python("-c", LOOKED_AT.replace("init()", f"init(settings={settings})") + "\nlooks(1)", cwd=repo.folder)
    told = seen(repo)

    assert f"disk.{tmp_path}.usagePercent" in told
    assert not any("no such place" in name for name in told)
    assert "disk./.usagePercent" not in told


def test_mlgit_run_looks_at_a_command_in_any_language_and_its_script_does_not_look_again(repo: Repo, mlgit: Script):
    code = (
        "import os, mlgit, pathlib; run = mlgit.init(); print(len(os.listdir('/proc/self/task')), flush=True)\n"
        "seen = pathlib.Path(run.dir).parent / 'system.jsonl'\n"
        "while not seen.exists() or seen.read_bytes().count(b'\\n') < 2: pass"
    )
    done = mlgit("run", "--system-seconds", "0.1", "--", sys.executable, "-c", code, cwd=repo.folder)
    told = seen(repo)

    assert done.stdout == "1\n"
    assert told["proc.memory.rssMB"].values[0] > 5
    assert all(value > 0 for value in told["proc.memory.rssMB"].values)  # none once the command has ended


def test_a_forked_child_does_not_look_and_can_do_all_that_a_look_does(repo: Repo, python: Script):
    code = f"""
import os
{LOOKED_AT}
looks(1)
for _ in range(20):
    if (pid := os.fork()) == 0:
        import psutil
        psutil.virtual_memory()
        os._exit(len(os.listdir("/proc/self/task")))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
print("well")
"""
    done = python("-W", "ignore", "-c", code, cwd=repo.folder, env={**os.environ, **OFTEN}, timeout=120)

    assert done.stdout == "well\n"


def test_what_was_seen_until_a_kill_is_kept(repo: Repo, python: Script):
    python("-c", f"{LOOKED_AT}\nlooks(2)\nimport os; os.kill(os.getpid(), 9)", cwd=repo.folder,
           env={**os.environ, **OFTEN}, check=False)  # fmt: skip

    assert len(seen(repo)["cpu"]) >= 2


def test_a_look_that_fails_is_said_once_and_fails_no_training(repo: Repo, python: Script):
    code = """
import sys
sys.modules["psutil"] = None
import mlgit
run = mlgit.init(settings={"x_stats_sampling_interval": 0.1})
import os
while len(os.listdir("/proc/self/task")) > 1: pass
run.log({"a": 1})
"""
    done = python("-c", code, cwd=repo.folder)

    assert done.stderr.count("no more system metrics") == 1
    assert query.runs(repo)[0].metrics == {"a": 1}


def test_each_look_is_a_line_with_its_time(repo: Repo, python: Script):
    done = python("-c", f"{LOOKED_AT}\nlooks(2)\nprint(seen.read_text())", cwd=repo.folder, env={**os.environ, **OFTEN})
    first, second, *_ = [json.loads(line) for line in done.stdout.splitlines() if line]

    assert second["_timestamp"] > first["_timestamp"]
    assert 0 < first["_runtime"] < second["_runtime"]
