"""`mlgit ci watch`: what CI does, until it has ended."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.choose import CI_RUN
from mlgit.core.job import JobState

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from mlgit.ci.underway import Underway
    from mlgit.cli.ci.shown import Runs
    from mlgit.forge.github.workflow_runs import WorkflowRun
    from mlgit.wiring.underway import Ci


@click.command(short_help="Watch what CI does until it has ended.")
@click.argument("run", type=CI_RUN, required=False)
@click.option("--interval", type=click.FloatRange(min=2), default=5.0, show_default=True, metavar="SECONDS",
              help="Look so often.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON each time that something is new.")
def command(run: str | None, interval: float, as_json: bool) -> None:
    """Show how CI gets on with RUN, in place, until it ends; the exit code is 0 if it succeeded, and 1 if not.

    A sweep that goes on in further parts is watched to the end of the last one.

    Without RUN it is what HEAD asks for, also when that was pushed just now. In a pipe a line is printed for each stage
    and each job that begins or ends. Ctrl-C ends the watching alone. What a trial logs is seen when it has ended: on
    the machine that trains, `mlgit watch` sees it within seconds.

    \b
    Examples:
      mlgit ci watch
      git push && mlgit ci watch && mlgit pull
      mlgit ci watch idea --json
    """
    from mlgit.cli.ci import awaited, shown
    from mlgit.wiring import underway

    ci = underway.ci(wiring.place())
    one: WorkflowRun | None = awaited.begun(ci, run)
    is_well = True
    while one is not None:
        with awaited.left_alone(one):
            looks = awaited.looks(ci, one, interval)
            if as_json:
                last = _say_json(ci, looks)
            elif output.is_terminal() and os.environ.get("TERM") != "dumb":
                last = _show(ci, looks)
            else:
                last = _say_changes(looks)
            one = awaited.following(ci, last)
        is_well = is_well and last.run.state is JobState.SUCCEEDED
        if one:
            output.note(f"it goes on as {one.id}")
    if not as_json and (hint := shown.hint(last, ci.made(last))):
        output.note(hint)
    if not is_well:
        sys.exit(1)


def _say_json(ci: Ci, looks: Iterator[Underway]) -> Underway:
    from mlgit.cli.ci import shown

    told: dict[str, Any] | None = None
    for found in looks:
        new = shown.document(found, ci.made(found))
        if new != told:
            output.json_line(new)
            sys.stdout.flush()
            told = new
    return found


def _say_changes(looks: Iterator[Underway]) -> Underway:
    """A line for the run, each stage and each job of the matrix, whenever it stands otherwise than before."""
    from mlgit.cli.ci import shown

    told: dict[str, str] = {}
    for found in looks:
        now = time.time()
        if not told:
            output.say(shown.headline(found, now))
            output.say(found.run.url)
        lines = {row[0]: (row[1], row[2]) for row in shown.stage_rows(found, now)}
        begun = [lot for lot in found.lots if lot.state is not JobState.QUEUED or (lot.job and lot.job.why)]
        lines |= {f"trial {row[0]} ({row[1]})": (row[2], row[3]) for row in shown.lot_rows(begun, {}, now)}
        for name, (state, took) in lines.items():
            if told.get(name) != state:
                output.say(f"{name}: {state}{f', {took}' if took else ''}")
            told[name] = state
        sys.stdout.flush()
    output.say(shown.headline(found, time.time()))
    return found


def _show(ci: Ci, looks: Iterator[Underway]) -> Underway:
    """A table that stays in place, and stands there when it is over."""
    from rich.console import Console
    from rich.live import Live

    console = Console()
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        for found in looks:
            live.update(_drawn(ci, found, console), refresh=True)
    return found


def _drawn(ci: Ci, found: Underway, console: Console) -> RenderableType:
    """All of it, with as many jobs as there is room for on *console*."""
    made, now, most = ci.made(found), time.time(), console.height
    while True:
        drawn, shows = _with(most, found, made, console.width, now)
        over = len(console.render_lines(drawn, pad=False)) - console.height
        if over <= 0 or not shows:
            return drawn
        most = shows - over


def _with(most: int, found: Underway, made: Runs, width: int, now: float) -> tuple[RenderableType, int]:
    """(it with *most* of the jobs of its matrix, how many these are)."""
    from rich.console import Group
    from rich.text import Text

    from mlgit.cli.ci import shown

    parts: list[RenderableType] = [Text(shown.headline(found, now), style="bold"), Text(found.run.url, style="dim")]
    if stages := shown.stage_rows(found, now):
        parts += [Text(), output.grid(shown.STAGES, stages, width, right=("took",))[0]]
    lots = shown.picked(found, most)
    if lots:
        columns, *rows = shown.lot_table(lots, made, now)
        grid, _ = output.grid(columns, rows, width, right=("trial", "took"), spare=("runner", "run"))
        parts += [Text(), grid]
    words = [f"{len(found.lots) - len(lots)} more jobs" if len(lots) < len(found.lots) else "",
             "" if found.run.state.ended else "Ctrl-C ends the watching"]  # fmt: skip
    return Group(*parts, Text(" · ".join(filter(None, words))[:width], style="dim")), len(lots)
