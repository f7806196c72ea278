"""A sweep in git: a commit on `refs/mlgit/sweeps/<project>/<id>` with its file as it was.

Its history is no file at all, but the run branches that name the sweep.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mlgit.core import refs, secrets
from mlgit.core.compare import Goal
from mlgit.core.sweep import Sweep
from mlgit.documents.reader import load
from mlgit.documents.writer import as_data, dump
from mlgit.errors import ConfigError, MlgitError, NotFoundError, UsageError
from mlgit.git.repo import Repo
from mlgit.index import query
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
    """For the lock of the coordinator, and the logs and params files of the trials."""
    agents: int = 1
    most: int | None = None
    """How many trials to begin, or None: until nothing is left, or the target is reached."""
    earlier: tuple[Trial, ...] = ()


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


def keep(repo: Repo, sweep: Sweep) -> None:
    """Keep *sweep* in git, durably; one that is there already, as *sweep* is now."""
    ref = _ref(sweep)
    before = repo.refs(ref).get(ref)
    fields = {name: getattr(sweep, name) for name in _State.__dataclass_fields__}
    files = {
        STATE: dump(as_data(_State(**fields))).encode(),
        FILE: sweep.file.encode(),
    }
    if before and all(repo.read(before, path) == content for path, content in files.items()):
        return
    when = None if before else sweep.created
    repo.commit_on(ref, files, f"sweep {sweep.name}: {sweep.method}", expect=before, when=when)


def known(repo: Repo, project: str) -> list[Sweep]:
    """The sweeps of *project*, newest first."""
    found: list[Sweep] = []
    with repo.reader() as reader:
        for ref, commit in repo.refs(f"{refs.SWEEPS}{refs.component(project, 'project')}/").items():
            state, file = reader.blob(f"{commit}:{STATE}"), reader.blob(f"{commit}:{FILE}")
            if state is not None and file is not None:
                fields = vars(load(state, _State, source=f"{ref}:{STATE}"))
                found.append(Sweep(**fields, file=file.decode(errors="replace")))
    return sorted(found, key=lambda sweep: (-sweep.created, sweep.id))


def find(repo: Repo, project: str, text: str) -> Sweep:
    """The sweep of *project* that *text* names: its id, its name (the newest), the beginning of its id, or `latest`.

    The whole id of another project's will do too. Raises `NotFoundError`.
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
    for ref in repo.refs(refs.SWEEPS):
        other, _, sweep_id = ref.removeprefix(refs.SWEEPS).partition("/")
        if sweep_id == text:
            return next(sweep for sweep in known(repo, other) if sweep.id == text)
    raise NotFoundError(f"There is no sweep {text[:80]!r} in the project {project}.", fix="mlgit sweep ls lists them")


def file_of(sweep: Sweep) -> SweepFile:
    """The file that *sweep* was started with, read anew. Raises `ConfigError`."""
    return files.read(sweep.file, source=f"{_ref(sweep)}:{FILE}")


def described(sweep: Sweep) -> Sweep:
    """*sweep* with what its file says it searches; as it is, where this version cannot read the file."""
    try:
        return replace(sweep, searched=file_of(sweep).space.searched)
    except ConfigError:
        return sweep


def _ref(sweep: Sweep) -> str:
    return f"{refs.SWEEPS}{refs.component(sweep.project, 'project')}/{refs.component(sweep.id, 'sweep')}"


def trials(repo: Repo, sweep: Sweep) -> tuple[SweepFile, list[Trial]]:
    """The file of *sweep*, and its trials as their runs tell of them, oldest first."""
    file = file_of(sweep)
    return file, _trials(repo, sweep, file)


def _trials(repo: Repo, sweep: Sweep, file: SweepFile) -> list[Trial]:
    return plan.trials(sweep, file.space, file.metric, query.runs(repo, sweep=sweep.id))


def new(
    place: Place, content: bytes, path: Path, command: Sequence[str], *, seed: int, agents: int, trials: int | None
) -> Task:
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
        id=names.run_id(),
        name=file.name or path.stem,
        project=place.settings.project,
        method=file.space.method.value,
        metric=file.metric.name if file.metric else None,
        goal=file.metric.goal if file.metric else Goal.MINIMIZE,
        seed=seed,
        created=time.time(),
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
    before = find(place.repo, place.settings.project, text)
    if not before.command:
        what = f"The trials of the sweep {before.id} are calls of a Python function."
        raise UsageError(what, fix=f"mlgit.agent({before.id!r}, function) in the script that has the function")
    sweep = replace(before, agents=agents or before.agents, trials=trials or before.trials)
    file = file_of(sweep)
    return _task(place, sweep, file, _trials(place.repo, sweep, file))


def renewed(repo: Repo, task: Task) -> Task:
    """*task* with the trials that the sweep has by now."""
    earlier = tuple(_trials(repo, task.sweep, task.file))
    return replace(task, earlier=earlier, most=how_many(task.file, earlier, task.sweep.trials))


@contextlib.contextmanager
def alone(task: Task) -> Iterator[None]:
    """Nobody else begins trials of *task*'s sweep until the block ends, or this process does.

    Raises `MlgitError` where somebody does already.
    """
    try:
        task.scratch.mkdir(parents=True, exist_ok=True)
        file = (task.scratch / "lock").open("a+")
    except OSError as exc:
        raise MlgitError(f"{task.scratch} cannot be written.", why=exc.strerror or str(exc)) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise MlgitError(
                f"The sweep {task.sweep.id} is running already.",
                why=f"It is coordinated by {file.read(200).strip() or 'another process'}.",
                fix="wait until it is done, or end it with Ctrl-C and then resume it",
            ) from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {os.uname().nodename}")
        file.flush()
        yield


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

    None for as many as there are points. Raises `UsageError` where nothing would ever end the sweep.
    """
    bounds = [bound for bound in (asked, file.run_cap) if bound is not None]
    if bounds:
        return max(0, min(bounds) - len(plan.seen(earlier, file.metric)))
    if file.space.size is None and (file.metric is None or file.metric.target is None):
        raise UsageError(
            f"A {file.space.method.value} search of this space has no end of its own.",
            fix="say --trials N, or `run_cap: N` in the file",
        )
    return None
