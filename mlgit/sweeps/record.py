"""A sweep in git: a commit on `refs/mlgit/sweeps/<project>/<id>` with its file as it was.

Its history is no file at all, but the run branches that name the sweep.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mlgit.core import refs, secrets
from mlgit.core.compare import Goal
from mlgit.core.run import Run
from mlgit.core.sweep import Sweep, SweepState
from mlgit.documents.reader import load
from mlgit.documents.writer import as_data, dump
from mlgit.errors import ConfigError, NotFoundError, RefMovedError, UsageError
from mlgit.git.objects import Reader
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import records
from mlgit.store.place import Place
from mlgit.sweeps import command as commands
from mlgit.sweeps import file as files
from mlgit.sweeps import plan
from mlgit.sweeps.plan import Trial
from mlgit.sweeps.space import SweepFile
from mlgit.tracking import names

STATE = "sweep.yaml"
FILE = "file.yaml"


@dataclass(frozen=True, kw_only=True)
class Task:
    """A sweep, and how much of it to do now."""

    sweep: Sweep
    file: SweepFile
    folder: Path
    """Where the trials start."""
    scratch: Path
    """For the logs and params files of the trials."""
    agents: int = 1
    """How many trials side by side."""
    count: int | None = None
    """How many of them this agent begins at most; None: as many as there are for it."""
    most: int | None = None
    """How many trials were left to begin, or None: until nothing is left, or the target is reached."""
    earlier: tuple[Trial, ...] = ()
    """What there was before."""


@dataclass(frozen=True, kw_only=True)
class _State:
    """`sweep.yaml`."""

    id: str
    name: str
    project: str
    method: str
    created: float
    seed: int = 0
    metric: str | None = None
    goal: Goal = Goal.MINIMIZE
    command: tuple[str, ...] = ()
    trials: int | None = None
    agents: int = 1
    state: SweepState = SweepState.RUNNING


def keep(repo: Repo, sweep: Sweep) -> None:
    """Keep *sweep* in git, durably; one that is there already, as *sweep* is now."""
    change(repo, sweep, lambda _: sweep)


def change(repo: Repo, sweep: Sweep, change: Callable[[Sweep], Sweep]) -> Sweep:
    """*sweep* as it is after *change*, which is asked anew where somebody else was quicker. Raises `GitError`."""
    ref = ref_of(sweep)
    while True:
        tip = repo.refs(ref).get(ref)
        before = at(repo, sweep, tip) if tip else None
        after = change(before or sweep)
        if after == before:
            return after
        fields = {name: getattr(after, name) for name in _State.__dataclass_fields__}
        files = {STATE: dump(as_data(_State(**fields))).encode(), FILE: after.file.encode()}
        try:
            when = None if before else after.created
            repo.commit_on(ref, files, f"sweep {after.name}: {_said(before, after)}", expect=tip, when=when)
        except RefMovedError:
            continue
        return after


def _said(before: Sweep | None, after: Sweep) -> str:
    return after.method if before is None or before.state is after.state else after.state.value


def at(repo: Repo, sweep: Sweep, commit: str) -> Sweep:
    """*sweep* as it is at *commit*. Raises `NotFoundError` where it is not there."""
    with repo.reader() as reader:
        found = _at(reader, ref_of(sweep), commit)
    if found is None:
        raise NotFoundError(f"{ref_of(sweep)} holds no sweep.", fix="mlgit sweep ls lists those that are there")
    return found


def _at(reader: Reader, ref: str, commit: str) -> Sweep | None:
    state, file = reader.blob(f"{commit}:{STATE}"), reader.blob(f"{commit}:{FILE}")
    if state is None or file is None:
        return None
    return Sweep(**vars(load(state, _State, source=f"{ref}:{STATE}")), file=file.decode(errors="replace"))


def known(repo: Repo, project: str | None) -> list[Sweep]:
    """The sweeps of *project*, of all there are without one, newest first."""
    below = refs.SWEEPS if project is None else f"{refs.SWEEPS}{refs.component(project, 'project')}/"
    with repo.reader() as reader:
        found = [sweep for ref, commit in repo.refs(below).items() if (sweep := _at(reader, ref, commit))]
    return sorted(found, key=lambda sweep: (-sweep.created, sweep.id))


def find(repo: Repo, project: str | None, text: str) -> Sweep:
    """The sweep of *project* that *text* names: its id, its name (the newest), the beginning of its id, or `latest`.

    The whole id of another project's will do too; without a *project*, any name of any. Raises `NotFoundError`, and
    `UsageError` for what several begin with.
    """
    sweeps = known(repo, project)
    for sweep in sweeps:
        if text in (sweep.id, sweep.name, "latest"):
            return sweep
    begun = [sweep for sweep in sweeps if len(text) >= 3 and sweep.id.startswith(text)]
    if len(begun) == 1:
        return begun[0]
    if begun:
        raise UsageError(f"{text!r} begins {len(begun)} sweeps.", fix=f"one of {', '.join(s.id for s in begun[:5])}")
    for ref in repo.refs(refs.SWEEPS) if project else ():
        other, _, sweep_id = ref.removeprefix(refs.SWEEPS).partition("/")
        if sweep_id == text:
            return next(sweep for sweep in known(repo, other) if sweep.id == text)
    where = f" in the project {project}" if project else ""
    raise NotFoundError(f"There is no sweep {text[:80]!r}{where}.", fix="mlgit sweep ls lists them")


def file_of(sweep: Sweep) -> SweepFile:
    """The file that *sweep* was started with, read anew. Raises `ConfigError`."""
    return files.read(sweep.file, source=f"{ref_of(sweep)}:{FILE}")


def params_of(sweep: Sweep, run: Run) -> list[str]:
    """The params of its trial *run* that *sweep* gave it, by dotted name."""
    space = file_of(sweep).space
    known = {
        one.name: value for one in space.parameters if (value := plan.at(run.params, one.name)) is not plan.MISSING
    }
    return list(space.present(known))


def described(sweep: Sweep) -> Sweep:
    """*sweep* with what its file says it searches; as it is, where this version cannot read the file."""
    try:
        return replace(sweep, searched=file_of(sweep).space.searched)
    except ConfigError:
        return sweep


def ref_of(sweep: Sweep) -> str:
    """Where it is kept."""
    return f"{refs.SWEEPS}{refs.component(sweep.project, 'project')}/{refs.component(sweep.id, 'sweep')}"


def trials(repo: Repo, sweep: Sweep) -> tuple[SweepFile, list[Trial]]:
    """The file of *sweep*, and its trials as their runs tell of them, oldest first."""
    file = file_of(sweep)
    return file, _trials(repo, sweep, file)


def _trials(repo: Repo, sweep: Sweep, file: SweepFile) -> list[Trial]:
    with records.no_collection():
        return plan.trials(sweep, file, query.runs(repo, sweep=sweep.id))


def new(
    place: Place, content: bytes, path: Path, command: Sequence[str], *, seed: int, agents: int, trials: int | None,
    sweep_id: str | None = None, created: float | None = None,
) -> Task:  # fmt: skip
    """What to do for the sweep file read from *path*; nothing is kept yet. Raises `ConfigError`, `UsageError`."""
    file = files.read(content, source=str(path))
    words = commands.chosen(file, command)
    if secrets.redact_command(words) != words or secrets.is_secret(content):
        raise UsageError(
            f"{path} or its command holds what looks like a token.",
            why="A sweep's file and command are kept in git.",
            fix="let the program read it from the environment",
        )
    sweep = Sweep(
        id=sweep_id or names.run_id(),
        name=file.name or path.stem,
        project=place.settings.project,
        method=file.space.method.value,
        metric=file.metric.name if file.metric else None,
        goal=file.metric.goal if file.metric else Goal.MINIMIZE,
        seed=seed,
        created=time.time() if created is None else created,
        command=words,
        trials=trials,
        agents=agents,
        file=content.decode("utf-8-sig"),
    )
    return _task(place, sweep, file, ())


def resumed(place: Place, text: str, *, agents: int | None, trials: int | None) -> Task:
    """What is left to do of the sweep that *text* names, until it has *trials* in all; None: as it was asked before.

    Raises `NotFoundError`, `UsageError`.
    """
    before = _with_program(place, text)
    sweep = replace(before, agents=agents or before.agents, trials=trials or before.trials, state=SweepState.RUNNING)
    file = file_of(sweep)
    return _task(place, sweep, file, _trials(place.repo, sweep, file))


def joined(place: Place, text: str, *, slots: int, count: int | None) -> Task:
    """What an agent does that works on the sweep that *text* names, as it is; *count* trials of it at most.

    Raises `NotFoundError`, `UsageError` where it was told to end.
    """
    sweep = _with_program(place, text)
    if sweep.state in (SweepState.STOPPED, SweepState.CANCELLED):
        raise UsageError(f"The sweep {sweep.id} is {sweep.state.value}.", fix=f"mlgit sweep resume {sweep.id}")
    file = file_of(sweep)
    return replace(_task(place, sweep, file, _trials(place.repo, sweep, file)), agents=slots, count=count)


def _with_program(place: Place, text: str) -> Sweep:
    """The sweep that *text* names, each of whose trials is a program. Raises `NotFoundError`, `UsageError`."""
    found = find(place.repo, place.meant, text)
    if not found.command:
        what = f"The trials of the sweep {found.id} are calls of a Python function."
        raise UsageError(what, fix=f"mlgit.agent({found.id!r}, function) in the script that has the function")
    return found


def _task(place: Place, sweep: Sweep, file: SweepFile, earlier: Sequence[Trial]) -> Task:
    return Task(
        sweep=sweep,
        file=file,
        folder=Path.cwd(),
        scratch=place.repo.own / "sweeps" / sweep.id,
        agents=sweep.agents,
        most=how_many(file, earlier, sweep.trials),
        earlier=tuple(earlier),
    )


def how_many(file: SweepFile, earlier: Iterable[Trial], asked: int | None) -> int | None:
    """How many trials to begin, until there are as many in all as were *asked* for and the file's `run_cap` allows.

    None for as many as there are points.
    """
    most = bound(file, asked)
    return None if most is None else max(0, most - len(plan.seen(earlier, file.metrics)))


def has_end(file: SweepFile, asked: int | None) -> bool:
    """Whether anything ends the sweep by itself: the trials *asked* for, what the file says, the last of its points."""
    budget = file.budget
    return (
        bound(file, asked) is not None
        or file.space.size is not None
        or any(metric.target is not None for metric in file.metrics)
        or budget.minutes is not None
        or budget.cost is not None
    )


def bound(file: SweepFile, asked: int | None) -> int | None:
    """How many trials there may be in all: as many as were *asked* for, and the file's `run_cap`; None: no bound."""
    return min((most for most in (asked, file.run_cap) if most is not None), default=None)
