"""The Python door's own state: the runs of this process, begun by `init()`, ended by `finish()` or with the process."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Concatenate, ParamSpec, TypeVar

from mlgit.artifacts import ties
from mlgit.core.run import State
from mlgit.errors import UsageError
from mlgit.public.notebook import is_notebook
from mlgit.store import place
from mlgit.tracking import begin, ending, handed, meant, pinned
from mlgit.tracking import wish as wishes
from mlgit.tracking.configs import as_params, chosen
from mlgit.tracking.notice import notify
from mlgit.tracking.run.active import ActiveRun
from mlgit.tracking.wish import Assigned, Settings, Wish

assigned: ContextVar[Assigned | None] = ContextVar("assigned", default=None)
"""What a sweep has decided for the next run of this thread."""

_NOTHING: Mapping[str, Any] = MappingProxyType({})
P = ParamSpec("P")
R = TypeVar("R")

_current: ActiveRun | None = None
_open: list[ActiveRun] = []
"""Every run of this process that has not ended, in the order of their beginning."""


def init(
    entity: str | None = None,
    project: str | None = None,
    dir: str | os.PathLike[str] | None = None,
    id: str | None = None,
    name: str | None = None,
    notes: str | None = None,
    tags: Sequence[str] | None = None,
    config: Any = None,
    config_exclude_keys: Sequence[str] | None = None,
    config_include_keys: Sequence[str] | None = None,
    allow_val_change: bool | None = None,
    group: str | None = None,
    job_type: str | None = None,
    mode: str | None = None,
    force: bool | None = None,
    reinit: bool | str | None = None,
    resume: bool | str | None = None,
    resume_from: str | None = None,
    fork_from: str | None = None,
    save_code: bool | None = None,
    tensorboard: bool | None = None,
    sync_tensorboard: bool | None = None,
    monitor_gym: bool | None = None,
    settings: Settings | Mapping[str, Any] | None = None,
    anonymous: Any = None,
    magic: Any = None,
) -> ActiveRun:
    """Begin a run and return it; it becomes the branch `exp/<project>/<name>-<id>` when it ends.

        with mlgit.init(project="digits", config={"lr": 0.1}) as run:
            run.log({"loss": 0.3})

    *config*: the params, as a mapping, an argparse namespace or a file's path; *config_include_keys* or
    *config_exclude_keys* choose among them. What the project's params file, or `-p` of `mlgit run`, states stands
    against them. *allow_val_change*: `run.config` may change a value that was set. *project*, *name*, *group*,
    *job_type*, *tags*, *notes*: how it is called and filed; mlgit.yaml names the project, and a random name is made,
    unless given. *dir*: where it is recorded if the current folder is in no repository; then a scratch repository of
    the user's serves otherwise. *save_code* off: no snapshot of uncommitted code.

    *mode*: `online` and `offline` are one here (nothing is sent until `mlgit sync`); `disabled` records nothing;
    `shared` takes part in the run *id* where another process has begun it. *resume* with an *id*: `allow` goes on with
    that run or begins it, `must` raises where there is none, `never` where there is one; `auto`, or True, goes on with
    the project's last run that did not finish. *resume_from* and *fork_from*, `<run id>?_step=<step>`: that run, or
    another, goes on from there.
    *reinit* says what becomes of a run that is under way: `return_previous` (the default in scripts),
    `finish_previous` (the default in notebooks) or `create_new`, beside it. Inside `mlgit run` the script's first run
    is the one that is under way.

    *sync_tensorboard* (or *tensorboard*) takes along what is written for TensorBoard, *monitor_gym* what Gymnasium
    films. What is not given is read from *settings*, then from the environment (`MLGIT_PROJECT`, or `WANDB_PROJECT`,
    …). *entity*, *force*, *anonymous* and *magic* are W&B's and mean nothing here.

    Raises `UsageError` for names and choices that cannot be, `TypeError` for a *config* that is none, `ConfigError` for
    a wrong mlgit.yaml or config file, `GitError` where git refuses.
    """
    global _current
    wish = wishes.settle(
        {
            "project": project, "folder": None if dir is None else os.fspath(dir), "id": id, "name": name,
            "notes": notes, "tags": tags, "allow_val_change": allow_val_change, "group": group, "job_type": job_type,
            "mode": mode, "reinit": reinit, "resume": resume, "resume_from": resume_from, "fork_from": fork_from,
            "save_code": save_code, "sync_tensorboard": sync_tensorboard or tensorboard,
        },
        settings,
    )  # fmt: skip
    trial = assigned.get()
    if trial and any(run in _open for run in trial.runs):
        trial = None  # a second run, beside the trial's
    if trial:
        wish = trial.over(wish)
    if entity:
        notify(f"the entity {str(entity)!r} means nothing here: whose the runs are, the repository says")
    params = chosen(_defaults(wish) | as_params(config), config_include_keys, config_exclude_keys)
    if (going := _under_way(wish)) is not None:
        return going
    given = dict(trial.params) if trial else {}
    begun = _disabled(wish, params | given) if wish.mode == "disabled" else meant.run_of(wish, params, given)
    _follow_tensorboard(begun, wish)
    if monitor_gym and wish.mode != "disabled":
        monitor_gymnasium()
    begun.at_end.append(functools.partial(_forget, begun))
    begun.after_end.append(_rest)
    _open.append(begun)
    if wish.reinit != "create_new":
        _current = begun
    ending.watch(_finish_all)
    if trial:
        trial.runs.append(begun)
    return begun


def _under_way(wish: Wish) -> ActiveRun | None:
    """The run that `init` returns in place of a new one; where the new one is to be the only one, all others end."""
    global _current
    if _current is not None and _current.is_inherited:
        _current = None  # a fork's first run is its own, as in W&B
    under_way = [run for run in _open if not run.is_inherited]
    if not under_way or wish.reinit == "create_new":
        return None
    if wish.reinit == "return_previous" or (wish.reinit == "default" and not is_notebook()):
        if wish.resume == "must":
            fix = "finish() it, or init(reinit='create_new')"
            raise UsageError(f"Another run is under way, {under_way[-1].name}: no run can be resumed.", fix=fix)
        notify(f"{under_way[-1].name} is under way; finish() it to begin another, or init(reinit='create_new')")
        return under_way[-1]
    for run in reversed(under_way):
        run.finish()
    return None


def _follow_tensorboard(run: ActiveRun, wish: Wish) -> None:
    """Take what is written for TensorBoard into *run*, where its wish, or `tensorboard.patch()`, asks for it."""
    module = sys.modules.get("mlgit.tracking.events.following")
    if wish.mode != "disabled" and (wish.sync_tensorboard or (module and module.is_wanted())):
        from mlgit.tracking.events import following

        following.follow(run)


def _defaults(wish: Wish) -> dict[str, Any]:
    """The params of `config-defaults.yaml` in the current folder, where there is one, and of the files of the wish."""
    defaults = Path("config-defaults.yaml")
    files = [*([defaults] if defaults.is_file() else []), *map(Path, wish.config_paths)]
    found: dict[str, Any] = {}
    for path in files:
        found |= as_params(path)
    return found


def _disabled(wish: Wish, params: dict[str, Any]) -> ActiveRun:
    from mlgit.tracking.run.disabled import DisabledRun

    return DisabledRun(params, wish)


def _forget(ended: ActiveRun) -> None:
    """*ended* is under way no more, whatever way it ended."""
    global _current
    if ended.is_joined and not pinned.is_again():
        for text in ended.config._misspelt(handed.found().loose):
            notify(text)
    if ended in _open:
        _open.remove(ended)
    if _current is ended:
        _current = None


def _rest() -> None:
    if not _open:
        ending.rest()


def current() -> ActiveRun | None:
    """The run that `log()` of this module logs to, or None."""
    return _current


def active() -> ActiveRun:
    """The run that `log()` of this module logs to. Raises `UsageError` where none is under way."""
    if _current is None:
        raise UsageError("There is no run.", fix="call mlgit.init() first")
    return _current


def log(data: Mapping[str, Any] = _NOTHING, step: int | None = None, commit: bool | None = None) -> None:
    """Record metrics in the run that is under way: `mlgit.log({"loss": 0.3})`.

    Each call is a step of its own, unless *step* says which; with `commit=False` the step stays open for the next call,
    and a call without *data* ends it. Raises `UsageError` where no run is under way, else as `Run.log` does.
    """
    (_current or active()).log(data, step, commit)


def _of_current(method: Callable[Concatenate[ActiveRun, P], R]) -> Callable[P, R]:
    """The same for the run that is under way; it raises `UsageError` where none is."""

    @functools.wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        found: R = getattr(active(), method.__name__)(*args, **kwargs)
        return found

    shown = inspect.signature(method)  # in help, without the run itself
    call.__signature__ = shown.replace(parameters=[*shown.parameters.values()][1:])  # type: ignore[attr-defined]  # inspect's
    return call


alert = _of_current(ActiveRun.alert)
define_metric = _of_current(ActiveRun.define_metric)
link_model = _of_current(ActiveRun.link_model)
log_artifact = _of_current(ActiveRun.log_artifact)
log_model = _of_current(ActiveRun.log_model)


def restore(
    name: str, run_path: str | None = None, replace: bool = False, root: str | os.PathLike[str] | None = None
) -> IO[str] | None:
    """A file of a run, brought and opened to read, as `Run.restore` of the run that is under way does.

    Where none is, *run_path* names the run, and *root* is the current folder unless given. The caller closes the file.
    Raises `NotFoundError`, `UsageError` where no run is under way and none is named.
    """
    if _current is not None or run_path is None:
        return active().restore(name, run_path, replace, None if root is None else os.fspath(root))
    from mlgit.artifacts import manifest
    from mlgit.tracking.run import saving

    target = Path(root or ".") / manifest.inside(name)
    if replace or not target.is_file():
        home = begin.place_for(place.here())
        saving.bring_of(home.repo, run_path, name, target, project=home.settings.project)
    return target.open(encoding="utf-8", errors="surrogateescape")


save = _of_current(ActiveRun.save)
use_artifact = _of_current(ActiveRun.use_artifact)
use_model = _of_current(ActiveRun.use_model)
watch = _of_current(ActiveRun.watch)
unwatch = _of_current(ActiveRun.unwatch)


def monitor_gymnasium() -> None:
    """Log every video that Gymnasium's `RecordVideo` writes from now on, to the run that is under way then."""
    from mlgit.tracking import filming

    filming.monitor(current)


def finish(exit_code: int | None = None, quiet: bool | None = None) -> None:
    """End the run that is under way and make it a branch; without one, nothing happens.

    An *exit_code* other than 0 makes it `failed`. *quiet* is W&B's and changes nothing.
    """
    if _current is not None:
        _current.finish(exit_code)


def teardown(exit_code: int | None = None) -> None:
    """End every run of this process."""
    _finish_all(exit_code, None)


def ensure_configured() -> None:
    """Nothing: settings are read when a run begins."""


def attach(
    attach_id: str | None = None, run_id: str | None = None, *, run: ActiveRun | None = None
) -> ActiveRun:  # fmt: skip
    """The run with the id *run_id*, in this process too: another thread or another process has begun it.

    One that was handed over as *run* is returned as it is. Raises `UsageError` where no run of this id is under way.
    *attach_id* is W&B's older word for *run_id*.
    """
    return run or taken_up(run_id or attach_id or "", Path.cwd())


def taken_up(run_id: str, folder: Path) -> ActiveRun:
    """The run *run_id* of the repository of *folder*: this process's own object, or one that takes part in it."""
    global _current
    for one in _open:
        if one.id == run_id and not one.is_inherited:
            return one
    from mlgit.tracking.together import sharing

    handed.hide_secrets()
    taken = sharing.take_up(begin.place_for(folder), run_id)
    taken.at_end.append(functools.partial(_forget, taken))
    _open.append(taken)
    if _current is None or _current.is_inherited:
        _current = taken
    return taken  # whose end is another process's: how this one ends is nobody's concern


ActiveRun.taken_up = staticmethod(taken_up)


def _finish_all(exit_code: int | None, error: str | None, state: State | None = None) -> None:
    """The process ends: so do its runs, the last one first."""
    for run in reversed(list(_open)):
        run.finish(exit_code, error=error, state=state)


def login(*_args: Any, **_kwargs: Any) -> bool:
    """True: there is no server, so nobody has to log in. Takes whatever a W&B script gives."""
    notify("no login is needed: runs are branches of this repository")
    return True


def _log(artifact: Any, project: str | None) -> None:
    """Log a draft that is saved by itself: into the run that is under way, or one of its own."""
    if _current is not None:
        _current.log_artifact(artifact)
        return
    with init(project=project, job_type="auto") as run:
        run.log_artifact(artifact)


def _create(project: str, run_id: str | None) -> str:
    """The path of a run that begins and ends, beside those that are under way."""
    with init(project=project, id=run_id, reinit="create_new") as run:
        return f"{run.project}/{run.id}"


ties.hand_over(log=_log, create=_create)


class _Current:
    """`mlgit.config` and `mlgit.summary`: whatever the run that is under way has there."""

    def __init__(self, part: str, help: str) -> None:
        object.__setattr__(self, "_part", part)
        object.__setattr__(self, "__doc__", help)

    def _target(self) -> Any:
        return getattr(active(), object.__getattribute__(self, "_part"))

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]  # as __getattr__ has it
        found: dict[str, Any] = vars(self._target())  # Transformers looks into it
        return found

    def __getattr__(self, key: str) -> Any:
        if key.startswith("__"):  # Python and `help` ask for these where no run is under way
            raise AttributeError(key)
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


config = _Current(
    "config",
    """The params of the run that is under way, as `run.config` has them: `mlgit.config.lr`, `mlgit.config["lr"]`.

    A value once set changes only through `mlgit.config.update({"lr": 0.2}, allow_val_change=True)`; what was given from
    outside (`mlgit run -p`, a sweep) stands. Raises `UsageError` where no run is under way.
    """,
)
summary = _Current(
    "summary",
    """The metrics of the run that is under way, as `run.summary` has them: `mlgit.summary["best_accuracy"] = 0.98`.

    It holds the last value of everything logged, unless `define_metric` asks for another, and whatever is set here.
    Raises `UsageError` where no run is under way.
    """,
)
