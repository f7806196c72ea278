"""Whatever three clones of one remote do, and in whatever order: in the end all have the same, and nothing is lost."""

from __future__ import annotations

import random
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mlgit.core.merging import Side
from mlgit.git.remote import Remote
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import edit, folding, runs, sync
from mlgit.store.meeting import Wish
from mlgit.store.sync import Outcome
from tests.conftest import make_repo
from tests.recorded import record

STEPS = 30


@pytest.fixture
def clones(tmp_path: Path) -> list[Repo]:
    """Three clones of `far.git`."""
    first = make_repo(tmp_path / "seed")
    subprocess.run(["git", "clone", "-q", "--bare", str(first.folder), str(tmp_path / "far.git")], check=True)
    found = []
    for name in "abc":
        subprocess.run(["git", "clone", "-q", str(tmp_path / "far.git"), str(tmp_path / name)], check=True)
        found.append(Repo.find(tmp_path / name))
    return [repo for repo in found if repo]


class Story:
    """What happens by chance, and which tags were given to which run."""

    def __init__(self, clones: list[Repo], seed: int) -> None:
        self._clones = clones
        self._chance = random.Random(seed)
        self.tags: dict[str, set[str]] = {}

    def go_on(self, number: int) -> None:
        repo = self._chance.choice(self._clones)
        known = query.runs(repo)
        acts = [self._sync, self._sync, self._record, self._tag, self._tag, self._note, self._rename]
        acts += [self._hide, self._restore, self._archive, self._unarchive]
        act = self._chance.choice(acts) if known else self._chance.choice([self._sync, self._record])
        act(repo, number)

    def _sync(self, repo: Repo, _: int) -> None:
        exchange(repo)

    def _record(self, repo: Repo, number: int) -> None:
        self.tags[record(repo, f"{number:02}abcdef").id] = set()

    def _tag(self, repo: Repo, number: int) -> None:
        run = self._chance.choice(query.runs(repo))
        self.tags[run.id].add(f"t{number}")
        edit.edit(repo, run, lambda before: replace(before, tags=(*before.tags, f"t{number}")))

    def _note(self, repo: Repo, number: int) -> None:
        run = self._chance.choice(query.runs(repo))
        edit.edit(repo, run, lambda before: replace(before, notes=f"note {number}"))

    def _rename(self, repo: Repo, number: int) -> None:
        run = self._chance.choice(query.runs(repo))
        edit.edit(repo, run, lambda before: replace(before, name=f"name {number % 3}"))

    def _hide(self, repo: Repo, _: int) -> None:
        runs.hide(repo, [self._chance.choice(query.runs(repo))])

    def _restore(self, repo: Repo, _: int) -> None:
        if hidden := runs.hidden(repo):
            runs.restore(repo, [self._chance.choice(hidden)])

    def _archive(self, repo: Repo, _: int) -> None:
        known = [run for run in query.runs(repo) if not folding.staying(repo, [run])]
        folding.fold(repo, self._chance.sample(known, min(2, len(known))))

    def _unarchive(self, repo: Repo, _: int) -> None:
        if known := [run for run in query.runs(repo) if run.archive]:
            folding.unfold(repo, [self._chance.choice(known)])


def exchange(repo: Repo, *, choose: bool = False) -> Outcome:
    remote = Remote(repo=repo, name="origin")
    outcome = sync.exchange(remote, Wish(), wait=lambda _seconds: None)
    if choose and outcome.clashing:
        prefer = dict.fromkeys(outcome.clashing, Side.OURS)
        outcome = sync.exchange(remote, Wish(prefer=prefer), wait=lambda _seconds: None)
    return outcome


def told(repo: Repo, far: Repo) -> list[tuple[str, ...]]:
    """The runs of *repo*, and those hidden ones that were ever shared."""
    hidden = [replace(run, archive="hidden") for run in runs.hidden(repo) if far.refs(run.ref)]
    known = [*query.runs(repo), *hidden]
    return sorted((run.id, run.name, run.notes or "", " ".join(run.tags), run.archive, run.commit) for run in known)


@pytest.mark.parametrize("seed", range(3))
def test_all_clones_end_with_the_same_runs(clones: list[Repo], seed: int):
    story = Story(clones, seed)
    for number in range(STEPS):
        story.go_on(number)
    for _ in range(2):
        for repo in clones:
            outcome = exchange(repo, choose=True)
            assert not outcome.clashing
            assert not outcome.stuck
    far = Repo.find(clones[0].folder.parent / "far.git")
    assert far

    first, *others = [told(repo, far) for repo in clones]
    shared = [ref for ref in far.refs() if not ref.startswith("refs/heads/main")]
    assert others == [first, first]
    for run_id, *_, given, _, _ in first:
        assert set(given.split()) == story.tags[run_id]
    assert story.tags.keys() == {run_id for run_id, *_ in first} | {
        run.id for one in clones for run in runs.hidden(one)
    }
    assert all(repo.refs(ref) == far.refs(ref) for repo in clones for ref in shared)
    assert not exchange(clones[0]).there
    far.git("fsck", "--strict", "--no-dangling")
