"""What CI does for a commit: what it asks for, with the trials of its sweep."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlgit.ci import begun, code, planning, request
from mlgit.ci.code import Code
from mlgit.ci.plan import Plan, Trial
from mlgit.ci.request import Request
from mlgit.core import secrets
from mlgit.errors import NotFoundError, UsageError
from mlgit.store import place as places
from mlgit.store.place import Place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlgit.ci.planning import Searched
    from mlgit.ci.settings import CiOptions
    from mlgit.core.compare import Goal
    from mlgit.core.run import Run
    from mlgit.git.remote import Remote
    from mlgit.sweeps.record import Task


_STRAY = "of its message is no trailer: those stand in the last paragraph, which holds nothing else"


def asked(held: Code) -> Request:
    """What the commit of *held* asks for, by its trailers; the result of a run: nothing. Raises `ConfigError`."""
    from mlgit.store import records

    found = code.trailers(held)
    if any(one.key == records.TRAILER for one in found):
        return Request()
    return request.read(found, source=held.title)


def wanted(place: Place, runs: Sequence[str], sweep: str | None, *, anew: str = "") -> Request:
    """What *runs*, each the text of an Mlgit-Run, and the file *sweep*, from here, ask for. Raises `UsageError`."""
    if runs and sweep:
        raise UsageError("--run asks for runs, and --sweep for a sweep.", fix="one of them a commit")
    if anew and not runs:
        raise UsageError("--anew is for the runs that --run asks for.", fix="--run yes, for one as the code is")
    inside = None
    if sweep:
        try:
            inside = (places.here() / sweep).resolve().relative_to(place.settings.folder.resolve()).as_posix()
        except ValueError:
            raise UsageError(f"{sweep} is not in the project's folder {place.settings.folder}.") from None
    given = tuple(request.words(text, source="--run") for text in runs)
    for params in (dict(word.split("=", 1) for word in words) for words in given):
        if secrets.redact_params(params) != params:
            raise UsageError(
                "A param of --run holds what looks like a token or password.",
                why="Everybody who has the repository reads a commit's message.",
                fix="let the program read it from the environment, where CI's secrets are",
            )
    project = place.settings.project if (runs or sweep) and code.is_one_of_several(place) else None
    return Request(runs=given, sweep=inside, project=project, anew=anew)


def plan(
    place: Place, held: Code, wanted: Request, *, part: int = 1, go: int = 1, remote: Remote | None = None
) -> Plan:  # fmt: skip
    """What CI does about *wanted* of *held*, as its mlgit.yaml says, but for what has been done on *remote*.

    Raises `UsageError`, `NotFoundError`; `GitError` where *remote* does not answer.
    """
    from mlgit.forge.github import rights

    def known(trials: Sequence[Trial]) -> Mapping[int, Run]:
        return begun.find(remote, settings.project, trials) if remote else {}

    settings = held.settings(place)
    there = replace(place, settings=settings)
    found = planning.plan(
        held, settings, wanted, lambda path, options: _search(there, held, path, options, part), part=part, go=go,
        most_jobs=rights.OFFERS.max_matrix, begun=known,
    )  # fmt: skip
    strays = code.strays(held) if held.commit and not wanted else ()
    return replace(found, notes=(*found.notes, *(f"{at.key} in line {at.line} {_STRAY}" for at in strays)))


def _search(place: Place, held: Code, path: str, options: CiOptions, part: int) -> Searched:
    from mlgit.sweeps import ahead, record
    from mlgit.sweeps import command as commands
    from mlgit.sweeps.search import initial
    from mlgit.tracking.command import pipeline

    content = held.read(path)
    if content is None:
        fix = "git add it" if (place.settings.folder / path).is_file() else "name one that is there"
        raise NotFoundError(f"There is no file {path} in {held.title}.", fix=fix)
    sweep_id = planning.known_as(held.commit, held.folder, "sweep", path)
    task = record.new(
        place, content, Path(path), (), seed=0, agents=options.at_once or 1, trials=None, sweep_id=sweep_id,
        created=_when(held),
    )  # fmt: skip
    script = commands.script(task.sweep.command, task.file.program)
    if script and held.read(script) is None:
        raise NotFoundError(f"{path} runs {script}, which is not in {held.title}.", fix=f"git add {script}")
    learns, size = ahead.learns(task), options.at_once or initial(task.file.space)
    if learns and part > 1:
        last = ahead.before(task, part, size=size)
        asked = {_run_id(held, task, number) for number in range(last + 1, ahead.whole(task) + 1)}
        known = record.trials(place.repo, task.sweep)[1]  # none of this round's own, or it would become another one
        task = replace(task, earlier=tuple(one for one in known if not one.run or one.run.id not in asked))
    now = ahead.round_of(task, part, size=size)
    sweep = task.sweep
    return planning.Searched(
        id=sweep.id, name=sweep.name, method=sweep.method, path=path, file=sweep.file, seed=sweep.seed,
        trials=tuple(_trial(held, task, number, params) for number, params in enumerate(now.points, now.first)),
        whole=ahead.whole(task), learns=learns, goes_on=now.goes_on, ended=now.ended,
        runs_stages=pipeline.is_one(sweep.command), notes=(*task.file.aside, *ahead.aside(task)),
    )  # fmt: skip


def _trial(held: Code, task: Task, number: int, params: Mapping[str, Any]) -> Trial:
    from mlgit.sweeps import ahead, plan

    run_id = _run_id(held, task, number)
    point = dict(params)
    return Trial(
        number=number, id=run_id, name=plan.trial_name(task.sweep, number), params=point,
        command=("--id", run_id, *ahead.words(task, number, point)), json=ahead.json(task, point),
    )  # fmt: skip


def _run_id(held: Code, task: Task, number: int) -> str:
    return planning.known_as(held.commit, held.folder, task.sweep.id, number)


def goals(place: Place, plan: Plan) -> Mapping[str, Goal]:
    """Which way metrics are better: as mlgit.yaml says, and as the sweep of *plan* searches."""
    from mlgit.sweeps import file

    metrics = file.read(plan.file, source=plan.path).metrics if plan.file else ()
    return {**place.settings.goals, **{metric.name: metric.goal for metric in metrics}}


def _when(held: Code) -> float:
    """When the commit was made: the sweep of a commit has always begun then."""
    if not held.commit:
        return time.time()
    return float(held.repo.git("log", "-1", "--no-show-signature", "--format=%ct", "--end-of-options", held.commit))
