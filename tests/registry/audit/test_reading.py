"""However little is asked for, it is what all of the account says."""

from __future__ import annotations

import random

import pytest

from mlgit.git.repo import Move, Repo
from mlgit.registry import ledger
from mlgit.registry.audit import changes, happened, reading, standing
from mlgit.registry.stages import OURS
from mlgit.store import registry as store
from tests.registry.audit.conftest import POLICY

MODELS = ("a", "b", "c", "team/c", "d")
BEGIN = 1_700_000_000


@pytest.fixture
def busy(repo: Repo, request: pytest.FixtureRequest) -> Repo:
    """Models of which versions were promoted, by whoever, at times of which some are the same, and out of order."""
    draw = random.Random(request.param)
    for number in range(30):
        model, stage, when = draw.choice(MODELS), draw.choice(("dev", "prod")), BEGIN + draw.randrange(20)
        head, version = repo.resolve("main"), f"v1.{number}.0"
        path = draw.choice((f"registry/{model}/{stage}.yaml", store.POLICY))
        text = POLICY if path == store.POLICY else f"version: {version}\n".encode()
        made = repo.commit(head, {path: text}, f"step {number}", when=BEGIN + draw.randrange(20))
        repo.move([Move("refs/heads/main", head, made)], why="test")
        if draw.random() < 0.6:
            result = repo.commit(None, {"x": version.encode()}, version)
            repo.tag(f"refs/tags/{model}@{version}", result, f"{model} {version}", when=when)
            said = f"{model} {version} is {stage}\n\n{OURS}{made}\n"
            repo.tag(f"refs/tags/{model}#{stage}#{number}", result, said, when=when + draw.randrange(3))
    return repo


@pytest.mark.parametrize("busy", range(4), indirect=True)
def test_the_last_things_that_happened_are_the_end_of_all_that_did(busy: Repo):
    commit = store.base_commit(busy, "main")
    every = happened.account(ledger.read(store.tags(busy)).values(), changes.of(busy, commit))

    for most in (1, 2, 3, 5, 9, 20, 1000):
        for stage in (None, "prod", "none"):
            of = [one for one in every if stage in (None, one.stage)]
            assert reading.newest(busy, commit, most, stage) == of[-most:], (most, stage)


@pytest.mark.parametrize("busy", range(4), indirect=True)
def test_what_was_live_is_the_same_for_a_part_of_the_models_at_a_time(busy: Repo, monkeypatch: pytest.MonkeyPatch):
    commit = store.base_commit(busy, "main")
    monkeypatch.setattr(reading, "_AT_ONCE", 2)

    for moment in (BEGIN, BEGIN + 9, BEGIN + 30):
        assert list(reading.live(busy, commit, moment)) == standing.live(
            store.tags(busy), changes.of(busy, commit), moment
        )
