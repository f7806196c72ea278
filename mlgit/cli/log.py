"""`mlgit log`: what became of a run's record."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from mlgit.cli import output
from mlgit.cli.choose import RUN
from mlgit.core import escape, figures, revision
from mlgit.core.compare import MISSING, Change
from mlgit.core.run import Run, State

if TYPE_CHECKING:
    from mlgit.store.chronicle import Entry

_MOST = 6
"""So many changes of one commit are told."""


@click.command()
@click.argument("run", type=RUN, default="latest")
@click.option("--json", "as_json", is_flag=True, help="Print every commit with all that it changed, as JSON.")
def command(run: str, as_json: bool) -> None:
    """Who recorded RUN, and who has edited what since, newest first; `latest` unless given.

    Each line is a commit on the run's branch: `git show` has it whole.

    \b
    Examples:
      mlgit log
      mlgit log radiant-glade-12
      mlgit log radiant-glade-12 --json | jq '.[].changes'
    """
    from mlgit import wiring
    from mlgit.index import query
    from mlgit.store import chronicle

    place = wiring.place()
    found = query.find(place.repo, run, project=place.meant)
    entries = chronicle.of(place.repo, found)
    told = list(zip(entries, _before(entries), strict=True))
    if as_json:
        output.as_json([_document(entry, before) for entry, before in told])
        return
    now = time.time()
    output.table(
        ("commit", "when", "who", "what"),
        [
            (entry.commit[:10], figures.ago(entry.when, now), entry.author.partition(" <")[0], _told(entry, before))
            for entry, before in told
        ],
        empty=f"{found.name} is under way: its first record is made when it ends.",
    )


def _before(entries: Sequence[Entry]) -> list[Run | None]:
    """For each of *entries* the record that was there before it."""
    known: list[Run | None] = []
    last: Run | None = None
    for entry in reversed(entries):
        known.append(last)
        last = entry.run or last
    return known[::-1]


def _document(entry: Entry, before: Run | None) -> dict[str, Any]:
    changes = revision.between(before, entry.run) if before and entry.run else ()
    author, _, email = entry.author.partition(" <")
    return {
        "commit": entry.commit, "author": author, "email": email.removesuffix(">"),
        "date": figures.moment(entry.when), "what": _told(entry, before), "why": entry.why,
        "changes": [{"key": one.key, "before": _plain(one.base), "after": _plain(one.head)} for one in changes],
    }  # fmt: skip


def _plain(value: Any) -> Any:
    return None if value is MISSING else value


def _told(entry: Entry, before: Run | None) -> str:
    """What the commit did, in a few words."""
    run = entry.run
    if run is None:
        return f"by hand: {escape.line(entry.why)}"
    if before is None or run.state is State.RUNNING or run.finished != before.finished:
        what = "checkpoint" if run.state is State.RUNNING else "recorded" if before is None else "went on"
        headlines = figures.headlines(run)
        return f"{what}: {run.state.value}{f', {headlines}' if headlines else ''}"
    said = [_said(change) for change in revision.between(before, run)]
    more = [f"{len(said) - _MOST} more"] if len(said) > _MOST else []
    return "; ".join([*said[:_MOST], *more]) or escape.line(entry.why) or "nothing"


def _said(change: Change) -> str:
    kind, _, name = change.key.partition(".")
    match kind:
        case "tags":
            before, after = (() if value is MISSING else value for value in (change.base, change.head))
            return " ".join(["tags", *(f"+{tag}" for tag in after if tag not in before),
                             *(f"-{tag}" for tag in before if tag not in after)])  # fmt: skip
        case "notes":
            return "note taken away" if change.head is MISSING else f"note: {escape.line(change.head, 80)}"
        case "used" | "logged":
            return f"{kind} {name}"
        case _:
            before, after = (escape.line(figures.number(value), 40) for value in (change.base, change.head))
            return f"{change.key} {before} → {after}"
