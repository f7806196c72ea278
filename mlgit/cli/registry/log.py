"""`mlgit registry log`: what happened in the registry, and what was live at a moment."""

from __future__ import annotations

import sys
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.choose import LISTED, MODEL
from mlgit.cli.moments import Moment
from mlgit.cli.registry import told
from mlgit.cli.registry.options import BASE, JSON

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@click.command(short_help="What happened, by whom and why; what was live at a moment.")
@click.option("--model", type=MODEL, metavar="MODEL", help="Of this model alone.")
@click.option("--stage", type=LISTED, metavar="STAGE", help="Of stages of this name alone.")
@click.option("--at", type=Moment(), metavar="TIME", help="What was live then: 2026-03-01, or with a time; in UTC.")
@click.option("--limit", type=click.IntRange(min=0), default=50, show_default=True, help="At most so many; 0: all.")
@BASE
@JSON
@click.option("--csv", "as_csv", is_flag=True, help="Print it as CSV.")
def command(
    model: str | None, stage: str | None, at: float | None, limit: int, base: str | None, as_json: bool, as_csv: bool
) -> None:  # fmt: skip
    """What happened to models and their stages, newest first: promotions, rollbacks, holds, freezes, edits by hand.

    All of it is in git: the tags of versions and stages, which record what the gates saw, and the commits that changed
    registry/. With --at, it is what every stage served at that moment, and who had approved it on what evidence. JSON
    and CSV tell the digests, the policy's blob and each gate too.

    \b
    Examples:
      mlgit registry log --model digits --stage production
      mlgit registry log --at 2026-03-01
      mlgit registry log --limit 0 --csv > audit.csv
    """
    from mlgit.wiring import auditing

    if as_json and as_csv:
        raise click.UsageError("--json and --csv: one of both.")
    place, most = wiring.place(), limit + 1 if limit else sys.maxsize  # one more tells whether there is more
    if at is not None:
        found = auditing.live_at(place, at, base=base, model=model)
        shown = list(islice((one for one in found if stage in (None, one.entry.stage)), most))
        rest, shown = len(shown) == most, shown[: most - 1]
        documents = [told.live_document(one) for one in shown] if as_json or as_csv else []
        rows = [] if documents else [told.live_row(one) for one in shown]
        _print(documents, told.LIVE, rows, as_json=as_json, as_csv=as_csv, empty="Nothing was live then.")
    else:
        entries = auditing.account(place, base=base, model=model, stage=stage, most=most)[::-1]
        rest, entries = len(entries) == most, entries[: most - 1]
        documents = [told.document(one) for one in entries] if as_json or as_csv else []
        rows = [] if documents else [told.row(one) for one in entries]
        _print(documents, told.COLUMNS, rows, as_json=as_json, as_csv=as_csv, empty="Nothing has happened yet.")
    if rest:
        output.note("There is more: --limit 0 for all")


def _print(
    documents: Sequence[Mapping[str, Any]], columns: Sequence[str], rows: Sequence[Sequence[str]], *, as_json: bool,
    as_csv: bool, empty: str,
) -> None:  # fmt: skip
    if as_json:
        output.as_json(list(documents))
    elif as_csv:
        output.raw(told.as_csv(documents))
    else:
        output.table(columns, rows, empty=empty, spare=("gates", "approved by"))
