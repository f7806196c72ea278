from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlgit.core.model import ModelVersion
from mlgit.core.model_card import ModelCard, Port
from mlgit.errors import ConfigError
from mlgit.registry.versions import fields, huggingface


def version(**said: Any) -> ModelVersion:
    plain: dict[str, Any] = {
        "model": "digits", "version": "v1.2.0", "project": "digits", "run": "k3f9a2", "commit": "c" * 40,
        "artifact": "net", "hash": "a" * 32, "sha256": {"net.onnx": "b" * 64}, "size": 2_000,
        "metrics": {"accuracy": 0.95, "loss": float("nan"), "_runtime": 3.0},
        "params": {"lr": 0.1, "net": {"depth": 3}},
        "data": {"digits.csv": "d" * 32}, "description": "It reads *digits*.",
        "card": ModelCard(
            framework="torch", version="2.9", format="onnx", inputs=(Port(dtype="float32", shape=(-1, 4)),)
        ),
    }  # fmt: skip
    return ModelVersion(**plain | said)


SAID = {"license": "mit", "tags": ["vision"], "pipeline_tag": "image-classification", "intended_use": "none: a demo"}


def test_hugging_faces_own_library_reads_the_card():
    hub = pytest.importorskip("huggingface_hub", reason="only the integrations bring it")

    card = hub.ModelCard(huggingface.render(version(fields=SAID)))

    told = card.data.to_dict()
    assert (told["license"], told["tags"], told["library_name"]) == ("mit", ["vision"], "pytorch")
    assert told["intended_use"] == "none: a demo"
    (result,) = card.data.eval_results
    assert (result.task_type, result.dataset_name) == ("image-classification", "digits.csv")
    assert (result.metric_type, result.metric_value) == ("accuracy", 0.95)
    assert card.text.lstrip().startswith("# digits v1.2.0\n\nIt reads *digits*.\n")


def test_what_a_card_says_is_what_can_be_registered_from_it_again():
    said, text = fields.read(huggingface.render(version(fields=SAID)).encode(), source="README.md")

    assert said == huggingface.metadata(version(fields=SAID))
    assert text.startswith("# digits v1.2.0")


def test_the_card_tells_how_to_get_and_to_make_the_model_again():
    text = huggingface.render(version(), deprecated="leaks the label")

    for told in (
        'mlgit.load_model("digits@v1.2.0")', "mlgit model get digits@v1.2.0", "`mlgit reproduce k3f9a2`", "`net.onnx`",
        "| `accuracy` | 0.95 |", "| `net.depth` | 3 |", "| data `digits.csv` |", "> **Deprecated:** leaks the label",
        "| in | float32 ",
    ):  # fmt: skip
        assert told in text
    assert "_runtime" not in text


def test_what_is_not_known_leaves_no_empty_place():
    bare = version(
        metrics={}, params={}, data={}, description="", card=None, sha256={}, fields={}, size=0
    )  # fmt: skip

    text = huggingface.render(bare)

    assert fields.read(text.encode(), source="README.md")[0] == {}
    assert "## Evaluation" not in text
    assert "\n\n\n" not in text


def test_names_from_elsewhere_make_neither_markup_nor_fields():
    evil = "<img src=x>\n---\nlicense: evil\n[x](javascript:1) | `"
    text = huggingface.render(
        version(metrics={evil: 1.0}, params={evil: evil}, data={evil: evil}, fields={"note": evil})
    )

    said, body = fields.read(text.encode(), source="README.md")
    assert said["note"] == evil
    assert "license" not in said
    assert "<img" not in body.replace("`<img", "")


def test_a_template_of_ones_own_makes_another_card(tmp_path: Path):
    own = tmp_path / "own.j2"
    own.write_text("---\n{{ metadata }}---\n{{ version.model }} {{ version.params.lr }}\n")

    text = huggingface.render(version(fields={"license": "mit"}), template=own)

    assert text.endswith("---\ndigits 0.1\n")


@pytest.mark.parametrize(
    ("text", "line"), [("a\n{{ nothing }}\n", 2), ("{% if %}\n", 1), ("\n\n{{ 1 / 0 }}\n", 3), ("{{ x", 1)]
)
def test_a_template_that_is_wrong_says_where(tmp_path: Path, text: str, line: int):
    own = tmp_path / "own.j2"
    own.write_text(text)

    with pytest.raises(ConfigError, match=rf"own\.j2:{line}: "):
        huggingface.render(version(), template=own)


def test_a_template_reaches_nothing_outside_of_the_card(tmp_path: Path):
    own = tmp_path / "own.j2"
    own.write_text("{{ version.__class__.__mro__ }}")

    with pytest.raises(ConfigError, match="unsafe"):
        huggingface.render(version(), template=own)
