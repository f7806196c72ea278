"""define_metric does what W&B's does, and the live summary is what the branch will say.

The expected summaries were seen in wandb 0.31, offline; where ours differ the test says so.
"""

from __future__ import annotations

import inspect
import json
import math
import os
import signal
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mlgit as wandb
from mlgit.core.compare import flatten
from mlgit.core.run import Run
from mlgit.core.summary import KINDS, Rule
from mlgit.errors import UsageError
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import runs, telling
from mlgit.store.rows import Rows
from mlgit.tracking.run.tally import Tally
from tests.recorded import only

pytestmark = pytest.mark.usefixtures("ended")

Act = Callable[[Any], object]


def metrics(repo: Repo, act: Act) -> Mapping[str, Any]:
    """The branch's metrics after *act*, which are also what the live summary said."""
    run = wandb.init()
    act(run)
    live = {name: value for name, value in run.summary.items() if name not in ("_step", "_runtime", "_timestamp")}
    told = only(repo).metrics

    assert repr(sorted(flatten(live).items())) == repr(sorted(flatten(told).items()))
    return told


def rows(*values: Any, **rule: Any) -> Act:
    def act(run: Any) -> None:
        run.define_metric("loss", **rule)
        for value in values:
            run.log({"loss": value})

    return act


def same(found: Any, wanted: Any) -> bool:
    return repr(found) == repr(wanted)


@pytest.mark.parametrize(
    ("summary", "expected"),
    [
        ("min", {"min": 1.0}),
        ("max", {"max": 3.0}),
        ("mean", {"mean": 2.0}),
        ("last", {"last": 2.0}),
        ("first", {"first": 3.0}),
        ("copy", 2.0),
        ("min,max", {"min": 1.0, "max": 3.0}),
        ("copy,min", {"min": 1.0}),
        ("MIN", {"min": 1.0}),
        ("best", {"best": 1.0}),  # wandb 0.31 has no `best` any more, older ones had
        (" min , max ", {"min": 1.0, "max": 3.0}),  # an error in W&B
        (None, 2.0),
        ("", 2.0),
    ],
)
def test_a_summary_is_what_was_asked_for(inside: Repo, summary: str | None, expected: Any):
    assert metrics(inside, rows(3.0, 1.0, 2.0, summary=summary)) == {"loss": expected}


@pytest.mark.parametrize("summary", ["none", "min,none", "last,none", "none,copy"])
def test_no_summary_is_none(inside: Repo, summary: str):
    assert metrics(inside, rows(3.0, 1.0, summary=summary)) == {}


def test_the_best_follows_the_goal(inside: Repo):
    assert metrics(inside, rows(3.0, 1.0, 2.0, summary="best", goal="maximize")) == {"loss": {"best": 3.0}}


def test_a_nan_is_no_lowest_and_no_highest(inside: Repo):
    """In W&B one nan makes both nan for ever."""
    found = metrics(inside, rows(math.nan, 3.0, math.nan, 1.0, summary="min,max,mean,last,first"))

    assert same(found["loss"], {"min": 1.0, "max": 3.0, "mean": math.nan, "last": 1.0, "first": math.nan})


def test_texts_truth_values_and_nothing(inside: Repo):
    every = "min,max,mean,last,first"

    assert metrics(inside, rows("a", 3.0, "b", summary=every)) == {
        "loss": {"min": 3.0, "max": 3.0, "mean": 3.0, "last": "b", "first": "a"}
    }


def test_truth_values_count_as_numbers(inside: Repo):
    """In W&B their mean is nan, and their highest 0."""
    found = metrics(inside, rows(True, False, summary="min,max,mean,last,first"))

    assert same(found["loss"], {"min": 0, "max": 1, "mean": 0.5, "last": False, "first": 1})


def nested(run: Any) -> None:
    run.define_metric("a.*", summary="min")
    run.log({"a": {"b": 3, "c": 1}})
    run.log({"a": {"b": 4}})


def late(run: Any) -> None:
    for value in (1, 0):
        run.log({"l": value, "t": f"x{value}"})
    run.define_metric("l", summary="max,first,mean")
    run.define_metric("t", summary="first")


def by_hand(run: Any) -> None:
    run.define_metric("loss", summary="min")
    run.log({"loss": 3})
    run.summary["loss"] = 7
    run.log({"loss": 2})


def by_hand_and_anew(run: Any) -> None:
    by_hand(run)
    run.define_metric("loss", summary="max")


def deleted(run: Any) -> None:
    run.define_metric("loss", summary="max")
    run.log({"loss": 1})
    del run.summary["loss"]
    run.log({"loss": 0})


def same_step(run: Any) -> None:
    run.define_metric("loss", summary="min,mean")
    run.log({"loss": 1}, step=0)
    run.log({"loss": 5}, step=0)
    run.log({"loss": 3}, step=1)


def own_before_several(run: Any) -> None:
    run.define_metric("a/*", summary="max")
    run.define_metric("a/x", summary="min")
    run.log({"a/x": 1, "a/y": 1, "b": 1})
    run.log({"a/x": 0, "a/y": 0, "b": 0})


def first_of_several(run: Any) -> None:
    run.define_metric("a*", summary="max")
    run.define_metric("a/*", summary="min")
    run.log({"a/b": 0})
    run.log({"a/b": 1})


def overwritten(run: Any) -> None:
    run.define_metric("loss", summary="min")
    run.define_metric("loss", hidden=True, overwrite=True)
    run.log({"loss": 1})
    run.log({"loss": 2})


def beside(run: Any) -> None:
    run.define_metric("loss", summary="min")
    run.define_metric("loss", summary="max")
    run.log({"loss": 1})
    run.log({"loss": 2})


def histogram(run: Any) -> None:
    run.define_metric("h", summary="max")
    run.log({"h": {"_type": "x", "n": 1}})


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (nested, {"a.b": {"min": 3}, "a.c": {"min": 1}}),
        (late, {"l": {"max": 1, "mean": 0.5, "first": 1}, "t": {"first": "x1"}}),
        (by_hand, {"loss": 2}),
        (by_hand_and_anew, {"loss": {"min": 2, "max": 3}}),
        (deleted, {"loss": {"max": 1}}),
        (same_step, {"loss": {"min": 3, "mean": 4.0}}),
        (own_before_several, {"a/x": {"min": 0}, "a/y": {"max": 1}, "b": 0}),
        (first_of_several, {"a/b": {"max": 1}}),
        (overwritten, {"loss": 2}),
        (beside, {"loss": {"min": 1, "max": 2}}),
        (histogram, {"h": {"_type": "x", "n": 1}}),
    ],
)
def test_rules_meet_as_in_wandb(inside: Repo, act: Act, expected: Any):
    assert metrics(inside, act) == expected


def test_a_mapping_leaves_in_the_summary_what_it_does_not_name(inside: Repo):
    def act(run: Any) -> None:
        run.log({"a": {"b": 3, "c": 1}})
        run.log({"a": {"b": 4}})
        assert run.summary["a"] == {"b": 4, "c": 1}

    assert metrics(inside, act) == {"a.b": 4, "a.c": 1}


# -- step metrics


def points(repo: Repo, name: str) -> list[tuple[int, float]]:
    (run,) = query.runs(repo)
    series = runs.history(repo, run)[name]
    return list(zip(series.steps, series.values, strict=True))


def test_a_row_without_the_step_metric_gets_its_latest_value(inside: Repo):
    def act(run: Any) -> None:
        run.define_metric("epoch")
        run.define_metric("v", step_metric="epoch")
        for row in ({"v": 0}, {"epoch": 1, "x": 2}, {"v": 5}, {"w": 5}, {"v": 6, "epoch": 2}):
            run.log(row)

    found = metrics(inside, act)

    assert found == {"v": 6, "epoch": 2, "x": 2, "w": 5}
    assert points(inside, "epoch") == [(0, 0), (1, 1), (2, 1), (4, 2)]


def test_without_step_sync_nothing_is_filled_in(inside: Repo):
    def act(run: Any) -> None:
        run.define_metric("v", step_metric="epoch", step_sync=False)
        for row in ({"epoch": 1}, {"v": 5}, {"v": 6, "epoch": 2}):
            run.log(row)

    metrics(inside, act)

    assert points(inside, "epoch") == [(0, 1), (2, 2)]


def test_a_step_metric_that_is_never_logged_is_0(inside: Repo):
    def act(run: Any) -> None:
        run.define_metric("*", step_metric="epoch")
        run.log({"v": 1})
        run.log({"q": {"z": "text"}})

    assert metrics(inside, act) == {"v": 1, "q.z": "text", "epoch": 0}
    assert points(inside, "epoch") == [(0, 0), (1, 0)]


def test_the_step_itself_needs_no_rule(inside: Repo):
    def act(run: Any) -> None:
        run.define_metric("*", step_metric="_step")
        run.log({"v": 1})

    assert metrics(inside, act) == {"v": 1}


# -- what it says and refuses


def test_the_rules_are_in_the_record(inside: Repo):
    run = wandb.init()
    run.define_metric("val/*", step_metric="epoch", summary="min,max", goal="max")
    run.define_metric("h", hidden=True)
    told = runs.provenance(inside, only(inside))["define_metric"]

    assert told == {
        "val/*": {"summary": ["min", "max"], "step_metric": "epoch", "step_sync": True, "goal": "maximize"},
        "h": {"hidden": True},
    }


def test_a_metric_says_what_it_is(inside: Repo):
    run = wandb.init()
    epoch = run.define_metric("epoch")
    metric = wandb.define_metric("val/*", step_metric=epoch, summary="min,max", hidden=True)

    assert (metric.name, metric.step_metric, metric.step_sync) == ("val/*", "epoch", True)
    assert (metric.summary, metric.hidden, metric.goal) == (("min", "max"), True, None)
    assert (epoch.step_metric, epoch.step_sync, epoch.summary, epoch.hidden) == (None, False, None, None)
    assert repr(epoch) == "<mlgit metric epoch>"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": ""}, "needs the name"),
        ({"name": 1}, "name cannot be a int"),
        ({"name": "a*b"}, "stands at the end alone"),
        ({"name": "*b"}, "stands at the end alone"),
        ({"name": "x", "summary": "bogus"}, "'bogus' is no summary"),
        ({"name": "x", "summary": ("min",)}, "summary cannot be a tuple"),
        ({"name": "x", "goal": "up"}, "'up' is no goal"),
        ({"name": "x", "step_metric": 3}, "step_metric cannot be a int"),
        ({"name": "x", "hidden": 1}, "hidden cannot be a int"),
        ({"name": "x", "step_sync": 1}, "step_sync cannot be a int"),
        ({"name": "x", "overwrite": 1}, "overwrite cannot be a int"),
    ],
)
def test_what_cannot_be_is_said(inside: Repo, wrong: dict[str, Any], said: str):
    run = wandb.init()
    with pytest.raises(UsageError, match=said):
        run.define_metric(**wrong)


def test_an_ended_run_takes_no_rule(inside: Repo):
    run = wandb.init()
    run.finish()
    with pytest.raises(UsageError, match="has ended"):
        run.define_metric("x")


def test_its_arguments_are_those_of_wandb(inside: Repo):
    names = list(inspect.signature(wandb.init().define_metric).parameters)

    assert names == ["name", "step_metric", "step_sync", "hidden", "summary", "overwrite", "goal"]


def test_a_disabled_run_sums_up_too():
    run = wandb.init(mode="disabled")
    run.define_metric("loss", summary="min")
    for value in (3, 1, 2):
        run.log({"loss": value})

    assert run.summary["loss"] == {"min": 1}


def test_a_killed_run_is_summed_up_as_it_was_alive(inside: Repo, python: Any, mlgit: Any):
    code = """
import mlgit, os, signal
run = mlgit.init(id="abc")
run.define_metric("loss", summary="min,mean,first")
for n in range(5):
    run.log({"loss": (n - 2) ** 2})
print({"loss": run.summary["loss"]}, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = python("-c", code, cwd=inside.folder, check=False)
    mlgit("recover", cwd=inside.folder)

    assert done.returncode == -signal.SIGKILL
    assert repr(only(inside).metrics) == done.stdout.strip()
    assert os.path.exists(inside.own)


ROWS = st.lists(
    st.dictionaries(
        st.sampled_from(["a", "b", "c/d", "e"]),
        st.one_of(
            st.integers(-5, 5), st.floats(-1e3, 1e3), st.just(math.nan), st.booleans(), st.sampled_from("xy"), st.none()
        ),
        max_size=3,
    ),
    max_size=12,
)
RULES = st.lists(
    st.builds(
        Rule, name=st.sampled_from(["a", "*", "c/*", "b"]), summary=st.sets(st.sampled_from(KINDS)).map(tuple),
        step_metric=st.sampled_from([None, "e"]), step_sync=st.booleans(), hidden=st.booleans(), goal=st.none(),
    ),
    max_size=3,
)  # fmt: skip


@given(ROWS, RULES, st.data())
@settings(max_examples=200, deadline=None)
def test_the_live_summary_is_what_the_branch_will_say(
    said: list[dict[str, Any]], rules: list[Rule], data: st.DataObject
):
    last: dict[str, Any] = {}
    step = 0
    tally = Tally(last, lambda: step)
    told = Rows()
    for rule in rules:
        tally.follow(rule, overwrite=False, so_far=None)
        told._each([{"_summary": {}, "_rule": {"name": rule.name, **rule.document()}}])
    for row in said:
        step += data.draw(st.integers(0, 1))
        tally.note(row)
        told._each([json.loads(json.dumps({"_step": step, "_runtime": 0.0, "_timestamp": 0.0, **row}))])
    account = telling.summed_up(told, Run(id="x", name="x", project="p"))

    assert json.dumps(dict(account.run.metrics), sort_keys=True) == json.dumps(last, sort_keys=True)


def test_the_end_line_begins_with_what_a_rule_calls_good_and_keeps_what_is_hidden(
    inside: Repo, capsys: pytest.CaptureFixture[str]
):
    run = wandb.init()
    run.define_metric("epoch", hidden=True)
    run.define_metric("waste", goal="minimize", step_metric="batch")
    run.log({"epoch": 1, "batch": 2, "train/lr": 3, "acc": 4, "waste": 5})
    found = only(inside)

    assert "s: waste 5, acc 4, train/lr 3\n" in capsys.readouterr().err
    assert inside.git("log", "-1", "--format=%s", found.commit).endswith(": waste 5, acc 4, train/lr 3")
    assert found.rules["waste"].goal == "minimize"
