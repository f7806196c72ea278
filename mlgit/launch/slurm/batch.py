"""The script that `sbatch` takes: a job as Slurm and the shell have it.

Nothing that an author wrote stands in an `#SBATCH` line but as a number; all else is the shell's, quoted.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlgit.core import refs
from mlgit.core.job import JobSpec
from mlgit.errors import UsageError
from mlgit.launch.words import cases

_WORD = re.compile(r"[A-Za-z0-9_.,:@%+=*&|\[\]()-]+")
"""What may be the value of an option in a script's `#SBATCH` line."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A queue of a cluster."""

    partition: str | None = field(default=None, metadata={"help": "Slurm's partition"})
    account: str | None = field(default=None, metadata={"help": "whom the time is charged to"})
    qos: str | None = field(default=None, metadata={"help": "Slurm's quality of service"})
    constraint: str | None = field(default=None, metadata={"help": "features that machines must have: a100&nvlink"})
    options: Mapping[str, str] = field(
        default_factory=dict, metadata={"help": "more options of sbatch, by their long names: {exclude: node7}"}
    )
    setup: tuple[str, ...] = field(
        default=(), metadata={"help": "lines of shell before the command: module load cuda/12"}
    )
    at_once: int | None = field(
        default=None, metadata={"help": "tasks of an array that may run at once", "is_above_0": True}
    )
    folder: str | None = field(
        default=None,
        metadata={"help": "where scripts and what jobs print are kept, on a disk that all machines share; "
                  "mlgit's own folder of the user's data", "is_way": True},
    )  # fmt: skip
    answer_seconds: float = field(
        default=60, metadata={"help": "how long Slurm may take to answer", "is_above_0": True}
    )

    @property
    def home(self) -> Path:
        """Where jobs are kept."""
        from platformdirs import user_data_path

        return Path(self.folder).expanduser() if self.folder else user_data_path("mlgit", appauthor=False) / "slurm"


def script(spec: JobSpec, settings: Settings, name: str) -> str:
    """The script of *spec*, called *name* by us. Raises `UsageError`."""
    if spec.image is not None:
        fix = "leave the image out, and begin the command with what starts one on your cluster: apptainer exec IMAGE …"
        raise UsageError(f"The job {spec.name!r} names an image, and Slurm starts none.", fix=fix)
    options = "".join(f"#SBATCH --{_option(key, value)}\n" for key, value in _options(spec, settings, name).items())
    needed = "".join(f': "${{{secret}:?}}"\n' for secret in spec.secrets)
    setup = "".join(f"{line}\n" for line in settings.setup)
    task = "${SLURM_ARRAY_TASK_ID}" if spec.array else "0"  # which is another's, where we are in an array ourselves
    again = "test $_mlgit_code = 143 && exit 143\n" if spec.preemptible else ""  # told to end: it may begin again
    return f"""#!/bin/sh
{options}_mlgit_here=$PWD _mlgit_task={task}
rm -f "$_mlgit_task.code"
{needed}{setup}cd {shlex.quote(str(Path(spec.folder).resolve()))} || exit
case $_mlgit_task in
{cases(spec.members)}esac
"$@"
_mlgit_code=$?
{again}cd "$_mlgit_here" && echo $_mlgit_code > ".$_mlgit_task.code" && mv ".$_mlgit_task.code" "$_mlgit_task.code"
exit $_mlgit_code
"""


def _options(spec: JobSpec, settings: Settings, name: str) -> dict[str, str]:
    """sbatch's long options; those without a value have an empty one."""
    asked = {
        "job-name": refs.slug(spec.name) or "job", "comment": f"mlgit:{name}",
        "output": "%a.log" if spec.array else "0.log", "open-mode": "append",
        "requeue" if spec.preemptible else "no-requeue": "",
    }  # fmt: skip
    if spec.array:
        asked["array"] = f"0-{len(spec.array) - 1}" + (f"%{settings.at_once}" if settings.at_once else "")
    given = {
        "cpus-per-task": spec.cpus, "gres": f"gpu:{spec.gpus}" if spec.gpus else None,
        "mem": None if spec.memory_gb is None else f"{math.ceil(spec.memory_gb * 1024)}M",
        "time": None if spec.minutes is None else math.ceil(spec.minutes),
        "partition": settings.partition, "account": settings.account, "qos": settings.qos,
        "constraint": settings.constraint,
    }  # fmt: skip
    return asked | {key: str(value) for key, value in given.items() if value is not None} | dict(settings.options)


def _option(name: str, value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z-]*", name) or (value and not _WORD.fullmatch(value)):
        raise UsageError(f"{value!r} cannot be the value of sbatch's option --{name}.", fix="one word, without quotes")
    return f"{name}={value}" if value else name
