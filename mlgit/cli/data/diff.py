"""`mlgit data diff`: what one version of data has and another has not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlgit.cli import output
from mlgit.cli.choose import ARTIFACT
from mlgit.core import contents, figures

if TYPE_CHECKING:
    from mlgit.artifacts.comparing import Side
    from mlgit.core.contents import Difference
    from mlgit.store.place import Place

_FEW = 20
"""So many files of a kind are named without --all."""


@dataclass(frozen=True)
class _Row:
    """One file that differs."""

    change: str
    path: str
    before: str | None
    after: str | None


@click.command(short_help="Compare versions of data.")
@click.argument("one", metavar="A", type=ARTIFACT)
@click.argument("other", metavar="[B]", required=False, type=ARTIFACT)
@click.option("--all", "lists", is_flag=True, help="Name every file, and look into every table.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(one: str, other: str | None, lists: bool, as_json: bool) -> None:
    """Say what became of A in B: files added, removed, changed and renamed, bytes, and of tables (CSV, TSV, JSON by
    lines, Parquet) rows and columns. Types of columns are told by the first ten thousand rows.

    A and B are versions, or paths in the work tree. Without B, a version is compared with what lies where it was added,
    a path with what was added there.

    \b
    Examples:
      mlgit data diff digits@v1 digits@v2
      mlgit data diff data/digits
      mlgit data diff digits:gold data/digits --all
      mlgit data diff digits@v1 digits@v2 --json | jq .added
    """
    from mlgit import wiring
    from mlgit.artifacts import comparing

    place = wiring.place()
    if other:
        before, after = _side(place, one), _side(place, other)
    elif (path := Path(one)).exists():
        before, after = comparing.pointed(place.repo, path), comparing.here(place.repo, path)
    else:
        before, after = _side(place, one), comparing.here(place.repo, comparing.added_at(place, one))
    found = contents.compare(before.hashes, after.hashes)
    if as_json:
        output.as_json(_document(before, after, found, lists=lists))
        return
    output.say(f"{before.name} → {after.name}: {_summary(found)}; {_bytes(before.total, after.total)}")
    rows, more = [], []
    for rest in _groups(found):
        shown = rest if lists else rest[:_FEW]
        rows += [_cells(before, after, row) for row in shown]
        if len(rest) > len(shown):
            more.append(_folders(rest[len(shown) :]))
    if rows:
        output.table(("", "path", "before", "after", "table"), rows, right=("before", "after"))
    for line in more:
        output.say(line)


def _side(place: Place, text: str) -> Side:
    from mlgit.artifacts import comparing

    path = Path(text)
    return comparing.here(place.repo, path) if path.exists() else comparing.version(place, text)


def _groups(found: Difference) -> Iterator[list[_Row]]:
    yield [_Row("changed", path, path, path) for path in found.changed]
    yield [_Row("added", path, None, path) for path in found.added]
    yield [_Row("removed", path, path, None) for path in found.removed]
    yield [_Row("renamed", f"{old} → {new}", old, new) for old, new in found.renamed]


def _cells(before: Side, after: Side, row: _Row) -> tuple[str, ...]:
    from mlgit.artifacts import comparing, shapes

    old = None if row.before is None else before.size(row.before)
    new = None if row.after is None else after.size(row.after)
    table = "" if row.change == "renamed" else shapes.told(*comparing.table(before, after, row.before or row.path))
    return (row.change, row.path, *("" if size is None else figures.size(size) for size in (old, new)), table)


def _summary(found: Difference) -> str:
    parts = [
        f"{len(paths):,} {name}"
        for name, paths in (("added", found.added), ("removed", found.removed), ("changed", found.changed),
                            ("renamed", found.renamed))
        if paths
    ]  # fmt: skip
    return f"{', '.join(parts) or 'no difference'}, {found.same:,} the same"


def _bytes(before: int, after: int) -> str:
    sign = "+" if after >= before else "-"
    return f"{figures.size(before)} → {figures.size(after)} ({sign}{figures.size(abs(after - before))})"


def _folders(rows: Sequence[_Row]) -> str:
    """The rest of a long list, by the folders that they lie in."""
    where = Counter(row.path.rpartition("/")[0] or "." for row in rows)
    some = output.some([f"{count:,} in {folder}" for folder, count in where.most_common()], 5)
    return f"{len(rows):,} more {rows[0].change}: {some}; --all names them"


def _document(before: Side, after: Side, found: Difference, *, lists: bool) -> dict[str, Any]:
    from mlgit.artifacts import comparing, shapes

    tables = {}
    names = [path for path in (*found.changed, *found.added, *found.removed) if shapes.is_table(path)]
    for path in names if lists else names[:_FEW]:
        old, new = comparing.table(before, after, path)
        if old or new:
            tables[path] = {"before": old and asdict(old), "after": new and asdict(new)}
    return {
        "before": before.name, "after": after.name, "bytes_before": before.total, "bytes_after": after.total,
        "same": found.same, "renamed": [{"from": old, "to": new} for old, new in found.renamed],
        "added": {path: after.size(path) for path in found.added},
        "removed": {path: before.size(path) for path in found.removed},
        "changed": {path: {"before": before.size(path), "after": after.size(path)} for path in found.changed},
        "tables": tables,
    }  # fmt: skip
