"""`registry/automations.yaml`: what follows on what, and which versions propose themselves (pure)."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

from mlgit.core import figures
from mlgit.documents import reader
from mlgit.documents.reader import Document

_NAME = r"[a-z0-9][a-z0-9_-]{0,63}"
_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]*"
_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?:(?P<user>[^/?#@]*)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?(?:[/?#]\S*)?"
)
_HERE = ("localhost", "127.0.0.1", "[::1]")
_HOLE = re.compile(r"\{([a-z_]*)\}")

LONGEST = 3_000
"""Seconds that a command may take."""


class On(enum.Enum):
    """What happened."""

    VERSION = "version"
    """A version was registered."""
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    """A stage serves a version that it had served before."""
    EMPTIED = "emptied"
    """A stage serves nothing any more."""
    HELD = "held"
    LIFTED = "lifted"


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """A POST, signed as Standard Webhooks has it (https://www.standardwebhooks.com)."""

    webhook: str = field(metadata={"help": "the address that is told, by POST"})
    secret: str = field(
        default="", metadata={"help": "the environment variable that holds the secret it is signed with",
                              "pattern": f"|{_VARIABLE}", "like": "SERVING_SECRET"},
    )  # fmt: skip
    seconds: float = field(default=15, metadata={"help": "how long its server may take to answer"})


@dataclass(frozen=True, kw_only=True)
class Dispatch:
    """A workflow of this repository, started as by hand."""

    dispatch: str = field(metadata={"help": "the workflow's file: deploy.yml"})
    ref: str = field(default="", metadata={"help": "the branch it is started for; the one that promotions go to"})
    inputs: Mapping[str, str] = field(
        default_factory=dict,
        metadata={
            "help": "its inputs; {model}, {stage}, {version}, {event}, {digest} and {tag} stand for what they are"
        },
    )


@dataclass(frozen=True, kw_only=True)
class Command:
    """A program, from the top of the repository; it finds the event as JSON on its standard input."""

    command: tuple[str, ...] = field(metadata={"help": "program and arguments; no shell reads them"})
    secrets: tuple[str, ...] = field(
        default=(), metadata={"help": "environment variables that it may see, besides PATH, HOME and the like"}
    )
    timeout: str = field(
        default="10m", metadata={"help": "how long it may take", "pattern": figures.SECONDS, "like": "10m"}
    )


@dataclass(frozen=True, kw_only=True)
class Follower:
    """Something that follows on some events."""

    name: str = field(
        metadata={"help": "what it is called, for ever: what it has done is kept by it", "pattern": _NAME,
                  "like": "tell-serving"},
    )  # fmt: skip
    on: On | tuple[On, ...] = field(metadata={"help": "the events"})
    models: str = field(default="*", metadata={"help": "of which models, with * and ? as in file names"})
    stages: str = field(default="*", metadata={"help": "of which stages, likewise; a new version is of none"})

    def asks(self, on: On) -> bool:
        """Whether it follows on what happened."""
        return on in (self.on if isinstance(self.on, tuple) else (self.on,))

    def follows(self, on: On, model: str, stage: str | None) -> bool:
        """Whether such an event is its business: also a hold, where it waits for the end of one."""
        is_asked = self.asks(on) or (on is On.HELD and self.asks(On.LIFTED))
        return is_asked and fnmatchcase(model, self.models) and (stage is None or fnmatchcase(stage, self.stages))


@dataclass(frozen=True, kw_only=True)
class Automation(Follower):
    """What follows on some events, as somebody wrote it."""

    do: Webhook | Dispatch | Command = field(metadata={"help": "what follows"})


@dataclass(frozen=True, kw_only=True)
class Advance:
    """Versions that are proposed for a stage by themselves, once its gates pass."""

    stage: str = field(metadata={"help": "the stage that they are proposed for"})
    models: str = field(default="*", metadata={"help": "of which models, with * and ? as in file names"})
    by: Literal["pull request", "commit"] = field(
        default="pull request",
        metadata={
            "help": "commit: the stage moves at once, where the branch takes a push and no gate waits for people"
        },
    )
    prereleases: bool = field(default=False, metadata={"help": "whether versions like v1.2.0-rc.1 are, too"})


@dataclass(frozen=True, kw_only=True)
class AutomationsFile:
    """The file."""

    automations: tuple[Automation, ...] = field(default=(), metadata={"help": "what follows on what"})
    advance: tuple[Advance, ...] = field(default=(), metadata={"help": "what is proposed by itself"})


def read(text: str | bytes, *, source: str) -> AutomationsFile:
    """The automations in *text*; *source* names the file. Raises `ConfigError` with the line of what cannot be."""
    document = reader.parse(text, source=source)
    file = document.read(AutomationsFile)
    names: set[str] = set()
    for number, one in enumerate(file.automations):
        at = ("automations", str(number))
        if one.name in names:
            document.fail((*at, "name"), f"{one.name} is called so already; what each has done is kept by its name")
        names.add(one.name)
        _check(document, one, at)
    return file


def _check(document: Document, one: Automation, at: tuple[str, ...]) -> None:
    if one.on == ():
        document.fail((*at, "on"), "it follows on nothing")
    if isinstance(one.do, Webhook):
        _check_address(document, one.do, (*at, "do", "webhook"))
    elif isinstance(one.do, Dispatch):
        if not re.fullmatch(r"[^/\\]+\.ya?ml", one.do.dispatch):
            document.fail((*at, "do", "dispatch"), "a workflow is named by its file in .github/workflows: deploy.yml")
        if one.do.dispatch.startswith("mlgit-settle."):
            document.fail((*at, "do", "dispatch"), "that is the workflow which starts this: it would go round")
        for name, value in one.do.inputs.items():
            if strays := [hole for hole in _HOLE.findall(value) if hole not in HOLES]:
                told = f"{{{strays[0]}}} stands for nothing; there are {', '.join(f'{{{hole}}}' for hole in HOLES)}"
                document.fail((*at, "do", "inputs", name), told)
    elif not one.do.command:
        document.fail((*at, "do", "command"), "it names no program")
    elif (figures.seconds(one.do.timeout) or 0) > LONGEST:
        told = "expected at most 50m: whoever took an hour is taken for dead, and another begins; start a workflow"
        document.fail((*at, "do", "timeout"), told)


HOLES = ("model", "stage", "version", "event", "digest", "tag")


def filled(text: str, values: Mapping[str, str]) -> str:
    """*text*, with *values* where their names stand in braces."""
    return _HOLE.sub(lambda hole: values[hole[1]], text)


def _check_address(document: Document, hook: Webhook, at: tuple[str, ...]) -> None:
    parts = _ADDRESS.fullmatch(hook.webhook)
    if parts is None:
        document.fail(at, "expected an address like https://example.com/hook")
    if parts["user"] is not None:
        document.fail(at, "an address in git holds no password; say secret: NAME, of an environment variable")
    if parts["scheme"] == "http" and parts["host"] not in _HERE:
        document.fail(at, "http can be read and changed on its way; use https")
    if not 0 < hook.seconds <= 300:
        document.fail((*at[:-1], "seconds"), "expected a number of seconds up to 300")
