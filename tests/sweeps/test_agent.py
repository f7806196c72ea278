"""An agent, with jobs that are callables and one that is a real process."""

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
from mlgit.core.sweep import Sweep, SweepState
from mlgit.documents import reader
from mlgit.errors import MlgitError
from mlgit.launch import process
from mlgit.sweeps import agent, claims, judging, starting
from mlgit.sweeps import file as files
from mlgit.sweeps.agent.slots import Launcher
from mlgit.sweeps.claims import Agent, Claim, Claims, Pace
from mlgit.sweeps.parameter import canonical
from mlgit.sweeps.plan import Trial
from mlgit.sweeps.record import Task

GRID = """
method: grid
metric: {name: loss}
parameters: {x: {values: [1, 2, 3, 4, 5]}, kind: {values: ["1", a]}}
"""


@dataclass
class Board:
    """What agents agree on, in this process."""

    sweep: Sweep
    claims: Claims = field(default_factory=Claims)
    gone: set[str] = field(default_factory=set)

    def look(self) -> tuple[Sweep, Claims]:
        return self.sweep, self.claims

    def change(self, change: Callable[[Claims], Claims]) -> Claims:
        self.claims = change(self.claims)
        return self.claims

    def ready(self, *, is_last: bool = False) -> bool:
        return True

    def settle(self, state: SweepState) -> None:
        self.sweep = replace(self.sweep, state=state)

    def lives(self, one: Agent) -> bool | None:
        return False if one.id in self.gone else None


SAY = {JobState.SUCCEEDED: State.FINISHED, JobState.FAILED: State.FAILED, JobState.PREEMPTED: State.PREEMPTED}


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
    say: dict[JobState, State] = field(default_factory=lambda: dict(SAY))
    """What the runs of jobs that ended so say of it."""

    def launcher(self, job: Task) -> Launcher[str]:
        return Launcher(
            submit=starting.submitting(job, self.submit),
            state=self.state,
            cancel=self.cancelled.append,
            tail=lambda _: "boom",
            pause=self.pause,
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
        ended = self.say[state]
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


def run(job: Task, machine: Machine, board: Board | None = None) -> tuple[agent.Outcome, list[Trial]]:
    news: list[Trial] = []
    outcome = agent.run(
        job, Agent(id="me", slots=job.agents), board or Board(job.sweep), machine.launcher(job), lambda _: machine.runs,
        lambda trial, _: news.append(trial), pace=Pace(look=0.0),
    )  # fmt: skip
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
    best = judging.best(task(tmp_path).file, outcome.trials)
    assert best
    assert best.params == {"x": 3, "kind": "1"}
    assert best.run in machine.runs


def test_as_many_trials_as_were_asked_for(tmp_path: Path) -> None:
    job = task(tmp_path, agents=2)
    asked = replace(job, sweep=replace(job.sweep, trials=3))
    board = Board(asked.sweep)

    outcome, _ = run(asked, Machine(good), board)

    assert (outcome.ended, len(outcome.trials)) == ("done", 3)
    assert board.sweep.state is SweepState.FINISHED
    assert board.claims == Claims(last=3)


def test_what_was_done_before_is_not_done_again(tmp_path: Path) -> None:
    machine = Machine(good)
    first, _ = run(task(tmp_path, count=4), machine)

    second, news = run(task(tmp_path), machine)

    assert (first.ended, len(first.trials)) == ("done", 4)
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


def test_an_agent_where_no_run_can_be_recorded_any_more_ends_and_leaves_the_trials_to_others(tmp_path: Path) -> None:
    machine = Machine(good)
    job = task(tmp_path)
    board = Board(job.sweep)

    def state(name: str) -> JobState:
        full = len(machine.runs) >= 2 and name not in {run.name for run in machine.runs}
        return JobState.FAILED if full else machine.state(name)

    launcher = replace(machine.launcher(job), state=state)
    with pytest.raises(MlgitError, match="The last 3 trials left no run; this agent ends, the sweep goes on"):
        agent.run(job, Agent(id="me"), board, launcher, lambda _: machine.runs, lambda *_: None, pace=Pace(look=0.0))

    assert (len(machine.runs), len(board.claims.gone)) == (2, 3)
    assert board.sweep.state is SweepState.RUNNING
    assert board.claims.of("me") == ()


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

    job = task(tmp_path, agents=2)
    launcher = Launcher(
        submit=starting.submitting(job, submit),
        state=process.state,
        cancel=process.cancel,
        tail=process.tail,
        pause=lambda: time.sleep(0.01),
    )

    with pytest.raises(MlgitError, match="no more"):
        agent.run(job, Agent(id="me", slots=2), Board(job.sweep), launcher, lambda _: [], lambda *_: None)

    assert process.state(started[0]) is JobState.CANCELLED


def test_params_lie_in_a_file_for_a_command_that_wants_one(tmp_path: Path) -> None:
    job = task(tmp_path, count=1)
    wants = replace(job, sweep=replace(job.sweep, command=("./t", "--config=${args_json_file}")))

    run(wants, Machine(good))

    assert (tmp_path / "scratch/1.json").read_text() == '{"x": 1, "kind": "1"}'


def test_a_dry_run_lists_what_is_known_beforehand(tmp_path: Path) -> None:
    jobs, complete = starting.foreseen(task(tmp_path))
    some, all_of_them = starting.foreseen(task(tmp_path, most=4))
    bayes = GRID.replace("grid", "bayes").replace("[1, 2, 3, 4, 5]", "[1, 2, 3, 4, 5, 6, 7]")
    first, not_all = starting.foreseen(task(tmp_path, bayes, most=9))

    assert (len(jobs), complete) == (10, True)
    assert (len(some), all_of_them) == (4, True)
    assert (len(first), not_all) == (5, False)
    assert jobs[0].command[-3:] == ("./t", "--x=1", "--kind=1")
    assert 'kind="1"' in jobs[0].command


def test_a_dead_agents_trials_are_taken_over_with_their_numbers(tmp_path: Path) -> None:
    job = task(tmp_path)
    held = (Claim(number=3, params={"x": 2, "kind": "1"}, agent="dead"), Claim(number=4, params={"x": 5, "kind": "a"}))
    board = Board(job.sweep, Claims(last=4, agents=(Agent(id="dead"),), open=held), gone={"dead"})

    outcome, _ = run(job, Machine(good), board)

    assert {t.number: t.params for t in outcome.trials if t.number < 5} == {3: held[0].params, 4: held[1].params}
    assert len({canonical(dict(t.params)) for t in outcome.trials}) == len(outcome.trials) == 10


def test_what_another_agent_runs_is_left_to_it_and_waited_for(tmp_path: Path) -> None:
    job = task(tmp_path)
    other = Claim(number=1, params={"x": 1, "kind": "1"}, agent="other")
    board = Board(job.sweep, Claims(last=1, agents=(Agent(id="other"),), open=(other,)))
    machine = Machine(good)
    looks = 0

    def look() -> tuple[Sweep, Claims]:
        nonlocal looks
        looks += len(machine.runs) == 9
        if looks == 20:
            machine.submit(starting.spec(job, 1, dict(other.params)))
            machine.clock += 9
            machine.state("s-1")
            board.claims = claims.leave(claims.release(board.claims, "other", {1}), "other")
        return board.sweep, board.claims

    board.look = look
    outcome, news = run(job, machine, board)

    assert looks >= 20
    assert {t.number for t in news} == set(range(2, 11))
    assert outcome.ended == "nothing left"


def test_what_an_agent_held_that_dies_while_there_is_nothing_else_to_do_is_taken_over_too(tmp_path: Path) -> None:
    job = task(tmp_path)
    other = Claim(number=1, params={"x": 1, "kind": "1"}, agent="other")
    board = Board(job.sweep, Claims(last=1, agents=(Agent(id="other"),), open=(other,)))
    machine = Machine(good, interrupt_at=2000)
    looks = 0

    def look() -> tuple[Sweep, Claims]:
        nonlocal looks
        looks += len(machine.runs) == 9
        if looks == 20:
            board.gone.add("other")
        return board.sweep, board.claims

    board.look = look
    outcome, _ = run(job, machine, board)

    assert outcome.ended == "nothing left"
    assert {t.number for t in outcome.trials} == set(range(1, 11))


@pytest.mark.parametrize(
    ("state", "ended", "begun"),
    [(SweepState.STOPPED, "stopped", 2), (SweepState.CANCELLED, "cancelled", 2), (SweepState.PAUSED, "done", 10)],
)
def test_an_agent_heeds_what_the_sweep_is_told(tmp_path: Path, state: SweepState, ended: str, begun: int) -> None:
    job = task(tmp_path, agents=2, count=10)
    board = Board(job.sweep)
    machine = Machine(good)
    waited = 0

    def look() -> tuple[Sweep, Claims]:
        nonlocal waited
        if len(machine.jobs) == 2 and board.sweep.state is SweepState.RUNNING and not waited:
            board.settle(state)
        elif board.sweep.state is SweepState.PAUSED and len(machine.runs) == 2:
            waited += 1
            assert len(machine.jobs) == 2
            if waited == 10:
                board.settle(SweepState.RUNNING)
        return board.sweep, board.claims

    board.look = look
    outcome, news = run(job, machine, board)

    assert outcome.ended == ended
    assert len({t.number for t in news}) == begun
    assert bool(machine.cancelled) == (state is SweepState.CANCELLED)
    assert board.claims.agents == ()
    assert [one.agent for one in board.claims.open] == ([""] * 2 if state is SweepState.CANCELLED else [])


def test_an_agent_that_was_given_up_ends_what_others_run_now(tmp_path: Path) -> None:
    job = task(tmp_path, agents=2)
    board = Board(job.sweep)
    machine = Machine(good)

    def look() -> tuple[Sweep, Claims]:
        if len(machine.jobs) == 2 and not machine.cancelled:
            board.claims = replace(
                board.claims, agents=(), open=tuple(replace(one, agent="other") for one in board.claims.open)
            )
        return board.sweep, board.claims

    board.look = look
    board.gone = {"other"}
    outcome, _ = run(job, machine, board)

    assert machine.cancelled == ["s-1", "s-2"]
    assert len([t for t in outcome.trials if t.counts]) == 8  # the machine goes on to cancel what has these names


def test_a_trial_that_is_broken_off_each_time_is_not_tried_for_ever(tmp_path: Path) -> None:
    machine = Machine(lambda params: (JobState.PREEMPTED, {}) if params["x"] == 2 else good(params))

    outcome, news = run(task(tmp_path), machine)

    tries = [t for t in news if t.state.ended and t.params == {"x": 2, "kind": "a"}]
    assert len(tries) == agent.MOST_TRIES
    assert outcome.ended == "nothing left"
    assert len([t for t in outcome.trials if t.counts]) == 8


@pytest.mark.parametrize("method", ["grid", "random"])
def test_a_trial_that_is_killed_each_time_is_not_tried_for_ever(tmp_path: Path, method: str) -> None:
    text = GRID.replace("grid", f"{method}\nrun_cap: 10")
    machine = Machine(lambda params: (JobState.FAILED, {}) if params["x"] == 2 else good(params))
    machine.say[JobState.FAILED] = State.CRASHED

    outcome, news = run(task(tmp_path, text), machine)

    tries = [t for t in news if t.state.ended and t.params == {"x": 2, "kind": "a"}]
    assert len(tries) == agent.MOST_TRIES
    assert {(t.word, t.problem) for t in tries} == {("crashed", "boom")}
    assert outcome.ended in ("done", "nothing left")
    assert len([t for t in outcome.trials if t.counts]) == 8


def test_a_trial_that_is_killed_before_it_has_a_run_is_tried_again(tmp_path: Path) -> None:
    machine = Machine(good)
    killed = {"s-2"}

    def state(job: str) -> JobState:
        return JobState.LOST if job in killed else machine.state(job)

    job = task(tmp_path)
    launcher = replace(machine.launcher(job), state=state, tail=lambda _: killed.clear() or "")
    outcome = agent.run(
        job, Agent(id="me"), Board(job.sweep), launcher, lambda _: machine.runs, lambda *_: None, pace=Pace(look=0.0)
    )  # fmt: skip

    assert len([t for t in outcome.trials if t.counts]) == 10
    assert outcome.ended == "nothing left"


def test_a_trial_whose_run_says_that_it_failed_failed_although_its_process_did_not(tmp_path: Path) -> None:
    machine = Machine(good)
    machine.say[JobState.SUCCEEDED] = State.FAILED

    with pytest.raises(MlgitError, match="The first 3 trials of the sweep s1234567 all failed"):
        run(task(tmp_path), machine)
