"""Runs to an http remote: a thousand at once beside a bare `git push`, and 256 clients at once."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import crowd
from benchmarks.measure import Line, at_most, figure
from benchmarks.start import repository
from mlgit.core import refs
from mlgit.errors import MlgitError
from mlgit.git.remote import Remote
from mlgit.git.repo import Move, Repo
from mlgit.store import result, sync
from mlgit.store.meeting import Wish
from mlgit.store.telling import Account
from tests.git_http import serving

_RUNS = 1000
_CLIENTS = 256
_ALL = f"{refs.RUNS}*:{refs.RUNS}*"


def lines() -> Iterator[Line]:
    """Wall time, by turns on fresh remotes; what is lost, and what a person would have to mend."""
    with tempfile.TemporaryDirectory() as scratch:
        yield from _thousand(Path(scratch))
    with tempfile.TemporaryDirectory() as scratch:
        yield from _at_once(Path(scratch))


def _thousand(scratch: Path) -> Iterator[Line]:
    repo = crowd.build(scratch / "repo", _RUNS)
    heard: list[str] = []
    bare: list[float] = []
    ours: list[float] = []
    with serving(scratch, heard) as address:
        for turn in range(3):
            far = _far(scratch / f"bare{turn}.git", repo)
            bare.append(_seconds(repo, far, "git", "push", "-q", f"{address}/{far.name}", _ALL))
            far = _far(scratch / f"ours{turn}.git", repo)
            heard.clear()
            ours.append(_seconds(repo, far, sys.executable, "-m", "mlgit", "push", "--to", f"{address}/{far.name}"))
    theirs, mine = (sorted(costs)[1] for costs in (bare, ours))
    yield figure(f"{_RUNS:,} new runs over http, git push", theirs, "s")
    yield figure("  mlgit push", mine, "s")
    yield at_most("  mlgit against git", mine / theirs, 3, "×")
    yield at_most("  pushes", sum("service=git-receive-pack" in line for line in heard), 1, "")


def _at_once(scratch: Path) -> Iterator[Line]:
    """Every client is a process with a clone and one new run of its own; all begin at one moment."""
    repository(scratch / "seed")
    seed = Repo.find(scratch / "seed")
    assert seed
    far = _far(scratch / "far.git", seed)
    with serving(scratch) as address:
        clones = [_clone(far, scratch / f"client{number}", f"{address}/far.git") for number in range(_CLIENTS)]
        runs = [_record(repo, number) for number, repo in enumerate(clones)]
        ear, mouth = os.pipe()
        clients = [_client(repo, ear, mouth) for repo in clones]
        os.close(ear)
        began = time.perf_counter()
        os.close(mouth)  # which all wait for
        left = sum(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0 for pid in clients)
        took = time.perf_counter() - began
    there = _tips(far)
    yield figure(f"{_CLIENTS} clients push a run each at once over http", took, "s")
    yield at_most("  lost", len(set(runs) - there), 0, "runs")
    yield at_most("  left for hand work", left, 0, "clients")


def _seconds(repo: Repo, far: Path, *words: str) -> float:
    """What *words* take, which push all runs of *repo* to *far*."""
    began = time.perf_counter()
    subprocess.run(words, cwd=repo.folder, check=True, capture_output=True)
    took = time.perf_counter() - began
    if len(_tips(far)) != _RUNS:
        raise SystemExit(f"{far} lacks runs")
    return took


def _tips(far: Path) -> set[str]:
    """The commits of the runs that *far* has."""
    words = ("git", "for-each-ref", "--format=%(objectname)", refs.RUNS)
    return set(subprocess.run(words, cwd=far, capture_output=True, check=True).stdout.decode().split())


def _far(far: Path, repo: Repo) -> Path:
    """A new bare repository that has what *repo* has besides its runs."""
    subprocess.run(("git", "init", "-q", "--bare", "-b", "main", far), check=True)
    subprocess.run(("git", "config", "http.receivepack", "true"), cwd=far, check=True)
    subprocess.run(("git", "push", "-q", far, "main"), cwd=repo.folder, check=True)
    return far


def _clone(far: Path, folder: Path, address: str) -> Repo:
    subprocess.run(("git", "clone", "-q", "--shared", far, folder), check=True)
    subprocess.run(("git", "remote", "set-url", "origin", address), cwd=folder, check=True)
    repo = Repo.find(folder)
    assert repo
    return repo


def _record(repo: Repo, seed: int) -> str:
    """A new run; its commit."""
    (run,) = crowd.runs(1, repo.resolve("HEAD") or "", seed=seed)
    made = result.commit(repo, Account(run=run), ())
    repo.move([Move(refs.run_ref(run.project, run.name, run.id), None, made.commit)], why="run")
    return made.commit


def _client(repo: Repo, ear: int, mouth: int) -> int:
    """A process that pushes what *repo* has as soon as *mouth* closes, and ends well if that went well; its number."""
    if pid := os.fork():
        return pid
    os.close(mouth)
    os.read(ear, 1)
    try:
        sync.exchange(Remote(repo=repo, name="origin"), Wish(pulls=False))
    except MlgitError as exc:
        print(exc, file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)
