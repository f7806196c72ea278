"""Sweeps: their agents here, or as jobs on queues."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from mlgit.errors import UsageError
from mlgit.store import place as places
from mlgit.store import recover
from mlgit.store.place import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from mlgit.core.job import JobSpec
    from mlgit.core.posted import Posted
    from mlgit.core.run import Run
    from mlgit.core.sweep import Sweep
    from mlgit.git.remote import Remote
    from mlgit.launch.asked import Asked
    from mlgit.launch.queues import Queue
    from mlgit.sweeps.agent import Outcome
    from mlgit.sweeps.plan import Trial
    from mlgit.sweeps.record import Task


def sweep_lines(task: Task) -> tuple[list[str], bool]:
    """The shell lines of the trials that are known beforehand, and whether these are all."""
    from mlgit.launch import process
    from mlgit.sweeps import starting

    specs, complete = starting.foreseen(task)
    return [process.render(spec, process.Settings(log_dir=task.scratch)) for spec in specs], complete


def agents(
    place: Place, sweep: Sweep, on: Mapping[str, int], *, through: Remote | None = None, secrets: tuple[str, ...] = ()
) -> list[tuple[Queue, Asked, str]]:
    """The jobs that would be agents of *sweep*, so many on each queue: each with exactly what is sent.

    Those of a queue that sees no disk of this machine's go *through* a remote, and bring the code from there.
    Raises `UsageError`, `NotFoundError` for a queue that there is not.
    """
    from mlgit.git import remote as remotes
    from mlgit.launch import asked, queues, submitting

    found = []
    if on and through and through.name != remotes.bare(through.name):
        raise UsageError(
            "The address that agents are to go through holds a password.",
            why="What jobs run is kept in git.",
            fix=f"git -C {place.repo.folder} remote add NAME URL, and --through NAME",
        )
    for name, count in on.items():
        queue = queues.find(place.settings, name)
        words = (*asked.program(queue), "sweep", "agent", sweep.id, *_reaching(queue, through))
        tasks = count if count > 1 else None
        own = {queue.own_token} if through and through.name == _ORIGIN else set()
        wish = asked.Asked(
            name=sweep.name, command=words, is_bare=True, tasks=tasks, preemptible=True,
            secrets=(*secrets, *own.difference(secrets, {""})),
        )  # fmt: skip
        found.append((queue, wish, submitting.preview(place, queue, wish, places.here(), in_place=False)))
    return found


_ORIGIN = "origin"


def _reaching(queue: Queue, through: Remote | None) -> tuple[str, ...]:
    """What tells an agent in *queue* by what it agrees with others, and on which code. Raises `UsageError`."""
    from mlgit.launch import afar

    if through is None:
        if not queue.is_away:
            return ()
        raise UsageError(
            f"Agents in the queue {queue.name} need a remote, by which they share the trials with others.",
            why=f"Jobs of {queue.kind} do not see this repository.",
            fix="--through REMOTE, one that such jobs may push to",
        )
    if not queue.is_away:
        return "--through", through.name
    if queue.brings_code and through.name == _ORIGIN:
        return "--through", _ORIGIN
    if through.is_near:
        raise UsageError(
            f"Agents in the queue {queue.name} cannot go through {through.name}.",
            why=f"{through.address} is on a disk of this machine, which jobs of {queue.kind} do not see.",
            fix="--through REMOTE, one that has a URL",
        )
    if queue.brings_code:
        return "--through", through.address
    code = afar.held(places.here(), through)
    inside = "" if code.inside == "." else f":{code.inside}"
    return "--through", through.address, "--code", f"{code.commit}{inside}"


def launch_agents(
    place: Place, wanted: Iterable[tuple[Queue, Asked, str]], tell: Callable[[str], None]
) -> list[Posted]:
    """Launch what `agents` has found. Raises `MlgitError` where a backend refuses."""
    from mlgit.launch import submitting

    here = places.here()
    return [submitting.submit(place, queue, wish, here, in_place=False, tell=tell)[0] for queue, wish, _ in wanted]


@contextlib.contextmanager
def cloned(address: str, wanted: str, tell: Callable[[str], None]) -> Iterator[str]:
    """The name of the remote of a clone of *address*, in which we are meanwhile, with the code *wanted*.

    Raises `MlgitError` where it cannot be had.
    """
    from mlgit.launch import afar

    with afar.clone(address, wanted, tell=tell) as folder, contextlib.chdir(folder):
        yield _ORIGIN


def sweep_metric(place: Place, task: Task) -> Callable[[], Mapping[str, float]]:
    """What tells the last value of *task*'s metric of each trial under way here, by the name of its run."""
    from mlgit.sweeps import watching

    metric = task.file.metric
    return watching.Latest(watching.Alive(place.repo, task.sweep), metric.name).look if metric else dict


def run_sweep(
    place: Place, task: Task, tell: Callable[[Trial, tuple[Trial, ...]], None], *, through: Remote | None,
    say: Callable[[str], None],
) -> Outcome:  # fmt: skip
    """Be an agent of *task* on this machine; *tell* hears of each trial that begins or ends. Raises `MlgitError`.

    It agrees with others in this repository, or *through* a remote; *say* hears where that is away, and back.
    """
    import time

    from mlgit.git.loose import Loose
    from mlgit.index import query
    from mlgit.launch import process, warm
    from mlgit.sweeps import agent, claims, starting, watching
    from mlgit.sweeps.agent.slots import Launcher
    from mlgit.sweeps.claims import claiming, holding
    from mlgit.sweeps.claims import through as remotes

    settings = process.Settings(log_dir=task.scratch)
    begin = warm.Warm(("mlgit.cli.run", "mlgit.tracking.command.run"))
    news = query.News(place.repo, task.sweep.id)

    def runs(known: Mapping[str, str]) -> list[Run]:
        recover.recover_all(place.repo, lambda _: None)  # the run of a trial that was killed becomes a branch here
        return news.of(known)

    with claiming.present(place.repo, task.sweep, slots=task.agents) as me:

        def start(spec: JobSpec) -> process.Job:
            env = {**spec.env, "MLGIT_PROJECT": task.sweep.project}  # which is another's where its whole id was given
            return begin.start(replace(spec, env=env), settings, held=(me.lock,))

        launcher = Launcher(
            submit=starting.submitting(task, start),
            state=warm.state,
            cancel=process.cancel,
            tail=process.tail,
            pause=lambda: time.sleep(0.02),
        )
        board: holding.Board = claiming.Board(place.repo, task.sweep)
        pace = claiming.pace(remotes.PACE if through else claims.Pace())
        if through:
            board = remotes.Board(through, task.sweep, say, every=pace.look)
            pace = replace(pace, look=min(pace.look, claims.Pace().look))  # what runs here is seen as often as ever
        alive = watching.Alive(place.repo, task.sweep)
        try:
            return agent.run(
                task, me.agent, board, launcher, runs, tell, pace=pace, alive=alive.look,
                watch=watching.watch(place.repo, task.sweep, task.file),
                tidy=Loose(place.repo, task.sweep.project).gather,
            )  # fmt: skip
        finally:
            if isinstance(board, remotes.Board):
                board.say_what_is_left()
