"""What a sweep has found, as Markdown."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from mlgit.core.compare import Goal
from mlgit.core.findings import Aim, Driver, Findings, Importance, Point
from mlgit.core.sweep import Sweep
from mlgit.report import findings as reports
from mlgit.report import page
from mlgit.report.view import Chart

HOSTILE = "a`b|c <script>x</script> @all #1 --> [x](y) ${{ s }}"


def of(*values: float, hostile: str = "") -> Findings:
    points = tuple(
        Point(
            number=n, name=f"search-{n}{hostile}", run=f"r{n}", state="finished", values=(value,),
            params={f"lr{hostile}": value, "kind": hostile or "adam"},
        )
        for n, value in enumerate(values, 1)
    )  # fmt: skip
    drivers = (Driver(name=f"lr{hostile}", alone=0.7, together=0.2, correlation=-0.5, trials=len(values)),)
    return Findings(
        sweep=Sweep(id="k3f9a2xq", name=f"search{hostile}", project="p", method="random"),
        aims=(Aim(name=f"val/loss{hostile}"),), searched={f"lr{hostile}": False, "kind": False}, points=points,
        ranked=tuple(sorted(range(len(points)), key=lambda place: values[place])),
        importances=(Importance(metric=f"val/loss{hostile}", trials=len(values), drivers=drivers, explained=0.5),),
    )  # fmt: skip


def test_the_best_the_importance_and_what_to_do_next_are_told() -> None:
    text = reports.render(of(0.3, 0.1, 0.2))

    assert text.startswith("### search: val/loss 0.1 after 3 trials\n")
    assert "| best | search-2 |\n| :-- | --: |\n| val/loss\u00a0↓ | **0.1** |\n| lr | 0.1 |\n" in text
    assert "| lr | **90%** | 70% | 20% | −0.50 | 3 |" in text
    assert "mlgit reproduce r2 " in text
    assert "mlgit sweep apply k3f9a2xq " in text
    assert len({line.index("  # ") for line in text.splitlines() if line.startswith("mlgit ")}) == 1
    assert "random search: 3 trials." in text


def test_a_metrics_name_stands_in_a_summary_as_it_is() -> None:
    found = of(0.3, 0.1)
    named = replace(found, importances=(replace(found.importances[0], metric="val_loss <b> @all #1 *x*"),))

    text = reports.render(named)
    assert "@all" not in text
    seen = page.html(text, lambda _: None).replace("\u200b", "")
    assert "<summary>What drove val_loss &lt;b&gt; @all #1 *x*: 2 trials</summary>" in seen


def test_what_seeds_repeat_is_called_a_point() -> None:
    found = of(0.3, 0.1)
    seeded = replace(found, points=tuple(replace(point, runs=2) for point in found.points))

    assert seeded.unit == "point"
    text = reports.render(seeded)
    assert "after 4 trials" in text
    assert 'x-axis "point" 1 --> 2' in text
    assert "What drove val/loss: 2 points" in text
    assert "The 2 best points" in text


def test_where_there_are_no_pictures_mermaid_draws_and_reads_every_number() -> None:
    text = reports.render(of(3e-7, 1.5, 0.25, 12345.678))

    chart = text.partition("```mermaid\n")[2].partition("```")[0]
    one, two = re.findall(r"line \[(.*)\]", chart)
    assert one == "0.0000003, 1.5, 0.25, 12345.7"
    assert two == ", ".join(["0.0000003"] * 4)
    assert "e-" not in chart
    with_chart = reports.render(of(1.0, 2.0), charts=[Chart(title="History", link="x.png")])
    assert "![History](x.png)" in with_chart
    assert "mermaid" not in with_chart
    assert "The best so far: █▁" in reports.render(of(2.0, 1.0), on_terminal=True)


def test_hundreds_of_trials_are_at_most_sixty_points_of_text() -> None:
    values = [1 / number for number in range(1, 601)]

    line = re.findall(r"line \[(.*)\]", reports.render(of(*values)))[1].split(", ")

    assert len(line) == 60
    assert float(line[-1]) == pytest.approx(1 / 600, rel=1e-4)


def test_nothing_that_was_named_elsewhere_becomes_markup() -> None:
    text = reports.render(of(0.3, 0.1, hostile=HOSTILE))

    assert "<script>" not in text
    assert "@all" not in text.replace("@&#8203;all", "")
    assert " #1 " not in text
    assert "[x](y)" not in text
    assert all(line.count("|") - line.count("\\|") in (0, 3, 4, 5, 7) for line in text.splitlines())
    assert text.count("```") == 4


def test_a_report_fits_into_a_comment() -> None:
    long = of(*[float(number) for number in range(300)], hostile="x" * 300)
    long = replace(long, points=tuple(replace(point, problem="y" * 600) for point in long.points))

    assert len(reports.render(long, most=20_000)) <= 20_000
    assert len(reports.render(long)) <= 65_000


def test_pruned_running_and_failed_trials_are_counted_apart() -> None:
    found = of(0.3, 0.1, 0.2, 0.4)
    points = list(found.points)
    points[0] = replace(points[0], counts=False, is_pruned=True, state="pruned")
    points[2] = replace(
        points[2], counts=False, state="failed", values=(None,), problem="it logged no metric 'val/loss'"
    )
    points[3] = replace(points[3], counts=False, is_running=True, state="running", values=(None,))

    text = reports.render(replace(found, points=tuple(points), ranked=(1,)))

    assert "random search: 1 trial, 1 pruned, 1 under way, 1 without a result." in text
    assert "The sweep goes on" in text
    assert "| search-3 | failed | it logged no metric 'val/loss' |" in text


def test_doubts_stand_above_the_shares() -> None:
    found = of(0.3, 0.1)
    doubtful = replace(found.importances[0], doubts=("It rests on 2 trials; wait for at least 10.",))

    text = reports.render(replace(found, importances=(doubtful,)))

    assert "> [!WARNING]\n> It rests on 2 trials; wait for at least 10.\n" in text


def test_of_no_trial_it_is_not_told_what_drove_it() -> None:
    nothing = Importance(
        metric="val/loss", trials=0, drivers=(), doubts=("It rests on 0 trials; wait for at least 10.",)
    )

    assert "What drove" not in reports.render(replace(of(), importances=(nothing,)))


def test_of_several_metrics_the_front_is_listed() -> None:
    found = of(0.3, 0.1, 0.2)
    points = tuple(replace(point, values=(*point.values, float(point.number))) for point in found.points)
    aims = (*found.aims, Aim(name="speed", goal=Goal.MAXIMIZE))

    text = reports.render(replace(found, points=points, aims=aims, front=(1, 2), ranked=(1, 2, 0)))

    assert "search: 2 points that no other beats, after 3 trials" in text
    assert (
        "| trial | val/loss\u00a0↓ | speed\u00a0↑ | lr |\n| :-- | --: | --: | --: |\n| search-2 | 0.1 | 2 | 0.1 |"
        in text
    )
    assert {picture.name for picture in reports.draw(replace(found, points=points, aims=aims, front=(1, 2)))} >= {
        "front.png",
        "history.png",
        "importance-1.png",
        "slices.png",
    }


def test_a_sweep_without_a_metric_or_trials_is_reported_as_that() -> None:
    nothing = Findings(sweep=of().sweep, aims=(), searched={}, points=())

    assert reports.render(nothing).startswith("### search: no trials yet\n")
    assert reports.draw(nothing) == []
    without = replace(of(1.0, 2.0), aims=(), ranked=(), importances=())
    without = replace(without, points=tuple(replace(point, values=()) for point in without.points))
    assert "nothing to tell the best by, after 2 trials" in reports.render(without)
    assert reports.draw(without) == []
