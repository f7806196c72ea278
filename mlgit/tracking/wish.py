"""What a script wants of its run: its own words first, then its `Settings`, then the environment's."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mlgit.core import refs, values
from mlgit.errors import UsageError

MODES = {"online": "online", "run": "online", "offline": "offline", "dryrun": "offline", "shared": "shared",
         "disabled": "disabled"}  # fmt: skip
"""W&B's modes → ours; `online` and `offline` mean the same here: nothing is sent until `mlgit sync`."""
RESUME = ("allow", "must", "never", "auto")
REINIT = ("default", "return_previous", "finish_previous", "create_new")
CONSOLE = ("auto", "off", "wrap", "redirect", "wrap_raw", "wrap_emu")
_LONGEST = 86400.0 * 365
"""Seconds; the kernel refuses to wait for much more, and no run lasts as long."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What its author wants a run to be called, filed under and to record. None: nothing was said."""

    name: str | None = None
    id: str | None = None
    project: str | None = None
    group: str | None = None
    job_type: str | None = None
    sweep: str | None = None
    notes: str | None = None
    reruns: str | None = None
    """The id of the run whose recipe it follows."""
    reproduces: str | None = None
    """The id of the run that it makes again."""
    tags: Sequence[str] = ()
    given: Sequence[str] = ()
    """The params that come from outside, by name."""
    mode: str = "online"
    folder: str | None = None
    """Where it is recorded if the current folder is in no repository."""
    resume: str | None = None
    """One of `RESUME`."""
    resume_from: str | None = None
    """`<run id>?_step=<step>`: the run goes on from there, what came later is taken back."""
    fork_from: str | None = None
    """The same, but another run goes on from there."""
    reinit: str = "default"
    """One of `REINIT`: what a second `init()` does."""
    console: str | None = None
    """One of `CONSOLE`."""
    system_seconds: float | None = None
    """Between two looks at the machine; 0: none."""
    disk_paths: Sequence[str] = ("/",)
    """The places whose disks are looked at."""
    checkpoint_seconds: float | None = None
    """Between two commits of a run that is under way; 0: none."""
    join_seconds: float = 30.0
    """How long another process than the first of several waits for the first one's run."""
    is_primary: bool = True
    """Of those that share a run (`mode="shared"`), whether this process may begin it; any other only takes part."""
    push: bool | None = None
    """Whether such commits, and the last one, are pushed to the remote."""
    save_code: bool = True
    sync_tensorboard: bool = False
    allow_val_change: bool = False
    takes_whole_tables: bool = False
    """Whether a table with too many rows is refused, not cut off."""
    config_paths: Sequence[str] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What its `Settings` were given, by their own names."""


@dataclass(frozen=True, kw_only=True)
class Assigned:
    """What a sweep has decided for the next run: its params, which stand, and what it is filed under."""

    sweep: str
    project: str
    params: Mapping[str, Any]
    wish: Mapping[str, Any]
    """What the run is called where its script does not say."""
    runs: list[Any] = field(default_factory=list)
    """What its script has begun so far: one run, unless it ended that and goes on with it."""

    def over(self, wish: Wish) -> Wish:
        """*wish* as it is to be; the sweep and its project are not the script's to choose."""
        free = {name: value for name, value in self.wish.items() if not getattr(wish, name)}
        if self.runs:
            free |= {"id": self.runs[0].id, "resume": "must"}
        return replace(wish, sweep=self.sweep, project=self.project, **free)


def _flag(text: str) -> bool:
    return text.strip().lower() in ("1", "true", "yes", "on")


def _interval(text: str) -> float:
    """Seconds, at most `_LONGEST`. Raises `ValueError`."""
    if (found := float(text)) <= _LONGEST:
        return found
    raise ValueError(text)


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


# Variable, without MLGIT_ or WANDB_ → (the wish it fills, how its text is read).
_VARIABLES: Mapping[str, tuple[str, Any]] = {
    "PROJECT": ("project", str), "NAME": ("name", str), "RUN_GROUP": ("group", str), "JOB_TYPE": ("job_type", str),
    "NOTES": ("notes", str), "TAGS": ("tags", _list), "DIR": ("folder", str), "MODE": ("mode", str),
    "RESUME": ("resume", str), "SWEEP_ID": ("sweep", str), "CONSOLE": ("console", str), "REINIT": ("reinit", str),
    "SAVE_CODE": ("save_code", _flag), "CONFIG_PATHS": ("config_paths", _list),
    "CHECKPOINT": ("checkpoint_seconds", str), "PUSH": ("push", _flag), "SYSTEM_SECONDS": ("system_seconds", _interval),
}  # fmt: skip

# Option of W&B's Settings → the wish it fills.
_SETTINGS: Mapping[str, str] = {
    "project": "project", "run_name": "name", "run_id": "id", "run_group": "group", "run_job_type": "job_type",
    "run_notes": "notes", "run_tags": "tags", "root_dir": "folder", "mode": "mode", "resume": "resume",
    "resume_from": "resume_from", "fork_from": "fork_from", "reinit": "reinit", "sweep_id": "sweep",
    "console": "console", "save_code": "save_code", "sync_tensorboard": "sync_tensorboard",
    "allow_val_change": "allow_val_change", "config_paths": "config_paths",
    "x_stats_sampling_interval": "system_seconds", "x_stats_disk_paths": "disk_paths",
    "checkpoint": "checkpoint_seconds", "push": "push",
    "init_timeout": "join_seconds", "x_primary": "is_primary",
    "table_raise_on_max_row_limit_exceeded": "takes_whole_tables",
}  # fmt: skip
_OTHER = frozenset(("silent", "quiet", "x_disable_stats", "_disable_stats", "disable_git", "disable_code"))
_SERVER = frozenset(
    """
    allow_offline_artifacts anonymous api_key app_url_override azure_account_url_to_access_key base_url code_dir
    capture_loggers console_multipart console_chunk_max_bytes console_chunk_max_seconds credentials_file
    disable_git_fork_point disable_job_creation docker email entity finish_timeout finish_timeout_raises force
    git_commit git_remote git_remote_url git_root heartbeat_seconds host http_proxy https_proxy identity_token_file
    ignore_globs insecure_disable_ssl job_name job_source label_disable launch launch_config_path
    login_timeout max_end_of_run_history_metrics max_end_of_run_summary_metrics notebook_name organization program
    program_abspath program_relpath relogin resumed sagemaker_disable settings_system show_colors show_emoji
    show_errors show_info show_warnings start_method stop_fn stop_on_fatal_error strict summary_timeout
    summary_warnings sweep_param_path symlink use_dot_wandb username
    allow_media_symlink deployment files_dir is_local log_dir project_url run_mode run_url sweep_url sync_dir timespec
    wandb_dir
    """.split()
)
"""What W&B's own settings call things that concern its server or its own process: taken, and without effect."""
_NAMES = _SETTINGS.keys() | _OTHER | _SERVER


class Settings:
    """W&B's `Settings`: options for `init(settings=…)`, by name.

    Those that concern W&B's server or its own process (`base_url`, every `x_…` but those of system metrics) are taken
    and mean nothing; `init_timeout` is how long a rank waits for the run of rank 0, there being no server to wait for.
    Raises `UsageError` for a name that nobody knows.
    """

    _options: dict[str, Any]

    def __init__(self, **options: Any) -> None:
        vars(self)["_options"] = {}
        self.update(options)

    @classmethod
    def of(cls, wish: Wish) -> Settings:
        """What was settled for the run of *wish*, and what was given besides, as it was."""
        return cls(**{**{name: getattr(wish, own) for name, own in _SETTINGS.items()}, **wish.settings})

    def update(self, options: Mapping[str, Any] | None = None, **more: Any) -> None:
        """Set several at once."""
        for name, value in {**(options or {}), **more}.items():
            if name not in _NAMES and not name.startswith(("x_", "_")):
                import difflib

                close = difflib.get_close_matches(name, sorted(_NAMES), 1)
                raise UsageError(f"There is no setting {name!r}.", fix=f"did you mean {close[0]}?" if close else "")
            self._options[name] = value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_options":
            raise AttributeError(name)
        if name in self._options or name in _NAMES or name.startswith("x_"):
            return self._options.get(name, False if name in _OTHER else None)
        raise AttributeError(f"there is no setting {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Names and values, as `dict(settings)` asks for them."""
        return iter(self._options.items())

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in self._options.items())})"

    update_from_dict = update

    def model_dump(self) -> dict[str, Any]:
        """What was set, as plain data."""
        return dict(self._options)

    def copy(self) -> Settings:
        """Another one that says the same."""
        return Settings(**self._options)

    model_copy = __copy__ = copy

    def as_wishes(self) -> dict[str, Any]:
        """What of it concerns a run, by the names of `Wish`."""
        found = {wish: self._options[name] for name, wish in _SETTINGS.items() if self._options.get(name) is not None}
        if self._options.get("x_disable_stats") or self._options.get("_disable_stats"):
            found["system_seconds"] = 0.0
        if self._options.get("disable_code"):
            found["save_code"] = False
        return found


_chosen = Settings()
"""What `setup()` said for every run of this process."""
_last: Settings | None = None
"""What the last `init()` said."""


def setup(settings: Settings | Mapping[str, Any] | None = None) -> Settings:
    """Say once for every run of this process what `init(settings=…)` would say for one."""
    if settings is not None:
        _chosen.update(settings._options if isinstance(settings, Settings) else settings)
    return _chosen


def variable(name: str, env: Mapping[str, str] = os.environ) -> str | None:
    """The environment's `MLGIT_<name>`, or its twin `WANDB_<name>`; None where neither says anything."""
    return env.get(f"MLGIT_{name}") or env.get(f"WANDB_{name}") or None


def is_silent() -> bool:
    """Whether nobody wants to hear what mlgit has to say."""
    return (
        any(said and (said.silent or said.quiet) for said in (_chosen, _last))
        or _flag(variable("SILENT") or "")
        or _flag(variable("QUIET") or "")
    )


def settle(own: Mapping[str, Any], settings: Settings | Mapping[str, Any] | None = None) -> Wish:
    """The wish of a script that says *own* to `init()`, with what its settings and its environment say beside it.

    Whether it is to be silent counts from now on. Raises `UsageError` for a choice that does not exist.
    """
    global _last
    _last = given = settings if isinstance(settings, Settings) or settings is None else Settings(**settings)
    found: dict[str, Any] = _of_environment()
    found |= _chosen.as_wishes()
    found |= given.as_wishes() if given else {}
    found |= {name: value for name, value in own.items() if value is not None}
    found["settings"] = {**_chosen.model_dump(), **(given.model_dump() if given else {})}
    for name in ("name", "id", "project", "group", "job_type", "notes", "sweep"):
        if name in found:
            found[name] = values.text(str(found[name]))
    if found.get("project"):
        found["project"] = refs.project(found["project"])
    tags = found.get("tags") or ()
    found["tags"] = tuple(dict.fromkeys(values.text(str(tag)) for tag in ((tags,) if isinstance(tags, str) else tags)))
    if isinstance(every := found.get("checkpoint_seconds"), str):
        found["checkpoint_seconds"] = seconds(every)
    found["resume"] = _resume(found.get("resume"))
    found["reinit"] = _reinit(found.get("reinit"))
    wish = Wish(**{name: value for name, value in found.items() if value is not None})
    return replace(
        wish, mode=MODES[_one_of("mode", wish.mode, tuple(MODES))],
        console=wish.console and _one_of("console", wish.console, CONSOLE),
    )  # fmt: skip


def _of_environment() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, (wish, read) in _VARIABLES.items():
        if text := variable(name):
            try:
                found[wish] = read(text)
            except ValueError:
                raise UsageError(
                    f"MLGIT_{name} is {text[:80]!r}, which is no number of seconds from 0 to a year."
                ) from None
    if (run_id := os.environ.get("WANDB_RUN_ID")) is not None:  # MLGIT_RUN_ID names the run to take part in
        found["id"] = run_id
    if _flag(variable("DISABLED") or ""):
        found["mode"] = "disabled"
    if _flag(variable("DISABLE_CODE") or ""):
        found["save_code"] = False
    return found


def seconds(text: str) -> float:
    """The seconds between two checkpoints that *text* asks for, at most `_LONGEST`. Raises `UsageError`."""
    from mlgit.core import figures

    if (found := figures.seconds(text)) is None:
        raise UsageError(f"{text[:80]!r} is no time between checkpoints.", fix="write it like 30s, 5m or 1h")
    return min(found, _LONGEST)


def _resume(value: Any) -> str | None:
    if value in (None, False, ""):
        return None
    return "auto" if value is True else _one_of("resume", str(value).lower(), RESUME)


def _reinit(value: Any) -> str:
    if value in (None, ""):
        return "default"
    if isinstance(value, bool) or str(value).lower() in ("true", "false"):
        return "finish_previous" if str(value).lower() == "true" else "return_previous"
    return _one_of("reinit", str(value), REINIT)


def _one_of(what: str, value: str, choices: Sequence[str]) -> str:
    if value in choices:
        return value
    raise UsageError(f"There is no {what} {str(value)[:80]!r}.", fix=", ".join(choices))
