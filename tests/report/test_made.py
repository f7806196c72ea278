from dataclasses import replace
from typing import Any

from mlgit.core.artifact import ArtifactVersion
from mlgit.core.compare import Goal
from mlgit.core.run import Run, State
from mlgit.report.measured import Repeat
from mlgit.report.render import render
from mlgit.report.view import Compared, build

BASE = Run(id="b1", name="base", project="p", state=State.FINISHED, created=0.0, finished=42.0, metrics={"loss": 1.0})
HEAD = replace(BASE, id="h1", name="idea", finished=3600.0, metrics={"loss": 0.5})
ABOUT = {
    "python": "3.12.1", "packages": {"torch": "2.0", "mlgit": "1"}, "lock": {"sha256": "a"},
    "environment": {"GITHUB_RUN_ID": "1"}, "seeds": {"numpy": 1},
}  # fmt: skip
GPUS = {"gpu": {"models": ["A100", "A100", "A100"]}, "environment": {"CUDA_VISIBLE_DEVICES": "0,1"}}


def artifact(name: str, content: str, size: int, kind: str = "model") -> ArtifactVersion:
    return ArtifactVersion(name=name, type=kind, hash=content * 32, size=size, path=name)


def told(head: Run = HEAD, base: Run | None = BASE, **changes: Any) -> str:
    return render(
        build(Compared(**({"head": head, "base": base, "beside": "main", "goals": {"loss": Goal.MINIMIZE}} | changes)))
    )


def test_artifacts_are_told_with_their_sizes_and_what_became_of_them() -> None:
    base = replace(BASE, logged=(
        artifact("weights", "a", 2**20), artifact("gone", "b", 10), artifact("data", "c", 5),
        artifact("run-b1-t", "d", 1),
    ))  # fmt: skip
    head = replace(HEAD, logged=(
        artifact("weights", "e", 3 * 2**20), artifact("data", "c", 5), artifact("run-h1-t", "f", 1),
        artifact("n|ew", "1", 7),
    ))  # fmt: skip

    text = told(head, base)
    alone = told(head, None, alone="no run.")

    assert "<summary>4 artifacts differ</summary>" in text
    assert "| artifact | type | main | this change | Δ size |" in text
    assert "| weights | model | 1.0 MiB | **3.0 MiB** | +2.0 MiB |" in text
    assert "| gone | model | 10 B | **—** | gone |" in text
    assert "| n\\|ew | model | — | **7 B** | new |" in text
    assert "| run-\\*-t | model | 1 B | **1 B** | same size |" in text
    assert "1 artifact with the same content on both sides." in text
    assert "<summary>4 artifacts made</summary>" in alone
    assert "| weights | model | 3.0 MiB |" in alone


def test_a_changed_environment_is_named_where_metrics_moved() -> None:
    after = ABOUT | {
        "packages": {"torch": "2.1", "mlgit": "2"},
        "lock": {"sha256": "b"},
        "seeds": {"numpy": 2},
        "gpu": {"models": ["H100"]},
    }

    moved = told(surroundings=(ABOUT, after))
    still = told(replace(HEAD, metrics=BASE.metrics), surroundings=(ABOUT, after))

    assert "<summary>The environment changed too: 2 differences</summary>" in moved
    assert "| packages.torch | 2.0 | **2.1** |" in moved
    assert "| gpu.models | — | **H100** |" in moved
    assert "lock" not in moved
    assert "environment changed" not in still


def test_what_it_took_is_told_for_seeds_and_for_the_whole_sweep() -> None:
    seeds = [Repeat(run=replace(HEAD, id=f"h{n}"), seed=f"seed={n}") for n in range(1, 4)]
    trials = [replace(HEAD, id=f"h{n}", sweep="s") for n in range(1, 11)]

    text = told(head_repeats=seeds, siblings=trials, surroundings=({}, GPUS))

    assert "Machine time: 3h 00m, 6 GPU hours (2 × A100) for 3 seeds; base 42s; " in text.replace("\\", "")
    assert "the sweep's 10 trials 10h 00m, 20 GPU hours (2 × A100)." in text.replace("\\", "")
