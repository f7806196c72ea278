"""`mlgit watch`: runs while they are under way."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from mlgit.cli import edits, output
from mlgit.cli.choose import KEY, RUN
from mlgit.cli.ls import state
from mlgit.core import figures
from mlgit.core.compare import is_number
from mlgit.core.run import Run, State

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mlgit.store.following import Seen

_MOST_METRICS = 6


@click.command()
@click.argument("names", type=RUN, nargs=-1, metavar="[RUN]...")
@click.option("-m", "--metric", "chosen", multiple=True, metavar="NAME", type=KEY,
              help="A column for this metric, and for no others; may be repeated.")  # fmt: skip
@click.option("-a", "--all", "everywhere", is_flag=True, help="The runs of every project in the repository.")
@click.option("--interval", type=click.FloatRange(min=0.1), default=2.0, show_default=True, metavar="SECONDS",
              help="Look so often.")  # fmt: skip
@click.option("--once", is_flag=True, help="Look once.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for a run each time it has something new.")
def command(
    names: tuple[str, ...], chosen: tuple[str, ...], everywhere: bool, interval: float, once: bool, as_json: bool
) -> None:
    """Watch runs while they are under way: step, speed, when they last logged, and their metrics.

    Of runs on other machines it shows the last checkpoint that is here, and how old that is; mlgit pull brings newer
    ones. It goes on until Ctrl-C, or until all RUNs that are named have ended. In a pipe, and on a terminal that cannot
    draw, it prints a line for each run that begins or ends.

    \b
    Examples:
      mlgit watch
      mlgit watch radiant-glade-12 && notify-send done
      mlgit watch --metric loss --metric val/acc --interval 10
      mlgit watch --once --json | jq .metrics.loss
    """
    from mlgit import wiring
    from mlgit.index import query
    from mlgit.store.following import Following

    place = wiring.place()
    ids = [run.id for run in query.find_all(place.repo, names, project=place.meant)] if names else []
    project = None if everywhere else place.meant
    following = Following(
        place.repo, lambda run_id: query.of_id(place.repo, run_id),
        lambda: query.away(place.repo, project=None if ids else project), project=project, ids=ids,
    )  # fmt: skip
    looks = _looks(following.look, interval, once=once, until_ended=bool(ids))
    with contextlib.suppress(KeyboardInterrupt):
        if as_json:
            _say_json(looks)
        elif once:
            columns, *rows = _cells(next(looks), chosen, time.time())
            output.table(columns, rows, right=columns[2:], spare=columns[:6:-1], firm=columns[6:7], empty=_NONE)
        elif output.is_terminal() and os.environ.get("TERM") != "dumb":
            _show(looks, chosen)
        else:
            _say_changes(looks)


def _looks(look: Callable[[], list[Seen]], interval: float, *, once: bool, until_ended: bool) -> Iterator[list[Seen]]:
    """What is seen, look after look: one alone if only *once*, else until none is under way, or for ever."""
    while True:
        seen = look()
        yield seen
        if once or (until_ended and not any(_is_alive(one) for one in seen)):
            return
        time.sleep(interval)


def _is_alive(seen: Seen) -> bool:
    return seen.run.state is State.RUNNING


def _say_json(looks: Iterator[list[Seen]]) -> None:
    told: dict[str, dict[str, Any]] = {}
    for look in looks:
        for seen in look:
            new = _document(seen)
            if told.get(seen.run.id) != new:
                output.json_line(new)
                told[seen.run.id] = new
        sys.stdout.flush()


def _document(seen: Seen) -> dict[str, Any]:
    run = seen.run
    return {
        **edits.known_by(run), "project": run.project, "state": run.state.value, "created": figures.moment(run.created),
        "step": seen.step, "steps_per_second": seen.speed,
        "heard": None if seen.heard is None else figures.moment(seen.heard), "metrics": run.scalars,
    }  # fmt: skip


def _say_changes(looks: Iterator[list[Seen]]) -> None:
    """A line for each run that is under way, or has ended, since the last look."""
    told: dict[str, State] = {}
    for look in looks:
        for seen in look:
            run = seen.run
            if told.get(run.id) is not run.state:
                after = f" after {figures.duration(run.duration)}: {figures.headlines(run)}" if run.finished else ""
                output.say(f"{_label(run)}: {run.state.value}{after}")
        told |= {seen.run.id: seen.run.state for seen in look}
        sys.stdout.flush()


_NONE = "No run is under way."


def _show(looks: Iterator[list[Seen]], chosen: Sequence[str]) -> None:
    """A table that stays in place, and stands there when it is over."""
    from rich.console import Console
    from rich.live import Live

    console = Console()
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        for look in looks:
            live.update(_drawn(look, chosen, console.width, console.height), refresh=True)


def _drawn(look: Sequence[Seen], chosen: Sequence[str], width: int, height: int) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    if not look:
        return Text(f"{_NONE} Ctrl-C ends.", style="dim")
    alive = sum(map(_is_alive, look))
    columns, *rows = _cells(look, chosen, time.time())
    most = max(1, height - 5)
    metrics = columns[6:]
    table, left_out = output.grid(columns, rows[:most], width, right=columns[2:], spare=metrics[::-1], firm=metrics[:1])
    words = [f"{alive} under way", f"{len(look) - alive} ended" if len(look) > alive else "",
             f"{len(rows) - most} more below" if len(rows) > most else "",
             f"no room for {', '.join(left_out)}" if left_out else "", "Ctrl-C ends" if alive else ""]  # fmt: skip
    return Group(table, Text(" · ".join(filter(None, words))[:width], style="dim"))


def _cells(look: Sequence[Seen], chosen: Sequence[str], now: float) -> list[tuple[str, ...]]:
    """The table's columns, and a row for each run."""
    metrics = chosen or _metrics(look)
    rows = [
        (
            _label(seen.run), state(seen.run, now),
            "" if seen.step is None else str(seen.step), _speed(seen.speed),
            figures.duration(now - seen.run.created if _is_alive(seen) else seen.run.duration),
            "" if seen.heard is None or seen.run.seen or not _is_alive(seen) else figures.ago(seen.heard, now),
            *(figures.number(seen.run.scalars.get(name, "")) for name in metrics),
        )
        for seen in look
    ]  # fmt: skip
    return [("run", "state", "step", "speed", "for", "logged", *metrics), *rows]


def _metrics(look: Sequence[Seen]) -> list[str]:
    """Those that most of the runs have, those first that say most about one."""
    ranks = Counter[str]()
    counted = Counter[str]()
    for seen in look:
        values = seen.run.scalars
        known = [name for name in seen.run.headlines if is_number(values[name])]
        counted.update(known)
        ranks.update({name: rank for rank, name in enumerate(known)})
    return sorted(counted, key=lambda name: (-counted[name], ranks[name]))[:_MOST_METRICS]


def _label(run: Run) -> str:
    """The end of its branch; its name and id while it has none."""
    return run.branch.rpartition("/")[2] or f"{run.name} ({run.id})"


def _speed(steps: float | None) -> str:
    """`12/s`, or `3.5/min` for slow ones."""
    if steps is None:
        return ""
    return f"{steps:.3g}/s" if steps >= 0.1 or not steps else f"{steps * 60:.3g}/min"
