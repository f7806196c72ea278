"""A process that is killed at any moment leaves nothing that stays in the way, and loses no row."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.git.repo import Repo
from mlgit.store import live

Script = Callable[..., "subprocess.CompletedProcess[str]"]

# A child for each file operation of a run, at which it is killed; then the run goes on as if that were nothing.
DEATHS = """
import os, sys, mlgit
from pathlib import Path
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import recover, runs

FILES = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link")
OFF = {"console": "off", "x_disable_stats": True}
repo = Repo.find(Path("."))

def train(run_id, said):
    with mlgit.init(id=run_id, settings=OFF) as run:
        run.log({"loss": 1})
        os.write(said, b"logged")

def dies_at(moment):
    ear, mouth = os.pipe()
    if (pid := os.fork()) == 0:
        left = moment
        def count(event, args):
            nonlocal left
            if event in FILES:
                left -= 1
                if not left: os.kill(os.getpid(), 9)
        sys.addaudithook(count)
        train(f"at{moment:04}", mouth)
        os._exit(0)
    os.close(mouth)
    with open(ear) as heard: is_logged = heard.read() == "logged"
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -9, is_logged

train("warm", os.open(os.devnull, os.O_WRONLY))
moment = step = int(sys.argv[1])
while True:
    died, is_logged = dies_at(moment)
    if not died: break
    recover.recover_all(repo, lambda text: "cannot" in text and sys.exit(text))
    with mlgit.init(id=f"at{moment:04}", resume="allow", settings=OFF) as run: run.log({"loss": 2})
    (found,) = [run for run in query.runs(repo) if run.id == f"at{moment:04}"]
    values = list(runs.history(repo, found)["loss"].values)
    if values not in ([[1, 2]] if is_logged else [[1, 2], [2]]): sys.exit(f"{moment}: {is_logged} {values}")
    moment += step
print(moment)
"""


@pytest.mark.parametrize("change", ["", "changed"])
def test_a_run_that_is_killed_at_any_file_operation_can_be_gone_on_with(repo: Repo, python: Script, change: str):
    if change:
        (repo.folder / "train.py").write_text(change)  # its code is held by a ref meanwhile
    done = python("-c", DEATHS, "1", cwd=repo.folder)

    assert int(done.stdout) > 50
    assert not live.folders(repo)
    assert [path.name for path in Path(repo.common_dir, "refs").rglob("*.lock")] == []
    for entry in (repo.own / "live").iterdir():  # one that had no lock yet may be somebody's for a minute
        os.utime(entry, (0, 0))
    live.sweep(repo)
    assert list((repo.own / "live").iterdir()) == []
