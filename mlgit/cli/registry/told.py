"""What happened in a registry, as `mlgit registry log` tells it: for a person, for a script, for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlgit.core import escape, figures

if TYPE_CHECKING:
    from mlgit.registry.audit.happened import Entry
    from mlgit.registry.audit.standing import Live

COLUMNS = ("when", "what", "model", "stage", "version", "by", "approved by", "gates", "why")
LIVE = ("model", "stage", "version", "since", "by", "approved by", "gates", "held")


def row(one: Entry) -> tuple[str, ...]:
    """An entry, in `COLUMNS`."""
    number = f" #{one.origin.pull}" if one.origin.pull is not None else ""
    return (
        figures.moment(one.when), one.what.value, one.model, one.stage, one.version, f"{one.by}{number}",
        ", ".join(one.origin.approvers), gates(one), one.reason,
    )  # fmt: skip


def live_row(one: Live) -> tuple[str, ...]:
    """What was live, in `LIVE`."""
    _, _, model, stage, version, by, approved, asked, _ = row(one.entry)
    return model, stage, version, figures.moment(one.entry.when), by, approved, asked, one.hold.why if one.hold else ""


def gates(one: Entry) -> str:
    """What the gates said: `3 passed`, `2 passed, 1 fail`; that there is no record where a version came without one."""
    from mlgit.registry.audit.happened import SERVES

    if one.decision is None:
        return "no record" if one.what in SERVES else ""
    said = [str(gate.get("outcome")) for gate in one.decision.gates]
    others = [f"{said.count(word)} {word}" for word in dict.fromkeys(said) if word != "pass"]
    passed = [f"{said.count('pass')} passed"] if "pass" in said else []
    return ", ".join([*passed, *others]) or "none asked"


def document(one: Entry) -> dict[str, Any]:
    """An entry for a script, with all that its gates saw."""
    made = one.decision
    return {
        "when": figures.moment(one.when), "what": one.what.value, "model": one.model or None,
        "stage": one.stage or None, "version": one.version or None, "instead": made.instead if made else None,
        "by": one.by, "why": one.reason or None, "pull": one.origin.pull, "author": one.origin.author or None,
        "approvers": list(one.origin.approvers), "merged_by": one.origin.merged_by or None,
        "digest": (made.digest or None) if made else None, "policy": one.policy or (made.policy if made else None),
        "gates": [dict(gate) for gate in made.gates] if made else None,
        "emergency": {"by": one.emergency.by, "why": one.emergency.why} if one.emergency else None,
        "commit": one.commit or None, "tag": one.tag or None,
    }  # fmt: skip


def live_document(one: Live) -> dict[str, Any]:
    """What was live, for a script."""
    hold = one.hold
    said = document(one.entry)
    since = said.pop("when")
    return {"since": since, **said, "hold": {"by": hold.by, "since": hold.since, "why": hold.why} if hold else None}


def as_csv(documents: Sequence[Mapping[str, Any]]) -> str:
    """*documents* as CSV, a line each: of gates, how many had which outcome. No cell is a spreadsheet's formula."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if documents:
        writer.writerow(documents[0])
    for one in documents:
        writer.writerow([escape.formula(_cell(value)) for value in one.values()])
    return text.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(f"{one['gate']}: {one['outcome']}" if isinstance(one, dict) else str(one) for one in value)
    if isinstance(value, dict):
        return "; ".join(f"{key}: {some}" for key, some in value.items())
    return "" if value is None else str(value)
