"""What runs tell while they run, and afterwards, for the rule that stops some of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

import mlgit
from mlgit.core.compare import Goal
from mlgit.core.job import JobState
from mlgit.core.run import Run, State
from mlgit.errors import NotFoundError
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import runs
from mlgit.sweeps import watching
from mlgit.sweeps.plan import Trial
from mlgit.sweeps.space import Hyperband, Metric
from mlgit.sweeps.watching import Watch

OFF = {"console": "off", "x_disable_stats": True}
RULE = Hyperband(min_iter=2, eta=2)


def ended(repo: Repo, number: int, values: list[float], name: str = "loss") -> Trial:
    with mlgit.init(name=f"s-{number}", settings=OFF) as run:
        for value in values:
            run.log({name: value})
    (found,) = (one for one in query.runs(repo) if one.id == run.id)
    return Trial(number=number, name=found.name, params={}, state=JobState.SUCCEEDED, run=found)


def alive(number: int, run_id: str) -> Trial:
    record = Run(id=run_id, name=f"s-{number}", project="p", state=State.RUNNING)
    return Trial(number=number, name=record.name, params={}, state=JobState.RUNNING, run=record)


@pytest.fixture
def watch(inside: Repo) -> Watch:
    return Watch(inside, RULE, Metric(name="loss"))


def test_a_trial_is_compared_with_those_that_ended_as_soon_as_it_came_so_far(inside: Repo, watch: Watch) -> None:
    others = [ended(inside, number, [1.0, number / 10]) for number in range(1, 4)]
    with mlgit.init(settings=OFF) as run:
        all_ = [*others, alive(4, run.id)]
        run.log({"loss": 0.9})
        assert watch.look(all_, {4}) == {}
        run.log({"other": 1})
        assert watch.look(all_, {4}) == {}
        run.log({"loss": 0.8})
        assert watch.look(all_, ()) == {}, "not ours to judge"
        run.log({"loss": 0.7})

        verdict = watch.look(all_, {4})[4]

        assert str(verdict) == "0.8 after 2 iterations, where the bound of 4 trials is 0.3"
        watch.prune(all_[3].run or run, verdict)
    (found,) = (one for one in query.runs(inside) if one.id == run.id)
    assert found.state is State.PRUNED
    assert runs.provenance(inside, found)["pruned"] == f"loss {verdict}"
    with pytest.raises(NotFoundError):
        watch.prune(found, verdict)


def test_what_was_read_once_is_not_read_again(inside: Repo, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    done = ended(inside, 1, [0.1, 0.1])
    asked: list[str] = []
    histories = runs.histories
    monkeypatch.setattr(
        runs, "histories", lambda repo, which, **more: histories(repo, [asked.append(r.id) or r for r in which], **more)
    )
    with mlgit.init(settings=OFF) as run:
        for step in range(5):
            run.log({"loss": 1.0})
            watch.look([done, alive(2, run.id)], {2})
            assert watch.curves[run.id].told == step + 1

    assert asked == [done.run.id if done.run else ""]


def test_a_metric_may_be_nested_and_a_step_counts_once(inside: Repo) -> None:
    watch = Watch(inside, RULE, Metric(name="val.acc", goal=Goal.MAXIMIZE))
    with mlgit.init(settings=OFF) as run:
        one = alive(1, run.id)
        run.log({"val": {"acc": 0.5}}, step=1)
        run.log({"val": {"acc": 0.6}}, step=1)
        run.log({"val": {"acc": float("nan")}}, step=2)
        run.log({"val": {"acc": "none"}}, step=3)
        run.summary["val"] = {"acc": 9}
        run.log({"val.acc": 0.7}, step=4)
        watch.look([one], {1})

        assert (watch.curves[run.id].told, watch.curves[run.id].best) == (3, -0.7)


def test_a_resumed_run_goes_on_counting(inside: Repo, watch: Watch) -> None:
    done = ended(inside, 1, [0.5, 0.4, 0.3])
    assert done.run
    with mlgit.init(id=done.run.id, resume="must", settings=OFF) as run:
        run.log({"loss": 0.2})
        watch.look([replace(done, state=JobState.RUNNING, run=replace(done.run, paused=1.0))], {1})

        assert (watch.curves[run.id].told, watch.curves[run.id].best) == (4, 0.2)


def test_of_a_thinned_history_what_was_seen_while_it_grew_counts(inside: Repo, watch: Watch) -> None:
    with mlgit.init(settings=OFF) as run:
        for _ in range(3):
            run.log({"loss": 0.5})
        watch.look([alive(1, run.id)], {1})
    (found,) = query.runs(inside)
    elsewhere = replace(found, held={"history.parquet": "0" * 32})
    trial = Trial(number=1, name="s-1", params={}, state=JobState.SUCCEEDED, run=elsewhere)

    watch.look([trial], ())

    assert watch.curves[run.id].told == 3


def test_a_sweep_that_stops_nothing_has_no_watch(inside: Repo) -> None:
    from mlgit.sweeps import file as files

    text = "{method: random, metric: {name: a}, parameters: {x: {value: 1}}%s}"
    assert watching.watch(inside, files.read(text % "", source="x")) is None
    stops = files.read(text % ", early_terminate: {type: asha, min_iter: 1}", source="x")
    assert watching.watch(inside, stops) is not None
