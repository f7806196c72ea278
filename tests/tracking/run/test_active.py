"""The Python door: what a script says is what its branch holds."""

from __future__ import annotations

import copy
import dataclasses
import datetime
import decimal
import enum
import errno
import fractions
import inspect
import json
import logging
import math
import os
import pickle
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mlgit as wandb
from mlgit.core.run import State
from mlgit.errors import MlgitError, UsageError
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import live, locks, recover, runs
from mlgit.tracking.run.active import ActiveRun
from mlgit.tracking.run.alerting import Alerts
from mlgit.tracking.run.keeping import Kept
from mlgit.tracking.run.metric import Rules
from mlgit.tracking.run.saving import Saved
from mlgit.tracking.run.watching import Watched
from tests.recorded import only

pytestmark = pytest.mark.usefixtures("ended")


def values(repo: Repo, name: str) -> list[tuple[int, float]]:
    series = runs.history(repo, only(repo))[name]
    return list(zip(series.steps, series.values, strict=True))


# -- log


def test_every_value_that_can_be_stored_is_stored(inside: Repo):
    class Color(enum.Enum):
        RED = "red"

    wandb.init()
    wandb.log(
        {
            "int": 3,
            "float": 0.25,
            "bool": True,
            "none": None,
            "text": "é🦊",
            "half": "\ud800",
            "nan": math.nan,
            "inf": math.inf,
            "-inf": -math.inf,
            "np32": np.float32(0.5),
            "npnan": np.float64("nan"),
            "npint": np.int8(4),
            "npbool": np.bool_(True),
            "zero-d": np.array(2.5),
            "array": np.array([1, 2]),
            "list": [1, "a", None],
            "tuple": (1, 2),
            "nested": {"a": {"b": 1}},
            "big": 2**70,
            "huge": 10**400,
            "date": datetime.date(2026, 1, 2),
            "path": Path("a/b"),
            "enum": Color.RED,
            "neg0": -0.0,
            "tiny": 5e-324,
            "null": "null",
            "odd keys": {3: 1},
        }
    )
    found = dict(only(inside).metrics)

    assert math.isnan(found.pop("nan"))
    assert math.isnan(found.pop("npnan"))
    assert found == {
        "int": 3,
        "float": 0.25,
        "bool": True,
        "none": None,
        "text": "é🦊",
        "half": "?",
        "inf": math.inf,
        "-inf": -math.inf,
        "np32": 0.5,
        "npint": 4,
        "npbool": True,
        "zero-d": 2.5,
        "array": [1, 2],
        "list": [1, "a", None],
        "tuple": [1, 2],
        "nested.a.b": 1,
        "big": 2**70,
        "huge": 10**400,
        "date": "2026-01-02",
        "path": "a/b",
        "enum": "red",
        "neg0": 0.0,
        "tiny": 5e-324,
        "null": "null",
        "odd keys.3": 1,
    }


class Stubborn:
    pass


def cyclic() -> dict[str, Any]:
    inner: dict[str, Any] = {}
    inner["self"] = inner
    return inner


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (Stubborn(), TypeError, "log(): bad: a "),
        (cyclic(), TypeError, "log(): bad.self"),
        (10**5000, TypeError, "log(): bad: a whole number"),
        (np.full(20_000, "x"), TypeError, "log(): bad: an array of 20,000 values"),
        ({"deep": [Stubborn()]}, TypeError, "log(): bad.deep: a "),
    ],
    ids=["object", "cyclic", "5,000 digits", "array", "deep"],
)
def test_what_cannot_be_stored_is_named_and_drops_the_whole_row(
    inside: Repo, value: Any, error: type[Exception], words: str
):
    wandb.init()
    wandb.log({"good": 1})

    with pytest.raises(error) as caught:
        wandb.log({"good": 2, "bad": value})
    wandb.log({"good": 3})

    assert str(caught.value).startswith(words)
    assert values(inside, "good") == [(0, 1), (1, 3)]
    assert dict(only(inside).metrics) == {"good": 3}


@pytest.mark.parametrize("step", ["soon", math.nan, math.inf, [1], 1j])
def test_a_step_that_is_no_number_is_refused_and_the_run_goes_on(inside: Repo, step: Any):
    wandb.init()
    with pytest.raises(TypeError, match=r"log\(\): the step .* is no whole number"):
        wandb.log({"a": 1}, step=step)
    wandb.log({"a": 2}, step=np.int64(3))

    assert values(inside, "a") == [(3, 2)]


def test_a_name_of_two_lines_cannot_speak_for_us(inside: Repo, capsys: pytest.CaptureFixture[str]):
    wandb.init(name="mine\nmlgit: all is lost")

    assert "mlgit: run mine mlgit: all is lost of " in capsys.readouterr().err


@pytest.mark.parametrize(
    "data",
    [None, 3, "loss", [("a", 1)], {3: 1}, {None: 1}, {("a",): 1}, {b"a": 1}, {"_summary": {"a": 1}}, {"_summary": 3}],
)
def test_what_is_no_row_is_refused(inside: Repo, data: Any):
    wandb.init()
    with pytest.raises((TypeError, ValueError), match=r"log\(\)"):
        wandb.log(data)
    wandb.log({"a": 1})

    assert dict(only(inside).metrics) == {"a": 1}


@pytest.mark.parametrize(
    "data",
    [
        {"_step": "x"},
        {"_timestamp": "x", "_runtime": None},
        {"_step": 99},
        {"$float": "x"},
        {"x": {"$float": "abc"}},
        {"x": {"$delete": True}},
    ],
)
def test_names_of_our_own_do_no_harm(inside: Repo, data: dict[str, Any]):
    wandb.init(config={"c": {"$float": "abc"}})
    wandb.log({"a": 1, **data})
    wandb.log({"a": 2})

    assert values(inside, "a") == [(0, 1), (1, 2)]
    assert only(inside).params == {"c": {"$float": "abc"}}


NAMES = [
    "val/acc",
    "a//b",
    "/a",
    "a/",
    "..",
    "../../x",
    ".git/config",
    ".hidden",
    "git~1",
    "GIT~1/x",
    "-dash",
    "a b",
    " a",
    "a ",
    "tab\t",
    "new\nline",
    "é",
    "🦊",
    "日本/語",
    "x" * 500,
    "x" * 499 + "y",
    "a\\b",
    "a:b",
    "a|b`c`",
    "a.tsv",
    "a.tsv/b",
    "a",
    "a/b/c",
    "%2e",
    "*?<>",
    "\x1b[31mred",
    "\u202eevil",
    "@everyone",
    "=cmd()",
    "",
    "null",
    "no",
    "1e-3",
    "\ud800",
    "/".join("a" * 3000),
    "CON",
    "nul.txt",
    "é/" * 300,
    "a" * 200 + "/" + "b" * 200,
    "\u2028",
    "\x85",
    "x" * 3000,
    "'",
    '"',
    "{}",
    "#",
]


def test_a_metric_may_have_any_name(inside: Repo):
    wandb.init()
    wandb.log({name: number for number, name in enumerate(NAMES)})
    wandb.log(dict.fromkeys(NAMES, -1))
    run = only(inside)
    known = [name.replace("\ud800", "?") for name in NAMES]

    assert run.metrics == dict.fromkeys(known, -1)
    paths = (
        inside.git("ls-tree", "-r", "-z", "--name-only", f"{run.commit}:experiment/history").rstrip("\0").split("\0")
    )
    assert len(paths) == len(NAMES)
    assert len({path.lower() for path in paths}) >= len(paths) - 1  # git~1 and GIT~1
    history = runs.history(inside, run)
    assert all(
        history[name].values[0] == number for number, name in enumerate(known) if name.isprintable() and name != "?"
    )
    inside.git("worktree", "add", "-q", "--detach", "../checked-out", run.commit)


def test_ten_thousand_names_at_once_are_kept(inside: Repo):
    wandb.init()
    wandb.log({f"m{number}": number for number in range(10_000)})
    run = only(inside)

    assert len(run.metrics) == 10_000
    assert run.metrics["m9999"] == 9999


def test_steps_count_by_themselves_and_an_explicit_one_stays_open(inside: Repo):
    wandb.init()
    wandb.log({"a": 0})
    wandb.log({"a": 1}, commit=False)
    wandb.log({"b": 1})
    wandb.log({"a": 10}, step=10)
    wandb.log({"b": 10}, step=10)
    wandb.log({"a": 11}, step=11, commit=True)
    wandb.log({"a": 12})
    wandb.log({"a": 99}, step=3)
    wandb.log({"a": 20}, step=np.int64(20))

    assert values(inside, "a") == [(0, 0), (1, 1), (10, 10), (11, 11), (12, 12), (20, 20)]
    assert values(inside, "b") == [(1, 1), (10, 10)]


def test_the_last_value_of_a_step_counts(inside: Repo):
    wandb.init()
    wandb.log({"a": 1}, commit=False)
    wandb.log({"a": 2})

    assert values(inside, "a") == [(0, 2)]


def test_a_row_without_names_is_a_step(inside: Repo):
    wandb.init()
    wandb.log({})
    wandb.log({"a": 1})

    assert values(inside, "a") == [(1, 1)]


def test_threads_that_log_at_once_lose_nothing(inside: Repo):
    run = wandb.init()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: [run.log({f"t{n}": i}) for i in range(300)], range(8)))
    history = runs.history(inside, only(inside))

    assert {name: list(one.values) for name, one in history.items()} == {f"t{n}": list(range(300)) for n in range(8)}
    steps = [step for one in history.values() for step in one.steps]
    assert sorted(steps) == list(range(2400))


def test_a_run_ends_after_the_row_that_a_thread_is_writing(inside: Repo):
    run = wandb.init()
    writing, ending, order = threading.Event(), threading.Event(), []

    class Slow(dict[str, int]):  # it is asked for its names while the row is made
        def __iter__(self) -> Iterator[str]:
            writing.set()
            ending.wait(0.2)  # in vain, for the end waits for us
            order.append("row")
            return super().__iter__()

    def at_end() -> None:
        ending.set()
        order.append("end")

    thread = threading.Thread(target=run.log, args=(Slow(x=1),))
    run.at_end.append(at_end)
    thread.start()
    writing.wait()
    run.finish()
    thread.join()

    assert order == ["row", "end"]


def test_a_signals_handler_may_log_in_the_midst_of_a_row(inside: Repo):
    class Interrupted(Mapping[str, float]):
        def __iter__(self) -> Iterator[str]:
            signal.raise_signal(signal.SIGUSR1)
            return iter(("x",))

        def __len__(self) -> int:
            return 1

        def __getitem__(self, key: str) -> float:
            return 1.0

    wandb.init()
    before = signal.signal(signal.SIGUSR1, lambda *_: wandb.log({"saved": True}))
    try:
        wandb.log(Interrupted())
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert only(inside).metrics == {"x": 1.0, "saved": True}


def test_before_the_beginning_and_after_the_end_nothing_can_be_said(inside: Repo):
    for act in (lambda: wandb.log({"a": 1}), lambda: wandb.config.lr, lambda: wandb.summary.update(a=1)):
        with pytest.raises(UsageError, match=r"There is no run.*\n.*init"):
            act()
    run = wandb.init()
    wandb.finish()
    wandb.finish()
    for act in (lambda: run.log({"a": 1}), lambda: run.config.update(a=1), lambda: run.summary.update(a=1)):
        with pytest.raises(UsageError, match="has ended"):
            act()


# -- config and summary


def test_a_param_once_set_changes_only_when_asked(inside: Repo):
    wandb.init(config={"lr": 0.1, "nan": math.nan, "n": np.int64(3)})
    wandb.config.depth = 3
    wandb.config["width"] = 4
    wandb.config.lr = 0.1
    wandb.config.nan = math.nan
    with pytest.raises(UsageError, match=r"config\.lr is 0\.1 already"):
        wandb.config.lr = 0.2
    wandb.config.update({"lr": 0.3}, allow_val_change=True)
    wandb.config.setdefaults({"lr": 9, "new": 1})
    with pytest.raises(UsageError, match="cannot be taken back"):
        del wandb.run.config["lr"]
    found = dict(only(inside).params)

    assert math.isnan(found.pop("nan"))
    assert found == {"lr": 0.3, "n": 3, "depth": 3, "width": 4, "new": 1}


def test_config_is_a_mapping_in_every_way_a_script_uses_it(inside: Repo):
    import argparse

    run = wandb.init(config=argparse.Namespace(lr=0.1, name="x"))

    assert dict(wandb.config) == {**wandb.config} == run.config.as_dict() == {"lr": 0.1, "name": "x"}
    assert "lr" in wandb.config
    assert wandb.config.get("no", 3) == 3
    assert len(wandb.config) == 2
    assert not hasattr(wandb.config, "nothing")
    assert copy.copy(run.config)["lr"] == 0.1
    assert [(key, wandb.config._items[key]) for key in wandb.config._items] == [("lr", 0.1), ("name", "x")]
    assert json.dumps(run.config.as_dict())


def test_what_a_config_or_a_summary_is_updated_with_may_be_named_as_w_b_names_it(inside: Repo):
    run = wandb.init(config={"lr": 0.1, "d": 3})
    run.config.update(d={"lr": 0.2}, allow_val_change=True)
    run.config.setdefaults(d={"lr": 0.3, "bs": 32})
    run.summary.update(d={"acc": 1})

    assert dict(run.config) == {"lr": 0.2, "d": 3, "bs": 32}
    assert dict(run.summary) == {"acc": 1}


def test_a_param_or_a_metric_may_be_called_as_a_method_is(inside: Repo):
    run = wandb.init(config={"note": "n", "values": 1, "pop": 2, "clear": 3, "setdefault": 4, "misspelt": 5})
    for name in ("note", "merge", "follow", "values", "pop"):
        run.summary[name] = name
    run.summary.note = 5
    run.log({"clear": 6})

    assert (run.config.note, run.config.values, run.config.pop, run.config.clear) == ("n", 1, 2, 3)
    assert (run.config.setdefault, wandb.config.misspelt) == (4, 5)
    assert (run.summary.note, run.summary.merge, run.summary.follow, run.summary.values) == (
        5,
        "merge",
        "follow",
        "values",
    )
    assert (wandb.summary.pop, run.summary.clear) == ("pop", 6)
    assert dict(run.config.items())["note"] == "n"


def test_a_config_or_a_summary_that_is_assigned_is_taken_in(inside: Repo):
    run = wandb.init(config={"lr": 1})
    run.config = {"lr": 2, "bs": 32}
    run.summary = {"acc": 1}
    run.log({"a": 1})

    assert (run.config.bs, run.summary.acc, run.summary.a) == (32, 1, 1)
    found = only(inside)
    assert (dict(found.params), dict(found.metrics)) == ({"lr": 2, "bs": 32}, {"acc": 1, "a": 1})


@pytest.mark.parametrize("config", [3, [1], {3: 1}, {"a": cyclic()}, Stubborn])
def test_a_config_that_cannot_be_is_refused_and_no_run_begins(inside: Repo, config: Any):
    with pytest.raises(TypeError, match="config"):
        wandb.init(config=config)

    assert wandb.run is None
    assert not live.folders(inside)


def test_a_summary_is_set_and_taken_back(inside: Repo):
    wandb.init()
    wandb.log({"loss": 0.5, "gone": 1})
    wandb.summary["best"] = np.float32(0.25)
    wandb.summary.update({"nested": {"a": 1}, "text": "x"})
    wandb.summary.loss = 0.125
    del wandb.run.summary["gone"]
    with pytest.raises(KeyError):
        del wandb.run.summary["never"]
    with pytest.raises(TypeError, match=r"summary\.bad"):
        wandb.summary["bad"] = Stubborn()

    assert wandb.summary.best == 0.25
    assert dict(only(inside).metrics) == {"loss": 0.125, "best": 0.25, "nested.a": 1, "text": "x"}


def test_a_summary_tells_the_step_and_the_times_of_the_last_row(inside: Repo):
    run = wandb.init()
    with pytest.raises(KeyError):
        run.summary["_step"]
    run.log({"a": 1})
    run.log({"a": 2}, step=7)

    assert (run.summary["_step"], run.summary.get("_step"), run.summary._step) == (7, 7, 7)
    assert run.summary["_timestamp"] - run.counts_from == run.summary["_runtime"] >= 0
    assert list(run.summary) == list(run.summary._as_dict()) == ["a", "_step", "_runtime", "_timestamp"]
    assert dict(only(inside).metrics) == {"a": 2}


def test_a_mapping_in_a_summary_is_set_in_part(inside: Repo):
    run = wandb.init()
    run.log({"val": {"x": 1}})
    run.summary["best"] = {"acc": 1, "deep": {"y": 1}}
    run.summary["best"]["acc"] = 2
    run.summary.best.deep["z"] = 3
    run.summary["val"].x = 4

    assert run.summary["best"] == {"acc": 2, "deep": {"y": 1, "z": 3}}
    assert json.loads(json.dumps(run.summary["best"])) == copy.deepcopy(run.summary["best"]) == run.summary.best
    assert (run.summary.best.deep.y, hasattr(run.summary.best, "no")) == (1, False)
    assert dict(only(inside).metrics) == {"best.acc": 2, "best.deep.y": 1, "best.deep.z": 3, "val.x": 4}


def test_whatever_changes_in_a_mapping_of_a_summary_changes_in_the_run(inside: Repo):
    run = wandb.init()
    run.log({"val": {"x": 1, "gone": 2, "deep": {"y": 3, "z": 4}}, "old": {"a": 1}, "dropped": {"a": {"b": 1}}})
    del run.summary["val"]["gone"]
    run.summary["val"].update({"u": 5}, v=6)
    run.summary["val"].get("deep").update(y=7)
    popped = run.summary["val"]["deep"].pop("z")
    default = run.summary["val"].setdefault("w", 8), run.summary["val"].setdefault("x", 9)
    run.summary["old"] = {"b": 2}
    run.summary["dropped"]["a"].clear()
    with pytest.raises(KeyError):
        del run.summary["val"]["never"]

    told = {name: value for name, value in run.summary.items() if not name.startswith("_")}
    assert (popped, default) == (4, (8, 1))
    assert told == {"val": {"x": 1, "deep": {"y": 7}, "u": 5, "v": 6, "w": 8}, "old": {"b": 2}}
    assert dict(only(inside).metrics) == {"val.x": 1, "val.deep.y": 7, "val.u": 5, "val.v": 6, "val.w": 8, "old.b": 2}


def test_a_mapping_that_is_deleted_from_a_summary_is_gone_from_the_branch(inside: Repo):
    run = wandb.init()
    run.log({"val": {"x": 1, "deep": {"y": 3}}, "loss": 1})
    del run.summary["val"]

    assert "val" not in run.summary
    assert dict(only(inside).metrics) == {"loss": 1}


def test_setting_a_part_of_a_mapping_leaves_the_rest_to_its_rule(inside: Repo):
    run = wandb.init()
    run.define_metric("val.acc", summary="max")
    run.log({"val": {"acc": 2}})
    run.summary["val"]["note"] = "x"
    run.log({"val": {"acc": 1}})

    assert run.summary["val"] == {"acc": {"max": 2}, "note": "x"}
    assert dict(only(inside).metrics) == {"val.acc": {"max": 2}, "val.note": "x"}


def test_a_summary_holds_what_its_branch_will(inside: Repo):
    class Color(enum.Enum):
        RED = "red"

    run = wandb.init()
    run.log({"color": Color.RED, "half": np.float32(0.5), "two": (1, 2), "day": datetime.date(2026, 1, 2)})

    told = {name: value for name, value in run.summary.items() if not name.startswith("_")}
    assert told == {"color": "red", "half": 0.5, "two": [1, 2], "day": "2026-01-02"}
    assert type(run.summary.half) is float
    assert dict(only(inside).metrics) == told


# -- the whole


def test_the_smallest_script_makes_a_branch(inside: Repo):
    wandb.login()
    wandb.init(project="my-project", config={"epochs": 3})
    for epoch in range(3):
        wandb.log({"accuracy": 1 - 2**-epoch, "loss": 2**-epoch})
    run = only(inside)

    assert run.branch.startswith("exp/my-project/")
    assert run.state is State.FINISHED
    assert run.metrics == {"accuracy": 0.75, "loss": 0.25}


def test_many_runs_in_one_process_are_many_runs(inside: Repo):
    for number in range(3):
        with wandb.init(name="same") as run:
            run.log({"n": number})
        assert wandb.run is None
    other = wandb.init(name="same")
    other.finish()
    wandb.init(name="last")
    wandb.log({"n": 5})
    wandb.finish()

    assert [run.metrics.get("n") for run in query.runs(inside)] == [5, None, 2, 1, 0]
    assert len({run.ref for run in query.runs(inside)}) == 5


def test_init_twice_is_the_same_run(inside: Repo):
    one = wandb.init(config={"a": 1})
    two = wandb.init(config={"a": 2, "b": 2})

    assert one is two is wandb.run
    with pytest.raises(UsageError, match="under way"):
        wandb.init(id="another1", resume="must")
    one.finish()
    assert only(inside).params == {"a": 1}


def test_a_run_beside_others_is_no_modules_run_and_ends_with_all(inside: Repo):
    beside = wandb.init(reinit="create_new")
    assert wandb.run is None
    assert wandb.init(reinit="return_previous") is beside

    first = wandb.init(reinit="finish_previous")
    assert {run.id: run.state for run in query.runs(inside)}[beside.id] is State.FINISHED
    assert wandb.run is first
    newest = wandb.init(reinit="create_new")
    assert (wandb.run, wandb.init(reinit="return_previous")) == (first, newest)

    last = wandb.init(reinit=True)
    assert {run.state for run in query.runs(inside)} == {State.FINISHED, State.RUNNING}
    assert wandb.run is last
    last.finish()
    assert [run.state for run in query.runs(inside)] == [State.FINISHED] * 4


def test_a_run_is_recorded_though_its_snapshot_cannot_be_let_go(inside: Repo, capsys: pytest.CaptureFixture[str]):
    (inside.folder / "new.py").write_text("")
    wandb.init()
    inside.git("config", "core.packedRefsTimeout", "10")
    (inside.git_dir / "packed-refs.lock").touch()  # as while somebody packs them: no ref can be deleted

    assert only(inside).dirty
    assert "not a branch" not in capsys.readouterr().err


def test_an_exception_in_a_with_block_fails_the_run_and_goes_on(inside: Repo):
    with pytest.raises(ZeroDivisionError), wandb.init() as run:
        run.log({"a": 1 / 0})
    found = only(inside)

    assert found.state is State.FAILED
    assert "ZeroDivisionError" in runs.provenance(inside, found)["error"]


@pytest.mark.parametrize(("code", "state"), [(0, "finished"), (None, "finished"), (3, "failed"), ("bye", "failed")])
def test_an_exit_in_a_with_block_ends_the_run_by_its_code(inside: Repo, code: Any, state: str):
    with pytest.raises(SystemExit), wandb.init():
        raise SystemExit(code)

    assert only(inside).state.value == state


def test_what_a_run_is_called_and_filed_under_is_kept(inside: Repo):
    wandb.init(name="a name", group="g", job_type="train", tags="one", notes="a\nb: c", id="my.id-1", project="p")
    run = only(inside)

    assert (run.name, run.group, run.job_type, run.tags, run.notes, run.id) == (
        "a name",
        "g",
        "train",
        ("one",),
        "a\nb: c",
        "my.id-1",
    )


def test_names_that_are_no_text_become_text(inside: Repo):
    wandb.init(name=5, group=1.5, tags=[3, "a"], notes=7)
    run = only(inside)

    assert (run.name, run.group, run.tags, run.notes) == ("5", "1.5", ("3", "a"), "7")


RUN_NAMES = [
    "..",
    "a b",
    "@{",
    "-lead",
    "--help",
    "é",
    "日本",
    "🦊",
    "x" * 500,
    "a.lock",
    "a/b",
    "../../x",
    "",
    " ",
    "new\nline",
    "\x1b[31m",
    "\x00",
    "no",
    "1e-4",
    "`id`",
    "$(id)",
    "<script>",
    "a|b",
    "\ud800",
    "HEAD",
    "#1",
    "Mlgit-Result: {}",
    "a\n\nMlgit-Result: {}",
    "\u2028",
    ":",
    "exp",
]


@pytest.mark.parametrize("name", RUN_NAMES)
def test_a_run_may_have_any_name(inside: Repo, name: str):
    wandb.init(name=name)
    wandb.log({"a": 1})
    run = only(inside)

    assert run.name == name.replace("\ud800", "?") or not name
    assert inside.git("check-ref-format", "--branch", run.branch) == run.branch
    assert len(run.branch) < 200
    assert query.find(inside, run.branch).id == run.id
    assert "\n" not in inside.git("log", "-1", "--format=%s", run.branch)


@pytest.mark.parametrize("project", ["..", "@{", "x" * 101, "a/b", "50%"])
def test_a_project_that_cannot_be_is_refused(inside: Repo, project: str):
    with pytest.raises(UsageError, match="cannot be the name of a project"):
        wandb.init(project=project)

    assert wandb.run is None


@pytest.mark.parametrize("run_id", ["..", "a..b", "a.lock", "a/b", "-x", "a b", "x" * 65, "a."])
def test_an_id_that_cannot_be_is_refused(inside: Repo, run_id: str):
    with pytest.raises(MlgitError, match="cannot be a run's id"):
        wandb.init(id=run_id)

    assert not live.folders(inside)


def test_an_id_that_is_taken_is_refused(inside: Repo):
    wandb.init(id="abcdefgh", name="one")
    wandb.finish()

    with pytest.raises(UsageError, match="There is a run with the id 'abcdefgh'"):
        wandb.init(id="abcdefgh", name="one")
    assert only(inside).name == "one"


def test_a_disabled_run_records_nothing(inside: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    for _ in range(2):
        with wandb.init(config={"lr": 1}) as run:
            wandb.log({"a": Stubborn()})
            wandb.summary["b"] = 1
            wandb.config.update({"c": 2})
            assert run.config.lr == 1
        assert wandb.run is None

    assert query.runs(inside) == []
    assert not (inside.own / "live").exists()


def test_a_disabled_run_is_who_it_was_asked_to_be_and_litters_nothing(
    inside: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    first = wandb.init(
        mode="disabled", id="abc", group="g", tags=["x"], notes="n", job_type="eval", name="n1", project="p"
    )
    (Path(first.dir) / "model.pt").write_text("weights")
    first.finish()
    others = [wandb.init(mode="disabled", reinit="create_new") for _ in range(2)]

    told = (first.id, first.group, first.tags, first.notes, first.job_type, first.name, first.project)
    assert told == ("abc", "g", ("x",), "n", "eval", "n1", "p")
    assert pickle.loads(pickle.dumps(first)).group == "g"
    assert (len({run.id for run in others}), len({run.dir for run in others})) == (2, 2)
    assert inside.git("status", "--porcelain") == ""
    for run in others:
        run.finish()


def test_a_mode_that_is_none_is_refused(inside: Repo):
    with pytest.raises(UsageError, match="no mode 'onlin'"):
        wandb.init(mode="onlin")


# -- secrets

TOKEN = "ghp_" + "a1B2" * 10


def test_no_token_reaches_git_whichever_way_it_comes(inside: Repo, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.argv", ["train.py", "--api-key", "hunter2", f"--x={TOKEN}", "https://ada:hunter2@host"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    run = wandb.init(
        config={
            "api_key": "hunter2",
            "nested": {"password": "hunter2", "urls": [f"x {TOKEN}"]},
            "aws_secret_access_key": "hunter2",
        },
        notes=f"with {TOKEN}",
        tags=[TOKEN],
        group=TOKEN,
        job_type=TOKEN,
        name=f"run {TOKEN}",
    )
    wandb.config.update({"redis": "redis://:hunter2@host"})
    wandb.log({"said": f"see {TOKEN}"})
    wandb.summary["token"] = "hunter2"
    os.write(run._journal.live.output, TOKEN[:10].encode())
    os.write(run._journal.live.output, TOKEN[10:].encode())
    try:
        raise ValueError(TOKEN)
    except ValueError as exc:
        run.__exit__(type(exc), exc, exc.__traceback__)

    run_in_git = only(inside)
    for text in (TOKEN, "hunter2"):
        grep = ["git", "grep", "-q", "-a", text, *inside.refs().values()]
        assert subprocess.run(grep, cwd=inside.folder, check=False).returncode == 1
        assert text not in inside.git("log", "--all", "--format=%B%D")
    assert run_in_git.params["nested"]["password"] == "***"


def test_a_file_system_without_locks_still_keeps_runs(inside: Repo, monkeypatch: pytest.MonkeyPatch):
    def no_locks(fd: int, operation: int) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", no_locks)
    run = wandb.init()
    wandb.log({"a": 1})
    folder = Path(run.dir).parent
    recovered = recover.recover_all(inside, print)
    claimed = locks.claim(folder, declared_dead=True)
    alive = locks.is_alive(folder)

    assert recovered == []
    assert alive
    assert claimed is not None
    os.close(claimed)
    assert only(inside).metrics == {"a": 1}


# -- the streams of the process


def test_what_is_printed_is_kept_without_colors(inside: Repo, capsys: pytest.CaptureFixture[str]):
    wandb.init()
    print("\x1b[31mhello\x1b[0m")
    print("10%\r50%\r100%")
    run = only(inside)

    assert runs.output(inside, run) == "hello\n100%\n"
    assert "hello" in capsys.readouterr().out


def test_a_logging_handler_that_outlives_the_run_writes_into_nobodys_file(inside: Repo, tmp_path: Path):
    """The handler holds our stream; the number of its file may be another file's by then."""
    import sys

    wandb.init()
    handler = logging.StreamHandler(sys.stderr)
    wandb.finish()
    with (tmp_path / "mine").open("w") as mine, (tmp_path / "mine too").open("w"):
        handler.emit(logging.makeLogRecord({"msg": "late word"}))
        mine.flush()

    assert (tmp_path / "mine").read_text() == (tmp_path / "mine too").read_text() == ""


def test_a_very_long_output_keeps_its_two_ends(inside: Repo):
    run = wandb.init()
    os.write(run._journal.live.output, b"first\n")
    for _ in range(40):
        os.write(run._journal.live.output, b"x" * 99_999 + b"\n")
    os.write(run._journal.live.output, b"last\n")
    text = runs.output(inside, only(inside))

    assert text.startswith("first\n")
    assert text.endswith("\nlast\n")
    assert "bytes left out" in text
    assert len(text) < 3 << 20


def test_two_branches_compare_line_by_line_in_plain_git(inside: Repo):
    branches = []
    for accuracy in (0.5, 0.75):
        with wandb.init(config={"lr": 1e-5, "model": {"depth": 2, "act": "no"}}) as run:
            run.log({"accuracy": accuracy, "loss": 0.5})
    branches = [run.branch for run in query.runs(inside)][::-1]

    diff = inside.git("diff", *branches, "--", "experiment/metrics.yaml")
    assert [line for line in diff.splitlines() if line[0] in "+-" and line[1] not in "+-"] == [
        "-accuracy: 0.5",
        "+accuracy: 0.75",
    ]
    assert inside.read(branches[0], "experiment/params.yaml") == b'lr: 1.0e-05\nmodel:\n  act: "no"\n  depth: 2\n'


ASK: Mapping[str, Callable[[ActiveRun], object]] = {
    "id": lambda run: len(run.id),
    "step": lambda run: run.step,
    "dir": lambda run: Path(run.dir).is_dir(),
    "url": lambda run: repr(run),
}


def test_a_run_tells_of_itself(inside: Repo):
    run = wandb.init(name="n", notes="x", tags=["t"])

    assert [ask(run) for ask in ASK.values()] == [8, 0, True, f"<mlgit run n ({run.id}) of repo>"]
    assert (run.group, run.job_type) == ("", "")
    assert wandb.run is run


def test_a_step_is_ended_by_a_call_that_says_nothing(inside: Repo):
    with wandb.init() as run:
        for number in range(2):
            wandb.log({"loss": number}, commit=False)
            wandb.log()

    assert list(runs.history(inside, query.runs(inside)[0])["loss"].steps) == [0, 1]
    assert run.step == 2


def test_a_config_may_be_had_as_it_is_now_and_a_word_put_into_the_log(inside: Repo):
    with wandb.init(config={"lr": 0.1, "net": {"depth": 2}}) as run:
        now = run.config_static
        run.config.epochs = 3
        run.write_logs("said nowhere")

    assert (now.lr, now["net"], dict(now)) == (0.1, {"depth": 2}, {"lr": 0.1, "net": {"depth": 2}})
    with pytest.raises(AttributeError, match="cannot be set"):
        now.lr = 1
    with pytest.raises(AttributeError):
        _ = now.epochs
    assert "said nowhere\n" in runs.output(inside, query.runs(inside)[0])


def test_a_run_answers_to_all_that_its_parts_do():
    parts = (Saved, Kept, Alerts, Rules, Watched)
    asked = {name for part in parts for name in vars(part) if not name.startswith("_")}

    assert {name for name in asked if not hasattr(ActiveRun, name)} == set()
    assert inspect.signature(ActiveRun.alert) == inspect.signature(Alerts.alert)


def test_of_what_another_logger_said_each_that_cannot_be_stored_is_named(
    inside: Repo, capsys: pytest.CaptureFixture[str]
):
    run = wandb.init()
    for name in ("a", "b"):
        run.log_beside({name: cyclic()}, step=0, time=1.0)
    (Path(run.dir).parent / "media").write_text("in the way")
    run.log_beside({"p": wandb.Image(np.zeros((2, 2)))}, step=1, time=1.0)
    run.log_beside({"c": 1}, step=2, time=1.0)
    run.finish()

    said = capsys.readouterr().err
    assert all(text in said for text in ("log(): a.self", "log(): b.self", "a row could not be stored"))
    assert only(inside).metrics["c"] == 1


def test_what_fails_at_the_end_keeps_no_run_from_its_branch(inside: Repo, capsys: pytest.CaptureFixture[str]):
    def fails() -> None:
        raise RuntimeError("no way")

    ended = []
    with wandb.init() as run:
        run.log({"a": 1})
        run.at_end += [fails, lambda: ended.append(1)]

    assert only(inside).metrics == {"a": 1}
    assert ended == [1]
    assert "RuntimeError: no way" in capsys.readouterr().err


def test_names_of_rows_own_are_not_the_scripts(inside: Repo):
    with wandb.init() as run:
        run.log({"_step": 7, "_timestamp": 3, "_runtime": 2, "a": 1})
        said = dict(run.summary)

    assert only(inside).metrics == {"a": 1}
    assert (said["a"], said["_step"], said["_timestamp"] > 3) == (1, 0, True)
    assert [row["_step"] for row in wandb.Api().run(run.id).scan_history()] == [0]


ROWS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"a": 1}, {}), ({"a": 2}, {"commit": False}), ({"b": 3}, {}), ({"a": 4}, {"step": 7}), ({"b": 5}, {"step": 7}),
    ({"a": 6}, {"step": 3}), ({"a": 7}, {}), ({"a": 8}, {"step": 9, "commit": True}), ({"a": 9}, {"step": "12"}),
]  # fmt: skip


def test_a_disabled_run_counts_as_any_other(inside: Repo):
    seen: dict[str, list[Any]] = {"online": [], "disabled": []}
    for mode, found in seen.items():
        with wandb.init(mode=mode) as run:
            for row, how in ROWS:
                run.log(row, **how)
                times = ("_runtime", "_timestamp")
                found.append((run.step, {key: value for key, value in run.summary.items() if key not in times}))

    assert seen["disabled"] == seen["online"]


@dataclasses.dataclass
class Point:
    x: int = 1


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (decimal.Decimal("1.5"), "1.5"), (fractions.Fraction(1, 3), "1/3"), (1 + 2j, "(1+2j)"), (b"ab\xff", "ab\ufffd"),
        (datetime.timedelta(days=1), "1 day, 0:00:00"), (Point(2), {"x": 2}), (len, "builtins.len"),
        (Point, f"{__name__}.Point"), (range(3), [0, 1, 2]), ((n for n in range(2)), [0, 1]),
        (memoryview(b"ab"), "ab"), (Path("/x"), "/x"),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_scripts_log_now_and_then_is_kept_as_wandb_has_it(inside: Repo, value: Any, kept: Any):
    with wandb.init() as run:
        run.log({"odd": value, "a": 1})

    found = only(inside)
    assert found.scalars["a"] == 1
    assert found.metrics.get("odd", found.scalars.get("odd.x")) == (kept if kept != {"x": 2} else 2)


def test_a_text_of_ten_million_characters_is_a_file_of_the_runs(inside: Repo):
    with wandb.init(config={"long": "y" * 10_000_000}) as run:
        run.log({"long": "x" * 10_000_000, "a": 1})

    found = only(inside)
    assert found.objects["long"]["size"] == 10_000_000
    assert found.scalars == {"a": 1}
    assert found.params["long"].startswith("yyy")
    assert "10,000,000 characters" in found.params["long"]
    assert wandb.Api().run(run.id).file(found.objects["long"]["path"]).size == 10_000_000


def test_a_disabled_run_answers_to_all_that_others_do(inside: Repo):
    with wandb.init(mode="disabled") as run:
        run.write_logs("x")
        run.alert("a", "b")
        run.watch(object())
        run.unwatch()
        run.save("x")
        run.define_metric("a", summary="min")
        run.log_artifact("x", name="x")
        run.log_model("x")
        run.mark_preempting()
        run.log_code()
        run.name = "other"
        run.tags += ("b",)
        run.summary["a"] = 1
        assert (run.to_html(), run.url, run.sync_dir) != (None, None, None)

    assert query.runs(inside) == []
