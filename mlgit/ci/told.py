"""A plan, for people: as rows of a table, and as Markdown for the summary of a workflow (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from mlgit.ci.plan import Plan
from mlgit.core import escape, figures

MOST_COLUMNS = 16
"""Of a summary, which holds a megabyte."""
COLUMNS = ("trial", "job", "runner", "run")


def columns(plan: Plan) -> list[str]:
    """Of `rows`."""
    return [*COLUMNS, *_params(plan)]


def rows(plan: Plan, most: int | None = None) -> list[list[str]]:
    """One for each trial, by number: where it runs, its run's name, its params. Of *most* at most."""
    jobs = {number: (n, job) for n, job in enumerate(plan.jobs) for number in job.trials}
    names = _params(plan)
    found = []
    for trial in plan.trials[:most]:
        number, job = jobs[trial.number]
        params = [figures.number(trial.params[name]) if name in trial.params else "" for name in names]
        found.append([str(trial.number), str(number), str(job.runs_on), trial.name, *params])
    return found


def _params(plan: Plan) -> list[str]:
    """Their names, in the order in which they are met."""
    return list(dict.fromkeys(name for trial in plan.trials for name in trial.params))


def markdown(plan: Plan, most: int = 100) -> str:
    """*plan* as Markdown, *most* trials of it."""
    lines = [f"### {escape.markdown(plan.what[0].upper() + plan.what[1:])}", ""]
    lines += [f"> {escape.markdown(note)}\n" for note in plan.notes]
    if plan.trials:
        heads = columns(plan)[:MOST_COLUMNS]
        lines += [_row(heads), _row(["---"] * len(heads), plain=True)]
        lines += [*(_row(row[:MOST_COLUMNS]) for row in rows(plan, most)), ""]
        if left := len(columns(plan)) - len(heads):
            lines.append(f"… and {figures.count(left, 'param')} more.\n")
    if len(plan.trials) > most:
        lines.append(f"… and {figures.count(len(plan.trials) - most, 'trial')} more.\n")
    if plan.later:
        lines.append(f"{figures.count(len(plan.later), 'trial')} more in a further dispatch.\n")
    return "\n".join(lines)


def _row(cells: Sequence[str], *, plain: bool = False) -> str:
    return f"| {' | '.join(cell if plain else escape.markdown(cell, 80) for cell in cells)} |"
