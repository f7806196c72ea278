"""What GitHub is asked for: that it runs the workflow, with what is to be done as JSON in one of its inputs."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from mlgit.core.job import JobSpec
from mlgit.errors import UsageError
from mlgit.forge.github import credentials, rights, where
from mlgit.forge.github.rest import API, Rest
from mlgit.forge.github.where import Where
from mlgit.launch.actions import pushed

_MOST_TASKS, _MOST_CHARACTERS = rights.OFFERS.max_matrix, 65_535
"""Jobs of a matrix, and characters of all inputs (https://docs.github.com/actions/reference/limits)."""
_UNBOUNDED_MINUTES, _SPARE_MINUTES = 7200, 15
"""What a job without a bound may take, which no runner exceeds; and what is left for all that is not the command."""
_LONGEST_NAME = 100
"""Characters of a job's name in that of its run, so that the key after it, by which it is found, is not cut off."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A queue of GitHub's runners."""

    repository: str | None = field(
        default=None, metadata={"help": "owner/name on GitHub; that of the remote origin, if nothing is said"}
    )
    workflow: str = field(default="mlgit-launch.yml", metadata={"help": "the file in .github/workflows that runs jobs"})
    ref: str | None = field(
        default=None, metadata={"help": "the branch whose workflow is run; the default branch, if nothing is said"}
    )
    runs_on: tuple[str, ...] = field(
        default=(),
        metadata={"help": "labels of the runner; [ubuntu-latest], and for GPUs [self-hosted, gpu], if nothing is said"},
    )
    setup: tuple[str, ...] = field(
        default=(), metadata={"help": "lines of shell before the command: pip install -r requirements.txt"}
    )
    secrets: tuple[str, ...] = field(
        default=(), metadata={"help": "the secrets that the workflow hands over to jobs, by name"}
    )
    at_once: int | None = field(
        default=None, metadata={"help": "tasks of an array that may run at once", "is_above_0": True}
    )
    api: str | None = field(
        default=None,
        metadata={"help": "the address of the REST interface, of an Enterprise server: https://HOST/api/v3; "
                  "GITHUB_API_URL, if nothing is said", "is_way": True},
    )  # fmt: skip
    poll_seconds: float = field(default=5, metadata={"help": "between two questions about a job that is followed"})

    is_away: ClassVar[bool] = True
    """Jobs see no disk of this machine's."""
    brings_code: ClassVar[bool] = True
    """Jobs start in the code; elsewhere they have to bring it themselves."""
    own_token: ClassVar[str] = "GITHUB_TOKEN"  # noqa: S105  (its name)
    """The secret that every workflow has; a job that names it may push while it runs."""

    @property
    def address(self) -> str:
        """Of the REST interface. Raises `UsageError` for one that no token may be sent to."""
        return where.checked(self.api or os.environ.get("GITHUB_API_URL") or API)

    def github(self, repository: str) -> Rest:
        """What answers for *repository*. Raises `UsageError` where nothing here is known to that server."""
        there = Where(repository=repository, api=self.address)
        if credential := credentials.find(there):
            return Rest(there.api, credential=credential)
        raise credentials.lacking(there)


def request(spec: JobSpec, settings: Settings, key: str) -> tuple[str, dict[str, Any]]:
    """Where the job is posted, and what. Raises `UsageError`."""
    if spec.image is not None:
        fix = "leave the image out, and begin the command with what starts one: docker run --rm IMAGE …"
        raise UsageError(f"The job {spec.name!r} names an image, and on GitHub's runners jobs run without.", fix=fix)
    if len(spec.members) > _MOST_TASKS:
        what = f"The array {spec.name!r} has {len(spec.array)} tasks, and a matrix on GitHub has at most {_MOST_TASKS}."
        raise UsageError(what, fix="several arrays, or tasks that do more than one thing")
    if missing := [name for name in spec.secrets if name not in (*settings.secrets, settings.own_token)]:
        fix = f"add {missing[0]} to the queue's secrets in mlgit.yaml, and to the workflow {settings.workflow}"
        raise UsageError(
            f"The job {spec.name!r} needs the secret {missing[0]}, which the queue does not list.", fix=fix
        )
    code = pushed.code(spec.folder)
    job = {
        "name": " ".join(spec.name.split())[:_LONGEST_NAME] or "job", "commit": code.commit, "folder": code.inside,
        "tasks": list(range(len(spec.members))), "runs_on": list(settings.runs_on or _labels(spec)),
        "at_once": settings.at_once or _MOST_TASKS, "minutes": spec.minutes,
        "at_most_minutes": _UNBOUNDED_MINUTES if spec.minutes is None else math.ceil(spec.minutes) + _SPARE_MINUTES,
        "cpus": spec.cpus, "memory_gb": spec.memory_gb, "secrets": list(spec.secrets), "setup": list(settings.setup),
        "members": [{"command": list(one.command), "env": dict(one.env)} for one in spec.members],
    }  # fmt: skip
    inputs = {"job": _text(job, spec), "key": key}
    if (length := sum(map(len, inputs.values()))) > _MOST_CHARACTERS:
        what = f"The job {spec.name!r} takes {length:,} characters, and GitHub takes at most {_MOST_CHARACTERS:,}."
        raise UsageError(what, fix="put what the tasks share into a file of the repository, or submit several arrays")
    path = f"repos/{settings.repository or code.repository}/actions/workflows/{settings.workflow}/dispatches"
    return path, {"ref": settings.ref or code.default_branch, "inputs": inputs, "return_run_details": True}


def _labels(spec: JobSpec) -> tuple[str, ...]:
    return ("self-hosted", "gpu") if spec.gpus else ("ubuntu-latest",)


def _text(job: Mapping[str, Any], spec: JobSpec) -> str:
    try:
        json.dumps(job, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise UsageError(f"A word of the job {spec.name!r} is no text, and GitHub takes only text.") from None
    return json.dumps(job, separators=(",", ":"))  # ASCII: the runner's environment has a limit of bytes
