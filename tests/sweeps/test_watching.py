"""What runs tell while they run, and afterwards, for the rule that stops some of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

import mlgit
from mlgit.core.compare import Goal
from mlgit.core.job import JobState
from mlgit.core.run import Run, State
from mlgit.core.sweep import Sweep
from mlgit.errors import GitError
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import live, runs
from mlgit.sweeps import file as files
from mlgit.sweeps import watching
from mlgit.sweeps.plan import Trial
from mlgit.sweeps.space import Halving, Hyperband
from mlgit.sweeps.watching import Alive, Watch

OFF = {"console": "off", "x_disable_stats": True}
SWEEP = Sweep(id="s1234567", name="s", project="p", method="random")
TEXT = "{method: random, metric: {name: %s}, parameters: {x: {min: 0.0, max: 9.0}}%s}"
STOPS = ", early_terminate: {type: hyperband, min_iter: 2, eta: 2}"


def watch_of(repo: Repo, metric: str = "loss") -> Watch:
    found = watching.watch(repo, SWEEP, files.read(TEXT % (metric, STOPS), source="sweep.yaml"))
    assert found
    return found


@pytest.fixture
def watch(inside: Repo) -> Watch:
    return watch_of(inside)


@pytest.fixture(autouse=True)
def of_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLGIT_SWEEP_ID", SWEEP.id)


def ended(repo: Repo, number: int, values: list[float]) -> Run:
    with mlgit.init(name=f"s-{number}", settings=OFF) as run:
        for value in values:
            run.log({"loss": value})
    (found,) = (one for one in query.runs(repo) if one.id == run.id)
    return found


def mine(number: int, **params: object) -> dict[int, Trial]:
    return {number: Trial(number=number, name=f"s-{number}", params=params, state=JobState.RUNNING)}


def test_a_trial_is_compared_with_those_that_ended_as_soon_as_it_came_so_far(inside: Repo, watch: Watch) -> None:
    others = [ended(inside, number, [1.0, number / 10]) for number in range(1, 4)]
    there = Alive(inside, SWEEP)
    with mlgit.init(name="s-4", settings=OFF) as run:
        run.log({"loss": 0.9})
        assert watch.look(there.look(), others, mine(4)) == {}
        run.log({"other": 1})
        assert watch.look(there.look(), others, mine(4)) == {}
        run.log({"loss": 0.8})
        assert watch.look(there.look(), others, mine(9)) == {}, "not ours to judge"
        run.log({"loss": 0.7})

        verdict = watch.look(there.look(), others, mine(4))[4]

        assert str(verdict) == "0.8 after 2 iterations, where the bound of 4 trials is 0.3"
        run.log({"loss": 0.7})
        assert watch.look(there.look(), others, mine(4)) == {}, "it is being ended"
    (found,) = (one for one in query.runs(inside) if one.id == run.id)
    assert found.state is State.PRUNED
    assert runs.provenance(inside, found)["pruned"] == f"loss {verdict}"
    assert there.look() == []


def test_a_trial_whose_script_is_through_is_not_ended_any_more(inside: Repo, watch: Watch) -> None:
    others = [ended(inside, number, [1.0, number / 10]) for number in range(1, 4)]
    there = Alive(inside, SWEEP)
    with mlgit.init(name="s-4", settings=OFF) as run:
        run.log({"loss": 0.9})
        run.log({"loss": 0.8})
        live.Live(live.folder_of(inside, run.id)).event(left=1.0)

        assert watch.look(there.look(), others, mine(4)) == {}

    (found,) = (one for one in query.runs(inside) if one.id == run.id)
    assert found.state is State.FINISHED


def test_a_script_may_call_its_run_as_it_likes(inside: Repo, watch: Watch) -> None:
    best = [ended(inside, number, [0.1, 0.1]) for number in range(1, 4)]
    with mlgit.init(name="mine", config={"x": 2.5}, settings=OFF) as run:
        for _ in range(2):
            run.log({"loss": 1.0})

        assert watch.look(Alive(inside, SWEEP).look(), best, mine(7, x=1.5) | mine(8, x=2.5)).keys() == {8}


@pytest.mark.parametrize("rule", [Hyperband(min_iter=2, eta=2), Halving(min_iter=2, eta=2)])
def test_a_disk_that_refuses_lets_a_trial_go_on_until_the_next_look(
    inside: Repo, watch: Watch, monkeypatch: pytest.MonkeyPatch, rule: Hyperband | Halving
) -> None:
    watch = replace(watch, rule=rule)
    best = [ended(inside, number, [0.1, 0.1]) for number in range(1, 4)]
    there = Alive(inside, SWEEP)

    def full(*_: object) -> bool:
        raise GitError("The disk is full.")

    with mlgit.init(name="s-4", settings=OFF) as run:
        for _ in range(2):
            run.log({"loss": 1.0})
        with monkeypatch.context() as patched:
            patched.setattr(live, "prune", full)
            assert watch.look(there.look(), best, mine(4)) == {}
        run.log({"loss": 1.0})

        assert watch.look(there.look(), best, mine(4)).keys() == {4}


def test_runs_of_something_else_are_nobodys(inside: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLGIT_SWEEP_ID", "another")
    with mlgit.init(settings=OFF):
        assert Alive(inside, SWEEP).look() == []


def test_what_was_read_once_is_not_read_again(inside: Repo, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    done = ended(inside, 1, [0.1, 0.1])
    asked: list[str] = []
    histories = runs.histories

    def counted(repo: Repo, which: list[Run]) -> object:
        asked.extend(run.id for run in which)
        return histories(repo, which)

    monkeypatch.setattr(runs, "histories", counted)
    there = Alive(inside, SWEEP)
    with mlgit.init(settings=OFF) as run:
        for step in range(5):
            run.log({"loss": 1.0})
            watch.look(there.look(), [done], {})
            assert watch.curves[run.id].told == step + 1

    assert asked == [done.id]


def test_a_metric_may_be_nested_and_a_step_counts_once(inside: Repo) -> None:
    watch = watch_of(inside, "val.acc, goal: maximize")
    with mlgit.init(settings=OFF) as run:
        run.log({"val": {"acc": 0.5}}, step=1)
        run.log({"val": {"acc": 0.6}}, step=1)
        run.log({"val": {"acc": float("nan")}}, step=2)
        run.log({"val": {"acc": "none"}}, step=3)
        run.summary["val"] = {"acc": 9}
        run.log({"val.acc": 0.7}, step=4)
        watch.look(Alive(inside, SWEEP).look(), (), {})

        assert watch.metric.goal is Goal.MAXIMIZE
        assert (watch.curves[run.id].told, watch.curves[run.id].best) == (3, -0.7)


def test_a_resumed_run_goes_on_counting(inside: Repo, watch: Watch) -> None:
    done = ended(inside, 1, [0.5, 0.4, 0.3])
    watch.look((), [done], {})
    with mlgit.init(id=done.id, resume="must", settings=OFF) as run:
        run.log({"loss": 0.2})
        watch.look(Alive(inside, SWEEP).look(), (), {})

        assert (watch.curves[run.id].told, watch.curves[run.id].best) == (4, 0.2)


def test_of_a_thinned_history_what_was_seen_while_it_grew_counts(inside: Repo, watch: Watch) -> None:
    with mlgit.init(settings=OFF) as run:
        for _ in range(3):
            run.log({"loss": 0.5})
        watch.look(Alive(inside, SWEEP).look(), (), {})
    (found,) = query.runs(inside)

    watch.look((), [replace(found, held={"history.parquet": "0" * 32})], {})

    assert watch.curves[run.id].told == 3


def test_a_sweep_that_stops_nothing_has_no_watch(inside: Repo) -> None:
    assert watching.watch(inside, SWEEP, files.read(TEXT % ("a", ""), source="x")) is None
