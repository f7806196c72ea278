"""Live folders among several who make, look for and remove them."""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import live, locks, recover, runs

Script = Callable[..., "subprocess.CompletedProcess[str]"]

# In between any two operations on files, what a neighbour's command does first.
NEIGHBOUR = """
import sys, mlgit
from pathlib import Path
from mlgit.core.run import Run
from mlgit.git.repo import Repo
from mlgit.store import live, recover, result

repo, looking = Repo.find(Path(".")), False
def look(event, args):
    global looking
    if not looking and event in ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "fcntl.flock"):
        looking = True
        recover.recover_all(repo, print)
        looking = False
"""
MADE = """
OFF = {"console": "off", "x_disable_stats": True}
mlgit.init(settings=OFF).finish()
sys.addaudithook(look)
with mlgit.init(id="made", settings=OFF) as run:
    run.log({"a": 1})
"""
DISCARDED = """
opened = live.create(repo, Run(id="discarded", name="n", project="p", created=1.0, source="0" * 40), {})
sys.addaudithook(look)
result.discard(repo, opened)
"""


def test_a_neighbour_takes_nothing_of_a_run_that_is_being_made_or_recorded(repo: Repo, python: Script):
    said = python("-c", NEIGHBOUR + MADE, cwd=repo.folder).stdout

    assert {run.id: run.metrics for run in query.runs(repo)}["made"] == {"a": 1}
    assert not os.listdir(repo.own / "live")
    assert not said


def test_a_neighbour_recovers_no_run_that_is_being_discarded(repo: Repo, python: Script):
    said = python("-c", NEIGHBOUR + DISCARDED, cwd=repo.folder).stdout

    assert not query.runs(repo)
    assert not said


def test_a_turn_ends_with_its_block_whoever_was_forked_meanwhile(tmp_path: Path):
    with locks.committing(tmp_path) as fd:
        child = subprocess.Popen(["sleep", "60"], pass_fds=[fd])
    with (tmp_path / "commit").open() as file:
        had = locks.lock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    child.kill()
    child.wait()

    assert had


def test_who_resumes_a_run_that_is_just_being_recovered_waits_for_that(repo: Repo, python: Script):
    python("-c", "import mlgit, os; mlgit.init(id='again').log({'a': 1}); os.kill(os.getpid(), 9)", cwd=repo.folder,
           check=False)  # fmt: skip
    claimed = locks.claim(live.folder_of(repo, "again"))
    assert claimed is not None
    code = "import mlgit; print(mlgit.init(id='again', resume='must').step)"
    with subprocess.Popen((sys.executable, "-c", code), cwd=repo.folder, stdout=subprocess.PIPE, text=True) as resuming:
        with pytest.raises(subprocess.TimeoutExpired):
            resuming.wait(2)
        locks.let_go(claimed)
        said = resuming.communicate()[0]

    assert said == "1\n"


def _without_override() -> None:
    """Let root be refused what the rights of a file refuse."""
    if os.geteuid() == 0:
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH of capabilities(7)
            ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)


@pytest.mark.parametrize("words", [("ls",), ("recover",), ("doctor",), ("show", "sound"), ("run", "--", "true")])
def test_a_folder_that_nobody_else_may_look_into_stops_nobody(repo: Repo, python: Script, words: tuple[str, ...]):
    python("-c", "import mlgit; mlgit.init(id='sound').log({'a': 1})", cwd=repo.folder)
    python("-c", "import mlgit, os; mlgit.init(id='theirs'); os.kill(os.getpid(), 9)", cwd=repo.folder, check=False)
    folder = live.folder_of(repo, "theirs")
    folder.chmod(0)
    done = subprocess.run(
        (sys.executable, "-m", "mlgit", *words), cwd=repo.folder, preexec_fn=_without_override, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    folder.chmod(0o755)

    assert "PermissionError" not in done.stderr
    assert done.returncode == 0, done.stderr


@pytest.fixture
def dead(repo: Repo, python: Script) -> Path:
    """The live folder of a run that was killed."""
    code = "import mlgit, os\nmlgit.init(id='dead').log({'a': 1})\nos.kill(os.getpid(), 9)"
    python("-c", code, cwd=repo.folder, check=False)
    return live.folder_of(repo, "dead")


def noted(folder: Path, **said: str | None) -> None:
    """Let the run have noted something else of where it began; `""` for nothing."""
    begin = {**json.loads((folder / "run.yaml").read_text()), **said}
    (folder / "run.yaml").write_text(json.dumps({key: value for key, value in begin.items() if value != ""}))


@pytest.mark.parametrize(
    ("said", "is_ours"),
    [
        pytest.param({}, True, id="this machine"),
        pytest.param({"mark": "before"}, True, id="this machine, before it booted"),
        pytest.param({"host": "else", "machine_id": "else"}, True, id="another container below this kernel"),
        pytest.param({"mark": "else", "machine_id": "else"}, False, id="another machine of this name"),
        pytest.param({"mark": "else", "host": "else"}, False, id="another machine of this image"),
        pytest.param({"mark": "before", "machine_id": ""}, True, id="this machine, when no id was noted"),
        pytest.param({"mark": "else", "machine_id": "", "host": "else"}, False, id="another, when no id was noted"),
    ],
)
def test_only_what_began_on_this_machine_is_recovered_by_itself(
    repo: Repo, dead: Path, said: dict[str, str], is_ours: bool
):
    noted(dead, **said)
    recovered = recover.recover_all(repo, print)
    away = recover.left(repo)[1]

    assert [run.id for run in recovered] == (["dead"] if is_ours else [])
    assert away == ([] if is_ours else ["dead"])
    assert [run.id for run in recover.recover_all(repo, print, elsewhere=True)] == away


@pytest.mark.parametrize("holds", [None, "", "uninitialized\n"])
def test_where_no_machine_has_an_id_its_name_counts(
    repo: Repo, dead: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, holds: str | None
):
    if holds is not None:
        (tmp_path / "machine-id").write_text(holds)
    monkeypatch.setattr(live, "_MACHINE_ID", tmp_path / "machine-id")
    noted(dead, mark="before", machine_id=None)

    assert live.is_ours(dead)
    noted(dead, machine_id="else")
    assert not live.is_ours(dead)


def test_what_tells_one_machine_from_another_stays_in_the_live_folder(repo: Repo, dead: Path):
    began = json.loads((dead / "run.yaml").read_text())
    (run,) = recover.recover_all(repo, print)
    kept = runs.provenance(repo, run)

    assert began.keys() & {"mark", "machine_id", "host"} == {"mark", "machine_id", "host"}
    assert kept.keys() & {"mark", "machine_id", "host"} == {"host"}
