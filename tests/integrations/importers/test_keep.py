"""Foreign runs, however many, become branches: each once, and nothing of one that is half."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.integrations.importers.foreign import Foreign
from mlgit.integrations.importers.keep import Filing, Keeper
from mlgit.store import attached, runs
from mlgit.wiring import place

COUNT = 60


def foreign(number: int, **about: object) -> Foreign:
    rows = tuple({"_step": step, "loss": number / (step + 1)} for step in range(3))
    told = Foreign(tool="test", id=f"run{number:03}", source="here", created=1e9 + number, finished=1e9 + number + 60,
                   name=f"n{number}", params={"lr": number}, rows=rows, output=b"said\n")  # fmt: skip
    return replace(told, **about)


def several(count: int = COUNT) -> Iterator[Foreign]:
    return map(foreign, range(count))


def keeper(inside: Repo) -> Keeper:
    return Keeper(place(), Filing(project="p"))


def leavings(repo: Repo) -> list[Path]:
    return [path for folder in ("incoming", "live") for path in (repo.own / folder).glob("*")]


def test_very_many_are_branches_like_any_other_and_no_files_each(inside: Repo):
    done = list(keeper(inside).keep(several()))

    found = {run.id: run for run in query.runs(inside)}
    assert [kept.outcome for kept in done] == ["imported"] * COUNT
    assert [kept.run and kept.run.ref for kept in done] == [found[f"run{number:03}"].ref for number in range(COUNT)]
    assert found["run007"].params == {"lr": 7}
    assert list(runs.history(inside, found["run007"])["loss"].values) == [7, 7 / 2, 7 / 3]
    assert runs.output(inside, found["run007"]) == "said\n"
    assert len(list((inside.common_dir / "objects").glob("??"))) < 20
    assert not leavings(inside)
    assert inside.git("fsck", "--strict", "--no-dangling") == ""


def test_the_machine_is_the_one_that_the_other_tool_noted(inside: Repo):
    list(keeper(inside).keep([foreign(0, about={"host": "theirs"}), foreign(1)]))

    hosts = [runs.provenance(inside, run).get("host") for run in sorted(query.runs(inside), key=lambda run: run.id)]
    assert hosts == ["theirs", None]


def test_they_are_told_in_their_order_as_time_goes_by(inside: Repo):
    list(keeper(inside).keep([foreign(2)]))
    hours = iter(range(1000))
    slow = replace(keeper(inside), clock=lambda: float(next(hours)))
    read: list[str] = []

    def reading() -> Iterator[Foreign]:
        for one in [*several(3), foreign(3, is_readable=False), *map(foreign, range(4, 8))]:
            read.append(one.id)
            yield one

    told = slow.keep(reading())
    first = next(told)

    assert (first.foreign.id, len(read)) == ("run000", 1)
    assert [kept.outcome for kept in told] == ["imported", "already here", "failed", *["imported"] * 4]


def test_one_that_cannot_be_recorded_fails_alone(inside: Repo, monkeypatch: pytest.MonkeyPatch):
    real = attached.attach

    def attach(repo: Repo, run: object, account: object) -> object:
        if getattr(run, "id", "") == "run003":
            raise ValueError("odd")
        return real(repo, run, account)

    monkeypatch.setattr(attached, "attach", attach)
    done = list(keeper(inside).keep(several(6)))

    assert [kept.outcome for kept in done] == [*["imported"] * 3, "failed", *["imported"] * 2]
    assert done[3].problems == ("odd",)
    assert len(query.runs(inside)) == 5
    assert not leavings(inside)


def test_large_ones_go_through_dvc_beside_the_others(inside: Repo, tmp_path: Path):
    large = tmp_path / "model.bin"
    large.write_bytes(os.urandom(attached.MOST_FILE + 1))

    done = list(keeper(inside).keep([foreign(0), foreign(1, files={"model.bin": large}), foreign(2)]))

    assert [kept.outcome for kept in done] == ["imported"] * 3
    (run,) = [run for run in query.runs(inside) if run.id == "run001"]
    assert "files" in run.held
    assert not leavings(inside)


def test_a_dry_run_writes_nothing(inside: Repo):
    dry = replace(keeper(inside), dry_run=True)

    assert [kept.outcome for kept in dry.keep(several(3))] == ["would be imported"] * 3
    assert not (inside.own / "incoming").exists()


IMPORTS = """
import os, sys
from tests.integrations.importers.test_keep import keeper, several
for kept in keeper(None).keep(several()):
    os.write(1, f"{kept.outcome}\\n".encode())
"""


def importing(repo: Repo, code: str = IMPORTS) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen((sys.executable, "-c", code), cwd=repo.folder, env=env, stdout=subprocess.PIPE, text=True)


def test_two_that_import_the_same_runs_at_once_end_with_each_run_once(inside: Repo):
    two = [importing(inside), importing(inside)]
    told = [one.communicate()[0].split("\n") for one in two]

    assert [one.returncode for one in two] == [0, 0]
    assert not [line for lines in told for line in lines if "failed" in line]
    assert sorted(run.id for run in query.runs(inside)) == [f"run{number:03}" for number in range(COUNT)]
    assert not leavings(inside)


KILLED = """
import os, sys
moment = int(sys.stdin.readline())
from tests.integrations.importers.test_keep import keeper, several
kept = keeper(None)
def count(event, args):
    global moment
    if event in ("open", "os.rename", "os.remove", "os.mkdir", "subprocess.Popen"):
        moment -= 1
        if not moment: os.kill(os.getpid(), 9)
sys.addaudithook(count)
list(kept.keep(several(25)))
"""


def test_an_import_that_is_killed_at_any_moment_leaves_whole_runs_and_the_next_one_does_the_rest(
    inside: Repo, mlgit: Callable[..., subprocess.CompletedProcess[str]]
):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    deaths = []
    for moment in (1, *range(2, 40, 4)):
        done = subprocess.run((sys.executable, "-c", KILLED), cwd=inside.folder, env=env, input=f"{moment}\n",
                              check=False, text=True)  # fmt: skip
        deaths.append(done.returncode)
        assert all(run.name == f"n{int(run.id[3:])}" for run in query.runs(inside))
        assert inside.git("fsck", "--no-dangling") == ""
    outcomes = [kept.outcome for kept in keeper(inside).keep(several(25))]

    assert deaths.count(-signal.SIGKILL) > 5
    assert set(outcomes) <= {"imported", "already here"}
    assert sorted(run.id for run in query.runs(inside)) == [f"run{number:03}" for number in range(25)]
    assert not leavings(inside)
