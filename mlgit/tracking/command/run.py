"""`mlgit run`: any command, in any language, as a run."""

from __future__ import annotations

import contextlib
import difflib
import functools
import json
import os
import signal
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mlgit.core import escape
from mlgit.core.compare import flatten
from mlgit.core.run import Run, State
from mlgit.errors import MlgitError, UsageError
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import borrow, live, own, recover, result, telling
from mlgit.store.place import Place
from mlgit.tracking import checkpoints, files, handed, lives, seen
from mlgit.tracking.begin import begin
from mlgit.tracking.command import execute, given, metrics_files, pipeline, refused
from mlgit.tracking.machine import watcher
from mlgit.tracking.notice import notify
from mlgit.tracking.options import RunOptions
from mlgit.tracking.together import sharing
from mlgit.tracking.wish import Wish

Through = Callable[[Sequence[str], Mapping[str, str], Path], tuple[Sequence[str], Mapping[str, str]]]
"""The words and the environment by which others are started elsewhere: in a container, for one."""
_SIGNALS = frozenset(map(int, signal.valid_signals()))


@dataclass(frozen=True, kw_only=True)
class Command:
    """What to run, and with what."""

    words: Sequence[str]
    params: Mapping[str, Any]
    """Given on the command line, dotted keys; they stand against the script's own."""
    inner: Collection[str] = ()
    """Those of *params* whose dots mean mappings, also where no params file has these."""
    metrics: Sequence[str] = ()
    """Metrics files, beside those that mlgit.yaml names."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables that it finds in its environment, whatever ours says."""
    base: Mapping[str, str] = field(default_factory=lambda: os.environ)
    """Its environment but for these and for what it is told of its run."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """What is known of its surroundings and is not so of ours, for `run.yaml`."""
    takes_wandb: bool = False
    """Whether `import wandb` means mlgit in it."""
    said: Sequence[str] = ()
    """The fields of the wish that were given on the command line: they stand against the script's own."""
    through: Through | None = None
    """What starts it, where it is not simply a process of ours."""
    beside: Callable[[Run], contextlib.AbstractContextManager[Mapping[str, str]]] | None = None
    """Entered while it is under way, with its run as it began; what it finds in its environment besides."""


@dataclass(frozen=True)
class Ended:
    """How it went: the run, now a branch, and the command's exit code."""

    run: Run
    exit_code: int
    signal: int | None = None
    """The one by which we were told to end."""


@dataclass(frozen=True, kw_only=True)
class _Begun:
    """A run that is alive, and the command as it is run."""

    opened: live.Live
    record: Run
    words: Sequence[str]
    env: Mapping[str, str]
    greeting: str
    """What a person is told when it begins."""


def run(home: Place, wish: Wish, command: Command, folder: Path) -> Ended:
    """Run *command* in *folder* as one run, and make it a branch.

    Params reach the program three ways: in the project's params file, put in for the time of the run; in the
    environment (`MLGIT_PARAM_<name>`, `MLGIT_PARAMS` as JSON, `MLGIT_PARAMS_FILE`); and as `{name}` in the command.
    Metrics come from `mlgit.log()` in the program, or from metrics files that it writes. `dvc repro` is a pipeline: its
    stages are run, and recorded one by one.
    """
    handed.hide_secrets()
    stages = pipeline.of(home, command.words, folder)
    file = _params_file(home, stages)
    params = given.by_file(command.params, folder)
    borrowed = _is_borrowed(home, file, params)
    with stages.alone() if stages else contextlib.nullcontext(), contextlib.ExitStack() as stack:
        may_change = params.files(file)
        held = {
            path: stack.enter_context(files.held(path, alone=path in may_change, notify=notify))
            for path in sorted({*may_change, *([file] if file and not borrowed else [])})
        }
        recover.recover_all(home.repo, notify)  # one that was killed may have borrowed the params file
        stated, texts = _stated(params, file, stages)
        begun = _begin(home, wish, command, folder, stated)
        if not stages and not command.takes_wandb:  # behind W&B's name a script says itself what its run is called
            notify(begun.greeting)
        stop_checkpoints = checkpoints.start(home, begun.opened, wish)
        metrics = metrics_files.before([] if stages else _metrics_files(home, command, folder))
        for path, release in held.items():
            if path not in texts:
                release()
        with files.in_place(texts, begun.opened.folder, notify):
            words = _staged(stages, begun, is_trial=bool(texts) or borrowed) if stages else begun.words
            came_out = _execute(home, wish, command, folder, begun, words)
    if stages and (why := refused.found(begun.opened.folder)):
        stop_checkpoints()
        result.discard(home.repo, begun.opened)
        raise why
    metrics_files.take(begun.opened, metrics, begun.record)
    if file and not stages and not wish.reproduces and not sharing.had_part(begun.opened.folder):
        _say_unread(handed.loose(command.words, params.own, stated), flatten(stated), file)
    ended = _ended(home, command, begun, came_out, has_stages=stages is not None)
    stop_checkpoints()
    return Ended(ended, came_out.code, came_out.signal)


def _metrics_files(home: Place, command: Command, folder: Path) -> list[Path]:
    """Those that the program may write; who runs stages takes them with theirs."""
    asked = home.settings.section("run", RunOptions).metrics
    return [*(home.settings.folder / name for name in asked), *(folder / name for name in command.metrics)]


def _execute(
    home: Place, wish: Wish, command: Command, folder: Path, begun: _Begun, words: Sequence[str]
) -> execute.Exit:  # fmt: skip
    options = home.settings.section("run", RunOptions).under(wish)
    with command.beside(begun.record) if command.beside else contextlib.nullcontext({}) as besides:
        env: Mapping[str, str] = {**begun.env, **besides}
        words, env = command.through(words, env, folder) if command.through else (words, env)
        return execute.execute(
            words, folder, env, begun.opened, console=options.console != "off",
            watch=functools.partial(_watched, begun, options),
        )  # fmt: skip


def _ended(home: Place, command: Command, begun: _Begun, came_out: execute.Exit, *, has_stages: bool) -> Run:
    """The run of a command that *came out*, now a branch; or let go, where it was only around others."""
    if has_stages:  # DVC itself has looked at their data
        return _end(home, begun.opened, _state(came_out), came_out.code)
    if _is_only_around_others(home.repo, begun, command, came_out.code):
        return result.discard(home.repo, begun.opened)
    seen.tell(home.repo, begun.opened, begun.record, _state(came_out))
    return _end(home, begun.opened, _state(came_out), came_out.code)


def foreseen(
    home: Place, words: Sequence[str], params: Mapping[str, Any], folder: Path
) -> tuple[pipeline.Pipeline, Mapping[Path, str]]:
    """The pipeline of *words*, and the params files that a run with *params* would change, as they would be then.

    Raises `UsageError` where there is no pipeline, or none that takes these params.
    """
    stages = pipeline.of(home, words, folder)
    if stages is None:
        raise UsageError("--dry-run is for the stages of dvc.yaml.")
    return stages, _stated(given.by_file(params, folder), _params_file(home, stages), stages)[1]


def _params_file(home: Place, stages: pipeline.Pipeline | None) -> Path | None:
    name = home.settings.section("run", RunOptions).params
    return home.settings.folder / name if name else stages.params if stages else None


def _stated(
    params: given.Given, file: Path | None, stages: pipeline.Pipeline | None
) -> tuple[Mapping[str, Any], Mapping[Path, str]]:
    """(what the params *file* states, the text of each params file that *params* change). Raises `UsageError`."""
    stated = files.read_params(file) if file else {}
    known = flatten(stated)
    if file:
        params.check_fit(known, file)
    if stages:
        stages.check(params.own, known, file)
    return stated, params.texts(file, known)


def _staged(stages: pipeline.Pipeline, begun: _Begun, *, is_trial: bool) -> list[str]:
    return stages.words(begun.opened.folder, is_trial=is_trial, greeting=begun.greeting)


def _say_unread(names: Sequence[str], known: Mapping[str, Any], file: Path) -> None:
    """Say which params a program that reads the params *file* did not find there."""
    for name in names:
        close = next(iter(difflib.get_close_matches(name, known, 1)), None)
        hint = (
            f"did you mean {close}?" if close else f"the program finds it in the environment alone (MLGIT_PARAM_{name})"
        )
        notify(f"{name} is not in {file.name}: {hint}")


def _is_borrowed(home: Place, file: Path | None, params: given.Given) -> bool:
    """Whether a run around this one has put its params into *file*. Raises `UsageError` where both would into one."""
    outer = handed.found().run_id
    if not live.is_id(outer):
        return False
    folder = live.folder_of(home.repo, outer)
    if both := next((path for path in params.files(file) if borrow.holds(folder, path)), None):
        raise UsageError(
            f"{both.name} is held by the run {outer}, inside of which this one would run.",
            why="Each of the two puts its own params into it.", fix="give -p to one of them only",
        )  # fmt: skip
    return bool(file and borrow.holds(folder, file))


def _begin(home: Place, wish: Wish, command: Command, folder: Path, stated: Mapping[str, Any]) -> _Begun:
    """The live run of *command*, with everything that it is handed."""
    params = handed.merged(stated, command.params, command.inner)
    from mlgit.tracking import indexes  # not when a script begins a run by itself

    about = {
        "by": "mlgit run",
        "indexes": indexes.known(folder) or None,
        "metrics_files": list(command.metrics),
        "takes_wandb": command.takes_wandb or None,
        **command.about,
    }
    life = lives.life(home, wish)
    opened, record = begin(home, replace(wish, given=tuple(command.params)), params, command.words, folder, about, life)
    told = opened.folder / "given.json"
    told.write_text(json.dumps(params, default=str))
    env = handed.environment(
        record.id, params=params, stated=stated, given=command.params, words=command.words, file=told,
        names=command.said, wish=wish, home=folder, base=command.base,
    )  # fmt: skip
    known = flatten(params) | {"params_file": told}
    words = [handed.filled(word, known) for word in command.words]
    greeting = f"run {escape.line(record.name, 60)} of {record.project}{life.words if life else ''}"
    return _Begun(opened=opened, record=record, words=words, env=env | dict(command.env), greeting=greeting)


def _is_only_around_others(repo: Repo, begun: _Begun, command: Command, exit_code: int) -> bool:
    """Whether the program had runs of its own, a sweep's for one, ended as the last of them did, and said no more.

    Nobody misses such a run; one that was named, or given params, is wanted all the same, unless another has them now.
    """
    folder = begun.opened.folder
    if own.of(folder) or not sharing.is_around_others(folder):
        return False
    if (command.said or command.params) and not (folder / handed.TAKEN).exists():
        return False
    return not exit_code or _went_wrong(repo, (folder / handed.INNER).read_text().split()[-1])


def _went_wrong(repo: Repo, run_id: str) -> bool:
    """Whether this run has ended, and not well; one that was killed becomes a branch for the question."""
    recover.recover_all(repo, notify)
    run = query.of_id(repo, run_id)
    return run is not None and run.state in (State.FAILED, State.CRASHED, State.PREEMPTED, State.PRUNED)


@contextlib.contextmanager
def _watched(begun: _Begun, wish: Wish, pid: int) -> Any:
    """Look at the machine meanwhile, and at the process *pid* with all that it starts."""
    stop = watcher.watch(
        begun.opened,
        begun.record.created + begun.record.paused,
        seconds=wish.system_seconds or 0,
        disk_paths=wish.disk_paths,
        pid=pid,
        warn=notify,
    )
    try:
        yield
    finally:
        stop()


def _state(came_out: execute.Exit) -> State:
    if came_out.signal == signal.SIGTERM or came_out.code == 128 + signal.SIGTERM:
        return State.PREEMPTED
    if came_out.code and (came_out.signal == signal.SIGINT or came_out.code - 128 in _SIGNALS):
        return State.CRASHED
    return State.FAILED if came_out.code else State.FINISHED


def _end(home: Place, opened: live.Live, state: State, exit_code: int) -> Run:
    """The run of *opened*, now a branch; still without a commit where git or the disk refuses, which is said."""
    about: dict[str, Any] = {"state": state.value, "time": time.time()}
    try:
        opened.event(end=about | ({"exit_code": exit_code} if exit_code else {}))
        return result.record(home.repo, opened.folder, opened.lock)
    except (MlgitError, OSError) as exc:
        notify(f"the run is not a branch yet: {exc}\nIt is kept in {opened.folder}.")
        return replace(telling.read(opened.folder).run, state=state)
    finally:
        opened.close()
