"""Gates on slices, on the data a candidate was measured on, and on where it comes from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mlgit.core.artifact import ArtifactVersion
from mlgit.core.reproduction import Made, Reproduction
from mlgit.core.run import Run, State
from mlgit.core.verdict import Outcome, Verdict
from mlgit.errors import ConfigError
from mlgit.registry.policy import file, judging
from mlgit.registry.policy.evidence import Evidence, Need, Origin, Sides
from tests.registry.policy.test_policy import model

A, B = "a" * 32, "b" * 32
SLICES = '{slices: "accuracy/*", min: 0.8, not_worse_than: champion, tolerance: 0.02}'


def asked(text: str, **seen: Any) -> Verdict:
    gates = file.read(f"stages: {{prod: {{gates: [{text}]}}}}", source="policy.yaml").gates("net", "prod")
    (found,) = judging.judge(gates, Evidence(**({"stage": "prod", "candidate": model("v1.1.0")} | seen)))
    return found


def test_the_worst_slice_is_the_one_that_counts():
    new = model("v1.1.0", **{"accuracy": 0.95, "accuracy/day": 0.97, "accuracy/fog": 0.79, "accuracy/night": 0.71})

    found = asked('{slices: "accuracy/*", min: 0.8}', candidate=new)

    assert found.gate == "each of accuracy/*: ≥ 0.8"
    assert found.observed == "the worst of 3: accuracy/night 0.71; 2 fail: accuracy/fog, accuracy/night"
    assert (found.outcome, found.inputs["worst"]) == (Outcome.FAILED, "accuracy/night")


@pytest.mark.parametrize(
    ("metrics", "passed", "worst"),
    [
        ({"accuracy/day": 0.9, "accuracy/night": 0.88}, True, "accuracy/night"),
        ({"accuracy/day": 0.9, "accuracy/night": 0.87}, False, "accuracy/night"),
        ({"accuracy/day": 0.9}, False, "accuracy/night"),
        ({"accuracy/day": 0.9, "accuracy/night": float("nan")}, False, "accuracy/night"),
        ({"accuracy/day": 0.95, "accuracy/night": 0.95, "accuracy/fog": 0.5}, False, "accuracy/fog"),
    ],
)
def test_slices_are_compared_with_the_champions_and_none_may_be_lost(metrics: dict[str, Any], passed: bool, worst: str):
    champion = model("v1.0.0", **{"accuracy/day": 0.9, "accuracy/night": 0.9})

    found = asked(SLICES, candidate=model("v1.1.0", **metrics), champion=champion)

    assert (found.passed, found.inputs["worst"]) == (passed, worst), found.observed


def test_a_slice_is_better_the_way_that_its_metric_is_and_the_gate_says_where_nobody_knows():
    text = '{slices: "val/*", not_worse_than: champion}'
    old, new = (model(f"v1.{n}.0", **{"val/accuracy/night": 0.8 + n / 10, "val/odd/a": n}) for n in (0, 1))
    known = asked(text.replace("val/*", "val/accuracy/*"), candidate=new, champion=old)
    unknown = asked(text, candidate=new, champion=old)

    assert known.passed
    assert unknown.outcome is Outcome.FAILED
    assert unknown.observed == "the worst of 2: val/odd/a 1 (v1.0.0: 0); nobody says which way val/odd/a is better"
    assert unknown.fix == "give the gate a goal: maximize or minimize"


def test_a_version_that_comes_back_keeps_its_floor_and_competes_with_nobody():
    back = model("v1.0.0", **{"accuracy/day": 0.82})

    assert asked(SLICES, candidate=back, champion=model("v1.1.0", **{"accuracy/day": 0.9}), is_return=True).passed
    assert not asked(SLICES, candidate=model("v1.0.0", **{"accuracy/day": 0.7}), is_return=True).passed


def test_no_slice_at_all_is_missing_evidence():
    found = asked('{slices: "recall/*", min: 0.8}', candidate=model("v1.1.0", recall=0.9))

    assert (found.outcome, found.observed) == (Outcome.FAILED, "no metric is called like recall/*")


def test_the_data_have_to_be_those_that_are_named():
    text = f"{{evaluated_on: data/test.csv, digest: 'md5:{A}'}}"
    one = replace(model("v1.1.0"), data={"data/test.csv": A}, changed_data={})

    assert asked(text, candidate=one).passed
    assert asked(text.replace("test.csv", "test.csv.dvc"), candidate=one).passed
    assert not asked(text, candidate=replace(one, data={"data/test.csv": B})).passed
    assert not asked(text, candidate=replace(one, data={})).passed
    assert not asked(text, candidate=replace(one, changed_data=None)).passed
    changed = asked(text, candidate=replace(one, changed_data={"data/test.csv": "changed during the run"}))
    assert (changed.passed, changed.observed) == (False, f"{A}, and changed during the run")


def test_the_data_may_be_named_by_the_folder_of_a_project_or_as_an_artifact():
    used = ArtifactVersion(name="holdout", type="dataset", hash=f"{B}.dir", size=1, path="d", asked="holdout:v3")
    origin = Origin(run=Run(id="r", name="n", project="p", folder="vision", used=(used,)))
    one = replace(model("v1.1.0"), data={"test.csv": A}, changed_data={})
    seen = {"candidate": one, "origins": Sides(candidate=origin, champion=Origin())}

    assert asked(f"{{evaluated_on: vision/test.csv, digest: {A}}}", **seen).passed
    assert asked(f"{{evaluated_on: holdout, digest: {B}}}", **seen).passed
    assert not asked(f"{{evaluated_on: holdout, digest: {A}}}", **seen).passed


def test_the_data_may_have_to_be_the_champions():
    text = "{evaluated_on: test.csv, same_as: champion}"
    one, other = (replace(model("v1.1.0"), data={"test.csv": digest}, changed_data={}) for digest in (A, B))

    assert asked(text, candidate=one, champion=one).passed
    assert asked(text, candidate=one).passed
    assert asked(text, candidate=one, champion=other, is_return=True).passed
    assert not asked(text, candidate=one, champion=other).passed
    assert not asked(text, candidate=one, champion=model("v1.0.0")).passed
    assert not asked(text).passed


def whole(**changes: Any) -> Origin:
    run = Run(id="r", name="n", project="p", state=State.FINISHED, source="c0de" * 10)
    about = {"command": ["python", "train.py"]} | changes.pop("about", {})
    return Origin(run=replace(run, **changes), about=about, has_code=True)


@pytest.mark.parametrize(
    ("origin", "gap"),
    [
        (Origin(), "run: r is not in the commit c"),
        (whole(id="other"), "run: r is not in the commit c"),
        (whole(about={"imported": {}}), "run: it was imported, so nobody saw it run"),
        (whole(about={"command": []}), "command: not recorded"),
        (replace(whole(), has_code=False), "code: the commit c0dec0dec0 is not here"),
        (whole(about={"left_out": ["big.bin: too large"]}), "code: left out of it were big.bin: too large"),
        (whole(state=State.CRASHED), "run: it crashed"),
    ],
)
def test_a_gap_in_where_it_comes_from_is_named(origin: Origin, gap: str):
    one = replace(model("v1.1.0"), changed_data={})

    found = asked("{lineage: complete}", candidate=one, origins=Sides(candidate=origin, champion=Origin()))

    assert (found.outcome, found.observed) == (Outcome.FAILED, gap)
    assert found.inputs["missing"] == [gap]


def test_data_and_artifacts_without_digests_are_gaps_too():
    used = ArtifactVersion(name="ext", type="dataset", hash="", size=1, path="d")
    one = replace(model("v1.1.0"), data={"x.csv": ""}, changed_data={"y.csv": "missing"})

    found = asked("{lineage: complete}", candidate=one, origins=Sides(candidate=whole(used=(used,)), champion=Origin()))

    assert found.inputs["missing"] == [
        "data: y.csv missing", "data: x.csv has no digest", "artifact: ext has no digest",
    ]  # fmt: skip


def test_a_lineage_without_a_gap_passes_and_says_what_is_known():
    one = replace(model("v1.1.0"), data={"x.csv": A}, changed_data={})

    found = asked("{lineage: complete}", candidate=one, origins=Sides(candidate=whole(), champion=Origin()))

    assert (found.passed, found.observed) == (True, "run r, code c0dec0dec0, 1 data, 0 artifacts")


def again(verdict: str, *, of: str = "r", limit: float = 0.0, **same: int) -> Made:
    told = Reproduction(of=of, verdict=verdict, by="Ada", relative=limit, absolute=limit, same=same or {"metrics": 2})
    return Made(run=f"again-{verdict}", created=1.7e9, told=told)


@pytest.mark.parametrize(
    ("made", "same", "close"),
    [
        ([], False, False),
        ([again("bitwise")], True, True),
        ([again("bitwise", of="another")], False, False),
        ([again("bitwise", params=3)], False, False),
        ([again("differs")], False, False),
        ([again("within tolerance", limit=1e-6)], False, True),
        ([again("within tolerance", limit=0.5)], False, False),
        ([again("differs"), again("bitwise")], True, True),
    ],
)
def test_a_run_is_reproduced_where_somebody_had_the_same_come_out(made: list[Made], same: bool, close: bool):
    assert asked("{reproduced: same}", reproductions=made).passed is same
    assert asked("{reproduced: close, tolerance: 1e-6}", reproductions=made).passed is close


def test_the_verdict_says_who_made_it_again_and_what_would_do():
    never = asked("{reproduced: close, tolerance: 1e-6}")
    made = asked("{reproduced: same}", reproductions=[again("bitwise")])

    assert (never.observed, never.fix) == (
        "never made again", "mlgit reproduce r --tolerance 1e-06/1e-06, and mlgit push",
    )  # fmt: skip
    assert made.observed == "bitwise: run again-bitwise, 2023-11-14, by Ada"


def test_what_could_not_be_read_is_an_error():
    for text in ("{lineage: complete}", f"{{evaluated_on: a, digest: {A}}}"):
        assert asked(text, lacking={Need.ORIGIN: "git refused"}).outcome is Outcome.ERROR


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{slices: a/*}", "asks nothing"),
        ("{slices: a/*, min: 2, max: 1}", "at least 2 and at most 1"),
        ("{slices: a/*, min: .nan}", "finite"),
        ("{slices: a/*, min: 1, tolerance: 1}", "tolerance is for"),
        ("{evaluated_on: a}", "give digest, or same_as"),
        (f"{{evaluated_on: a, digest: {A}, same_as: champion}}", "give digest, or same_as"),
        ("{evaluated_on: a, digest: v3}", "32 hex digits"),
        ("{lineage: most}", "complete"),
        ("{reproduced: close}", "needs a tolerance"),
        ("{reproduced: same, tolerance: 1}", "tolerance is for"),
    ],
)
def test_what_cannot_be_meant_is_refused_where_it_is_written(text: str, why: str):
    with pytest.raises(ConfigError, match=f"policy.yaml:1: .*{why}"):
        asked(text)
