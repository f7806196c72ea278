"""`mlgit lineage`: what something was made of, and what it led to."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlgit import whole
from mlgit.cli import output
from mlgit.cli.choose import THING
from mlgit.core import figures
from mlgit.errors import MlgitError, NotFoundError, UsageError

if TYPE_CHECKING:
    from mlgit.lineage.gather import Wish
    from mlgit.lineage.graph import Graph, Key, Way

_MOST = 100
"""Nodes that are drawn for a person."""


@click.command()
@click.argument("ref", type=THING, metavar="REF")
@click.option("--up", is_flag=True, help="Only what it was made of.")
@click.option("--down", is_flag=True, help="Only what it led to.")
@click.option(
    "-d", "--depth", type=click.IntRange(min=0), metavar="N", help="Go N steps from it.  [default: to the end]"
)
@click.option("-n", "--limit", type=click.IntRange(min=0), metavar="N",
              help="Show N things next to one, those that lead to a registered model first; 0 for all."
                   "  [default: 10; in JSON all]")  # fmt: skip
@click.option("--json", is_flag=True, help="Print nodes and edges as JSON.")
@click.option("--dot", is_flag=True, help="Print a graph for Graphviz.")
@click.option("--mermaid", is_flag=True, help="Print a flowchart, as forges draw it in Markdown.")
@click.option("--to", "foreign", type=click.Choice(["openlineage", "ro-crate", "croissant"]),
              help="Print it for other programs: the runs as OpenLineage's events or as a Process Run Crate, or, of a "
                   "dataset, what is in its files as Croissant.")  # fmt: skip
@click.option("-o", "--output", "target", type=click.Path(path_type=Path), metavar="PATH",
              help="With --to: write it to this file, or, under its own name, into this folder.")  # fmt: skip
@click.option("--license", "terms", metavar="TEXT", help="With --to: the licence, by its address or its name.")
@click.option("--base", metavar="BRANCH", help="The branch whose stages count.  [default: main]")
def command(
    ref: str, up: bool, down: bool, depth: int | None, limit: int | None, foreign: str | None,
    target: Path | None, terms: str | None, base: str | None, **forms: bool,
) -> None:  # fmt: skip
    """Show what REF was made of and what it led to: data, runs, models, versions and stages.

    REF is a run by any of its names, an artifact's version (digits:v2, digits@v2 or its hash), a model (churn), its
    version (churn@v1.2.0) or stage (churn@production), a sweep, a path that DVC tracks (data/train.csv), or a stage of
    dvc.yaml.

    \b
    Examples:
      mlgit lineage churn@production --up
      mlgit lineage digits:v2 --down
      mlgit lineage data/train.csv
      mlgit lineage latest --mermaid >> notes.md
      mlgit lineage latest --up --to ro-crate -o crate/
      mlgit lineage digits:v2 --to croissant > croissant.json
    """
    from mlgit import wiring
    from mlgit.lineage.gather import Wish
    from mlgit.lineage.graph import Way
    from mlgit.wiring import tracing

    form = _only([name for name, is_wanted in forms.items() if is_wanted] + ["to"] * bool(foreign))
    way = _only(["up"] * up + ["down"] * down)
    if (target or terms) and not foreign:
        raise UsageError("--output and --license go with --to.")
    ways = (Way(way),) if way else (Way.UP, Way.DOWN)
    most = limit if limit is not None else None if form == "json" else 10
    wish = Wish(ways=ways, depth=depth, limit=most or None, most=None if form == "json" or limit == 0 else _MOST)
    if foreign:
        _tell(_exported(ref, foreign, wish, terms, base), foreign, target)
        return
    graph = tracing.lineage(wiring.place(), ref, wish, base=base)
    match form:
        case "json":
            output.as_json(document(graph))
        case "dot":
            from mlgit.lineage import drawn

            output.raw(drawn.dot(graph))
        case "mermaid":
            from mlgit.lineage import drawn

            output.raw(drawn.mermaid(graph))
        case _:
            _print(graph)


def _only(options: Sequence[str]) -> str | None:
    """The one of *options* that was given, if any. Raises `UsageError` where they were several."""
    if len(options) > 1:
        raise UsageError(f"{' and '.join(f'--{name}' for name in options)} do not go together.", fix="give one of them")
    return options[0] if options else None


def _exported(ref: str, foreign: str, wish: Wish, terms: str | None, base: str | None) -> list[dict[str, Any]]:
    """The documents of a format of others."""
    from mlgit import wiring
    from mlgit.lineage import crate, croissant, openlineage
    from mlgit.wiring import tracing

    place = wiring.place()
    if foreign == "croissant":
        return [croissant.render(replace(tracing.dataset(place, ref), license=terms))]
    happened = tracing.happenings(place, ref, wish, base=base, with_columns=foreign == "openlineage")
    if not happened:
        raise NotFoundError(f"No run that is here has to do with {ref[:120]!r}.", fix="mlgit lineage shows what has")
    if foreign == "openlineage":
        return list(openlineage.events(happened))
    return [crate.render(happened, name=f"The lineage of {ref}", license=terms)]


_FILES = {"openlineage": "openlineage.jsonl", "ro-crate": "ro-crate-metadata.json", "croissant": "croissant.json"}


def _tell(documents: Sequence[dict[str, Any]], foreign: str, target: Path | None) -> None:
    """Print documents, or write them."""
    indent = None if foreign == "openlineage" else 2
    text = "".join(f"{json.dumps(figures.finite(one), indent=indent, default=str)}\n" for one in documents)
    if target is None:
        output.raw(text)
        return
    place = target if target.suffix and not target.is_dir() else target / _FILES[foreign]
    try:
        with whole.at(place) as scratch:
            scratch.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise MlgitError(f"{place} cannot be written.", why=str(exc)) from exc
    output.say(str(place))


def _print(graph: Graph) -> None:
    from mlgit.lineage import tree

    marks = tree.LINES if output.takes_unicode() else tree.LETTERS
    more = {(key, way): _more(graph, key, way) for key, way in graph.left}
    for line in tree.render(graph, marks=marks, more=more):
        output.fitted(line)
    if away := [node.label for node in graph.nodes.values() if node.data.get("here") is False and ":" in node.label]:
        output.note(f"Some bytes are not here. To fix: mlgit data checkout {away[0]}, if a remote has them")


def _more(graph: Graph, key: Key, way: Way) -> str:
    """The command that shows what was left out of a node, that way."""
    from mlgit.lineage.graph import Kind, Way

    if key.kind is Kind.CONTENT and way is Way.DOWN:
        label = graph.nodes[key].label
        return shlex.join(("mlgit", "ls", "--all", "--where", f"used = '{label if ':' in label else key.name}'"))
    return shlex.join(("mlgit", "lineage", key.name, f"--{way.value}", "--limit", "0"))


def document(graph: Graph) -> dict[str, Any]:
    """A lineage as plain data."""
    ids = {key: f"{key.kind.value}:{key.name}" for key in graph.nodes}
    return {
        "start": ids[graph.start],
        "nodes": [
            {"node": ids[key], "kind": key.kind.value, "label": node.label, **node.data}
            for key, node in graph.nodes.items()
        ],
        "edges": [{"from": ids[edge.source], "to": ids[edge.target], "what": edge.what} for edge in graph.edges],
        "left_out": [
            {"of": ids[key], "way": way.value, "count": count} for (key, way), count in graph.left.items()
        ],
    }  # fmt: skip
