"""A sweep while it runs, for who watches it on a terminal: a few lines that stay in place, and go when it is done."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlgit.core import escape, figures

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from mlgit.sweeps.plan import Trial
    from mlgit.sweeps.record import Task

Tell = Callable[["Trial", "tuple[Trial, ...]"], None]
Latest = Callable[[], Mapping[str, float]]

_ROWS = 8
"""So many running trials are shown."""


def line(trial: Trial) -> str:
    """A trial that ended: `digits-3: 0.9778 (lr=0.04264)`; where it failed, its program's last word."""
    from mlgit.sweeps import plan

    if not trial.counts:
        said = plan.last_word(trial.problem)
        at = f" at {figures.number(trial.value)}" if trial.pruned and trial.value is not None else ""
        how = "failed" if trial.failed else f"{trial.word}{at}"
        return f"{trial.name}: {how} ({params(trial)}){f': {said}' if said else ''}"
    value = "" if trial.value is None else f" {figures.number(trial.value)}"
    return f"{trial.name}:{value} ({params(trial)})"


def params(trial: Trial) -> str:
    """A trial's params in few words."""
    return ", ".join(f"{name}={figures.number(value)}" for name, value in trial.params.items())


@contextlib.contextmanager
def watching(task: Task, latest: Latest = dict) -> Iterator[Tell]:
    """Show how *task* goes until the block ends; what is yielded wants to hear of each trial that begins or ends.

    *latest* tells the last value of the metric of each trial under way, by name.

    Only trials that failed leave a line behind.
    """
    from rich.live import Live
    from rich.text import Text

    view = View(task, task.earlier, latest)
    with Live(get_renderable=view.render, transient=True, refresh_per_second=4) as live:

        def tell(trial: Trial, trials: tuple[Trial, ...]) -> None:
            view.hear(trial, trials)
            if trial.failed:
                live.console.print(Text(escape.line(line(trial), 500), style="red"))

        yield tell


@dataclass
class View:
    """What is seen of *task*: it is told of trials, and drawn several times a second."""

    task: Task
    trials: tuple[Trial, ...]
    latest: Latest = dict
    """The last value of the metric of each trial under way, by name."""
    began: float = field(default_factory=time.monotonic)
    since: dict[int, float] = field(default_factory=dict)
    """Running trials: number → since when, on the monotonic clock."""

    def hear(self, trial: Trial, trials: tuple[Trial, ...]) -> None:
        """Take note that *trial*, one of *trials*, began or ended."""
        self.trials = trials
        if trial.state.ended:
            self.since.pop(trial.number, None)
        else:
            self.since[trial.number] = time.monotonic()

    def render(self) -> RenderableType:
        """The lines as they are now."""
        from rich.console import Group

        return Group(self.bar(), self.rows())

    def bar(self) -> Table:
        """How far it is, in numbers and as a bar where an end is known."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        before, done = self.over(self.task.earlier), self.over(self.trials)
        failed, pruned = sum(trial.failed for trial in self.trials), sum(trial.pruned for trial in self.trials)
        total = self.total(before, done)
        took = time.monotonic() - self.began
        left = took / (done - before) * (total - done) if total and done > before else 0.0
        words = (
            f"{done} of {total} trials" if total else f"{done} trial{'' if done == 1 else 's'}",
            f"{failed} failed" if failed else "",
            f"{pruned} pruned" if pruned else "",
            _clock(took),
            f"about {_clock(left)} left" if left >= 1 else "",
        )
        grid = Table.grid(padding=(0, 2, 0, 0))
        bar: tuple[ProgressBar, ...] = ()
        if total:
            bar = (
                ProgressBar(
                    total=total, completed=done,
                    style="bright_black", complete_style="cyan", finished_style="cyan",
                ),
            )  # fmt: skip
            grid.add_column(max_width=30)  # and less, where that leaves room for the words
        grid.add_column(no_wrap=True)
        grid.add_row(*bar, " · ".join(filter(None, words)))
        return grid

    @staticmethod
    def over(trials: tuple[Trial, ...]) -> int:
        """How many of *trials* have ended, and need no other."""
        return sum(trial.state.ended and not trial.interrupted for trial in trials)

    def total(self, before: int, done: int) -> int | None:
        """How many there will be, those *before* among them, where that is known."""
        task, size = self.task, self.task.file.space.size
        if task.most is None:
            return size and max(size, done)
        return max(before + task.most, done)

    def rows(self) -> Table:
        """The best trial so far and the running ones, those that run longest first."""
        from rich.table import Table

        from mlgit.sweeps import judging

        grid = Table.grid(padding=(0, 2, 0, 0))
        for justify in ("left", "left", "right"):
            grid.add_column(justify=justify, no_wrap=True)
        grid.add_column()  # the params: the one that is shortened where there is no room for all
        if best := judging.best(self.task.file, self.trials):
            self.row(grid, best, "best", figures.number(best.value), "green")
        named = {trial.number: trial for trial in self.trials}
        latest = self.latest() if self.since else {}
        for number, since in list(self.since.items())[:_ROWS]:
            trial = named[number]
            told = f"{figures.number(latest[trial.name])} · " if trial.name in latest else ""
            self.row(grid, trial, "running", f"{told}{_clock(time.monotonic() - since)}", "cyan")
        if len(self.since) > _ROWS:
            grid.add_row("", f"and {len(self.since) - _ROWS} more")
        return grid

    def row(self, grid: Table, trial: Trial, what: str, figure: str, style: str) -> None:
        from rich.text import Text

        told = Text(escape.line(params(trial)), "dim", no_wrap=True, overflow="ellipsis")
        grid.add_row(Text(what, style), Text(escape.line(trial.name, 40)), figure, told)


def _clock(seconds: float) -> str:
    """Time passed, in whole seconds: a clock that shows tenths never rests."""
    return f"{seconds:.0f}s" if seconds < 9.5 else figures.duration(seconds)
