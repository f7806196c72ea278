"""A job as a process group of its own on this machine, which ends as one; whoever starts it keeps its bounds.

Only groups started here are ever signalled.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, Protocol

from mlgit.core import refs
from mlgit.core.job import JobSpec, JobState, checked
from mlgit.errors import MlgitError, NotFoundError


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where a job's output goes, and how long it may take to end."""

    log_dir: Path | None = None
    """Where each job's output goes, as `<name>.log`, its errors as `<name>.err`; None: to our own output."""
    is_joined: bool = False
    """Whether its errors go into its output instead."""
    keeps_log: bool = False
    """Whether it goes on in a log that is there."""
    grace_seconds: float = 10.0
    """Between SIGTERM and SIGKILL."""

    def log(self, spec: JobSpec) -> Path | None:
        """The file that takes *spec*'s standard output, or None."""
        return self.log_dir / f"{refs.slug(spec.name) or 'job'}.log" if self.log_dir else None


class Child(Protocol):
    """A process that was started; `subprocess.Popen` is one."""

    pid: int
    returncode: Any
    """How it ended, or None."""

    def poll(self) -> int | None:
        """How it ended, if it did by now."""


@dataclass(kw_only=True)
class Job:
    """A job that was started. Ask `state`; it is also what keeps the job's bounds."""

    process: Child
    log: Path | None
    grace_seconds: float
    deadline: float | None = None
    """When its minutes are over, on the monotonic clock."""
    ending: JobState | None = None
    """What it will have been, once it was told to end."""
    kill_at: float | None = None


def render(spec: JobSpec, settings: Settings) -> str:
    """The shell line that does what `start` does."""
    words = [f"{name}={value}" for name, value in sorted(spec.env.items())]
    line = shlex.join((*(("env", *words) if words else ()), *spec.command))
    if spec.minutes is not None:
        line = f"timeout --kill-after={settings.grace_seconds:g} {spec.minutes * 60:g} {line}"
    if spec.folder != ".":
        line = f"cd {shlex.quote(spec.folder)} && {line}"
    log = settings.log(spec)
    if log is None:
        return line
    errors = "&1" if settings.is_joined else f" {shlex.quote(str(_errors(log)))}"
    return f"{line} > {shlex.quote(str(log))} 2>{errors}"


def start(spec: JobSpec, settings: Settings, *, held: Sequence[int] = ()) -> Job:
    """Start *spec*, with our environment under its own; it keeps the descriptors *held* open.

    Raises `UsageError`, `NotFoundError` for what cannot start.
    """
    checked(spec)
    with outputs(spec, settings) as (output, errors):
        try:
            process = subprocess.Popen(
                spec.command, cwd=spec.folder, env=os.environ | dict(spec.env), stdin=subprocess.DEVNULL,
                stdout=output, stderr=errors, start_new_session=True, pass_fds=held,
            )  # fmt: skip
        except FileNotFoundError:
            missing = f"{spec.command[0]!r} on PATH" if Path(spec.folder).is_dir() else f"folder {spec.folder}"
            raise NotFoundError(f"The job {spec.name!r} cannot start: there is no {missing}.") from None
        except OSError as exc:
            raise MlgitError(f"The job {spec.name!r} cannot start.", why=f"{spec.command[0]}: {exc.strerror}") from exc
    return begun(process, spec, settings)


@contextlib.contextmanager
def outputs(spec: JobSpec, settings: Settings) -> Iterator[tuple[IO[bytes] | None, IO[bytes] | None]]:
    """The files that take *spec*'s output and its errors, which may be one; None: ours."""
    if not (log := settings.log(spec)):
        yield None, None
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    how: Literal["ab", "wb"] = "ab" if settings.keeps_log else "wb"
    with log.open(how) as output:
        if settings.is_joined:
            yield output, output
            return
        with _errors(log).open(how) as errors:
            yield output, errors


def begun(child: Child, spec: JobSpec, settings: Settings) -> Job:
    """The job that *child* is: the leader of its process group, with *spec*'s minutes from now on."""
    deadline = None if spec.minutes is None else time.monotonic() + spec.minutes * 60
    return Job(process=child, log=settings.log(spec), grace_seconds=settings.grace_seconds, deadline=deadline)


def state(job: Job) -> JobState:
    """How *job* is going; ends it where its time is over, by force where it was asked to end and does not."""
    if job.process.returncode is not None:
        return _end(job)
    if job.process.poll() is not None:
        if job.ending:
            _signal(job, signal.SIGKILL)  # its leader has gone: whoever is left of the group goes too
        return _end(job)
    now = time.monotonic()
    if job.ending is None and job.deadline is not None and now >= job.deadline:
        _ask_to_end(job, JobState.TIMED_OUT)
    elif job.kill_at is not None and now >= job.kill_at:
        _signal(job, signal.SIGKILL)
    return JobState.RUNNING


def wait(job: Job, *, seconds: float | None = None) -> JobState:
    """The state in which *job* ended; or, where *seconds* is given, how it stands by then."""
    until = None if seconds is None else time.monotonic() + seconds
    while not (now := state(job)).ended and (until is None or time.monotonic() < until):
        time.sleep(0.02)
    return now


def cancel(job: Job) -> None:
    """Ask *job* and what it started to end (SIGTERM); asked again, make it (SIGKILL).

    Returns at once; `state` and `wait` insist when the grace is over.
    """
    if state(job).ended:
        return
    if job.ending is None:
        _ask_to_end(job, JobState.CANCELLED)
    else:
        job.kill_at = time.monotonic()


def tail(job: Job, *, lines: int = 10) -> str:
    """The last *lines* lines of what *job* printed, and after them the last of its errors, where it has a log."""
    files = (job.log, _errors(job.log)) if job.log else ()
    return "\n".join(line for path in files for line in _last_lines(path, lines))


def _errors(log: Path) -> Path:
    """Beside the output *log*, where the same job's standard error goes."""
    return log.with_suffix(".err")


def _last_lines(path: Path, most: int) -> list[str]:
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 20_000))
        return file.read().decode(errors="replace").rstrip().splitlines()[-most:]
    return []


def _ask_to_end(job: Job, ending: JobState) -> None:
    job.ending, job.kill_at = ending, time.monotonic() + job.grace_seconds
    _signal(job, signal.SIGTERM)


def _signal(job: Job, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says EPERM of a group of zombies
        os.killpg(job.process.pid, number)  # the leader of a new session: its pid is the group's id


def _end(job: Job) -> JobState:
    if job.ending:
        return job.ending
    codes = {0: JobState.SUCCEEDED, -signal.SIGTERM: JobState.PREEMPTED, 128 + signal.SIGTERM: JobState.PREEMPTED}
    return codes.get(job.process.returncode, JobState.FAILED)
