"""`registry/freezes.yaml`: when stages stand still because somebody said so, for once (pure).

`mlgit freeze` writes it. What comes back every week is for a gate of the policy to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from mlgit.core import figures
from mlgit.core.verdict import Outcome, Verdict, Wait
from mlgit.documents import reader
from mlgit.documents.writer import dump

SOURCE = "registry/freezes.yaml"


@dataclass(frozen=True, kw_only=True)
class Freeze:
    """Why some stages of some models stand still for a while."""

    models: str
    """The models' names, with * and ? as in file names."""
    stages: str
    """The stages' names, likewise."""
    since: float
    """When it begins, in seconds since the epoch."""
    until: float | None = None
    """When it ends; None: once somebody lifts it."""
    why: str = ""
    by: str = ""
    where: str = field(default="", compare=False)
    """`registry/freezes.yaml:3`; empty for one that is written nowhere yet."""

    def covers(self, model: str, stage: str) -> bool:
        """Whether it is about *stage* of *model*."""
        return fnmatchcase(model, self.models) and fnmatchcase(stage, self.stages)

    def is_over(self, now: float) -> bool:
        """Whether it has ended by *now*."""
        return self.until is not None and self.until <= now

    def stands(self, now: float) -> bool:
        """Whether it has begun, and has not ended."""
        return self.since <= now and not self.is_over(now)

    def __str__(self) -> str:
        end = "until it is lifted" if self.until is None else f"until {figures.moment(self.until)}"
        return f"frozen {end}{f' by {self.by}' if self.by else ''}{f': {self.why}' if self.why else ''}"


@dataclass(frozen=True, kw_only=True)
class _Entry:
    since: str = field(metadata={"help": "when it begins: 2026-12-20, or with a time; UTC unless it says otherwise"})
    models: str = field(default="*", metadata={"help": "the models' names, with * and ? as in file names"})
    stages: str = field(default="*", metadata={"help": "the stages' names, likewise"})
    until: str | None = field(default=None, metadata={"help": "when it ends; without: once mlgit unfreeze lifts it"})
    why: str = field(default="", metadata={"help": "what whoever meets it reads"})
    by: str = field(default="", metadata={"help": "who asked for it"})


@dataclass(frozen=True, kw_only=True)
class FreezeFile:
    """The file."""

    freezes: tuple[_Entry, ...] = field(default=(), metadata={"help": "one a time for which stages stand still"})


def read(text: str | bytes | None, *, source: str = SOURCE) -> tuple[Freeze, ...]:
    """The freezes in *text*, none where there is no file; *source* names it. Raises `ConfigError` with the line."""
    document = reader.parse(text or "", source=source)
    found = []
    for at, entry in enumerate(document.read(FreezeFile).freezes):
        path = ("freezes", str(at))
        since = _seconds(document, (*path, "since"), entry.since)
        until = None if entry.until is None else _seconds(document, (*path, "until"), entry.until)
        if until is not None and until <= since:
            document.fail((*path, "until"), "it ends before it begins")
        where = f"{source}:{document.line_of(path)}"
        said = {"models": entry.models, "stages": entry.stages, "why": entry.why, "by": entry.by}
        found.append(Freeze(**said, since=since, until=until, where=where))
    return tuple(found)


def text(freezes: Sequence[Freeze]) -> str:
    """The file that says *freezes*."""
    return dump({"freezes": [_plain(freeze) for freeze in freezes]}, header="Written by mlgit freeze.")


def standing(freezes: Iterable[Freeze], model: str, stage: str, now: float) -> Freeze | None:
    """The one of *freezes* that keeps *stage* of *model* still at *now*, the longest of several; None: it may move."""
    found = [freeze for freeze in freezes if freeze.covers(model, stage) and freeze.stands(now)]
    return max(found, key=lambda freeze: float("inf") if freeze.until is None else freeze.until, default=None)


def verdict(freeze: Freeze, now: float, *, told: bool) -> Verdict:
    """That *freeze* stands in the way *now*, or is only *told*."""
    end = "" if freeze.until is None else f"merge it after {figures.moment(freeze.until)}, or "
    return Verdict(
        gate="no freeze", outcome=Outcome.FAILED, observed=str(freeze), where=freeze.where, told=told,
        waits=None if told else Wait.TIME,
        refused=f"it is {freeze}", fix=f"{end}lift it: mlgit unfreeze", inputs={"freeze": _plain(freeze), "now": now},
    )  # fmt: skip


def _plain(freeze: Freeze) -> dict[str, Any]:
    plain = {"models": freeze.models, "stages": freeze.stages, "since": figures.moment(freeze.since)}
    until = {} if freeze.until is None else {"until": figures.moment(freeze.until)}
    return plain | until | {key: value for key, value in (("why", freeze.why), ("by", freeze.by)) if value}


def _seconds(document: reader.Document, path: tuple[str, ...], moment: str) -> float:
    try:
        found = datetime.fromisoformat(moment)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        document.fail(path, "no moment; write it like 2026-12-20, or 2026-12-20T18:00:00Z")
