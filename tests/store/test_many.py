"""Very many runs at once, that are over already."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from benchmarks import crowd
from mlgit.core.history import Series
from mlgit.core.refs import run_ref
from mlgit.errors import GitError
from mlgit.git.repo import Move, Repo
from mlgit.index import query
from mlgit.store import result, runs
from mlgit.store.telling import Account


@pytest.fixture
def accounts(repo: Repo) -> list[Account]:
    source = repo.resolve("HEAD")
    assert source
    series = Series(steps=[0, 1], runtimes=[0.0, 1.0], timestamps=[1.0, 2.0], values=[0.5, 0.25])
    return [Account(run=run, series={"loss": series}, output=b"said\n") for run in crowd.runs(250, source)]


def test_each_is_a_branch_like_any_other(repo: Repo, accounts: list[Account]):
    made = list(result.record_all(repo, accounts))

    assert [run.id for run in made] == [account.run.id for account in accounts]
    assert repo.refs("refs/heads/exp/") == {run.ref: run.commit for run in made}
    assert {run.id: dict(run.metrics) for run in query.runs(repo)} == {
        account.run.id: dict(account.run.metrics) for account in accounts
    }
    assert list(runs.history(repo, made[7])["loss"].values) == [0.5, 0.25]
    assert runs.output(repo, made[7]) == "said\n"
    assert repo.git("fsck", "--strict", "--no-dangling") == ""
    assert len(list((repo.common_dir / "objects").glob("??"))) < 50  # packed, not a file each


def test_runs_whose_names_meet_have_more_digits_of_their_ids(repo: Repo, accounts: list[Account]):
    one, two = (
        replace(account, run=replace(account.run, id=run_id, name="same", project="p"))
        for account, run_id in zip(accounts[:2], ("abcdefgh", "abcdefxy"), strict=True)
    )

    made = [*result.record_all(repo, [one]), *result.record_all(repo, [two])]

    assert [run.branch for run in made] == ["exp/p/same-abcdef", "exp/p/same-abcdefxy"]


def test_one_that_somebody_else_makes_at_this_moment_stays_theirs(
    repo: Repo, accounts: list[Account], monkeypatch: pytest.MonkeyPatch
):
    real, first = Repo.move, accounts[0].run
    theirs = run_ref(first.project, first.name, first.id)

    def meanwhile(self: Repo, moves: list[Move], *, why: str) -> None:
        repo.git("update-ref", theirs, "HEAD")
        real(self, moves, why=why)

    monkeypatch.setattr(Repo, "move", meanwhile)
    made = list(result.record_all(repo, accounts[:3]))

    assert made[0].ref == run_ref(first.project, first.name, first.id, digits=8)
    assert repo.refs(theirs)[theirs] == repo.resolve("HEAD")
    assert len(query.runs(repo)) == 3


def test_code_that_is_not_here_is_told_and_nothing_is_made(repo: Repo, accounts: list[Account]):
    lost = replace(accounts[1], run=replace(accounts[1].run, source="0" * 39 + "1"))

    with pytest.raises(GitError, match="is not in the repository"):
        list(result.record_all(repo, [accounts[0], lost]))

    assert not repo.refs("refs/heads/exp/")


DIES = """
import os, sys
from pathlib import Path
from benchmarks import crowd
from mlgit.git.repo import Move, Repo
from mlgit.store import result
from mlgit.store.telling import Account
repo = Repo.find(Path("."))
result._AT_ONCE = 50
runs = crowd.runs(400, repo.resolve("HEAD"))
for number, run in enumerate(result.record_all(repo, (Account(run=run) for run in runs)), 1):
    os.write(1, f"{run.ref} {run.commit}\\n".encode())
    if number == 120: os.kill(os.getpid(), 9)
"""


def test_what_was_told_is_there_after_a_kill(repo: Repo):
    done = subprocess.run(
        (sys.executable, "-c", DIES), cwd=repo.folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip

    told = dict(line.split() for line in done.stdout.splitlines())
    assert done.returncode == -signal.SIGKILL
    assert len(told) == 120
    assert told.items() <= repo.refs("refs/heads/exp/").items()
    assert repo.git("fsck", "--no-dangling") == ""
