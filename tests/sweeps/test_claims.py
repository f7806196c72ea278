"""Claims, with agents that interleave as they like, are overtaken and die."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlgit.documents.reader import load
from mlgit.documents.writer import as_data, dump
from mlgit.sweeps import claims
from mlgit.sweeps.claims import Agent, Claim, Claims, Gone, Told

NOTHING = Told()


def test_claims_come_back_from_their_file_as_they_were() -> None:
    before = Claims(
        last=7,
        agents=(Agent(id="a1", host="node-1", pid=12, home="4f", slots=2, beat=3, heard=1700000000.5),),
        open=(Claim(number=6, params={"lr": 1e-05, "net.depth": 3, "kind": "no", "sizes": [1, 2]}, agent="a1"),),
        gone=(Gone(number=2, params={"lr": 0.5}, why="it cannot start"),),
    )

    after = load(dump(as_data(before)), Claims, source="claims")

    assert as_data(after) == as_data(before)
    assert isinstance(after.open[0].params["lr"], float)
    assert load(dump(as_data(Claims())), Claims, source="claims") == Claims()


def test_what_was_broken_off_is_taken_with_its_number_unless_a_run_has_that() -> None:
    held = claims.claim(claims.join(Claims(), Agent(id="a")), "a", [{"x": n} for n in range(1, 6)], NOTHING)
    left = claims.leave(held, "a")
    told = Told(last=5, alive={2}, done={3}, broken_off={4})

    taken = claims.take(left, "b", 9, told)

    assert [(one.number, one.params["x"], one.agent) for one in taken.open] == [
        (1, 1, "b"), (2, 2, ""), (6, 4, "b"), (5, 5, "b"),
    ]  # fmt: skip
    assert taken.last == 6


def test_a_number_that_a_run_has_is_not_handed_out_again_where_the_claims_were_lost() -> None:
    after = claims.claim(Claims(), "a", [{"x": 1}], Told(last=41))

    assert [one.number for one in after.open] == [42]


def test_a_trial_that_left_no_run_is_remembered() -> None:
    held = claims.claim(Claims(), "a", [{"x": 1}, {"x": 2}], NOTHING)

    after = claims.release(held, "a", {1, 2}, {2: "it cannot start"})

    assert (after.open, after.gone) == ((), (Gone(number=2, params={"x": 2}, why="it cannot start"),))
    assert claims.release(held, "b", {1}) == held  # it was never b's


def test_an_agent_is_silent_once_its_beat_stood_still_by_the_observers_own_clock() -> None:
    both = claims.join(claims.join(Claims(), Agent(id="a")), Agent(id="b", heard=1e12))
    seen = claims.watch({}, both, now=100.0)
    later = claims.renew(both, Agent(id="b"), heard=0.0)

    seen = claims.watch(seen, later, now=150.0)

    assert claims.silent(seen, now=159.9, lease=60) == set()
    assert claims.silent(seen, now=160.0, lease=60) == {"a"}
    assert claims.silent(claims.watch(seen, claims.leave(later, "a"), now=300.0), now=300.0, lease=60) == {"b"}


@pytest.mark.parametrize(
    ("free", "seconds", "agents", "left", "is_quick", "wanted"),
    [
        (2, [], 1, None, True, 2),  # nothing is known yet
        (2, [0.1], 1, None, True, 20),
        (2, [60.0], 1, None, True, 2),
        (2, [0.1], 1, None, False, 2),
        (2, [0.001], 1, None, True, claims.MOST_AT_ONCE),
        (2, [0.01], 4, 40, True, 5),
        (2, [0.01], 4, 1, True, 1),
        (3, [], 1, 0, True, 0),
    ],
)
def test_a_block_grows_with_how_quick_trials_are(
    free: int, seconds: list[float], agents: int, left: int | None, is_quick: bool, wanted: int
) -> None:
    assert claims.block(free, seconds=seconds, agents=agents, left=left, is_quick=is_quick) == wanted


@dataclass
class World:
    """A ref that is moved by compare-and-swap, the runs, and what each agent thinks that it holds."""

    tip: int = 0
    now: Claims = field(default_factory=Claims)
    done: Counter[int] = field(default_factory=Counter)
    broken_off: set[int] = field(default_factory=set)
    tried: Counter[int] = field(default_factory=Counter)
    handed: list[int] = field(default_factory=list)
    holds: dict[str, set[int]] = field(default_factory=dict)

    @property
    def told(self) -> Told:
        last = max((*self.done, *self.broken_off), default=0)
        return Told(last=last, done=set(self.done), broken_off=set(self.broken_off))

    def swap(self, expected: int, new: Claims) -> bool:
        if expected != self.tip:
            return False
        self.tip, self.now = self.tip + 1, new
        return True


POINTS = 12
AGENTS = ("a", "b", "c")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(AGENTS), st.sampled_from(["look", "write", "end", "break off", "die"]), st.integers(1, 4)
    ),
    max_size=80,
)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_agents_that_race_and_die_never_share_a_number_and_never_lose_one(steps: list[tuple[str, str, int]]) -> None:
    world = World()
    seen: dict[str, tuple[int, Claims]] = {}

    def wanting(agent: str, now: Claims, most: int) -> Claims:
        now = claims.join(now, Agent(id=agent))
        now = claims.take(now, agent, most, world.told)
        fresh = [n for n in range(POINTS) if n not in {one.params["x"] for one in now.open} and not world.tried[n]]
        return claims.claim(now, agent, [{"x": n} for n in fresh[: most - len(now.of(agent))]], world.told)

    def check() -> None:
        numbers = [one.number for one in world.now.open]
        assert len(numbers) == len(set(numbers))
        assert not set(numbers) & set(world.done)
        for agent in AGENTS:
            assert world.holds.get(agent, set()) == {one.number for one in world.now.of(agent)}
        points = Counter(one.params["x"] for one in world.now.open)
        assert max(points.values(), default=1) == 1
        assert not {point for point in points if world.tried[point]}

    def go(agent: str, act: str, most: int) -> None:
        if act == "look":
            seen[agent] = world.tip, world.now
        elif act == "write" and agent in seen:
            tip, known = seen.pop(agent)
            new = wanting(agent, known, most)
            if world.swap(tip, new):  # else it was overtaken, and did nothing
                world.holds[agent] = {one.number for one in new.of(agent)}
        elif act == "die":
            seen.pop(agent, None)
            world.holds.pop(agent, None)
            assert world.swap(world.tip, claims.leave(world.now, agent))
        elif held := sorted(world.holds.get(agent, ())):
            number = held[most % len(held)]
            (one,) = [one for one in world.now.open if one.number == number]
            world.holds[agent].remove(number)
            if act == "end":
                world.done[number] += 1
                world.tried[one.params["x"]] += 1
                assert world.swap(world.tip, claims.release(world.now, agent, {number}))
            else:
                world.broken_off.add(number)
                assert world.swap(world.tip, claims.give_back(world.now, agent, {number}))

    for step in steps:
        go(*step)
        check()
    for _ in range(POINTS + 1):  # whoever is left finishes
        for agent in AGENTS:
            for act in ("look", "write", "end", "end", "end", "end"):
                go(agent, act, 4)
                check()

    assert world.tried == Counter(range(POINTS))
    assert max(world.done.values()) == 1


def test_one_agent_twice_is_one_agent() -> None:
    once = claims.join(Claims(), Agent(id="a", slots=1))

    assert claims.join(once, Agent(id="a", slots=2)) == replace(once, agents=(Agent(id="a", slots=2),))
