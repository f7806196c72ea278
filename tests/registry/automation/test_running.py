from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mlgit.core.model import Hold, ModelVersion, Stage
from mlgit.errors import MlgitError
from mlgit.git.remote import Remote
from mlgit.git.repo import Move, Repo
from mlgit.registry import ledger
from mlgit.registry.automation import events, running
from mlgit.registry.automation.events import Event
from mlgit.registry.automation.file import Automation, Command, Follower, On
from mlgit.registry.automation.running import MOST_TRIES, Delivery, Registry
from mlgit.registry.automation.state import REF, Done, How, Memory, State
from mlgit.store import registry as store

NOW = 1_800_000_000.0
TELL = Automation(name="tell", on=(On.PROMOTED, On.ROLLED_BACK), do=Command(command=("tell",)))


def tagged(repo: Repo, *names: str, at: float = NOW) -> None:
    """Tags of the model net: versions, each on a commit of its own, and stages on the last."""
    for number, name in enumerate(names):
        what, _, version = name.partition("@")
        if version and "#" not in what:
            commit = repo.commit(repo.resolve("HEAD"), {"v": version.encode()}, version)
            record = ModelVersion(
                model=what, version=version, project="p", run="r", commit=commit, artifact="a", hash=version[1:] * 4
            )
            repo.tag(f"refs/tags/{name}", commit, store.message(record), when=at + number)
        else:
            stage, _, version = name.partition("=")
            target = repo.git("rev-parse", f"net@{version}^{{commit}}").strip()
            repo.tag(f"refs/tags/{stage}", target, "moved", when=at + number)


def registry(repo: Repo, *stages: Stage) -> Registry:
    return Registry(ledgers=tuple(ledger.read(store.tags(repo)).values()), stages=stages)


class Told:
    """What an automation does here: it notes the events, and fails while it is told to."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.fails = 0

    def __call__(self, _: Follower, event: Event) -> str:
        self.events.append(event)
        if self.fails:
            self.fails -= 1
            raise MlgitError("nobody answers", fix="wait")
        return "ok"


def run(state: State, told: Told, known: Registry, *, now: float, one: Automation = TELL) -> list[Delivery]:
    return running.run(state, [one], lambda _: known, told, now=lambda: now)


def test_what_happened_before_an_automation_was_there_is_none_of_its_business_and_what_follows_comes_once(repo: Repo):
    tagged(repo, "net@v1.0.0", "net#production#1=v1.0.0", at=NOW - 100)
    state, told = State(repo=repo), Told()
    assert run(state, told, registry(repo), now=NOW) == []

    tagged(repo, "net@v1.1.0", "net#production#2=v1.1.0", "net#production#3=v1.0.0", at=NOW + 1)
    (first, second) = run(state, told, registry(repo), now=NOW + 10)

    assert (first.event.on, first.event.version, first.event.instead) == (On.PROMOTED, "v1.1.0", "v1.0.0")
    assert (second.event.on, second.event.version, second.event.digest) == (On.ROLLED_BACK, "v1.0.0", "1.0.0" * 4)
    assert first.event.plain("v1.0.0")["data"]["serves_now"] == "v1.0.0"
    assert run(State(repo=repo), told, registry(repo), now=NOW + 20) == []
    assert len(told.events) == 2


def test_what_fails_is_tried_again_later_and_given_up_in_the_end(repo: Repo):
    state, told = State(repo=repo), Told()
    run(state, told, registry(repo), now=NOW)
    tagged(repo, "net@v1.0.0", "net#production#1=v1.0.0", at=NOW + 1)
    told.fails = 1

    (failed,) = run(state, told, registry(repo), now=NOW + 10)
    assert (failed.done.how, failed.done.said) == (How.FAILED, "nobody answers To fix: wait")
    assert run(state, told, registry(repo), now=NOW + 60) == []
    (done,) = run(state, told, registry(repo), now=NOW + 71)
    assert (done.done.how, done.done.tries) == (How.DONE, 2)

    tagged(repo, "net@v1.1.0", "net#production#4=v1.1.0", at=NOW + 80)
    told.fails = 99
    for day in range(30):
        run(state, told, registry(repo), now=NOW + 100 + day * 86_400)
    assert state.read()["tell"].done["net#production#4"].how is How.GIVEN_UP
    assert len(told.events) == 2 + MOST_TRIES


def test_what_was_begun_by_who_died_is_done_by_another_an_hour_later(repo: Repo):
    state, told = State(repo=repo), Told()
    run(state, told, registry(repo), now=NOW)
    tagged(repo, "net@v1.0.0", "net#production#1=v1.0.0", at=NOW + 1)

    def dies(_: Follower, event: Event) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        running.run(state, [TELL], lambda _: registry(repo), dies, now=lambda: NOW + 5)

    assert run(state, told, registry(repo), now=NOW + 10) == []
    (done,) = run(state, told, registry(repo), now=NOW + 4_000)
    assert (done.done.how, done.done.tries) == (How.DONE, 2)


def test_of_two_machines_that_see_an_event_one_does_it(repo: Repo, tmp_path: Path):
    shared, other = tmp_path / "shared.git", tmp_path / "other"
    subprocess.run(["git", "clone", "-q", "--bare", repo.folder, shared], check=True)
    subprocess.run(["git", "clone", "-q", shared, other], check=True)
    clone = Repo.find(other)
    assert clone
    repo.git("remote", "add", "origin", str(shared))
    one, two = (State(repo=each, remote=Remote(repo=each, name="origin")) for each in (repo, clone))
    told = Told()
    run(one, told, registry(repo), now=NOW)
    tagged(repo, "net@v1.0.0", "net#production#1=v1.0.0", at=NOW + 1)
    known = registry(repo)

    def meets(follower: Follower, event: Event) -> str:
        assert run(two, told, known, now=NOW + 5) == []  # while the first is at it
        return told(follower, event)

    (done,) = running.run(one, [TELL], lambda _: known, meets, now=lambda: NOW + 5)

    assert done.done.how is How.DONE
    assert run(two, told, known, now=NOW + 6) == []
    assert len(told.events) == 1
    assert Remote(repo=repo, name="origin").refs(REF) == repo.refs(REF) == clone.refs(REF)


def test_a_memory_that_never_reached_the_remote_is_made_anew_there(repo: Repo, tmp_path: Path):
    shared = tmp_path / "shared.git"
    subprocess.run(["git", "clone", "-q", "--bare", repo.folder, shared], check=True)
    repo.git("remote", "add", "origin", str(shared))
    State(repo=repo).change("tell", lambda _: Memory(begun=NOW))

    made = State(repo=repo, remote=Remote(repo=repo, name="origin")).change("tell", lambda _: Memory(begun=NOW + 1))

    assert made == State(repo=repo, remote=Remote(repo=repo, name="origin")).read()["tell"]


def test_a_hold_and_its_end_are_told_once_each_also_to_who_asks_for_the_end_alone(repo: Repo):
    tagged(repo, "net@v1.0.0", at=NOW - 10)
    held = Stage(
        model="net", stage="production", version="v1.0.0", hold=Hold(by="ann", since="2027-01-15T09:00:00Z", why="fire")
    )
    both = Automation(name="both", on=(On.HELD, On.LIFTED), do=Command(command=("tell",)))
    end = replace(both, name="end", on=On.LIFTED)
    for one in (both, end):
        state, told = State(repo=repo), Told()
        run(state, told, registry(repo), now=NOW, one=one)
        for now, stage in ((1, held), (2, held), (3, replace(held, hold=None)), (4, replace(held, hold=None))):
            run(state, told, registry(repo, stage), now=NOW + 10_000 + now, one=one)
        expected = [On.HELD, On.LIFTED] if one is both else [On.LIFTED]
        assert [event.on for event in told.events] == expected
        assert told.events[-1].version == "v1.0.0"


def test_a_broken_memory_is_an_error_with_its_place(repo: Repo):
    commit = repo.commit(None, {"tell.yaml": b"begun: yesterday\n"}, "broken")
    repo.move([Move(REF, None, commit)], why="test")

    with pytest.raises(MlgitError, match=r"refs/mlgit/automations:tell\.yaml:1: begun: expected a number"):
        run(State(repo=repo), Told(), registry(repo), now=NOW)


def test_what_nobody_asks_about_any_more_is_forgotten(repo: Repo):
    state, told = State(repo=repo), Told()
    old = Memory(begun=NOW - 200 * 86_400, done={"old": Done(how=How.DONE, at=NOW, when=NOW - 100 * 86_400)})
    state.change("tell", lambda _: old)
    tagged(repo, "net@v1.0.0", "net#production#1=v1.0.0", at=NOW + 1)

    run(state, told, registry(repo), now=NOW + 10)

    assert list(state.read()["tell"].done) == ["net#production#1"]


def test_a_stage_is_emptied_once_and_goes_back_to_what_a_tag_uncovers(repo: Repo):
    moves = ("prod#1=v1.0.0", "prod#2=v1.1.0", "prod!#3=v1.1.0", "prod#4=v1.1.0", "prod!#5=v1.0.0", "prod!#6=v1.1.0")
    tagged(repo, "net@v1.0.0", "net@v1.1.0", *(f"net#{move}" for move in moves))

    found = [event for event in events.since(registry(repo).ledgers, (), NOW) if event.stage]

    assert [(event.on, event.version, event.instead) for event in found] == [
        (On.PROMOTED, "v1.0.0", None), (On.PROMOTED, "v1.1.0", "v1.0.0"), (On.ROLLED_BACK, "v1.0.0", "v1.1.0"),
        (On.ROLLED_BACK, "v1.1.0", "v1.0.0"), (On.EMPTIED, "v1.1.0", "v1.1.0"),
    ]  # fmt: skip


def test_what_is_deprecated_and_a_tag_of_what_is_no_version_move_no_stage(repo: Repo):
    tagged(repo, "net@v1.0.0", "net#deprecated#1=v1.0.0", "net#deprecated!#2=v1.0.0")
    repo.tag("refs/tags/net#production#3", repo.resolve("HEAD") or "", "by hand", when=NOW + 9)

    assert [event.id for event in events.since(registry(repo).ledgers, (), NOW)] == ["net@v1.0.0"]


def test_the_end_of_a_hold_is_told_however_long_that_lasted(repo: Repo):
    day = 86_400
    hold = Hold(by="ann", since="2027-01-15T09:00:00Z")
    held = Stage(model="net", stage="production", version="v1.0.0", hold=hold)
    state, told = State(repo=repo), Told()
    one = replace(TELL, on=(On.HELD, On.LIFTED, On.VERSION))
    run(state, told, registry(repo), now=NOW, one=one)
    for days, stage in (
        (0, held),
        (1, held),
        (200, held),
        (201, replace(held, hold=None)),
        (202, replace(held, hold=None)),
    ):
        tagged(repo, f"net@v1.{days}.0", at=NOW + days * day)
        run(state, told, registry(repo, stage), now=NOW + days * day + 10_000, one=one)

    assert [event.on for event in told.events if event.on is not On.VERSION] == [On.HELD, On.LIFTED]


def test_what_takes_long_is_claimed_when_it_begins_and_not_when_the_first_did(repo: Repo):
    state, clock, begun = State(repo=repo), [NOW], list[float]()
    run(state, Told(), registry(repo), now=NOW)
    tagged(repo, "net@v1.0.0", "net@v1.1.0", "net#prod#1=v1.0.0", "net#prod#2=v1.1.0", at=NOW + 1)

    def slow(_: Follower, event: Event) -> str:
        begun.append(state.read()["tell"].done[event.id].at)
        clock[0] += 3_000
        return "ok"

    running.run(state, [TELL], lambda _: registry(repo), slow, now=lambda: clock[0])

    assert begun == [NOW, NOW + 3_000]
