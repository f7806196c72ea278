"""A plan, made: trials shared out over jobs by what mlgit.yaml says, and refused where what they make would be lost."""

from __future__ import annotations

import configparser
import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from mlgit.ci import settings as own
from mlgit.ci.code import Code
from mlgit.ci.matrix import Runner, spread
from mlgit.ci.plan import Plan, Trial
from mlgit.ci.request import Request
from mlgit.ci.settings import CiOptions
from mlgit.core import escape, figures
from mlgit.core.asking import RUN
from mlgit.core.run import Run, State
from mlgit.documents import reader
from mlgit.errors import ConfigError, UsageError
from mlgit.settings import Settings
from mlgit.tracking import files, names
from mlgit.tracking.options import RunOptions

Begun = Callable[[Sequence[Trial]], Mapping[int, Run]]
"""Number → the run, of those of some trials that were begun before."""
OVER = frozenset((State.FINISHED, State.PRUNED))
"""Ends after which a trial is not begun again."""
_OVER_UNASKED = OVER | {State.FAILED, State.CRASHED}
"""The same, where no person has asked for it: it would end so again."""
_ID = "abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, kw_only=True)
class Searched:
    """A round of a sweep."""

    id: str
    name: str
    method: str
    path: str
    file: str
    seed: int
    trials: tuple[Trial, ...]
    whole: int
    """How many trials the sweep has in all."""
    learns: bool = False
    """Whether it goes in rounds, of which this is one."""
    goes_on: bool = False
    ended: str = ""
    """Why it holds no trials."""
    runs_stages: bool = False
    notes: tuple[str, ...] = field(default_factory=tuple)


def known_as(*parts: object) -> str:
    """The id of what *parts* tell from any other: eight characters, as that of a run."""
    number = int.from_bytes(hashlib.sha256("\0".join(map(str, parts)).encode()).digest())
    return "".join(_ID[number // 36**place % 36] for place in range(8))


def plan(
    code: Code, settings: Settings, request: Request, search: Callable[[str, CiOptions], Searched], *, most_jobs: int,
    part: int = 1, go: int = 1, begun: Begun = lambda _: {},
) -> Plan:  # fmt: skip
    """What CI does about *request* of *code*, whose mlgit.yaml has said *settings*, in the *go* of its *part*, from 1.

    *most_jobs*: those that a matrix of its holds. *search* knows a round of the sweep in a file. Raises `UsageError`.
    """
    options = own.read(settings)
    if go > options.goes:
        what = f"Trials are begun {figures.count(options.goes, 'time')} at most, and this is go {go}."
        raise UsageError(what, why=f"So `ci.goes` says in the mlgit.yaml of {code.title}.", fix="a larger number there")
    empty = Plan(
        commit=code.commit, project=settings.project, folder=code.folder or ".", part=part, go=go,
        goes=options.goes, at_once=options.at_once,
        minutes=options.minutes, job_minutes=options.job_minutes, what=f"{code.title} asks CI for nothing",
    )  # fmt: skip
    if not request:
        return empty
    if request.project and request.project != settings.project:
        project = escape.line(request.project, 80)
        return replace(empty, what=f"{code.title} asks CI for nothing here, but in the project {project}")
    runner = _runner(code, settings, options)
    if request.sweep is None:
        notes = (*_checked_bytes(code, runs_stages=not options.words), *_unkept(code, options))
        whole = replace(empty, trials=_runs(code, options, request), notes=notes)
        return _shared(whole, options, runner, begun, most_jobs)
    found = search(request.sweep, options)
    notes = _checked_bytes(code, runs_stages=found.runs_stages)
    whole = replace(
        empty, sweep=found.id, sweep_name=found.name, path=found.path, file=found.file, seed=found.seed,
        trials=found.trials, goes_on=found.goes_on, notes=(*found.notes, *notes, *_unkept(code, options)),
    )  # fmt: skip
    return _shared(whole, options, runner, begun, most_jobs, found)


def _shared(
    whole: Plan, options: CiOptions, runner: Callable[[Trial], Runner], begun: Begun, most_jobs: int,
    search: Searched | None = None,
) -> Plan:  # fmt: skip
    """*whole* with jobs: those of its part, where one matrix cannot hold all, but for trials that are over."""
    runners = {trial.number: runner(trial) for trial in whole.trials}
    left, parts = runners, 1 if search and search.learns else whole.part
    for _ in range(parts):
        found = spread(left, most_jobs=most_jobs, most_trials=options.most_trials)
        left = {number: runners[number] for number in found.later}
        if not found.jobs:
            break  # nor is there anything in what comes after
    if search and search.learns and found.later:
        what = f"A round of {len(runners):,} trials is more than {most_jobs} jobs hold."
        raise UsageError(what, fix="a smaller ci.at_once in mlgit.yaml")
    now = {number for job in found.jobs for number in job.trials}
    trials = [trial for trial in whole.trials if trial.number in now]
    known, over = begun(trials), OVER if whole.go == 1 else _OVER_UNASKED
    done = tuple(trial.number for trial in trials if trial.number in known and known[trial.number].state in over)
    left = {number: runners[number] for number in now.difference(done)}
    made = replace(
        whole, later=found.later, goes_on=whole.goes_on or bool(found.later), done=done,
        jobs=spread(left, most_jobs=most_jobs, most_trials=options.most_trials).jobs if done else found.jobs,
        trials=tuple(
            replace(trial, begun=known[trial.number].commit) if trial.number in known else trial
            for trial in trials
            if trial.number not in done
        ),
    )  # fmt: skip
    return replace(made, what=_said(made, search))


def _said(plan: Plan, search: Searched | None) -> str:
    before = f", {figures.count(len(plan.done), 'run')} made before" if plan.done else ""
    if not plan.jobs and plan.done:
        return f"nothing is left to do{before}"
    if not plan.jobs:
        return f"nothing is left to do{f': {search.ended}' if search and search.ended else ''}"
    many = figures.count(len(plan.trials), "trial" if search else "run")
    if search and len(plan.trials) < search.whole:
        many = f"{len(plan.trials):,} of {search.whole:,} trials"
    who = f"sweep {escape.line(search.name, 80)} ({search.id}, {search.method}): " if search else ""
    runners = sorted({str(job.runs_on) for job in plan.jobs})
    where = " or ".join(f"[{labels}]" if "," in labels else labels for labels in runners)
    most, count = max(plan.limit(job) for job in plan.jobs), len(plan.jobs)
    time = f"{most} minutes a job"
    if plan.at_once and plan.at_once < count:
        time = f"{plan.at_once} at once, {time}, {figures.duration(60 * most * -(-count // plan.at_once))} in all"
    again = f"go {plan.go} of {plan.goes}, " if plan.go > 1 else ""
    return f"{who}{again}{many} in {figures.count(count, 'job')} on {where}: {time} at most{before}"


def _runs(code: Code, options: CiOptions, request: Request) -> tuple[Trial, ...]:
    """The runs that *request* asks for. Raises `UsageError`."""
    if not options.words and code.read("dvc.yaml") is None:
        raise UsageError(
            f"{code.title[0].upper()}{code.title[1:]} does not say what an {RUN} runs.",
            fix="`ci: {command: python train.py}` in mlgit.yaml, or stages in dvc.yaml",
        )
    found = []
    for number, words in enumerate(request.runs, 1):
        run_id = known_as(code.commit, code.folder, "run", request.anew, number, *words)
        name = names.run_name(random.Random(run_id))
        given = [part for word in words for part in ("-p", word)]
        tail = ("--", *options.words) if options.words else ()
        found.append(
            Trial(
                number=number, id=run_id, name=name, params=files.parse_assignments(words, f"{RUN}:"),
                command=("--id", run_id, "--name", name, *given, *tail),
            )
        )  # fmt: skip
    return tuple(found)


def _runner(code: Code, settings: Settings, options: CiOptions) -> Callable[[Trial], Runner]:
    """The runner of a trial: by its own params, over those of the project's params file."""
    usual: Mapping[str, Any] = {}
    path = settings.section("run", RunOptions).params
    if options.runners and path and (content := code.read(path)) is not None:
        usual = dict(_flat(files.params_in(content, PurePosixPath(path))))
    return lambda trial: options.runner({**usual, **dict(_flat(trial.params))})


def _flat(params: Mapping[str, Any], above: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in params.items():
        found += _flat(value, f"{above}{name}.") if isinstance(value, Mapping) else [(f"{above}{name}", value)]
    return found


def _checked_bytes(code: Code, *, runs_stages: bool) -> tuple[str, ...]:
    """What is to be said of the bytes that DVC holds, where no remote of DVC's has them.

    Raises `UsageError` where stages make outputs, which would be gone with the runner.
    """
    if has_remote(code):
        return ()
    if outputs := _outputs(code) if runs_stages else []:
        raise UsageError(
            f"What the stages make would be lost: {', '.join(outputs[:3])}{', …' if len(outputs) > 3 else ''}.",
            why="No DVC remote is configured in what git holds, and a runner keeps nothing.",
            fix="dvc remote add -d NAME URL, and commit .dvc/config; or `cache: false` for outputs that git is to hold",
        )
    if not (data := data_of(code)):
        return ()
    more = f" and {len(data) - 1:,} more" if len(data) > 1 else ""
    return (f"CI cannot fetch {data[0]}{more}: no DVC remote is configured in what git holds",)


def data_of(code: Code) -> list[str]:
    """The paths of the data that have a pointer of DVC's, from the project's folder."""
    return [name.removesuffix(".dvc") for name in code.names() if PurePosixPath(name).suffix == ".dvc"]


def _unkept(code: Code, options: CiOptions) -> tuple[str, ...]:
    """What is to be said where trials are to go on, and no checkpoint of theirs comes that far."""
    if options.goes == 1 or has_remote(code):
        return ()
    return ("ci.goes lets trials go on in further dispatches, where no checkpoint is without a DVC remote",)


def _outputs(code: Code) -> list[str]:
    """The outputs of the stages of dvc.yaml that DVC holds."""
    content = code.read("dvc.yaml")
    data = reader.plain(content, source="dvc.yaml") if content is not None else {}
    stages = data.get("stages") if isinstance(data, Mapping) else None
    if not isinstance(stages, Mapping):
        return []
    bodies = [stage.get("do", stage) for stage in stages.values() if isinstance(stage, Mapping)]
    outs: Sequence[Any] = [out for body in bodies if isinstance(body, Mapping) for out in body.get("outs") or ()]
    found = []
    for out in outs:
        for path, how in out.items() if isinstance(out, Mapping) else ((out, None),):
            if not (isinstance(how, Mapping) and (how.get("cache") is False or how.get("remote"))):
                found.append(str(path))
    return found


def has_remote(code: Code) -> bool:
    """Whether DVC's configuration, as git holds it, has a remote by default."""
    content = code.read(".dvc/config")
    content = code.above(".dvc/config") if content is None else content
    said = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        said.read_string((content or b"").decode("utf-8-sig"))
    except (configparser.Error, UnicodeDecodeError) as exc:
        raise ConfigError(f".dvc/config:1: it cannot be read: {str(exc).splitlines()[0]}.") from None
    return bool(said.get("core", "remote", fallback=""))
