"""`mlgit sweep check`: what a sweep file comes to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlgit.cli import output
from mlgit.cli.sweep import given, shown
from mlgit.core import figures
from mlgit.errors import UsageError

if TYPE_CHECKING:
    from mlgit.sweeps.explained import Explained
    from mlgit.sweeps.space import SweepFile


@click.command(short_help="Explain a sweep file, and count what it tries.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "json_", is_flag=True, help="Print it as JSON.")
@click.option(
    "--schema", is_flag=True, is_eager=True, expose_value=False,
    callback=lambda context, _option, asked: _schema(context, asked),
    help="Print the JSON schema of sweep files instead, for an editor.",
)  # fmt: skip
def command(file: Path, json_: bool) -> None:
    """Explain FILE: what each param may be, how many points and trials that makes, what a trial runs, and what in the
    file means nothing here. Nothing is run, and no repository is needed.

    What cannot be is an error with its line and key, and ends with exit code 2.

    \b
    Examples:
      mlgit sweep check sweep.yaml
      mlgit sweep check sweep.yaml --json | jq .trials
      mlgit sweep check --schema > .sweep-schema.json
    """
    from mlgit.documents.reader import parse
    from mlgit.sweeps import explained
    from mlgit.sweeps import file as files

    text = given.content(file)
    found = files.read(text, source=str(file))
    try:
        whole = explained.explain(found)
    except UsageError as exc:
        parse(text, source=str(file)).fail(("constraints",), f"{exc.what.rstrip('.')}; {exc.fix}")
    words, problem = _words(found, whole)
    if json_:
        output.as_json(_document(found, whole, words) | {"problem": problem or None})
        return
    output.say(f"{found.name or file.stem}: {', '.join(_facts(found))}")
    if found.description:
        output.say(found.description)
    output.gap()
    _say_table(whole)
    output.gap()
    for line in _counts(found, whole):
        output.say(line)
    if words:
        output.say(f"a trial runs: {' '.join(shown.in_shell(word) for word in words)}")
    for note in (problem, *found.aside):
        if note:
            output.note(note)


def _schema(context: click.Context, asked: bool) -> None:
    from mlgit import resources

    if asked:
        output.raw((resources.schemas() / "sweep.json").read_text(encoding="utf-8"))
        context.exit()


def _facts(file: SweepFile) -> Iterator[str]:
    yield file.space.method.value
    for metric in file.metrics:
        target = "" if metric.target is None else f", target {figures.number(metric.target)}"
        yield f"{metric.name} ({metric.goal.value}{target})"
    if rule := file.early_terminate:
        said = {name: value for name, value in asdict(rule).items() if value is not None and name != "strict"}
        told = ", ".join(f"{name} {figures.number(value)}" for name, value in said.items())
        yield f"stopped by {rule.TYPE} ({told}{', strict' if getattr(rule, 'strict', False) else ''})"


def _say_table(whole: Explained) -> None:
    has_conditions = any(row.when for row in whole.rows)
    rows = [
        (
            row.name, row.kind, row.range, row.scale, f"{row.count:,}" if row.count is not None else "",
            *((row.when or "",) if has_conditions else ()),
        )
        for row in whole.rows
    ]  # fmt: skip
    columns = ("param", "kind", "range", "scale", "count", *(("when",) if has_conditions else ()))
    output.table(columns, rows, right=("count",), empty="", spare=("scale", "count", "kind"))


def _counts(file: SweepFile, whole: Explained) -> Iterator[str]:
    for rule in file.space.constraints:
        yield f"constraint: {rule.text}"
    if whole.allowed is not None:
        yield f"allowed: about {whole.allowed:.0%} of what is drawn"
    yield f"points: {whole.points:,}" if whole.points is not None else "points: a continuum"
    if len(file.metrics) > 1:
        yield "best: the points that no other beats in all metrics; bayes weighs them anew for each point"
    if file.seeds:
        yield f"seeds: each point {len(file.seeds)} times, as the param seed: {', '.join(map(str, file.seeds[:10]))}"
    if whole.trials is not None:
        yield f"trials: at most {whole.trials:,}"
    elif any(metric.target is not None for metric in file.metrics):
        yield "trials: until the target is reached"
    elif file.budget.minutes is not None or file.budget.cost is not None:
        yield "trials: until the budget is used up"
    else:
        yield "trials: no end; say --trials N, or `run_cap: N` or a `budget` in the file"
    budget = file.budget
    if budget.minutes is not None:
        yield f"budget: {figures.number(budget.minutes)} minutes of running, all trials together; then none begins"
    if budget.cost is not None:
        by = budget.cost_metric or f"{figures.number(budget.price_per_hour)} an hour"
        yield f"budget: a cost of {figures.number(budget.cost)}, by {by}; then none begins"


def _words(file: SweepFile, whole: Explained) -> tuple[tuple[str, ...], str]:
    """What the first trial runs, or why that cannot be said."""
    from mlgit.sweeps import command as commands

    try:
        words = commands.chosen(file, ())
        filled = commands.fill(words, whole.first, file=file, json_file="params.json", env=os.environ)
        script = commands.script(words, file.program)
        is_there = script is None or Path(script).exists()
        return filled, "" if is_there else f"{script} is not in this folder: no trial could begin here"
    except UsageError as exc:
        return (), f"{exc.what} To fix: {exc.fix}" if exc.fix else exc.what


def _document(file: SweepFile, whole: Explained, words: tuple[str, ...]) -> dict[str, Any]:
    return {
        "name": file.name,
        "method": file.space.method.value,
        "metrics": [
            {"name": one.name, "goal": one.goal.value, "target": one.target, "impute": one.impute.value}
            for one in file.metrics
        ],
        "parameters": [asdict(row) for row in whole.rows],
        "constraints": [rule.text for rule in file.space.constraints],
        "allowed": whole.allowed,
        "points": whole.points,
        "seeds": list(file.seeds),
        "trials": whole.trials,
        "run_cap": file.run_cap,
        "budget": asdict(file.budget),
        "early_terminate": file.early_terminate and {"type": file.early_terminate.TYPE} | asdict(file.early_terminate),
        "command": list(words),
        "first": whole.first,
        "aside": list(file.aside),
    }
