from __future__ import annotations

import pytest

from mlgit.core.model import Emergency, ModelVersion
from mlgit.core.verdict import Verdict, Wait
from mlgit.errors import ConfigError
from mlgit.registry import decision, ledger
from mlgit.registry.decision import Decision
from mlgit.registry.policy import file, judging, order
from mlgit.registry.policy.evidence import Evidence
from mlgit.store.registry import Tag

HOUR = 3600.0
START = 1_800_000_000.0


def history(*events: tuple[str, float], emergency: bool = False, ours: bool = True) -> tuple[ledger.Event, ...]:
    """`("staging v2", 3)`: three hours after the start, staging serves v2.0.0; with `!`, not any more."""
    tags = [Tag(name=f"net@v{n}.0.0", commit=f"c{n}", when=START - 10 + n) for n in range(1, 5)]
    for number, (what, hours) in enumerate(events, 1):
        stage, version = what.split()
        why = Decision(commit="m", emergency=Emergency(by="ada", why="fire") if emergency else None)
        message = f"x\n\nMerged by m\n{decision.line(why)}" if ours else "by hand"
        name = f"net#{stage}#{number}"
        tags.append(Tag(name=name, commit=f"c{version[1]}", when=START + hours * HOUR, message=message))
    return ledger.read(tags)["net"].history


def asked(text: str, known: tuple[ledger.Event, ...], *, hours: float = 100, version: str = "v2.0.0") -> list[Verdict]:
    """What the gates of the stage `prod` say after so many hours."""
    policy = file.read(f"stages: {{staging: , eu: , us: , prod: {text}}}", source="policy.yaml")
    candidate = ModelVersion(model="net", version=version, project="", run="", commit="", artifact="", hash="")
    seen = Evidence(stage="prod", candidate=candidate, now=START + hours * HOUR, history=known)
    return judging.judge(policy.gates("net", "prod"), seen)


def test_a_version_that_never_was_upstream_is_refused_with_the_way_there():
    (found,) = asked("{after: staging}", history(("staging v1", 0)))

    assert (found.passed, found.waits, found.where) == (False, None, "policy.yaml:1")
    assert found.refused == "in staging it never was, the gate asks that it was in staging before"
    assert found.fix == "mlgit promote net@v2.0.0 staging first"


def test_a_version_that_was_upstream_counts_though_another_followed():
    (found,) = asked("{after: staging}", history(("staging v2", 0), ("staging v3", 1)))

    assert (found.passed, found.observed) == (True, "staging: it served before")
    assert found.inputs == {"after": ["staging"], "tags": {"staging": "net#staging#1"}}


@pytest.mark.parametrize(
    ("after", "passed"), [("[eu, us]", False), ("{one_of: [eu, us]}", True), ("eu", True), ("us", False)]
)
def test_of_several_stages_upstream_all_are_asked_or_one(after: str, passed: bool):
    assert asked(f"{{after: {after}}}", history(("eu v2", 0)))[0].passed is passed


def test_where_one_of_several_is_enough_the_way_there_says_so():
    (found,) = asked("{after: {one_of: [eu, us]}}", history(("staging v1", 0)))

    assert found.fix == "mlgit promote net@v2.0.0 eu first, or mlgit promote net@v2.0.0 us"


def test_who_came_upstream_past_the_gates_was_not_verified_there():
    (hasty,) = asked("{after: staging}", history(("staging v2", 0), emergency=True))
    (by_hand,) = asked("{after: staging}", history(("staging v2", 0), ours=False))

    assert not hasty.passed
    assert not by_hand.passed
    assert hasty.observed == by_hand.observed == "staging: it is by net#staging#1 alone, past the gates"


def test_soak_is_counted_for_each_stage_from_its_own_tag():
    known = history(("eu v2", 0), ("us v2", 20))

    (_, soaked), (_, later) = (
        asked("{after: [eu, us], gates: [{soak: 24h}]}", known, hours=hours) for hours in (30, 44)
    )

    assert (soaked.passed, soaked.waits) == (False, Wait.TIME)
    assert soaked.observed == "eu: 1d 6h; us: 10h 00m"
    assert soaked.fix == "wait another 14h 00m"
    assert later.passed
    assert asked("{after: {one_of: [eu, us]}, gates: [{soak: 24h}]}", known, hours=30)[1].passed
    assert asked("{after: [eu, us], gates: [{soak: 24h, stage: us}]}", known, hours=30)[1].observed == "us: 10h 00m"


def test_soak_is_looked_at_anew_as_time_passes():
    known = history(("staging v2", 0))

    early, late = (asked("{gates: [{soak: 24h, stage: staging}]}", known, hours=hours)[0] for hours in (23.99, 24))

    assert (early.passed, late.passed) == (False, True)


def test_soak_begins_again_after_a_way_back():
    known = history(("staging v1", 0), ("staging v2", 1), ("staging v1", 13), ("staging v2", 14))

    found = [asked("{gates: [{soak: 12h, stage: staging}]}", known, hours=hours)[0] for hours in (20, 26)]

    assert [one.observed for one in found] == ["staging: 6h 00m", "staging: 12h 00m"]
    assert [one.passed for one in found] == [False, True]


def test_a_version_that_was_taken_back_has_not_soaked_however_long_it_served():
    known = history(("staging v1", 0), ("staging v2", 1), ("staging v1", 50))
    emptied = history(("staging v2", 0), ("staging! v2", 50))

    for found in (asked("{gates: [{soak: 12h, stage: staging}]}", one)[0] for one in (known, emptied)):
        assert (found.passed, found.waits, found.observed) == (False, None, "staging: it was taken back from there")


def test_a_version_that_a_newer_one_followed_has_soaked_while_it_served():
    known = history(("staging v2", 0), ("staging v3", 10))

    assert asked("{gates: [{soak: 10h, stage: staging}]}", known)[0].passed
    assert asked("{gates: [{soak: 11h, stage: staging}]}", known)[0].observed == "staging: 10h 00m"


def test_the_same_version_tagged_again_goes_on_soaking():
    known = history(("staging v2", 0), ("staging v2", 5))

    assert asked("{gates: [{soak: 10h, stage: staging}]}", known, hours=10)[0].passed


def test_a_tag_of_the_future_is_a_clock_that_is_wrong_and_no_soak():
    (found,) = asked("{gates: [{soak: 1h, stage: staging}]}", history(("staging v2", 3)), hours=1)

    assert (found.passed, found.waits) == (False, None)
    assert found.observed == (
        "staging: the tag net#staging#1 is dated 2h 00m ahead of this machine's clock: one of them is wrong"
    )


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        ("  a: {after: b}\n  b: {after: a}\n", "p:2: stages wait for one another: a waits for b (p:2), which"),
        ("  a: {after: a}\n", "p:2: stages wait for one another: a waits for a (p:2)"),
        ("  a: {after: [c, b]}\n  b: {after: {one_of: [a]}}\n  c:\n", "a waits for b (p:2), which waits for a (p:3)"),
        ("  staging:\n  prod: {after: stagin}\n", "there is no stage 'stagin'; did you mean staging?"),
        ("  prod: {after: []}\n", "p:2: stages.prod.after: name stages, each once"),
        ("  prod: {gates: [{soak: 24h}]}\n", "p:2: stages.prod.gates.0: soak in which stage?"),
        ("  a:\n  prod: {gates: [{soak: 24, stage: b}]}\n", "expected text, got 24"),
        ("  a:\n  prod: {gates: [{soak: 0h, stage: a}]}\n", "the gate asks nothing"),
        ("  a:\n  prod: {gates: [{soak: a day, stage: a}]}\n", "expected something like 24h"),
        ("  a:\n  prod: {gates: [{soak: 1h, stage: b}]}\n", "there is no stage 'b'"),
    ],
)  # fmt: skip
def test_an_order_of_stages_that_cannot_be_is_an_error_with_its_lines(stages: str, said: str):
    with pytest.raises(ConfigError) as caught:
        file.read(f"stages:\n{stages}", source="p")

    assert said in str(caught.value)


def test_a_circle_that_two_globs_make_together_is_found_for_the_models_of_both():
    text = """\
models:
  - models: "*-eu"
    stages: {a: {after: b}, b: }
  - models: net-*
    stages: {b: {after: a}, a: }
"""
    policy = file.read(text, source="p")

    assert len(policy.gates("old-eu", "a")) == 1
    with pytest.raises(ConfigError, match=r"p:3: stages wait for one another: a waits for b \(p:3\)"):
        policy.gates("net-eu", "a")


def test_a_thousand_stages_in_a_row_are_in_order():
    waits = {f"s{n}": {f"s{n + 1}": "p"} for n in range(1000)}

    assert order.circle(waits) == []
    assert len(order.circle(waits | {"s1000": {"s0": "p"}})) == 1001
