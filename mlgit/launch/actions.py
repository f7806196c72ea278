"""Launch on GitHub's runners: a job is a run of the workflow `mlgit-launch.yml`, an array a matrix in it.

What is to be done goes as JSON in one input, which no script is made of; the code is a commit that the remote has. How
a task ended stands in the name of its last step, which is the only word of a runner's that GitHub hands on.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from mlgit.core.job import GONE, JobSpec, Standing, checked, known_as, parted, together
from mlgit.errors import MlgitError, NotFoundError, SilentError, UsageError
from mlgit.forge.github import rest
from mlgit.launch import pushed, workflow_runs

if TYPE_CHECKING:
    from mlgit.forge.github.rest import RefusedError, Rest

_MOST_TASKS, _MOST_CHARACTERS = 256, 65_535
"""Jobs of a matrix, and characters of all inputs (https://docs.github.com/actions/reference/limits)."""
_UNBOUNDED_MINUTES, _SPARE_MINUTES = 7200, 15
"""What a job without a bound may take, which no runner exceeds; and what is left for all that is not the command."""
_LONGEST_NAME = 100
"""Characters of a job's name in that of its run, so that the key after it, by which it is found, is not cut off."""
_APPEARS = 60.0
"""Seconds in which GitHub shows a run that it has begun."""
_WORKFLOW = "mlgit init --github, commit what it writes, and push that to the default branch"


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
    at_once: int | None = field(default=None, metadata={"help": "tasks of an array that may run at once"})
    token: str | None = field(
        default=None,
        metadata={
            "help": "the variable of the environment that holds the token; GH_TOKEN, or else GITHUB_TOKEN",
            "is_way": True,
        },
    )
    api: str | None = field(
        default=None,
        metadata={"help": "the address of the REST interface, of an Enterprise server: https://HOST/api/v3; "
                  "GITHUB_API_URL, if nothing is said", "is_way": True},
    )  # fmt: skip
    poll_seconds: float = field(default=5, metadata={"help": "between two questions about a job that is followed"})

    is_away: ClassVar[bool] = True
    """Jobs see no disk of this machine's."""

    @property
    def github(self) -> Rest:
        """What is asked."""
        return rest.Rest((self.api or os.environ.get("GITHUB_API_URL") or rest.API).rstrip("/"), self.token)


def render(spec: JobSpec, settings: Settings) -> str:
    """The request that is sent. Raises `UsageError`."""
    path, content = _request(checked(spec), settings, known_as(spec, "JOB"))
    return f"POST {settings.github.api}/{path}\n{json.dumps(content, indent=2)}\n"


def submit(spec: JobSpec, settings: Settings) -> str:
    """Have GitHub run *spec*; the number of its run there. Raises `UsageError`, `SilentError`, `MlgitError`."""
    key = known_as(checked(spec), os.urandom(8).hex())
    path, content = _request(spec, settings, key)
    github = settings.github
    if spec.key:
        runs = github.pages(_runs(settings), "workflow_runs", event="workflow_dispatch")
        if known := workflow_runs.named(runs, key):
            return known
    try:
        told = _dispatched(github, path, content)
    except rest.RefusedError as exc:
        raise _unlaunched(exc, spec, settings) from None
    except SilentError:
        if known := _appearing(github, key, settings):
            return known
        raise
    if told:
        return str(told["workflow_run_id"])
    if known := _appearing(github, key, settings):
        return known
    fix = f"look for {key} among the runs of {settings.workflow} on GitHub, before you try again"
    raise SilentError(f"GitHub has taken the job {spec.name!r}, and does not show its run.", fix=fix)


def status(ids: Sequence[str], settings: Settings) -> dict[str, Standing]:
    """How each of *ids* stands: of late runs by one question, of older ones by one each, and one for a run's tasks.

    Raises `SilentError`, `MlgitError`.
    """
    github = settings.github
    wanted = {parted(name)[0] for name in ids if parted(name)[0].isdecimal()}
    runs = _known(github, wanted, settings)
    by_task = {parted(name)[0] for name in ids if parted(name)[1] is not None}
    tasks = {
        number: _tasks(github, number, settings)
        for number, run in runs.items()
        if number in by_task or workflow_runs.has_more_to_tell(run)
    }
    found = {}
    for name in ids:
        run, one = parted(name)
        if run not in runs:
            found[name] = GONE
        elif one is not None:
            found[name] = workflow_runs.task(runs[run], tasks[run], one)
        else:
            found[name] = together([workflow_runs.task(runs[run], tasks.get(run, {}), number) for number in
                                    sorted(tasks.get(run, {})) or (0,)])  # fmt: skip
    return found


def logs(name: str, settings: Settings, *, follow: bool = False) -> Iterator[str]:
    """The lines that the job printed, an array's task after task: GitHub tells them when a task has ended.

    Raises `NotFoundError`, `SilentError`, `MlgitError`.
    """
    github, (number, one) = settings.github, parted(name)
    if not number.isdecimal() or number not in (runs := _known(github, {number}, settings)):
        raise NotFoundError(f"There is no job {name} among the runs of {_repository(settings)}.")
    told: set[int] = set()
    while True:
        tasks = _tasks(github, number, settings)
        for task in sorted(set(tasks) - told):
            if workflow_runs.task(runs[number], tasks, task).state.ended and one in (None, task):
                told.add(task)
                yield from _printed(github, tasks[task]["id"], settings)
        is_over = runs[number]["status"] == "completed" or (one is not None and one in told)
        if is_over or not follow:
            return
        time.sleep(settings.poll_seconds)
        runs = _known(github, {number}, settings)
        if number not in runs:
            raise NotFoundError(f"There is no job {name} any more among the runs of {_repository(settings)}.")


def cancel(ids: Sequence[str], settings: Settings) -> None:
    """End those of *ids* that have not ended, whole runs. Returns at once.

    Raises `UsageError` for a task alone, `SilentError`, `MlgitError`.
    """
    going = [name for name, one in status(ids, settings).items() if not one.state.ended]
    for name in going:
        number, task = parted(name)
        if task is not None and number not in going:
            raise UsageError(f"GitHub ends no task alone: {name} is one of the run {number}.", fix=f"cancel {number}")
    for number in dict.fromkeys(parted(name)[0] for name in going):
        try:
            settings.github.post(f"repos/{_repository(settings)}/actions/runs/{number}/cancel")
        except rest.RefusedError as exc:
            if exc.status != 409:  # it has ended meanwhile
                raise


def forget(_ids: Sequence[str], _settings: Settings) -> None:
    """Nothing: GitHub throws runs away when its repository says, and on this machine nothing is kept of them."""


def _request(spec: JobSpec, settings: Settings, key: str) -> tuple[str, dict[str, Any]]:
    """Where the job is posted, and what. Raises `UsageError`."""
    if spec.image is not None:
        fix = "leave the image out, and begin the command with what starts one: docker run --rm IMAGE …"
        raise UsageError(f"The job {spec.name!r} names an image, and on GitHub's runners jobs run without.", fix=fix)
    if len(spec.members) > _MOST_TASKS:
        what = f"The array {spec.name!r} has {len(spec.array)} tasks, and a matrix on GitHub has at most {_MOST_TASKS}."
        raise UsageError(what, fix="several arrays, or tasks that do more than one thing")
    if missing := [name for name in spec.secrets if name not in settings.secrets]:
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
    text = json.dumps(
        job, separators=(",", ":")
    )  # ASCII: the runner's environment takes bytes, and has a limit of them
    try:
        json.dumps(job, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise UsageError(f"A word of the job {spec.name!r} is no text, and GitHub takes only text.") from None
    return text


def _dispatched(github: Rest, path: str, content: Mapping[str, Any]) -> Any:
    """What GitHub answers to the request: its run, or nothing. Raises `RefusedError`, `SilentError`."""
    try:
        return github.post(path, content)
    except rest.RefusedError as exc:
        if exc.status != 422 or "return_run_details" not in exc.said:
            raise
        older = {name: value for name, value in content.items() if name != "return_run_details"}
        return github.post(path, older)


def _appearing(github: Rest, key: str, settings: Settings) -> str | None:
    """The run that *key* has just started, for which GitHub may take a moment; None if it started none."""
    until = time.monotonic() + _APPEARS
    while True:
        if known := workflow_runs.named(_page(github, settings), key):
            return known
        if time.monotonic() > until:
            return None
        time.sleep(min(settings.poll_seconds, 2))


def _unlaunched(exc: RefusedError, spec: JobSpec, settings: Settings) -> MlgitError:
    """*exc* with what helps where the workflow is what lacks."""
    what = f"GitHub does not run the job {spec.name!r}."
    if exc.status == 404:
        why = f"{_repository(settings)} has no workflow {settings.workflow}, or does not show it to this token."
        return NotFoundError(what, why=f"{why}\n{exc.why}", fix=f"give the token access, or {_WORKFLOW}")
    return MlgitError(what, why=f"{exc.what}\n{exc.why}", fix=_WORKFLOW if exc.status == 422 else exc.fix)


def _repository(settings: Settings) -> str:
    return settings.repository or pushed.repository(".")


def _path(settings: Settings) -> str:
    return f"repos/{_repository(settings)}/actions"


def _runs(settings: Settings) -> str:
    return f"{_path(settings)}/workflows/{settings.workflow}/runs"


def _page(github: Rest, settings: Settings) -> list[Any]:
    """The latest hundred runs of the workflow."""
    found: list[Any] = github.get(_runs(settings), event="workflow_dispatch", per_page=100)["workflow_runs"]
    return found


def _known(github: Rest, wanted: set[str], settings: Settings) -> dict[str, Any]:
    """The runs of the numbers *wanted*, as far as there are such."""
    late = _page(github, settings) if len(wanted) > 1 else []
    found = {str(run["id"]): run for run in late if str(run["id"]) in wanted}
    for number in sorted(wanted - set(found)):
        try:
            found[number] = github.get(f"{_path(settings)}/runs/{number}")
        except rest.RefusedError as exc:
            if exc.status != 404:
                raise
            github.get(f"repos/{_repository(settings)}")  # which raises where it is the repository that is not there
    return found


def _tasks(github: Rest, number: str, settings: Settings) -> dict[int, Mapping[str, Any]]:
    return workflow_runs.numbered(github.pages(f"{_path(settings)}/runs/{number}/jobs", "jobs", filter="latest"))


def _printed(github: Rest, job: int, settings: Settings) -> list[str]:
    """The lines of *job*, which has ended; none where it never began."""
    try:
        return workflow_runs.lines(github.text(f"{_path(settings)}/jobs/{job}/logs"))
    except rest.RefusedError as exc:
        if exc.status == 410:
            raise NotFoundError(f"GitHub has thrown away what the job {job} printed.", why=exc.why) from None
        if exc.status != 404:
            raise
        return []
