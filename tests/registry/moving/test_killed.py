"""Promotions whose process is killed at one moment after the other: the next one finishes them, nothing is twice."""

from __future__ import annotations

import pytest

from mlgit.forge.folder import FolderForge
from mlgit.git.repo import Repo
from mlgit.registry.evidence.gathering import Sources
from mlgit.registry.moving import propose as proposing
from mlgit.registry.moving import settle
from mlgit.registry.served import posting
from mlgit.registry.versions import registering
from mlgit.store import registry as store
from tests import dying

_DYING = """
import json, shutil, sys
from pathlib import Path
from mlgit.core.model import Stage
from mlgit.errors import GateFailedError, UsageError
from mlgit.forge.base import PullState
from mlgit.forge.folder import FolderForge
from mlgit.git.repo import Repo
from mlgit.registry import ledger
from mlgit.settings import Settings
from mlgit.store import registry as store
from mlgit.store.place import Place
from mlgit.wiring import promoting
from tests.dying import dies_at, unlock

origin, act = Path(sys.argv[1]), sys.argv[2]


def place(folder):
    return Place(Repo.find(folder), Settings(project="digits", folder=folder))


def plan(here, at=None):
    return promoting.promotion(here, "digits", "v1.1.0", "production", at=at)


def propose(here):
    return promoting.promote(here, plan(here)).pull.number


def directly(here):
    wanted = Stage(model="digits", stage="production", version="v1.1.0")
    promoting.direct(here, wanted, lambda at: plan(here, at))


def merge(here, number=1):
    forge = FolderForge(here.repo)
    pull = forge.get(number)
    if pull.state is PullState.OPEN:
        promoting.before_merge(here, pull)
        pull = forge.merge(number, expect=pull.head_commit)
    for one in promoting.after_merge(here, pull):
        if isinstance(one.refusal, GateFailedError):
            promoting.undo(here, pull, one)


def settle(here):
    promoting.settle_stages(here)


def told(here):
    repo = here.repo
    known = ledger.of(store.tags(repo), "digits")
    pulls = [(one.state.value, one.head) for one in FolderForge(repo).pulls(state=None)]
    tree = repo.git("ls-tree", "-r", "main")
    page = json.loads(repo.read("mlgit-registry", "digits/production.json"))["version"]
    pages = page, repo.git("log", "--format=%s", "mlgit-registry")
    return pages, pulls, [(one.stage, one.version) for one in known.history], tree, repo.git("status", "--porcelain")


def state(folder):
    # all that counts: of git's folder, what is no object, log or lock; and the work tree
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    inert = {folder / ".git" / name for name in ("objects", "logs")}
    return {path.relative_to(folder): path.read_bytes() for path in files if not inert & {*path.parents}}


def fresh(name):
    return place(shutil.copytree(origin, origin.parent / name, symlinks=True))


todo = globals()[act]
done = fresh("done")
todo(done)
expected, started = told(done), state(origin)
moment, states, here, seen = 1, 0, fresh("1"), started
while dies_at(moment, todo, here):
    unlock(here.repo.git_dir)
    (here.repo.git_dir / "index.lock").unlink(missing_ok=True)
    now = state(here.repo.folder)
    moment += 2
    if now == seen == started:
        continue  # nothing has happened yet
    if now != seen:
        states, seen = states + 1, now
        try:
            todo(here)
        except UsageError as exc:
            assert "already" in str(exc), exc  # it was done, and just did not say so any more
        assert told(here) == expected, f"{moment}: {told(here)} is not {expected}"
    shutil.rmtree(here.repo.folder)
    here = fresh(str(moment))
print(states)
"""

POLICY = b"stages: {production: {gates: [{metric: accuracy, min: 0.5}]}}\n"


@pytest.fixture
def ready(repo: Repo, trained) -> Repo:
    """A repository with two versions, of which production serves the first one."""
    versions = [registering.register(repo, trained(name, accuracy=0.9), model="digits") for name in ("a", "b")]
    files = {
        store.POLICY: POLICY, store.stage_path("digits", "production"): b"version: v1.0.0\n",
        store.version_path("digits", "v1.0.0"): store.version_text(versions[0]).encode(),
    }  # fmt: skip
    repo.git("reset", "-q", "--hard", repo.commit(repo.resolve("main"), files, "first"))
    settle.reconcile(repo, "main", sources=Sources())
    posting.post(repo, "main")
    return repo


def propose(repo: Repo) -> None:
    plan = proposing.plan(repo, "digits", "v1.1.0", "production", base="main", sources=Sources())
    proposing.promote(repo, FolderForge(repo), plan, sources=Sources())


def killed(repo: Repo, act: str) -> int:
    """In how many states a process can leave what it was to do, each of which was gone on from."""
    return dying.last_moment(_DYING, str(repo.folder), act, folder=repo.folder)


def test_who_proposes_and_is_killed_proposes_it_once_the_next_time(ready: Repo):
    assert killed(ready, "propose") > 3


def test_who_commits_directly_and_is_killed_has_it_settled_the_next_time(ready: Repo):
    assert killed(ready, "directly") > 1


def test_stages_that_are_half_settled_when_it_is_killed_are_settled_by_the_next(ready: Repo):
    plan = proposing.plan(ready, "digits", "v1.1.0", "production", base="main", sources=Sources())
    changes = {path: text.encode() for path, text in plan.files.items()}
    ready.git("reset", "-q", "--hard", ready.commit(plan.base_commit, changes, "by hand"))

    assert killed(ready, "settle") > 0


def test_a_merge_that_is_killed_is_settled_by_the_next_and_makes_nothing_twice(ready: Repo):
    propose(ready)

    assert killed(ready, "merge") > 2


def test_a_merge_whose_gate_fails_by_then_is_taken_back_once_whenever_it_is_killed(ready: Repo):
    propose(ready)
    high = ready.commit(ready.resolve("main"), {store.POLICY: POLICY.replace(b"0.5", b"0.99")}, "raise")
    ready.git("reset", "-q", "--hard", high)
    FolderForge(ready).merge(1)

    assert killed(ready, "merge") > 2
