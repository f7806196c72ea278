from __future__ import annotations

from typing import Any

import pytest

from mlgit.core.model import ModelVersion
from mlgit.core.model_card import ModelCard
from mlgit.core.verdict import Verdict
from mlgit.errors import ConfigError
from mlgit.registry.policy import file, judging
from mlgit.registry.policy.evidence import Evidence


def asked(gate: str, **known: Any) -> Verdict:
    """What *gate* says of a version of which that is *known*."""
    gates = file.read(f"stages: {{prod: {{gates: [{gate}]}}}}", source="p").gates("net", "prod")
    version = ModelVersion(
        model="net", version="v2.0.0", project="", run="", commit="", artifact="net", hash="", **known
    )
    (found,) = judging.judge(gates, Evidence(stage="prod", candidate=version))
    return found


def test_a_card_has_to_say_what_is_asked_of_it():
    gate = "{card: [license, intended_use, description]}"

    found = asked(gate, fields={"license": "mit", "intended_use": " "}, description="A net.")

    assert (found.passed, found.observed) == (False, "nothing of intended_use")
    assert found.fix == "register it again as another version, with --set intended_use=…"
    assert asked(gate, fields={"license": "mit", "intended_use": "digits"}, description="A net.").passed


@pytest.mark.parametrize(("value", "says"), [(False, True), (0, True), ([], False), ({}, False), (None, False)])
def test_no_is_an_answer_and_nothing_is_none(value: Any, says: bool):
    assert asked("{card: [commercial]}", fields={"commercial": value}).passed is says


@pytest.mark.parametrize(
    ("card", "passed", "seen"),
    [
        (None, False, "nobody has looked"),
        (ModelCard(format="safetensors"), True, "safetensors: nothing found"),
        (ModelCard(format="pickle", unsafe="a pickle in m.pkl"), False, "a pickle in m.pkl"),
    ],
)
def test_safe_is_what_runs_no_code_and_was_looked_at(card: ModelCard | None, passed: bool, seen: str):
    found = asked("{format: safe}", card=card)

    assert (found.passed, found.observed) == (passed, seen)


@pytest.mark.parametrize(
    ("card", "passed"),
    [
        (None, False),
        (ModelCard(format="onnx"), True),
        (ModelCard(format="pickle", unsafe="a pickle in m.pkl"), False),
        (ModelCard(format="onnx", unsafe="a pickle in m.pkl"), False),
        (ModelCard(), False),
    ],
)
def test_a_format_is_one_of_those_that_are_asked_for_and_hides_no_other(card: ModelCard | None, passed: bool):
    assert asked("{format: [safetensors, onnx]}", card=card).passed is passed
    assert asked("{format: [onnx, pickle]}", card=card).passed is (card is not None and card.format != "")


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        ("{card: []}", "the gate asks nothing"),
        ("{card: license}", "expected a list"),
        ("{format: []}", "the gate asks nothing"),
        ("{format: [safe]}", "safe is no format"),
        ("{format: save}", "did you mean 'safe'|expected"),
    ],
)
def test_a_gate_on_what_is_told_that_asks_nothing_is_an_error(gate: str, said: str):
    with pytest.raises(ConfigError, match=said):
        asked(gate)
