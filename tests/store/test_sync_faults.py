"""A sync that is cut off or killed at any moment loses nothing, and the next one does the rest."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mlgit.errors import GitError, UnreachableError
from mlgit.git.remote import Remote
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import edit, sync
from mlgit.store.meeting import Wish
from tests.conftest import make_repo
from tests.dying import last_moment
from tests.git_http import Proxy, serving
from tests.recorded import record

Script = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def far(tmp_path: Path, repo: Repo) -> Repo:
    far = make_repo(tmp_path / "served" / "far.git", commit=False, bare=True)
    far.git("config", "http.receivepack", "true")
    repo.git("push", "-q", str(far.folder), "main")
    return far


@pytest.fixture
def proxy(far: Repo) -> Iterator[Proxy]:
    """What stands between a clone and the remote."""
    with serving(far.folder.parent) as address:
        proxy = Proxy(int(address.rpartition(":")[2]))
        yield proxy
        proxy.close()


@pytest.fixture
def clones(tmp_path: Path, far: Repo, proxy: Proxy) -> tuple[Repo, Repo]:
    """A clone behind the proxy, and one that is not."""
    found = []
    for name, address in (("one", f"http://127.0.0.1:{proxy.port}/far.git"), ("two", str(far.folder))):
        subprocess.run(["git", "clone", "-q", str(far.folder), str(tmp_path / name)], check=True)
        subprocess.run(["git", "remote", "set-url", "origin", address], cwd=tmp_path / name, check=True)
        found.append(Repo.find(tmp_path / name))
    one, two = found
    assert one
    assert two
    return one, two


def prepare(one: Repo, two: Repo, number: int) -> None:
    """Something to push, to pull and to merge; for one, all else is shared."""
    record(one, f"{number:02}newrun")
    exchange(two)
    for repo, fields in ((one, {"notes": str(number)}), (two, {"tags": (str(number),)})):
        (run,) = [run for run in query.runs(repo) if run.id == "abcdefgh"]
        edit.edit(repo, run, lambda before, fields=fields: replace(before, **fields))
    record(two, f"{number:02}others")
    exchange(two)


def exchange(repo: Repo, wait: Callable[[float], None] = lambda _seconds: None) -> sync.Outcome:
    return sync.exchange(Remote(repo=repo, name="origin"), Wish(), wait=wait)


def told(repo: Repo) -> dict[str, str]:
    return {run.id: run.commit for run in query.runs(repo)}


PLACES = 9
"""Connections are cut after so many shares of the bytes that a whole sync takes, and near its ends."""


@pytest.mark.parametrize("way", ["there", "back"])
def test_a_connection_that_is_cut_at_any_byte_costs_one_more_try(
    clones: tuple[Repo, Repo], far: Repo, proxy: Proxy, way: str
):
    one, two = clones
    record(one, "abcdefgh")
    exchange(one)
    exchange(two)
    prepare(one, two, 0)
    proxy.allow()
    exchange(one)
    whole = proxy.passed[way]

    places = [0, 1, *(whole * n // PLACES for n in range(1, PLACES)), whole - 1]
    for number, most in enumerate(places, start=1):
        prepare(one, two, number)
        waits: list[float] = []

        def wait(seconds: float, waits: list[float] = waits) -> None:
            waits.append(seconds)
            proxy.allow()

        proxy.allow(**{way: most})
        outcome = exchange(one, wait)
        proxy.allow()

        assert waits or most > whole * 0.9  # sizes differ by a few bytes from time to time
        assert {f"refs/heads/exp/p/n-{number:02}newr", "refs/heads/exp/p/n-abcdef"} <= outcome.there.keys()
        assert f"refs/heads/exp/p/n-{number:02}othe" in outcome.here
        assert one.refs("refs/heads/exp/") == far.refs("refs/heads/exp/")
    exchange(two)

    assert told(one) == told(two)
    assert len(told(one)) == 1 + 2 * (len(places) + 1)
    (run,) = [run for run in query.runs(two) if run.id == "abcdefgh"]
    assert (run.notes, run.tags) == (str(len(places)), (str(len(places)),))
    far.git("fsck", "--strict", "--no-dangling")


def test_where_the_connection_stays_away_nothing_has_changed_and_it_is_said(clones: tuple[Repo, Repo], proxy: Proxy):
    one, _ = clones
    record(one, "abcdefgh")
    proxy.allow(there=0)
    waits: list[float] = []
    before = one.refs()

    with pytest.raises(UnreachableError, match="could not be read"):
        exchange(one, waits.append)

    assert one.refs() == before
    assert len(waits) == 5
    assert waits[-1] > waits[0]


def test_a_job_without_the_right_to_push_is_told_so_at_once(clones: tuple[Repo, Repo], far: Repo, proxy: Proxy):
    one, _ = clones
    far.git("config", "http.receivepack", "false")
    record(one, "abcdefgh")
    waits: list[float] = []

    with pytest.raises(GitError, match="403"):
        exchange(one, waits.append)

    assert not waits


@pytest.mark.parametrize("command", ["push", "sync", "sync --json"])
def test_a_password_in_an_address_is_said_nowhere(
    clones: tuple[Repo, Repo], far: Repo, proxy: Proxy, mlgit: Script, command: str
):
    one, two = clones
    record(two, "other123")
    exchange(two)
    record(one, "abcdefgh")
    to = f"http://ada:hunter2@127.0.0.1:{proxy.port}/far.git"
    done = mlgit(*command.split(), "--to", to, cwd=one.folder)

    assert "pushed" in done.stdout
    assert "hunter2" not in done.stdout + done.stderr
    assert not [path for path in one.git_dir.rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]


# A child for each file operation and git process of a sync, at which it is killed; then another sync does the rest.
DEATHS = """
import sys, time
from dataclasses import replace
from pathlib import Path
from mlgit.git.remote import Remote
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import edit, folding, sync
from mlgit.store.meeting import Wish
from tests.dying import dies_at
from tests.recorded import record

one, two, far = (Repo.find(Path(name)) for name in ("one", "two", "far.git"))

def exchange(repo):
    return sync.exchange(Remote(repo=repo, name="origin"), Wish(), wait=lambda _: time.sleep(0.05))

def run_of(repo, name): return next(run for run in query.runs(repo) if run.id == name)

def prepare(number):
    exchange(one); exchange(two); exchange(one)
    edit.edit(one, run_of(one, "abcdefgh"), lambda run: replace(run, notes=str(number)))
    edit.edit(two, run_of(two, "abcdefgh"), lambda run: replace(run, tags=(*run.tags, str(number))))
    record(one, f"{number:04}here"); record(two, f"{number:04}fold")
    folding.fold(two, [run_of(two, f"{number:04}fold")])
    exchange(two)

def told(repo): return {run.id: (run.commit, run.archive) for run in query.runs(repo)}

step = int(sys.argv[1])
record(one, "abcdefgh")
moment = 1
while True:
    prepare(moment)
    before = told(one).keys() | told(two).keys()
    died = dies_at(moment, exchange, one)
    if not before >= told(one).keys() >= {"abcdefgh", f"{moment:04}here"}: sys.exit(f"{moment}: {told(one)}")
    exchange(one); exchange(two); exchange(one)
    if not before == told(one).keys() == told(two).keys() == told(far).keys(): sys.exit(f"{moment}: {told(one)}")
    run = run_of(two, "abcdefgh")
    if told(one) != told(two) or run.notes != str(moment) or str(moment) not in run.tags: sys.exit(f"{moment}: {run}")
    if not died: break
    moment += step
print(moment)
"""


def test_a_sync_that_is_killed_at_any_moment_loses_nothing_and_the_next_one_does_the_rest(repo: Repo, tmp_path: Path):
    subprocess.run(["git", "clone", "-q", "--bare", str(repo.folder), str(tmp_path / "far.git")], check=True)
    for name in ("one", "two"):
        subprocess.run(["git", "clone", "-q", str(tmp_path / "far.git"), str(tmp_path / name)], check=True)

    assert last_moment(DEATHS, "5", folder=tmp_path) > 50
