"""What CI is to do about one commit (pure): its trials, and the jobs that do them; made once, read by each job.

A plan of the same commit is the same plan, ids of runs included: so a job that is begun again goes on with its runs,
and who collects them knows beforehand which there have to be. It holds no path or variable of who made it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from mlgit.ci.matrix import Job, Runner
from mlgit.errors import UsageError

VERSION = 1
SETUP_MINUTES = 15
"""What a job may take besides its trials: for the checkout, the packages, the data."""
MOST_AT_ONCE = 256
_LATER = re.compile(r"\$\{args_json_file\}|\$\{envvar:([A-Za-z0-9_]*)\}")


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One run that CI makes."""

    number: int
    """From 1."""
    id: str
    """Of its run, by which it goes on where its job is begun again."""
    name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    """Flat, nested ones by dotted name."""
    command: tuple[str, ...] = ()
    """The words after `mlgit run`: options, `--`, the program's words. See `words`."""
    json: str = ""
    """The text of the file that `${args_json_file}` among the words stands for; empty where it is not there."""
    begun: str = ""
    """The commit that its run was at when this was planned; empty where there was none."""

    def words(self, *, json_file: str, env: Mapping[str, str]) -> tuple[str, ...]:
        """The command, with what only the machine that runs it can say. Raises `UsageError` for a variable it lacks."""

        def filled(found: re.Match[str]) -> str:
            if found[1] is None:
                return json_file
            if found[1] not in env:
                what = f"The sweep's command asks for the environment variable {found[1]}, which is not set."
                raise UsageError(what, fix="give it to the job, in its workflow")
            return env[found[1]]

        at = self.command.index("--") if "--" in self.command else len(self.command)
        return (*self.command[:at], *(_LATER.sub(filled, word) for word in self.command[at:]))


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that CI does about a commit in one go."""

    version: int = VERSION
    commit: str
    project: str
    folder: str = "."
    """The project's, from the repository's top."""
    sweep: str | None = None
    """The id of the sweep, or None: runs."""
    sweep_name: str = ""
    path: str = ""
    """The sweep's file, from the project's folder."""
    file: str = ""
    """Its text."""
    seed: int = 0
    part: int = 1
    """Which one this is: a matrix holds so many jobs, and some searches need what came of the trials before."""
    go: int = 1
    """How often this part has been begun: what its time, or the end of its runner, has stopped goes on another time."""
    goes: int = 1
    """How often it may be."""
    trials: tuple[Trial, ...] = ()
    jobs: tuple[Job, ...] = ()
    """Each known by its place, from 0."""
    done: tuple[int, ...] = ()
    """Trials of this part whose runs have come to their end before: they are not among `trials`."""
    later: tuple[int, ...] = ()
    """The trials that a further part does."""
    goes_on: bool = False
    """Whether there is a further part once this one has ended."""
    at_once: int | None = None
    """Jobs that may run side by side, or None: as many as there are runners."""
    minutes: float = 60
    """How long one trial may take."""
    job_minutes: float = 360
    """How long a job may take, whatever it does."""
    what: str = ""
    """All of it in one line, for people."""
    notes: tuple[str, ...] = ()
    """What is asked for and is not done, a sentence each."""

    def of(self, job: int) -> tuple[Trial, ...]:
        """The trials of a job. Raises `UsageError` where there is no such job."""
        if not 0 <= job < len(self.jobs):
            raise UsageError(f"The plan has no job {job}.", fix=f"one from 0 to {len(self.jobs) - 1}")
        wanted = set(self.jobs[job].trials)
        return tuple(trial for trial in self.trials if trial.number in wanted)

    def limit(self, job: Job) -> int:
        """How many minutes *job* may take."""
        return max(1, min(math.ceil(len(job.trials) * self.minutes) + SETUP_MINUTES, math.floor(self.job_minutes)))


def follows(plan: Plan, stopped: bool) -> tuple[int, int]:
    """(part, go) of what is to be dispatched after *plan*, some of whose trials were *stopped* or not; (0, 0): nothing.

    Each pair is above the last one, and neither number grows beyond what the plan allows: so it ends.
    """
    if stopped and plan.go < plan.goes:
        return plan.part, plan.go + 1
    return (plan.part + 1, 1) if plan.goes_on else (0, 0)


def outputs(plan: Plan) -> dict[str, str]:
    """What the further jobs of a workflow have to know, a line each: the matrix, and how it runs."""
    rows = [
        {"job": n, "runs_on": job.runs_on.runs_on, "trials": len(job.trials), "minutes": plan.limit(job)}
        for n, job in enumerate(plan.jobs)
    ]
    found = {
        "matrix": json.dumps({"include": rows}, separators=(",", ":")),
        "count": str(len(rows)),
        "at_once": str(plan.at_once or MOST_AT_ONCE),
        "minutes": str(max((plan.limit(job) for job in plan.jobs), default=SETUP_MINUTES)),
        "name": plan.sweep_name or "runs",
        "part": str(plan.part),
        "goes_on": str(plan.goes_on).lower(),
        "digest": digest(written(plan).encode()),
    }
    # a name with a line's end in it would be a further output
    return {name: " ".join(value.split()) if name == "name" else value for name, value in found.items()}


def written(plan: Plan) -> str:
    """*plan* as JSON."""
    return json.dumps(asdict(plan), ensure_ascii=False, separators=(",", ":")) + "\n"


def digest(content: bytes) -> str:
    """What tells the file of a plan from any other: a job's output, which no other job can change."""
    return hashlib.sha256(content).hexdigest()


def checked(content: bytes, *, source: str, sha256: str | None) -> Plan:
    """The plan that is written in *content*, if that is the file which was made. Raises `UsageError`.

    A job's files are there for every other job of the workflow to write, one that runs somebody's code included. So
    nothing is read of one that has another digest. Without *sha256* it is taken as it is.
    """
    if sha256 is not None and not hmac.compare_digest(digest(content).encode(), sha256.strip().lower().encode()):
        raise UsageError(
            f"{source} is not the plan that was made: nothing of it was read.",
            why=f"Its SHA-256 is {digest(content)}, and {sha256.strip()[:64]!r} was said: another job can replace it.",
            fix="look at what the trials ran; then run all jobs again, which makes the plan anew",
        )
    return read(content, source=source)


def read(text: str | bytes, *, source: str) -> Plan:
    """The plan that is written in *text*. Raises `UsageError`."""
    try:
        data = json.loads(text)
        if not isinstance(data, dict) or data.get("version") != VERSION:
            raise ValueError("another version of it, or something else")
        trials = tuple(Trial(**{**one, "command": _words(one["command"])}) for one in data.pop("trials"))
        jobs = tuple(
            Job(runs_on=_runner(one["runs_on"]), trials=tuple(map(int, one["trials"]))) for one in data.pop("jobs")
        )
        later, done = (tuple(map(int, data[name])) for name in ("later", "done"))
        _words(
            [
                data["commit"],
                data["project"],
                data["folder"],
                *(text for one in trials for text in (one.id, one.name, one.begun)),
            ]
        )
        _words([data.get(name) or "" for name in ("sweep", "sweep_name", "path", "what")])
        if not all(type(one.number) is int and isinstance(one.params, dict) for one in trials):
            raise TypeError("a trial's number or params are none")
        if any(type(data.get(name, 1)) is not int for name in ("part", "go", "goes")):
            raise TypeError("which part it is")
        if type(data.get("goes_on", False)) is not bool:
            raise TypeError("whether it goes on")
        return Plan(
            **{**data, "trials": trials, "jobs": jobs, "later": later, "done": done, "notes": _words(data["notes"])}
        )
    except (ValueError, TypeError, KeyError, RecursionError) as exc:
        raise UsageError(f"{source} is no plan of this mlgit: {exc}.", fix="mlgit ci plan -o FILE") from None


def _runner(data: Mapping[str, Any]) -> Runner:
    (group,) = _words([data["group"]])
    return Runner(_words(data["labels"]), group)


def _words(data: Sequence[Any]) -> tuple[str, ...]:
    if not isinstance(data, list) or not all(isinstance(word, str) for word in data):
        raise TypeError(f"words, not {str(data)[:80]}")
    return tuple(data)
