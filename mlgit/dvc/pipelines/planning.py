"""What `dvc repro` would do now, stage by stage; nothing is run or written."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlgit.dvc.pipelines import repro, unreadable

if TYPE_CHECKING:
    from dvc.stage import Stage

_HOW = ("single_item", "force", "pipeline", "all_pipelines", "downstream", "recursive", "glob")


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A stage that `dvc repro` would look at."""

    name: str
    would_run: bool
    why: Sequence[str]


def plan(words: Sequence[str], *, instead: Mapping[Path, str] | None = None) -> list[Planned]:
    """What `dvc repro` with *words* would do in the current folder, if the files *instead* held these texts.

    Raises `UsageError` where the stages cannot be read.
    """
    from dvc.exceptions import DvcException

    planned: list[Planned] = []
    going: set[Stage] = set()

    def one(stage: Stage, *, upstream: Sequence[Stage] = (), force: bool = False, **_how: Any) -> None:
        why = ["forced"] if force else _reasons(stage)
        why += [f"{other.addressing} would run" for other in upstream if other in going and not stage.frozen]
        if why:
            going.add(stage)
        if not repro.is_data(stage):
            planned.append(Planned(name=stage.addressing, would_run=bool(why), why=why))

    try:
        with repro.command(words) as command:
            _read_instead(command.repo.fs, instead or {})
            how = {name: getattr(command.args, name) for name in _HOW}
            command.repo.reproduce(targets=command.args.targets, repro_fn=one, dry=True, **how)
    except DvcException as exc:
        raise unreadable.error(exc) from exc
    return planned


def _read_instead(fs: Any, texts: Mapping[Path, str]) -> None:
    """Let whoever opens one of these files by DVC's *fs* read its text here."""
    held = {str(path): text for path, text in texts.items()}
    opened = fs.open

    def open_file(path: str, *args: Any, **how: Any) -> Any:
        text = held.get(fs.abspath(path))
        return opened(path, *args, **how) if text is None else io.StringIO(text)

    fs.open = open_file


def _reasons(stage: Stage) -> list[str]:
    """Why *stage* would run: `lr modified`, `train.py modified`, …"""
    reasons: list[str] = []

    def walk(name: str, found: Any) -> None:
        if isinstance(found, Mapping):
            for inner, value in found.items():
                walk(inner, value)
        else:
            reasons.append(f"{name} {found}")

    for of_stage in stage.status().values():
        for item in of_stage:
            if isinstance(item, str):
                reasons.append(item)
            else:
                walk("", item)
    return reasons
