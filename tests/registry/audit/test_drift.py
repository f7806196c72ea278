from __future__ import annotations

import pytest

from mlgit.core.model import Hold, Stage
from mlgit.errors import UsageError
from mlgit.registry import ledger
from mlgit.registry.audit import drift
from mlgit.registry.audit.drift import Desired, Standing
from mlgit.registry.policy import file as policies
from mlgit.registry.policy.freezes import Freeze
from mlgit.store import observed
from mlgit.store.observed import Observation
from mlgit.store.registry import Tag

NOW = 1_800_000_000.0
OLD, NEW = "a" * 32, "b" * 64


def tags() -> list[Tag]:
    """v1.0.0, known by DVC's hash, and v1.1.0, a single file, which production serves."""
    told = [f'{{"hash": "{OLD}.dir"}}', f'{{"hash": "{"c" * 32}", "sha256": {{"m.onnx": "{NEW}"}}}}']
    return [
        *(Tag(name=f"net@v1.{n}.0", commit=str(n) * 40, when=n, message=f"x\n\nMlgit-Version: {text}")
          for n, text in enumerate(told)),
        Tag(name="net#production#1", commit="1" * 40, when=3),
    ]  # fmt: skip


def standing(
    *seen: Observation, version: str = "v1.1.0", hold: Hold | None = None, freezes: tuple[Freeze, ...] = (),
    max_age: float | None = None, policy: str = "stages: {production: }",
) -> list[Standing]:  # fmt: skip
    file = Stage(model="net", stage="production", version=version, hold=hold)
    desired = Desired(
        files={("net", "production"): file}, served={("net", "production"): "v1.1.0"}, ledgers=ledger.read(tags()),
        freezes=freezes,
        policy=policies.read(policy, source="registry/policy.yaml"),
    )  # fmt: skip
    return drift.standings(desired, seen, now=NOW, max_age=max_age)


def seen(*digests: str, target: str = "eu", ago: float = 60) -> Observation:
    return Observation(target=target, model="net", stage="production", digests=digests, seen=NOW - ago)


def states(found: list[Standing]) -> list[tuple[str, str]]:
    return [(one.target, one.state.value) for one in found]


def test_a_target_that_runs_what_the_stage_serves_is_in_sync():
    (found,) = standing(seen(NEW))

    assert (found.state.value, found.runs, found.why) == ("Synced", ("v1.1.0",), "")


def test_a_target_that_runs_another_version_or_none_of_ours_is_not():
    found = standing(seen(OLD), seen("f" * 64, target="us"))

    assert [(one.state.value, one.runs, one.why) for one in found] == [
        ("OutOfSync", ("v1.0.0",), "it should be v1.1.0: v1.0.0"),
        ("OutOfSync", ("f" * 12,), f"it should be v1.1.0: {'f' * 12}"),
    ]


def test_replicas_that_differ_are_told_by_what_they_run():
    (found,) = standing(seen(NEW, OLD))

    assert (found.state.value, found.why) == ("OutOfSync", "1 of 2 versions there should be v1.1.0: v1.0.0")


def test_a_file_that_says_something_else_than_its_tag_is_out_of_sync():
    assert states(standing(seen(NEW), version="v1.0.0")) == [("eu", "OutOfSync")]


def test_what_nobody_has_seen_or_not_for_long_is_unknown():
    assert states(standing()) == [("", "Unknown")]
    assert states(standing(seen(NEW, ago=3600), max_age=60)) == [("eu", "Unknown")]
    assert states(standing(seen(NEW, ago=3600))) == [("eu", "Synced")]


def test_what_is_held_or_frozen_says_by_whom_and_why():
    hold = Hold(by="ann", since="2027-01-01T00:00:00Z", why="look first")
    freeze = Freeze(models="n*", stages="*", since=0, why="holidays", by="eve")

    (held,) = standing(seen(NEW), hold=hold)
    (frozen,) = standing(seen(NEW), freezes=(freeze,))

    assert (held.state.value, held.why) == ("Held", "held by ann: look first")
    assert (frozen.state.value, frozen.why) == ("Frozen", "frozen until it is lifted by eve: holidays")


def test_a_stage_that_serves_and_that_the_policy_lists_no_more_says_so():
    (found,) = standing(seen(NEW), policy="stages: {staging: }")

    assert (found.state.value, found.why) == (
        "Synced", "registry/policy.yaml lists no such stage: nothing moves it",
    )  # fmt: skip


def test_of_two_versions_with_the_same_bytes_the_served_one_runs():
    both = [Tag(name=f"net@v1.{n}.0", commit=str(n) * 40, when=n, message=f'x\n\nMlgit-Version: {{"hash": "{OLD}"}}')
            for n in range(2)]  # fmt: skip
    known = ledger.read([*both, Tag(name="net#production#1", commit="0" * 40, when=3)])

    desired = Desired(files={}, served={("net", "production"): "v1.0.0"}, ledgers=known, freezes=())

    (found,) = drift.standings(desired, [seen(OLD)], now=NOW)

    assert (found.state.value, found.runs) == ("Synced", ("v1.0.0",))


@pytest.mark.parametrize("text", ["", "abc", "g" * 64, "a" * 63, "-" * 32, "a" * 32 + "\n" + "b" * 31])
def test_what_is_no_digest_is_refused(text: str):
    with pytest.raises(UsageError, match="digest"):
        observed.digest(text)


def test_a_digest_is_taken_as_tools_print_it():
    assert observed.digest(f"sha256:{'A' * 64}\n") == "a" * 64
    assert observed.digest(f"{OLD}.dir") == OLD
