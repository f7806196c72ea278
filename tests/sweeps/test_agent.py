"""The coordinator, with jobs that are callables and one that is a real process."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from mlgit.core.job import JobSpec, JobState
from mlgit.core.run import Run, State
from mlgit.core.sweep import Sweep
from mlgit.documents import reader
from mlgit.errors import MlgitError
from mlgit.launch import process
from mlgit.sweeps import agent, plan
from mlgit.sweeps import file as files
from mlgit.sweeps.parameter import canonical
from mlgit.sweeps.plan import Trial
from mlgit.sweeps.record import Task

GRID = """
method: grid
metric: {name: loss}
parameters: {x: {values: [1, 2, 3, 4, 5]}, kind: {values: ["1", a]}}
"""


@dataclass
class Machine:
    """A launcher whose jobs take a few pauses each and then have made their run: *does* says how it went."""

    does: Callable[[dict[str, Any]], tuple[JobState, dict[str, Any]]]
    runs: list[Run] = field(default_factory=list)
    clock: int = 0
    most_at_once: int = 0
    cancelled: list[str] = field(default_factory=list)
    interrupt_at: int | None = None
    jobs: dict[str, tuple[int, JobSpec]] = field(default_factory=dict)

    def launcher(self) -> agent.Launcher[str]:
        return agent.Launcher(
            submit=self.submit, state=self.state, cancel=self.cancelled.append, tail=lambda _: "boom", pause=self.pause
        )

    def submit(self, spec: JobSpec) -> str:
        self.jobs[spec.name] = (self.clock + 2 + len(self.jobs) % 3, spec)
        self.most_at_once = max(self.most_at_once, len(self.jobs) - len(self.runs))
        return spec.name

    def state(self, job: str) -> JobState:
        ready, spec = self.jobs[job]
        if job in self.cancelled:
            return JobState.CANCELLED
        if self.clock < ready:
            return JobState.RUNNING
        words = spec.command
        pairs = (words[i + 1].partition("=") for i, word in enumerate(words) if word == "-p")
        params = {key: reader.plain(text, source="-p") for key, _, text in pairs}
        state, metrics = self.does(params)
        ended = State.FINISHED if state is JobState.SUCCEEDED else State.FAILED
        number = len(self.runs)
        run = Run(id=f"run{number:05d}", name=job, project="p", sweep="s1234567", state=ended, created=float(number))
        self.runs.append(replace(run, params=params, metrics=metrics))
        return state

    def pause(self) -> None:
        self.clock += 1
        if self.clock == self.interrupt_at:
            raise KeyboardInterrupt


def task(tmp_path: Path, text: str = GRID, **more: Any) -> Task:
    file = files.read(text, source="s.yaml")
    sweep = Sweep(
        id="s1234567", name="s", project="p", method=file.space.method.value, command=("./t", "${args}"), file=text
    )
    return Task(sweep=sweep, file=file, folder=tmp_path, scratch=tmp_path / "scratch", **more)


def good(params: dict[str, Any]) -> tuple[JobState, dict[str, Any]]:
    return JobState.SUCCEEDED, {"loss": (params["x"] - 3) ** 2 + (params["kind"] == "a")}


def run(job: Task, machine: Machine) -> tuple[agent.Outcome, list[Trial]]:
    news: list[Trial] = []
    outcome = agent.run(job, machine.launcher(), lambda: machine.runs, lambda trial, _: news.append(trial))
    return outcome, news


def test_a_grid_runs_to_its_end_with_agents_side_by_side(tmp_path: Path) -> None:
    machine = Machine(good)
    outcome, news = run(task(tmp_path, agents=3), machine)

    assert outcome.ended == "nothing left"
    assert [trial.number for trial in outcome.trials] == list(range(1, 11))
    assert {(t.params["x"], t.params["kind"]) for t in outcome.trials} == {
        (x, k) for x in range(1, 6) for k in ("1", "a")
    }
    assert machine.most_at_once == 3
    assert len(news) == 20
    best = plan.best_of(outcome.trials, task(tmp_path).file.metric)
    assert best
    assert best.params == {"x": 3, "kind": "1"}
    assert best.run in machine.runs


def test_as_many_trials_as_were_asked_for(tmp_path: Path) -> None:
    outcome, _ = run(task(tmp_path, agents=2, most=3), Machine(good))

    assert (outcome.ended, len(outcome.trials)) == ("done", 3)


def test_what_was_done_before_is_not_done_again(tmp_path: Path) -> None:
    machine = Machine(good)
    first, _ = run(task(tmp_path, most=4), machine)
    file = task(tmp_path).file
    earlier = tuple(plan.trials(task(tmp_path).sweep, file.space, file.metric, machine.runs))

    second, news = run(task(tmp_path, earlier=earlier), machine)

    assert len(second.trials) == 10
    assert [trial.number for trial in news if trial.state.ended] == [5, 6, 7, 8, 9, 10]
    assert {canonical(dict(t.params)) for t in first.trials}.isdisjoint(canonical(dict(t.params)) for t in news)


def test_a_failed_trial_is_counted_and_the_sweep_goes_on(tmp_path: Path) -> None:
    def does(params: dict[str, Any]) -> tuple[JobState, dict[str, Any]]:
        return good(params) if params["x"] != 2 else (JobState.FAILED, {})

    outcome, _ = run(task(tmp_path), Machine(does))

    assert [t.params["x"] for t in outcome.trials if t.failed] == [2, 2]
    assert [t.problem for t in outcome.trials if t.failed] == ["boom", "boom"]
    assert len(outcome.trials) == 10


def test_three_failures_without_a_success_end_it(tmp_path: Path) -> None:
    with pytest.raises(MlgitError) as caught:
        run(task(tmp_path), Machine(lambda _: (JobState.FAILED, {})))

    assert caught.value.what == "The first 3 trials of the sweep s1234567 all failed; it was stopped."
    assert caught.value.why == "s-3: boom"


def test_a_metric_with_another_name_is_said(tmp_path: Path) -> None:
    with pytest.raises(MlgitError, match="it logged no metric 'loss', but acc"):
        run(task(tmp_path), Machine(lambda _: (JobState.SUCCEEDED, {"acc": 1})))


def test_a_target_ends_it(tmp_path: Path) -> None:
    text = GRID.replace("{name: loss}", "{name: loss, target: 1}")

    outcome, _ = run(task(tmp_path, text), Machine(good))

    assert outcome.ended == "target reached"
    assert outcome.trials[-1].params == {"x": 2, "kind": "1"}


def test_ctrl_c_ends_what_runs_and_keeps_what_finished(tmp_path: Path) -> None:
    machine = Machine(good, interrupt_at=6)
    outcome, _ = run(task(tmp_path, agents=2), machine)

    assert outcome.ended == "interrupted"
    assert machine.cancelled
    assert {t.name for t in outcome.trials if t.interrupted} == set(machine.cancelled)
    assert any(t.counts for t in outcome.trials)
    assert not any(t.failed for t in outcome.trials)


def test_an_error_leaves_nothing_running(tmp_path: Path) -> None:
    settings = process.Settings(log_dir=tmp_path)
    started: list[process.Job] = []

    def submit(spec: JobSpec) -> process.Job:
        if started:
            raise MlgitError("no more")
        sleeper = JobSpec(name=spec.name, command=(sys.executable, "-c", "import time; time.sleep(60)"))
        started.append(process.start(sleeper, settings))
        return started[-1]

    launcher = agent.Launcher(
        submit=submit, state=process.state, cancel=process.cancel, tail=process.tail, pause=lambda: time.sleep(0.01)
    )

    with pytest.raises(MlgitError, match="no more"):
        agent.run(task(tmp_path, agents=2), launcher, list, lambda *_: None)

    assert process.state(started[0]) is JobState.CANCELLED


def test_params_lie_in_a_file_for_a_command_that_wants_one(tmp_path: Path) -> None:
    job = task(tmp_path, most=1)
    wants = replace(job, sweep=replace(job.sweep, command=("./t", "--config=${args_json_file}")))

    run(wants, Machine(good))

    assert (tmp_path / "scratch/1.json").read_text() == '{"x": 1, "kind": "1"}'


def test_a_dry_run_lists_what_is_known_beforehand(tmp_path: Path) -> None:
    jobs, complete = agent.foreseen(task(tmp_path))
    some, all_of_them = agent.foreseen(task(tmp_path, most=4))
    bayes = GRID.replace("grid", "bayes").replace("[1, 2, 3, 4, 5]", "[1, 2, 3, 4, 5, 6, 7]")
    first, not_all = agent.foreseen(task(tmp_path, bayes, most=9))

    assert (len(jobs), complete) == (10, True)
    assert (len(some), all_of_them) == (4, True)
    assert (len(first), not_all) == (5, False)
    assert jobs[0].command[-3:] == ("./t", "--x=1", "--kind=1")
    assert 'kind="1"' in jobs[0].command
