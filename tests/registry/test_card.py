"""What a promotion's pull request shows of candidate and champion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlgit.core.model import ModelVersion, Stage
from mlgit.registry import card
from mlgit.registry.card import Beside
from mlgit.registry.policy.evidence import Seeded, Sides

WANTED = Stage(model="net", stage="prod", version="v1.1.0")


def model(version: str, size: int = 1000, **metrics: Any) -> ModelVersion:
    return ModelVersion(
        model="net", version=version, project="p", run="r", commit="c" * 40, artifact="net", hash="0" * 32, size=size,
        metrics=metrics,
    )  # fmt: skip


def side(*values: float) -> list[Seeded]:
    return [Seeded(run=f"r{number}", seed="", metrics={"accuracy": value}) for number, value in enumerate(values)]


def shown(new: ModelVersion, old: ModelVersion | None, beside: Beside | None = None) -> str:
    return card.comment(new, old, WANTED, (), {}, beside or Beside())


def rows(text: str, title: str) -> list[str]:
    """The first cells of the table of that title."""
    lines: Sequence[str] = text.split(f"| {title} |")[1].split("\n\n")[0].splitlines()[2:]
    return [line.split("|")[1].strip().strip("`") for line in lines]


def test_figures_come_with_what_seeds_say_of_them():
    seeds = Sides(candidate=side(0.91, 0.92, 0.93), champion=side(0.80, 0.81, 0.82))

    clear = shown(model("v1.1.0", accuracy=0.92), model("v1.0.0", accuracy=0.81), Beside(seeds=seeds))
    luck = Sides(candidate=side(0.80, 0.95, 0.93), champion=side(0.80, 0.81, 0.92))
    unclear = shown(model("v1.1.0", accuracy=0.92), model("v1.0.0", accuracy=0.81), Beside(seeds=luck))
    alone = shown(model("v1.1.0", accuracy=0.92), model("v1.0.0", accuracy=0.81))

    assert "| `accuracy` | 0.81 | 0.92 | +0.11 | better | +0.08733 to +0.1327, 3 and 3 seeds |" in clear
    assert "3 and 3 seeds: may be chance |" in unclear
    assert "| `accuracy` | 0.81 | 0.92 | +0.11 | better |\n" in alone


def test_slices_stand_apart_and_the_worst_first():
    slices = {"accuracy/day": 0.95, "accuracy/fog": 0.6, "accuracy/night": 0.7}
    new = model("v1.1.0", accuracy=0.9, val=1, **slices, **{"speed/gpu": 3})

    text = shown(new, model("v1.0.0", accuracy=0.9, **{"accuracy/snow": 0.5, "accuracy/day": 0.9}))

    worst_first = ["accuracy/snow", "accuracy/fog", "accuracy/night", "accuracy/day"]
    assert rows(text, "Slices, the worst first") == worst_first
    assert rows(text, "Metric") == ["accuracy", "speed/gpu", "val"]


def test_slices_of_what_should_be_small_begin_with_the_largest():
    new = model("v1.1.0", loss=0.1, **{"loss/day": 0.1, "loss/night": 0.4})

    assert rows(shown(new, None), "Slices, the worst first") == ["loss/night", "loss/day"]


def test_what_it_costs_stands_apart():
    new, old = model("v1.1.0", 1500, latency_ms=15.0, accuracy=1), model("v1.0.0", 1000, latency_ms=12.0, accuracy=1)

    text = shown(new, old)

    assert "| size | 1000 B | 1.5 KiB | +50 % |" in text
    assert "| `latency_ms` | 12 | 15 | +3 | worse |" in text
    assert rows(text, "Metric") == ["accuracy"]


def test_tables_and_pictures_are_no_figures():
    logged = {"_type": "table-file", "path": "media/table/x.json"}

    assert "examples" not in shown(model("v1.1.0", accuracy=1, examples=logged), model("v1.0.0", accuracy=1))


def test_the_code_that_differs_is_folded_away():
    both = model("v1.1.0"), model("v1.0.0")

    assert "| `a\\|b.py` | +3 −1 |" in shown(*both, Beside(code=[("a|b.py", "+3 −1")]))
    assert "<summary>1 file of the code differs</summary>" in shown(*both, Beside(code=[("a.py", "+3 −1")]))
    assert "… and 10 more" in shown(*both, Beside(code=[(f"{number}.py", "+1 −0") for number in range(60)]))
    assert "The code is the same." in shown(*both, Beside(code=[]))
    assert "code" not in shown(*both).lower()
