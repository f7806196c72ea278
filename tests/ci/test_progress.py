"""How a run stands, in words, tables and curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mlgit.ci import progress
from mlgit.ci.progress import Curve, Stand
from mlgit.core.compare import Goal
from mlgit.core.history import Series
from mlgit.core.run import Run, State
from mlgit.core.summary import Rule


def series(values: Sequence[float], first: int = 0) -> Series:
    steps = range(first, first + len(values))
    return Series(steps, [0.0] * len(values), list(map(float, steps)), values)


def stand(told: dict[str, Sequence[float]], **more: Any) -> Stand:
    last = {name: values[-1] for name, values in told.items()}
    run = more.pop("run", Run(id="k3f9a2", name="rates-3", project="digits", metrics=last))
    curves = progress.curves({name: series(values) for name, values in told.items()})
    about = {"title": "Trial 3: rates-3", "run": run, "curves": curves, "goals": {}, "seconds": 200.0} | more
    return Stand(**about)


def test_a_run_under_way_is_a_line_and_a_table_of_its_metrics() -> None:
    now = stand({"val/loss": [4, 2, 1, 3], "lr": [0.1] * 4}, speed=41.234, most_seconds=1200)

    assert progress.lines(now).splitlines() == [
        "│ Trial 3: rates-3: step 3, 41.2/s, after 3m 20s of 20m 00s at most",
        "│ metric    last  best  at step  trend",
        "│ val/loss     3     1        2  █▃▁▆",
        "│ lr         0.1                 ▁▁▁▁",
    ]


def test_which_way_is_better_says_the_script_then_the_settings_then_the_name() -> None:
    values = [1.0, 3.0, 2.0]
    rules = {"loss": Rule(name="loss", goal="maximize")}
    run = Run(id="k3f9a2", name="n", project="p", metrics={"loss": 2.0, "score": 2.0, "x": 2.0}, rules=rules)
    told = dict.fromkeys(("loss", "score", "x"), values)

    found, _ = progress.rows(stand(told, run=run, goals={"loss": Goal.MINIMIZE, "score": Goal.MINIMIZE}))

    assert {name: (best, at) for name, _, best, at, _ in found} == {
        "loss": ("3", "1"), "score": ("1", "0"), "x": ("", ""),
    }  # fmt: skip


def test_no_name_of_a_metric_or_run_is_a_command_to_the_runner_or_a_cell_of_its_own() -> None:
    evil = {"::set-output name=a::b": [1, 2], "a##[group]b": [1, 2], "a\n::error::b": [1, 2], "a|b @team": [1, 2]}
    now = stand(evil, title="::add-mask::x\n::stop-commands::y")

    for line in progress.lines(now).splitlines():
        assert line.startswith("│ ")
        assert "##[" not in line
    text = progress.markdown(now)
    assert "stop-commands" in text.splitlines()[0]
    assert "a\\|b @&#8203;team" in text


def test_the_page_draws_the_first_metrics_and_says_how_the_run_stands() -> None:
    told = {f"loss_{number}": [3.0, 2.0, math.nan, 1e-9] for number in range(20)} | {"flat": [1.0]}
    under_way = progress.markdown(stand(told))
    over = stand(
        told, is_over=True, run=Run(id="k3f9a2", name="n", project="p", metrics={"loss_1": 2}, state=State.CRASHED)
    )

    assert "**running**, step 3, after 3m 20s" in under_way
    assert under_way.count("```mermaid") == 4
    assert "… and 9 metrics more" in under_way
    assert "\ncrashed, step 3, after 3m 20s\n" in progress.markdown(over)
    assert "mermaid" not in progress.markdown(stand({"flat": [1.0]}))
    assert "mermaid" not in progress.markdown(over, with_charts=False)
    assert progress.lines(stand({})) == "│ Trial 3: rates-3: after 3m 20s"


@given(st.lists(st.lists(st.floats(-1e300, 1e300) | st.just(math.nan), max_size=700), max_size=4))
def test_a_curve_of_any_length_keeps_its_extremes_and_few_points(parts: list[list[float]]) -> None:
    curve, first = Curve(), 0
    for part in parts:
        curve.add(series(part, first))
        first += len(part)
    values = [value for part in parts for value in part]
    known = [value for value in values if not math.isnan(value)]

    assert len(curve.means) == len(curve.places) < 200
    assert curve.places == sorted(curve.places)
    assert len(curve.means) >= min(100, len(known)) - 1
    if known:
        assert curve.least == (min(known), values.index(min(known)))
        assert curve.most == (max(known), values.index(max(known)))
        size = max(map(abs, known)) * 1e-9
        assert all(min(known) - size <= mean <= max(known) + size for mean in curve.means)


def test_a_small_change_of_a_large_number_is_a_curve_too() -> None:
    text = progress.markdown(stand({"tokens": [1_234_567_890.0, 1_234_567_891.0, 1_234_567_893.5]}))

    assert "line [1234567890, 1234567891, 1234567893.5]" in text
    assert 'y-axis "tokens" 1234567889.825 --> 1234567893.675' in text


def test_processes_that_share_a_run_may_have_told_their_steps_in_no_order() -> None:
    curve = Curve()
    for step in (500, 0, 1000, 600):
        curve.add(series([float(step)], step))
    shared = stand({"loss": [0.0]}, curves={"loss": curve})

    assert "▁▁▅█" in progress.lines(shared)
    assert 'x-axis "step" 0 --> 1000' in progress.markdown(shared)
