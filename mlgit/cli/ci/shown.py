"""What CI does, for a person and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlgit.ci.underway import title_of
from mlgit.cli import output
from mlgit.core import escape, figures
from mlgit.core.job import JobState
from mlgit.core.run import State

if TYPE_CHECKING:
    from mlgit.ci.underway import Lot, Underway
    from mlgit.core.run import Run
    from mlgit.forge.github.workflow_runs import Span, WorkflowRun

STAGES = ("stage", "state", "took", "runner")
LOTS = ("trial", "name", "state", "took", "runner", "run")
_MOST = 20
"""Jobs of a matrix that are listed one by one."""
_LAST = {JobState.SUCCEEDED: 1, JobState.QUEUED: 2}
"""Those of less interest where there is no room for all."""
Runs = Mapping[str, "Run"]


def headline(underway: Underway, now: float) -> str:
    """What it is about, and how it stands, in a line: `12345 sweep lr of 1a2b3c4d5e on main: running, 4m 20s`."""
    run = underway.run
    what = escape.line(underway.what, 120)
    attempt = f", attempt {run.attempt}" if run.attempt > 1 else ""
    where = f" on {escape.line(run.branch, 80)}" if run.branch else ""
    return f"{run.id} {what} of {underway.commit[:10]}{where}: {state(run)}{_after(run, now)}{attempt}"


def state(span: Span) -> str:
    """How a run, a job or a step of GitHub's stands, and why."""
    word = "skipped" if span.is_skipped else span.state.value
    return f"{word}: {span.why}" if span.why else word


def took(span: Span | None, now: float) -> str:
    """How long it took, or takes; nothing before it begins."""
    return "" if span is None or span.is_skipped else figures.duration(span.seconds(now))


def _after(run: WorkflowRun, now: float) -> str:
    passed = took(run, now)
    if not passed:
        return ""
    return f" after {passed}" if run.state.ended else f", {passed}"


def stage_rows(underway: Underway, now: float) -> list[tuple[str, ...]]:
    """A row for each stage."""
    return [
        (escape.line(one.name, 60), escape.line(one.said), took(one.span, now), escape.line(one.runner, 40))
        for one in underway.stages()
    ]


def lot_rows(lots: Sequence[Lot], made: Runs, now: float) -> list[tuple[str, ...]]:
    """A row for each job of the matrix."""
    return [
        (
            one.numbers or str(one.number), escape.line(one.name, 60), state(one.job) if one.job else one.state.value,
            took(one.job, now), escape.line(one.job.runner, 40) if one.job else "", _said(one, made),
        )
        for one in lots
    ]  # fmt: skip


def lot_table(lots: Sequence[Lot], made: Runs, now: float) -> list[tuple[str, ...]]:
    """The columns, and a row for each job of the matrix; what its runs have come to only where some are here."""
    table = [LOTS, *lot_rows(lots, made, now)]
    return table if made else [row[:-1] for row in table]


def picked(underway: Underway, most: int = _MOST) -> list[Lot]:
    """*most* of the matrix's jobs, by number: as many that failed as are under way, sooner than those that did well."""
    seen = Counter[str]()
    order: list[tuple[int, int, Lot]] = []
    for lot in underway.lots:
        kind = "failed" if lot.state.ended and lot.state is not JobState.SUCCEEDED else lot.state.value
        seen[kind] += 1
        order.append((_LAST.get(lot.state, 0), seen[kind], lot))
    order.sort(key=lambda one: one[:2])
    return sorted((lot for _, _, lot in order[: max(0, most)]), key=lambda one: one.number)


def _said(lot: Lot, made: Runs) -> str:
    """What its runs have come to, as far as they are here."""
    there = [made[trial.id] for trial in lot.trials if trial.id in made]
    if len(there) == 1:
        return figures.headlines(there[0]) or there[0].state.value
    others = [f"{escape.line(run.name, 40)} {run.state.value}" for run in there if run.state is not State.FINISHED]
    return ": ".join(filter(None, (f"{len(there)} runs", output.some(others, 3)))) if there else ""


def say(underway: Underway, made: Runs, now: float) -> None:
    """All of it for a person."""
    output.say(headline(underway, now))
    output.say(underway.run.url)
    output.gap()
    output.table(STAGES, stage_rows(underway, now), right=("took",), empty="No job of it has begun.")
    lots = picked(underway) if output.is_terminal() else underway.lots
    if lots:
        output.gap()
        columns, *rows = lot_table(lots, made, now)
        output.table(columns, rows, right=("trial", "took"), spare=("runner", "run"))
    if len(lots) < len(underway.lots):
        output.note(f"{len(underway.lots) - len(lots):,} more jobs with trials: --json has all")
    if said := hint(underway, made):
        output.note(said)


def hint(underway: Underway, made: Runs) -> str:
    """What somebody may do about it now, who has the runs *made* of it here."""
    run = underway.run
    if run.state.ended and underway.failed:
        return f"why: mlgit ci logs {run.id} --failed; once more: mlgit ci retry {run.id}"
    if underway.goes_on:
        return f"a further part follows, as a run of its own: mlgit ci ls; mlgit ci watch {underway.commit[:10]}"
    if run.state is JobState.CANCELLED:
        return f"mlgit ci retry {run.id} goes on with what was not done"
    if run.state is JobState.SUCCEEDED and underway.lots and not made:
        return "mlgit pull brings its runs here"
    return ""


def brief(run: WorkflowRun, commit: str) -> dict[str, Any]:
    """A run of GitHub's as JSON."""
    return {
        "id": run.id, "workflow": run.workflow, "event": run.event, "title": title_of(run), "branch": run.branch,
        "commit": commit, "attempt": run.attempt, **_span(run), "created": figures.moment(run.created), "url": run.url,
    }  # fmt: skip


def document(underway: Underway, made: Runs) -> dict[str, Any]:
    """All of it as JSON."""
    plan = underway.plan
    return {
        **brief(underway.run, underway.commit),
        "what": underway.what,
        "plan": plan and {
            "project": plan.project, "sweep": plan.sweep, "sweep_name": plan.sweep_name or None, "part": plan.part,
            "goes_on": plan.goes_on, "trials": len(plan.trials), "what": plan.what,
        },
        "stages": [
            {"stage": one.name, "said": one.said, "runner": one.runner or None, **(_span(one.span) if one.span else {})}
            for one in underway.stages()
        ],
        "jobs": [
            {
                "job": lot.number, "id": lot.job and lot.job.id, "url": lot.job and lot.job.url,
                "runner": (lot.job and lot.job.runner) or None,
                **(_span(lot.job) if lot.job else {"state": lot.state.value}),
                "trials": [
                    {"trial": one.number, "name": one.name, "run": one.id, "params": dict(one.params),
                     "run_state": made[one.id].state.value if one.id in made else None,
                     "metrics": made[one.id].scalars if one.id in made else None}
                    for one in lot.trials
                ],
            }
            for lot in underway.lots
        ],
    }  # fmt: skip


def _span(span: Span) -> dict[str, Any]:
    return {
        "state": "skipped" if span.is_skipped else span.state.value, "why": span.why or None,
        "started": None if span.started is None else figures.moment(span.started),
        "ended": None if span.ended is None else figures.moment(span.ended),
    }  # fmt: skip
