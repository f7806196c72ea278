"""What a person asks to have run, as a job for a backend: `mlgit run` around the command, so that it records a run."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from mlgit.core import secrets
from mlgit.core.job import JobSpec, Member, Needs
from mlgit.core.posted import Posted
from mlgit.launch.queues import Queue

TASK, TASKS, JOB, SECRETS = "MLGIT_TASK", "MLGIT_TASKS", "MLGIT_JOB", "MLGIT_SECRETS"
"""Variables that a job finds: the number of its task, from 0, how many there are, its id, which of them are secrets."""
_OUTER = "MLGIT_RUN_ID"
"""The run that a process takes part in."""
_DIGITS = "abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, kw_only=True)
class Asked(Needs):
    """What is to be run, and with what."""

    name: str
    command: tuple[str, ...]
    params: tuple[str, ...] = ()
    is_bare: bool = False
    """Whether the command is run as it is, and records nothing by itself."""
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    secrets: tuple[str, ...] = ()
    tasks: int | None = None
    key: str = ""
    preemptible: bool = False
    run: str = ""
    """The id of the run that it goes on with; empty: of a new one."""
    done: tuple[int, ...] = ()
    """Tasks of an array whose runs have finished before: nothing is run for them."""
    apart: tuple[str, ...] | None = None
    """The words before a command that is nothing of this repository's: it starts in an empty folder, and sees none of
    it; None of any other."""


def again(job: Posted, *, goes_on: bool, finished: Collection[str] = ()) -> Asked:
    """The same as *job* asked for, going on with its run; of it, those *finished*, by id, stay as they are."""
    done = tuple(number for number in range(job.tasks or 1) if run_of(job, number) in finished) if goes_on else ()
    is_done = len(done) == (job.tasks or 1)
    return Asked(
        name=job.name, command=job.command, params=job.params, env=job.env, secrets=job.secrets, tasks=job.tasks,
        preemptible=job.preemptible, is_bare=not job.run, run=job.run if goes_on and not is_done else "",
        done=() if is_done else done, **job.needs,
    )  # fmt: skip


def of_key(project: str, key: str) -> str:
    """The id of the job that *key* starts in *project*, the same on every machine."""
    return _mark(f"{project}\0{key}")


def run_of(job: Posted, task: int | None) -> str:
    """The id of the run that *job* records, of an array that of its *task*; empty where it records none by itself."""
    return job.run if not job.run or not task else _mark(f"{job.run}\0{task}")


def runs_of(job: Posted) -> list[str]:
    """The ids of all the runs that *job* records."""
    return [run_of(job, number) for number in range(job.tasks or 1)] if job.run else []


def _mark(text: str) -> str:
    number = int.from_bytes(hashlib.sha256(text.encode(errors="surrogateescape")).digest())
    return "".join(_DIGITS[number // 36**place % 36] for place in range(8))


def spec(wish: Asked, job: Posted, queue: Queue, folder: Path, shared: tuple[Path, ...] = ()) -> JobSpec:
    """*wish* as a job of *queue* that starts in *folder*, and may write to *shared* too; recorded as *job*."""
    apart = {_OUTER: ""} if _OUTER in os.environ else {}  # the run that launches it may long have ended by then
    safe = secrets.redact_params(wish.env)
    names = (*wish.secrets, *(name for name, value in wish.env.items() if safe[name] != value))
    hidden = {SECRETS: ",".join(names)} if names else {}
    of_mlgit = {JOB: job.id, **hidden} if wish.apart is None else {}
    plain = JobSpec(
        name=wish.name, folder=str(folder), shared=tuple(map(str, shared)),
        env={**wish.env, **of_mlgit, **apart},
        secrets=wish.secrets, key=f"{job.project}/{job.id}", preemptible=wish.preemptible,
    )  # fmt: skip
    filled = queue.filled(plain, wish)
    head = (*program(queue, filled.image), "run", *(("--push",) if queue.is_away else ()))
    if wish.tasks is None:
        return replace(filled, command=_words(wish, job, None, head))
    tasks = range(wish.tasks)
    array = tuple(
        Member(
            command=("true",) if n in wish.done else _words(wish, job, n, head),
            env={TASK: str(n), TASKS: str(wish.tasks)},
        )
        for n in tasks
    )  # fmt: skip
    return replace(filled, array=array)


def program(queue: Queue, image: str | None = None) -> tuple[str, ...]:
    """The words that start mlgit in a job of *queue*: of this machine's own Python, or of what an *image* has."""
    return ("mlgit",) if has_image(queue, image) or queue.is_away else (sys.executable, "-m", "mlgit")


def has_image(queue: Queue, image: str | None = None) -> bool:
    """Whether a job of *queue* runs in an *image*, and so with nothing of what is installed and set here."""
    named = image or queue.defaults.image
    return bool(named) or any(getattr(queue.settings, one, None) for one in ("image", "build"))


def _words(wish: Asked, job: Posted, task: int | None, head: Sequence[str]) -> tuple[str, ...]:
    """The command line, *head* around what is wished for; of an array that of its *task*."""
    if wish.is_bare:
        return (*(wish.apart or ()), *wish.command)
    name = wish.name if task is None else f"{wish.name}-{task}"
    called = ("--id", run_of(job, task), "--name", name, *(() if task is None else ("--group", wish.name)))
    return (*head, *called, *(word for pair in wish.params for word in ("-p", pair)), "--", *wish.command)
