"""`mlgit registry status`: whether files, tags and targets agree."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.registry.options import BASE, JSON, MODELS
from mlgit.core import figures
from mlgit.errors import GateFailedError, UsageError

if TYPE_CHECKING:
    from mlgit.registry.audit.drift import Standing


@click.command(short_help="Whether files, tags and targets agree.")
@MODELS
@click.option("--max-age", metavar="TIME", help="What was seen longer ago (12h, 7d) is not known, and exits with 4.")
@BASE
@JSON
def command(model: str | None, max_age: str | None, base: str | None, as_json: bool) -> None:
    """How every stage (of MODEL) stands: what its file asks for, what its tag serves, what targets were seen to run.

    Synced; OutOfSync, where file and tag differ or a target runs something else; Held and Frozen; Unknown, where nobody
    has said what runs. Exits with 4 where something is OutOfSync; with --max-age, also where it is Unknown.

    \b
    Examples:
      mlgit registry status
      mlgit registry status digits --max-age 1d
      mlgit registry status --json | jq '.[] | select(.state != "Synced")'
    """
    from mlgit.registry.audit.drift import State
    from mlgit.wiring import auditing

    age = figures.seconds(max_age) if max_age is not None else None
    if max_age is not None and age is None:
        raise UsageError(f"{max_age[:40]!r} is no length of time.", fix="write it like 90m, 12h or 7d")
    found = auditing.standings(wiring.place(), base=base, model=model, max_age=age)
    if as_json:
        output.as_json([_document(one) for one in found])
    else:
        now = time.time()
        output.table(
            ("model", "stage", "target", "state", "serves", "runs", "seen", "why"),
            [
                (one.model, one.stage, one.target, one.state.value, one.served, ", ".join(one.runs),
                 "" if one.seen is None else figures.ago(one.seen, now), one.why)
                for one in found
            ],
            empty="No stage serves anything.", spare=("seen",),
        )  # fmt: skip
    amiss = {State.OUT_OF_SYNC} | ({State.UNKNOWN} if age is not None else set())
    if some := [one for one in found if one.state in amiss]:
        names = output.some([f"{one.model} {one.stage}{f' on {one.target}' * bool(one.target)}" for one in some], 5)
        raise GateFailedError(f"Not in sync, or not known: {names}.", fix="mlgit registry reconcile, or deploy again")


def _document(one: Standing) -> dict[str, Any]:
    return {
        "model": one.model, "stage": one.stage, "target": one.target or None, "state": one.state.value,
        "wanted": one.wanted or None, "served": one.served or None, "runs": list(one.runs),
        "seen": None if one.seen is None else figures.moment(one.seen), "why": one.why or None,
    }  # fmt: skip
