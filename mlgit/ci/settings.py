"""The section `ci` of mlgit.yaml: what CI runs, and on which runners."""

from __future__ import annotations

import contextlib
import math
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlgit.ci.matrix import Runner
from mlgit.ci.plan import SETUP_MINUTES
from mlgit.settings import Settings

_HOSTED = ("ubuntu-latest",)
_OPERATOR = re.compile(r"[&|;<>]+|[^'\"]*;")
MOST_GOES = 100
"""Of one trial: at six hours each they are 25 days."""
_FEW = 8
"""Trials of one job, where nobody says how many: what dies loses no more."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The runner of trials with certain params."""

    when: Mapping[str, Any] = field(
        metadata={"help": "param → the value, or a list of the values, that it has: {model.size: [large, huge]}"}
    )
    runs_on: tuple[str, ...] = field(default=(), metadata={"help": "labels of the runner: [self-hosted, gpu, a100]"})
    group: str = field(default="", metadata={"help": "the group of runners that it is of, as the organisation has it"})

    @property
    def runner(self) -> Runner:
        """The runner."""
        return Runner(self.runs_on, self.group)

    def fits(self, params: Mapping[str, Any]) -> bool:
        """Whether trials with *params* (flat) go there."""
        return all(
            name in params and any(_is(params[name], one) for one in (value if isinstance(value, list) else [value]))
            for name, value in self.when.items()
        )


def _is(value: Any, wanted: Any) -> bool:
    return isinstance(value, bool) is isinstance(wanted, bool) and bool(value == wanted)


@dataclass(frozen=True, kw_only=True)
class CiOptions:
    """How CI runs what commits ask for."""

    command: str | None = field(
        default=None, metadata={"help": "what an Mlgit-Run runs: python train.py; the stages of dvc.yaml, if unsaid"}
    )
    runs_on: tuple[str, ...] | None = field(
        default=None,
        metadata={"help": "labels of the runner of a trial: [self-hosted, gpu]; [ubuntu-latest], if no group is said"},
    )
    group: str = field(default="", metadata={"help": "the group of runners that it is of, as the organisation has it"})
    runners: tuple[Choice, ...] = field(
        default=(), metadata={"help": "other runners for trials with certain params; the first that fits"}
    )
    at_once: int | None = field(default=None, metadata={"help": "jobs of one matrix that may run side by side"})
    minutes: float = field(default=60, metadata={"help": "how long one trial may take"})
    goes: int = field(
        default=1,
        metadata={"help": "how often a trial may be begun that its time, or the end of its runner, stops: 100 at most"},
    )
    trials_a_job: int | None = field(
        default=None,
        metadata={"help": "trials that one job does at the most, one after the other; as many as its time takes, to 8"},
    )
    progress_seconds: float = field(
        default=60, metadata={"help": "how often a job's log tells how its trial stands; 0: only at its end"}
    )
    job_minutes: float = field(default=360, metadata={"help": "how long a job may take: 360 on GitHub's own runners"})

    @property
    def usual(self) -> Runner:
        """The runner of a trial for which there is no other."""
        return (
            Runner(() if self.group else _HOSTED, self.group)
            if self.runs_on is None
            else Runner(self.runs_on, self.group)
        )

    def runner(self, params: Mapping[str, Any]) -> Runner:
        """The runner of a trial with *params*."""
        return next((choice.runner for choice in self.runners if choice.fits(params)), self.usual)

    @property
    def most_trials(self) -> int:
        """How many trials one job takes at the most."""
        return self.trials_a_job or max(1, min(_FEW, int(self.room // self.minutes)))

    @property
    def room(self) -> float:
        """How many minutes of a job are for its trials: what one is stopped at has to be handed over after them."""
        return self.job_minutes - SETUP_MINUTES

    @property
    def words(self) -> tuple[str, ...]:
        """The command, as words."""
        return words(self.command or "")


def words(text: str) -> tuple[str, ...]:
    """The words of the command *text*; quotes are the shell's, and nothing else is.

    Raises `ValueError` with what is wrong: also for what only a shell does, which a program would take for a word.
    """
    try:
        found = shlex.split(text)
    except ValueError as exc:
        raise ValueError(f"it cannot be read: {str(exc).lower()}") from None
    raw: list[str] = []
    with contextlib.suppress(ValueError):  # it knows no \"
        raw = shlex.split(text, posix=False)
    if "\n" in text.strip():
        raise ValueError("it has several lines, and is one command; a script has many, and YAML's >- makes one of them")
    if operators := [word for word in raw if _OPERATOR.fullmatch(word)]:
        raise ValueError(f"{operators[0]} is for a shell, and there is none; a script has one, or sh -c '…'")
    return tuple(found)


def read(settings: Settings) -> CiOptions:
    """What *settings* say of CI. Raises `ConfigError` where it cannot be done."""
    options = settings.section("ci", CiOptions)
    problem = _problem(options)
    if problem and settings.document:
        settings.document.fail(("ci", *problem[0]), problem[1])
    return options


def _problem(options: CiOptions) -> tuple[tuple[str, ...], str] | None:
    """(where, what) of the first thing that cannot be done."""
    for name in ("minutes", "job_minutes", "at_once", "trials_a_job"):
        value = getattr(options, name)
        if value is not None and not 0 < value < math.inf:
            return (name,), f"expected a number above 0, found {value:g}"
    if not 0 <= options.progress_seconds < math.inf:
        return ("progress_seconds",), f"expected a number from 0 on, found {options.progress_seconds:g}"
    if not 1 <= options.goes <= MOST_GOES:
        return ("goes",), f"expected a number from 1 to {MOST_GOES}, found {options.goes}"
    if options.job_minutes <= SETUP_MINUTES:
        return ("job_minutes",), (
            f"expected more than the {SETUP_MINUTES} that a job takes besides its trials, found {options.job_minutes:g}"
        )
    if options.minutes > options.room:
        return ("minutes",), (
            f"a trial of {options.minutes:g} minutes is not handed over before its job ends; {options.room:g} of "
            f"{options.job_minutes:g} leave room for that. Shorten it, let it go on from a checkpoint (goes), or say "
            "job_minutes of runners that take longer"
        )
    if options.trials_a_job and options.trials_a_job * options.minutes > options.room:
        return ("trials_a_job",), (
            f"{options.trials_a_job} trials of {options.minutes:g} minutes do not end within the "
            f"{options.room:g} that a job has for them; {int(options.room // options.minutes)} would"
        )
    asked: list[tuple[tuple[str, ...], Runner]] = [((), options.usual)]
    asked += [(("runners", str(n)), choice.runner) for n, choice in enumerate(options.runners)]
    for where, runner in asked:
        if not runner.group and not runner.labels:
            return (*where, "runs_on"), "expected a label at least, or a group beside it"
        if not all(name.strip() and name.isprintable() for name in runner.labels):
            return (*where, "runs_on"), "expected labels of characters that can be seen"
        if not runner.group.isprintable():
            return (*where, "group"), "expected a name of characters that can be seen"
    try:
        is_empty = options.command is not None and not options.words
    except ValueError as exc:
        return ("command",), str(exc)
    return (("command",), "expected a command") if is_empty else None
