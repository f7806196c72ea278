import math
from dataclasses import replace

import pytest

from mlgit.core.compare import Goal
from mlgit.core.run import Run, State
from mlgit.core.sweep import Sweep
from mlgit.core.verdict import Outcome, Verdict
from mlgit.report.headline import primary
from mlgit.report.view import Compared, build, reproduce

BASE = Run(id="b", name="noble-river-3", project="p", state=State.FINISHED, metrics={"accuracy": 0.969})
HEAD = Run(id="h", name="radiant-glade-12", project="p", state=State.FINISHED, metrics={"accuracy": 0.981})
REFUSED = Verdict(gate="g", outcome=Outcome.FAILED, observed="o", where="w")


def headline(head: Run = HEAD, base: Run | None = BASE, *verdicts: Verdict) -> str:
    return build(Compared(head=head, base=base, beside="main", goals={}), verdicts=verdicts).headline


def with_metrics(run: Run, **metrics: object) -> Run:
    return replace(run, metrics=metrics)


def test_the_headline_tells_the_change_and_whose_it_is() -> None:
    assert headline() == "accuracy 0.981, +0.012 better than main's noble-river-3."
    assert headline(with_metrics(HEAD, loss=0.5), with_metrics(BASE, loss=0.25)) == (
        "loss 0.5, +0.25 worse than main's noble-river-3."
    )
    assert headline(HEAD, with_metrics(BASE, accuracy=0.981)) == "accuracy 0.981, the same as main's noble-river-3."
    assert headline(
        with_metrics(HEAD, accuracy=1, loss=0.2, mae=9), with_metrics(BASE, accuracy=1, loss=0.4, mae=10)
    ) == ("accuracy 1, the same as main's noble-river-3; loss −0.2 better.")
    back = Compared(head=HEAD, base=BASE, beside="main, one commit back", goals={})
    assert build(back).headline == "accuracy 0.981, +0.012 better than main's noble-river-3, one commit back."
    assert (
        headline(with_metrics(HEAD, speed=3), with_metrics(BASE, speed=4)) == "speed 3, −1 from main's noble-river-3."
    )


@pytest.mark.parametrize(("value", "said"), [(math.nan, "nan"), ("high", "high"), (None, "None")])
def test_a_base_without_a_number_is_quoted_as_it_is(value: object, said: str) -> None:
    assert headline(base=with_metrics(BASE, accuracy=value)) == f"accuracy 0.981; main's noble-river-3 has {said}."


def test_a_lone_a_wordless_and_a_refused_head() -> None:
    assert headline(base=None) == "accuracy 0.981, and nothing to compare with."
    assert headline(with_metrics(HEAD)) == "radiant-glade-12 logged no numbers."
    assert headline(HEAD, BASE, REFUSED).endswith("noble-river-3. 1 of 1 gates refuse.")
    assert headline(HEAD, BASE, replace(REFUSED, outcome=Outcome.PASSED)).endswith("noble-river-3. All gates pass.")
    assert headline(replace(HEAD, state=State.CRASHED)).startswith("crashed: accuracy")


def test_the_stated_goal_chooses_the_headlines_metric_else_the_held_out_and_the_rising() -> None:
    metrics = {"loss": 1.0, "train/acc": 0.9, "val/acc": 0.8, "_runtime": 3.0, "word": "x", "epoch": 3}

    assert primary(metrics, {}) == "val/acc"
    assert primary(metrics, {"nowhere": Goal.MAXIMIZE, "loss": Goal.MINIMIZE}) == "loss"
    assert primary({"loss": 1.0, "epoch": 3}, {}) == "loss"
    assert primary({"word": "x", "_runtime": 1.0, "broken": math.nan}, {}) is None


def test_params_and_data_that_changed_are_told_by_dotted_key() -> None:
    base = replace(BASE, params={"net": {"width": 1, "depth": 2}, "same": math.nan}, data={"d": "1"})
    head = replace(HEAD, params={"net": {"width": 3}, "same": math.nan}, data={"d": "2"})

    view = build(Compared(head=head, base=base, goals={}))

    assert [(change.key, change.head) for change in view.params][1:] == [("net.width", 3)]
    assert [change.key for change in view.params] == ["net.depth", "net.width"]
    assert [change.key for change in view.data] == ["d"]


def test_a_trial_is_placed_among_its_siblings() -> None:
    head = replace(HEAD, sweep="s")
    others = [replace(head, id=str(n), metrics={"accuracy": value}) for n, value in enumerate((0.99, 0.985, 0.5))]
    lost = replace(head, id="lost", metrics={}, state=State.CRASHED)
    pruned = replace(head, id="pruned", metrics={"accuracy": 1.0}, state=State.PRUNED)

    sweep = build(Compared(head=head, goals={}, siblings=(head, *others, lost, pruned))).sweep

    assert sweep
    assert (sweep.count, sweep.lost, sweep.pruned, sweep.place, sweep.metric) == (6, 1, 1, 3, "accuracy")
    assert sweep.best
    named = Sweep(id="s", name="find lr", project="p", method="bayes", metric="loss", goal=Goal.MINIMIZE)
    told = build(Compared(head=head, goals={}, siblings=(head, *others), sweep=named)).sweep
    assert told
    assert (told.name, told.metric, told.place) == ("find lr", "loss", None)
    assert sweep.best.id == "0"
    assert build(Compared(head=HEAD, goals={}, siblings=(HEAD, *others))).sweep is None


def test_a_run_is_made_again_by_one_command_in_any_clone() -> None:
    run = replace(HEAD, source="a" * 40, ref="refs/heads/exp/p/x-1")

    def lines(run: Run, *command: str, has_origin: bool = False) -> tuple[str, ...]:
        return reproduce(Compared(head=run, goals={}, command=command, has_origin=has_origin))

    assert lines(run, "python", has_origin=True) == ("mlgit pull x-1", "mlgit reproduce x-1")
    assert lines(run, "python") == ("mlgit reproduce x-1",)
    hostile = replace(run, ref='refs/heads/exp/p/x";echo${IFS}pwned;#')
    assert lines(hostile, "python") == ("""mlgit reproduce 'x";echo${IFS}pwned;#'""",)
    assert lines(replace(run, ref="refs/heads/exp/p/--to=x"), "python") == ("mlgit reproduce exp/p/--to=x",)
    assert lines(replace(run, source=None), "python") == ()
    assert lines(run) == ()


def test_a_base_with_params_from_outside_is_said() -> None:
    def said(**fields: object) -> str:
        base = replace(BASE, **fields)
        return build(Compared(head=HEAD, base=base, beside="main", goals={})).from_outside

    assert said() == ""
    assert said(given=("lr", "net.width")) == "noble-river-3 was given lr, net.width from outside"
    assert said(sweep="s") == "noble-river-3 is a trial of a sweep"
