"""A process that is killed at any moment leaves nothing that stays in the way, and loses no row."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import live, recover
from tests.dying import last_moment

Script = Callable[..., "subprocess.CompletedProcess[str]"]

# A child for each file operation of a run, at which it is killed; then the run goes on as if that were nothing.
DEATHS = """
import os, sys, mlgit
from pathlib import Path
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import recover, runs
from tests.dying import dies_at

OFF = {"console": "off", "x_disable_stats": True}
repo = Repo.find(Path("."))

def train(run_id, said):
    with mlgit.init(id=run_id, settings=OFF) as run:
        run.log({"loss": 1})
        os.write(said, b"logged")

def dies(moment):
    ear, mouth = os.pipe()
    died = dies_at(moment, train, f"at{moment:04}", mouth)
    os.close(mouth)
    with open(ear) as heard: return died, heard.read() == "logged"

train("warm", os.open(os.devnull, os.O_WRONLY))
moment = step = int(sys.argv[1])
while True:
    died, is_logged = dies(moment)
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
def test_a_run_that_is_killed_at_any_file_operation_can_be_gone_on_with(repo: Repo, change: str):
    if change:
        (repo.folder / "train.py").write_text(change)  # its code is held by a ref meanwhile

    assert last_moment(DEATHS, "1", folder=repo.folder) > 50
    assert not live.folders(repo)
    assert [path.name for path in Path(repo.common_dir, "refs").rglob("*.lock")] == []
    for entry in (repo.own / "live").iterdir():  # one that had no lock yet may be somebody's for a minute
        os.utime(entry, (0, 0))
    live.sweep(repo)
    assert list((repo.own / "live").iterdir()) == []


DIES = """
import os, sys, time, mlgit
from pathlib import Path
from mlgit.git import refs
from mlgit.git.repo import Repo
from mlgit.store import live, result

def die(path, line):
    if "heads" in path.parts: os.kill(os.getpid(), 9)

def checkpoint():
    repo = Repo.find(Path("."))
    result.checkpoint(repo, live.folder_of(repo, "abcdefgh"), time.time())

run = mlgit.init(id="abcdefgh")
run.log({"loss": 1})
if sys.argv[1] == "checkpoint" and not os.fork():
    refs._note = die
    checkpoint()
if sys.argv[1] == "checkpoint": os.wait()
else: refs._note = die
run.finish()
"""


@pytest.mark.parametrize("who", ["checkpoint", "end"])
def test_a_branch_whose_making_was_cut_short_is_made_again(repo: Repo, python: Script, who: str):
    python("-c", DIES, who, cwd=repo.folder, check=who == "checkpoint")
    repo.git("config", "user.name", "Somebody Else")  # the commit is another one now
    recover.recover_all(repo, print)
    (run,) = query.runs(repo)

    assert (run.state.value, run.metrics) == ("finished", {"loss": 1})
    assert not live.folders(repo)


def test_a_run_that_cannot_be_recorded_stops_nobody(repo: Repo, python: Script, mlgit: Script):
    python("-c", "import mlgit, os; mlgit.init(id='spoilt'); os.kill(os.getpid(), 9)", cwd=repo.folder, check=False)
    with (live.folder_of(repo, "spoilt") / "events.jsonl").open("a") as file:
        file.write(
            '{"params": ' + '{"a": ' * 900 + "1" + "}" * 901 + "\n"
        )  # deeper than anything is that reads or writes it
    python("-c", "import mlgit; mlgit.init(id='sound').log({'a': 1})", cwd=repo.folder)

    assert "spoilt cannot be recovered yet" in mlgit("ls", cwd=repo.folder).stderr
    assert mlgit("recover", cwd=repo.folder, check=False).returncode == 1
    assert "sound" in {run.id for run in query.runs(repo)}
