"""The Python door's own state: at most one current run a process, begun by `init()`, ended by `finish()` or the end."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from mlgit.core import refs
from mlgit.core.compare import flatten
from mlgit.errors import UsageError
from mlgit.store import live, recover
from mlgit.store.place import Place
from mlgit.tracking import begin, console, values
from mlgit.tracking.active import ActiveRun, exit_code
from mlgit.tracking.begin import Wish, notify
from mlgit.tracking.options import RunOptions

JOIN, FIXED, GIVEN, LOOSE = "MLGIT_RUN_ID", "MLGIT_FIXED", "MLGIT_GIVEN", "MLGIT_LOOSE"
"""By these `mlgit run` tells the script inside which run it takes part in, which params stand, which names, and which
params only a script that asks for them will find."""

_current: ActiveRun | None = None
_trouble: str | None = None
_exit_code: int | None = None


def init(
    project: str | None = None,
    config: Any = None,
    name: str | None = None,
    group: str | None = None,
    tags: Sequence[str] | None = None,
    notes: str | None = None,
    job_type: str | None = None,
    dir: str | os.PathLike[str] | None = None,
    mode: str | None = None,
    id: str | None = None,
    entity: str | None = None,
) -> ActiveRun:
    """Begin a run; it becomes the branch `exp/<project>/<name>-<id>` when it ends.

    *config*: the params, a mapping or an argparse namespace; what the project's params file states stands against
    them, as `-p` of `mlgit run` does. *dir*: the folder whose repository and project record it, instead of the current
    one. *mode*: `online` and `offline` are one here (nothing is sent until `mlgit sync`); `disabled` records nothing.
    *entity* means nothing without a server. Inside `mlgit run` the script takes part in the run that is under way.
    Outside of any repository the run goes to a scratch repository. A second `init()` returns the run that is under way.

    Raises `UsageError` for names that cannot be, `ConfigError` for a wrong mlgit.yaml, `GitError` where git refuses.
    """
    global _current
    if _current is not None:
        notify(f"{_current.name} is under way; finish() it to begin another")
        _current.config.update(values.as_params(config), allow_val_change=True)
        return _current
    mode = mode or os.environ.get("MLGIT_MODE") or os.environ.get("WANDB_MODE") or "online"
    if mode not in ("online", "offline", "disabled"):
        raise UsageError(f"There is no mode {mode!r}.", fix="online, offline or disabled")
    if entity:
        notify(f"the entity {str(entity)!r} means nothing here: whose the runs are, the repository says")
    tags = (tags,) if isinstance(tags, str) else tuple(map(str, tags or ()))
    params = values.as_params(config)
    if mode == "disabled":
        from mlgit.tracking.disabled import DisabledRun

        _current = DisabledRun(params, name=name or "disabled", project=project or "")
        _current.at_end = _forget
        return _current
    folder = Path(dir) if dir is not None else Path.cwd()
    home = begin.place_for(folder)
    wish = Wish(
        name=_text(name), id=_text(id), project=refs.component(str(project), "project") if project else None,
        group=_text(group), job_type=_text(job_type), notes=_text(notes), tags=tuple(map(values.text, tags)),
    )  # fmt: skip
    joined = os.environ.get(JOIN)
    if joined and live.is_id(joined) and live.folder_of(home.repo, joined).exists():
        _current = _join(home, joined, wish, params)
    else:
        if wish.id:
            _check_free(home, wish.id)
        with _stated(home) as stated:
            opened = begin.begin(home, wish, stated or params, _command(), folder)
        record = live.read(opened.folder).run
        _current = ActiveRun(home, opened, replace(record, params=stated or params), fixed=names_of(stated))
        if stated:
            _current.config.update(params, allow_val_change=True)
        notify(f"run {record.name} of {record.project}")
        console.attach(opened.output)
    _current.at_end = functools.partial(_forget, _current)
    _watch()
    return _current


@contextlib.contextmanager
def _stated(home: Place) -> Iterator[dict[str, Any]]:
    """What the project's params file states, with nobody else's `-p` in it; nothing where there is no such file."""
    name = home.settings.section("run", RunOptions).params
    if name is None:
        recover.recover_all(home.repo, notify)
        yield {}
        return
    from mlgit.tracking import files  # a project without the file needs no reader

    path = home.settings.folder / name
    with files.held(path, alone=False, notify=notify):
        recover.recover_all(home.repo, notify)  # one that was killed may have borrowed the file
        yield files.read_params(path)


def names_of(stated: Mapping[str, Any]) -> frozenset[str]:
    """The dotted names of what is *stated*; an empty mapping states nothing."""
    return frozenset(name for name, value in flatten(stated).items() if value != {})


def _text(value: object) -> str | None:
    return None if value is None else values.text(str(value))


def _check_free(home: Place, run_id: str) -> None:
    """Raise `UsageError` where a run of this id exists: two of one id could not be told apart."""
    from mlgit.index import query

    if known := next((run for run in query.runs(home.repo) if run.id == run_id), None):
        raise UsageError(
            f"There is a run with the id {run_id!r}: {known.branch or known.name}.",
            fix="leave the id out, or choose one",
        )


def _forget(ending: ActiveRun | None = None) -> None:
    """The current run ends, by whatever way: the next `init()` begins another."""
    global _current
    if ending and ending.is_joined:
        for text in ending.config.misspelt(name for name in os.environ.get(LOOSE, "").split("\n") if name):
            notify(text)
    _current = None
    console.detach()


def _join(home: Place, run_id: str, wish: Wish, params: Mapping[str, Any]) -> ActiveRun:
    opened = live.Live(live.folder_of(home.repo, run_id))
    asked = {
        key: value
        for key in ("name", "project", "group", "job_type", "notes", "tags")
        if (value := getattr(wish, key)) and key not in os.environ.get(GIVEN, "").split(",")
    }
    if asked:
        opened.event(set=asked)
    record = live.read(opened.folder).run
    fixed = frozenset(key for key in os.environ.get(FIXED, "").split("\n") if key)
    active = ActiveRun(home, opened, record, owns=False, fixed=fixed)
    active.config.update(params, allow_val_change=True)
    return active


def _command() -> list[str]:
    """The command line of this process, as a person would give it."""
    program = sys.argv[0] if sys.argv else ""
    if program and Path(program).is_file():
        return ["python", _near(program), *sys.argv[1:]]
    return ["python", *([program] if program else []), *sys.argv[1:]]


def _near(path: str) -> str:
    try:
        return str(Path(path).resolve().relative_to(Path.cwd()))
    except ValueError:
        return path


def current() -> ActiveRun | None:
    """The run that is under way, or None."""
    return _current


def active() -> ActiveRun:
    """The run that is under way. Raises `UsageError` where none is."""
    if _current is None:
        raise UsageError("There is no run.", fix="call mlgit.init() first")
    return _current


def log(data: Mapping[str, Any], step: int | None = None, commit: bool | None = None) -> None:
    """`log` of the run that is under way."""
    (_current or active()).log(data, step, commit)


def log_artifact(path: str | os.PathLike[str], name: str | None = None, type: str = "file") -> Any:
    """`log_artifact` of the run that is under way."""
    return active().log_artifact(path, name=name, type=type)


def finish(exit_code: int | None = None) -> None:
    """End the run that is under way and make it a branch; without one, nothing happens."""
    global _current, _trouble, _exit_code
    if _current is None:
        return
    ending, _current = _current, None
    ending.finish(exit_code if exit_code is not None else _exit_code, error=_trouble)
    _trouble = _exit_code = None


def login(*_args: Any, **_kwargs: Any) -> bool:
    """True: there is no server, so nobody has to log in. Takes whatever a W&B script gives."""
    notify("no login is needed: runs are branches of this repository")
    return True


_watching = False


def _watch() -> None:
    """End the run with the process, and know why the process ends."""
    global _watching
    if _watching:
        return
    _watching = True
    owner = os.getpid()
    before_except, before_exit = sys.excepthook, sys.exit

    def on_exception(kind: type[BaseException], exc: BaseException, tb: TracebackType | None) -> None:
        global _trouble, _exit_code
        import traceback

        if hasattr(sys, "ps1"):  # at a prompt an exception ends a line, not the process
            before_except(kind, exc, tb)
            return
        interrupted = issubclass(kind, KeyboardInterrupt)
        _trouble = "".join(traceback.format_exception(kind, exc, tb))
        _exit_code = 128 + signal.SIGINT if interrupted else 1
        before_except(kind, exc, tb)
        if interrupted:
            atexit.register(end_by_interrupt)  # registered last, so that it comes first: it runs the others itself

    def on_exit(code: Any = None, /) -> None:
        global _exit_code
        _exit_code = exit_code(code)
        before_exit(code)

    def at_end() -> None:
        if os.getpid() == owner:
            finish()

    sys.excepthook = on_exception
    sys.exit = on_exit  # type: ignore[assignment]
    atexit.register(at_end)


def end_by_interrupt() -> None:
    """End this process as Ctrl-C ends any other, so that a shell's loop around it ends too; exit handlers run first.

    Python would do so itself, but forgets the interrupt when a module is loaded after it.
    """
    atexit.unregister(end_by_interrupt)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)


class _Current:
    """`mlgit.config` and `mlgit.summary`: whatever the run that is under way has there."""

    def __init__(self, part: str) -> None:
        object.__setattr__(self, "_part", part)

    def _target(self) -> Any:
        return getattr(active(), object.__getattribute__(self, "_part"))

    def __getattr__(self, key: str) -> Any:
        return getattr(self._target(), key)

    def __setattr__(self, key: str, value: Any) -> None:
        setattr(self._target(), key, value)

    def __getitem__(self, key: str) -> Any:
        return self._target()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._target()[key] = value

    def __contains__(self, key: object) -> bool:
        return key in self._target()

    def __iter__(self) -> Any:
        return iter(self._target())

    def __len__(self) -> int:
        return len(self._target())

    def __repr__(self) -> str:
        return repr(self._target()) if _current else f"<mlgit {object.__getattribute__(self, '_part')}: no run>"


config = _Current("config")
summary = _Current("summary")
