"""A version of a model as the verbs of `mlgit model` show it, and the options that they share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mlgit.core import figures
from mlgit.core.compare import goal_of, is_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlgit.core.compare import Goal
    from mlgit.core.model import ModelVersion
    from mlgit.registry.ledger import Event
    from mlgit.registry.versions.shelf import Line

JSON = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
BASE = click.option("--base", metavar="BRANCH", help="The branch whose stages count.  [default: main]")


def told(record: ModelVersion | None, goals: Mapping[str, Goal]) -> str:
    """The metrics that matter most, in few words."""
    if record is None:
        return ""
    numbers = {name: value for name, value in record.metrics.items() if is_number(value) and not name.startswith("_")}
    names = sorted(numbers, key=lambda name: (name not in goals, goal_of(name, goals) is None, name))
    return ", ".join(f"{name} {figures.number(numbers[name])}" for name in names[:2])


def form(record: ModelVersion | None) -> str:
    """The format of its bytes, and that it is unsafe where it is."""
    if record is None or record.card is None:
        return ""
    return f"{record.card.format} UNSAFE".strip() if record.unsafe else record.card.format


def places(one: Line) -> str:
    """The stages that serve it, held ones and emergencies as such; and that it should not be used any more, if so."""
    marks = {
        stage.stage: " ".join(filter(None, ("EMERGENCY" if stage.emergency else "", "held" if stage.hold else "")))
        for stage in one.marked
    }
    stages = [f"{stage} {marks.get(stage.partition(' ')[0], '')}".rstrip() for stage in one.stages]
    return ", ".join((*stages, *(["deprecated"] if one.deprecated else [])))


def plain(version: ModelVersion) -> dict[str, Any]:
    """A version for a script."""
    from mlgit.documents import writer

    return writer.as_data(version)


def event(one: Event) -> dict[str, Any]:
    """What a tag did, for a script."""
    from mlgit.registry import decision
    from mlgit.registry.ledger import DEPRECATED

    why = decision.of_message(one.tag.message)
    declared = why.emergency_of(one.version) if why else None
    return {
        "when": figures.moment(one.tag.when), "what": one.what, "version": one.version,
        "stage": None if one.stage == DEPRECATED else one.stage, "by": one.tag.who, "tag": one.tag.name,
        "emergency": declared.why if declared else None,
        "rolled_back_from": why.hold.instead if why and why.hold and why.hold.version == one.version else None,
    }  # fmt: skip


def line(one: Line) -> dict[str, Any]:
    """A line of the list for a script."""
    from dataclasses import asdict

    record = plain(one.record) if one.record else {"model": one.model, "version": one.version}
    return record | {
        "stages": list(one.stages), "tag": one.tag.name, "by": one.tag.who,
        "deprecated": one.deprecated.why if one.deprecated else None,
        "held": {stage.stage: asdict(stage.hold) for stage in one.marked if stage.hold},
        "emergencies": {stage.stage: asdict(stage.emergency) for stage in one.marked if stage.emergency},
    }  # fmt: skip
