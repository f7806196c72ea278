"""How a run stands, while it is under way and at its end, for the log of its job and for the page of it (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

from mlgit.core import compare, escape, figures, xychart
from mlgit.core.compare import Goal, is_number
from mlgit.core.history import Series
from mlgit.core.run import Run
from mlgit.core.summary import rule_for

_POINTS = 200
"""To so many points a curve is condensed, at least to half of them."""
_ROWS, _CHARTS, _WIDE = 12, 4, 60
_MARK = "│ "
"""Before each line, so that ours are told from the program's own."""


@dataclass
class Curve:
    """One metric of a run, however long it runs: each point is the mean of as many values as there had to be."""

    places: list[float] = field(default_factory=list)
    """The steps."""
    means: list[float] = field(default_factory=list)
    last: Any = None
    step: int = 0
    least: tuple[float, int] | None = None
    """The smallest value, and its step; the first, where there are several."""
    most: tuple[float, int] | None = None
    _each: int = 1
    _some: list[float] = field(default_factory=list)

    def add(self, series: Series) -> None:
        """Take in what has come."""
        for step, value in zip(series.steps, series.values, strict=True):
            self.last, self.step = value, step
            if not is_number(value):
                continue
            if self.least is None or value < self.least[0]:
                self.least = value, step
            if self.most is None or value > self.most[0]:
                self.most = value, step
            self._some.append(value / self._each)
            if len(self._some) == self._each:
                self.places.append(step)
                self.means.append(sum(self._some))
                self._some.clear()
                if len(self.means) >= _POINTS:
                    self._halve()

    def _halve(self) -> None:
        self.means = [one / 2 + two / 2 for one, two in zip(self.means[::2], self.means[1::2], strict=True)]
        self.places = self.places[1::2]
        self._each *= 2

    def best(self, goal: Goal | None) -> tuple[float, int] | None:
        """The best value and its step; None where nobody knows which way is better."""
        return {Goal.MAXIMIZE: self.most, Goal.MINIMIZE: self.least}[goal] if goal else None


def curves(told: Mapping[str, Series]) -> dict[str, Curve]:
    """Those of all that a run has logged."""
    found = {name: Curve() for name in told}
    for name, curve in found.items():
        curve.add(told[name])
    return found


@dataclass(frozen=True, kw_only=True)
class Stand:
    """How a run stands."""

    title: str
    """What people call it: `Trial 3: rates-3`."""
    run: Run
    """With the values that it has by now."""
    curves: Mapping[str, Curve]
    goals: Mapping[str, Goal]
    seconds: float
    """That it has taken."""
    most_seconds: float | None = None
    """That it may take."""
    speed: float | None = None
    """Steps a second."""
    is_over: bool = False

    @property
    def line(self) -> str:
        """`step 1,200, 41/s, after 3m 20s of 20m 00s at most`."""
        step = max((curve.step for curve in self.curves.values()), default=None)
        words = [] if step is None else [f"step {step:,}"]
        if self.speed and not self.is_over:
            words.append(f"{self.speed:.3g}/s" if self.speed >= 0.1 else f"{self.speed * 60:.3g}/min")
        limit = "" if self.is_over or not self.most_seconds else f" of {figures.duration(self.most_seconds)} at most"
        words.append(f"after {figures.duration(self.seconds)}{limit}")
        return ", ".join([self.run.state.value, *words] if self.is_over else words)


def rows(stand: Stand) -> tuple[list[tuple[str, ...]], int]:
    """(metric, last, best, at step, trend) of the metrics that say most, those first; and how many more there are."""
    values = stand.run.scalars
    names = [name for name in stand.run.headlines if isinstance(values[name], int | float)]
    return [_row(stand, name, values[name]) for name in names[:_ROWS]], max(0, len(names) - _ROWS)


def _row(stand: Stand, name: str, value: Any) -> tuple[str, ...]:
    curve = stand.curves.get(name, Curve())
    rule = rule_for(stand.run.rules, name)
    best = curve.best(Goal(rule.goal) if rule and rule.goal else compare.goal_of(name, stand.goals))
    told = (figures.number(best[0]), f"{best[1]:,}") if best else ("", "")
    return name, figures.number(value), *told, figures.sparkline(curve.places, curve.means)


_HEADS = ("metric", "last", "best", "at step", "trend")
_RIGHT = _HEADS[1:4]


def lines(stand: Stand) -> str:
    """*stand* for a log: a line, and a table of the metrics. No line of it is a command of the runner's."""
    found, more = rows(stand)
    table = _used([_HEADS, *(tuple(escape.line(cell, 60) for cell in row) for row in found)])
    wide = [max(map(len, column)) for column in zip(*table, strict=True)]
    text = [f"{escape.line(stand.title, 120)}: {stand.line}"]
    for row in table if found else ():
        cells = zip(table[0], row, wide, strict=True)
        text.append("  ".join(cell.rjust(room) if head in _RIGHT else cell.ljust(room) for head, cell, room in cells))
    if more:
        text.append(f"… and {figures.count(more, 'metric')} more")
    return "\n".join(escape.uncommanded(f"{_MARK}{line.rstrip()}") for line in text)


def _used(table: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """*table* without the columns that say nothing."""
    said = [any(row[at] for row in table[1:]) for at in range(len(_HEADS))]
    return [tuple(compress(row, said)) for row in table]


def markdown(stand: Stand, *, with_charts: bool = True) -> str:
    """*stand* for the page of a job: the same, and the curves of the first metrics as mermaid draws them."""
    state = "" if stand.is_over else "**running**, "
    text = [f"### {escape.markdown(stand.title, 120)}", "", f"{state}{escape.markdown(stand.line)}", ""]
    found, more = rows(stand)
    table = _used([_HEADS, *found])
    if found:
        text += [_cells(table[0]), _cells(["--:" if head in _RIGHT else ":--" for head in table[0]], plain=True)]
        text += [*map(_cells, table[1:]), ""]
    if more:
        text += [f"… and {figures.count(more, 'metric')} more", ""]
    drawn = [chart for row in found if with_charts and (chart := _chart(row[0], stand.curves.get(row[0])))][:_CHARTS]
    if drawn:
        title = figures.count(len(drawn), "curve")
        text += [
            f"<details open>\n<summary>{title}</summary>",
            "",
            *(f"{chart}\n" for chart in drawn),
            "</details>",
            "",
        ]
    return "\n".join(text)


def _chart(name: str, curve: Curve | None) -> str | None:
    if curve is None or len(curve.means) < 2:
        return None
    span = min(curve.places), max(curve.places)
    line = figures.evenly(curve.places, curve.means, _WIDE)
    return xychart.block(name, x="step", span=span, y=name, lines=[line]) if len(line) > 1 else None


def _cells(cells: Iterable[str], *, plain: bool = False) -> str:
    return f"| {' | '.join(cell if plain else escape.markdown(cell, 80) for cell in cells)} |"
