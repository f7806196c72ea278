"""A report as Markdown for a comment. Whatever a template prints is escaped, unless a filter here made it safe."""

from __future__ import annotations

import re
import shlex
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlgit.core import again, compare, escape, figures
from mlgit.core.compare import Direction, Goal
from mlgit.core.run import Run
from mlgit.core.stats import Summary
from mlgit.report import templates
from mlgit.report.history import Said, hidden
from mlgit.report.made import Made
from mlgit.report.measured import Row
from mlgit.report.templates import CELL, NONE, Own, Safe, fill, printed
from mlgit.report.view import View

if TYPE_CHECKING:
    from jinja2 import Environment

MOST_CHARACTERS = 65_000
"""GitHub takes 65,536 in a comment; the rest is for the marker by which it is found again."""

ROWS = (200, 100, 50, 20, 8, 3, 1)
"""How many rows a table has at most, from the first that a text is tried with to the last."""
_SENTENCE = 600


@dataclass(frozen=True, kw_only=True)
class NoEvidence:
    """A change that no run speaks for yet."""

    commit: str
    branch: str
    beside: str
    base: Run | None
    stale: int | None
    """How many commits before the head the nearest run of this branch lies, where there is one."""
    has_origin: bool = False
    has_ci: bool = False
    """Whether its commits may ask CI for runs."""
    is_asked: bool = False
    """Whether the head does."""
    broken: Run | None = None
    """The newest run of the head's code that failed, crashed or was preempted."""


def render(view: View, *, history: Sequence[Said] = (), own: Own = NONE, most: int = MOST_CHARACTERS) -> str:
    """*view* as Markdown of at most *most* characters: tables lose rows, and say how many, before it gets too long.

    *history*: what this report and earlier ones say, this one first. *own*: the project's templates; raises
    `ConfigError` where one is wrong.
    """
    made = environment(own)
    text = ""
    for rows in ROWS:
        text = fill(made, "comment.md.j2", own, view=view, rows=rows, history=history)
        if len(text) <= most:
            break
    return text


def render_missing(missing: NoEvidence, *, history: Sequence[Said] = (), own: Own = NONE) -> str:
    """The comment that says how to make evidence. Raises as `render` does."""
    return fill(environment(own), "missing.md.j2", own, missing=missing, history=history)


def environment(own: Own = NONE) -> Environment:
    """Where templates are, with what they can do with a value."""
    return templates.environment({
        "code": lambda value: Safe(escape.code(str(value), CELL)),
        "sentence": lambda value: Safe(escape.markdown(str(value), _SENTENCE)),
        "inside": lambda value: Safe(escape.inside(str(value), CELL)),
        "difference": lambda value: Safe(figures.difference(value)),
        "digest": _digest,
        "duration": lambda value: Safe(figures.duration(value)),
        "moment": lambda value: Safe(figures.moment(value)) if value else Safe("—"),
        "count": len,
        "items": lambda mapping: list(mapping.items()),
        "fence": _fence,
        "word": lambda value: Safe(shlex.quote(escape.line(str(value), 250))),
        "url": _url,
        "mark": _mark,
        "over": _over,
        "change": _change,
        "hidden": lambda said: Safe(hidden(said)),
        "sized": lambda one: Safe(figures.size(one.size) if one else "—"),
        "grown": _grown,
        "arrow": _arrow,
        "share": lambda part: Safe(f"{max(0.0, part):.0%}"),
        "correlation": lambda value: Safe("—" if value is None else f"{value:+.2f}".replace("-", "−")),
        "ordinal": _ordinal,
        "times": _times,
        "call": lambda run: Safe(escape.code(again.show(run), CELL)),
    }, own)  # fmt: skip


def _fence(lines: Sequence[str]) -> Safe:
    """*lines* as a block of shell that nothing inside can end."""
    text = "\n".join(escape.terminal(line) for line in lines)
    longest = max((len(found) for found in re.findall("`+", text)), default=0)
    ticks = "`" * max(3, longest + 1)
    return Safe(f"{ticks}sh\n{text}\n{ticks}")


def _url(link: str) -> Safe:
    """*link* as the target of an image; only what a URL may hold, so that nothing can end it early."""
    return Safe(urllib.parse.quote(escape.line(link, 2000), safe="/:?=&#%.~_-+@,;"))


# A word and a mark, so that nothing hangs on colour; on one line, for a column is as narrow as its words.
MARKS = {
    Direction.BETTER: "✔\u00a0better",
    Direction.WORSE: "✘\u00a0worse",
    Direction.SAME: "same",
    Direction.UNKNOWN: "",
}


def _mark(row: Row) -> Safe:
    """What a metric's change means, in a word and a mark."""
    if row.base is compare.MISSING:
        return Safe("new")
    if row.head is compare.MISSING:
        return Safe("gone")
    if row.is_insufficient:
        return Safe("insufficient" if row.goal else "")
    if row.chance is None:
        return Safe(MARKS[row.direction])
    return Safe(
        f"{MARKS[row.direction] if row.is_clear else '≈'}, {figures.chance(row.chance)}".replace("p ", "p\u00a0")
    )


def _over(row: Row, side: str) -> Safe:
    """What a side of *row* has: a value, or the mean of several with its interval."""
    over: Summary | None = row.base_over if side == "base" else row.head_over
    if over is None or not over.std:
        return Safe(printed(row.base if side == "base" else row.head))
    return Safe(figures.mean(over).replace(" ", "\u00a0"))


def _change(row: Row) -> Safe:
    """`+0.012 (+1.2%)`."""
    if row.delta is None or row.share is None or not row.delta:
        return Safe(figures.difference(row.delta))
    percent = row.share * 100
    share = f"{percent:+.2g}" if abs(percent) < 99 else f"{percent:+.0f}"
    return Safe(f"{figures.difference(row.delta)}\u00a0({share.replace('-', '−')}%)")


def _grown(one: Made) -> Safe:
    """How much larger an artifact is than it was."""
    if one.base is None or one.head is None:
        return Safe("new" if one.head else "gone")
    if not one.delta:
        return Safe("same size")
    return Safe(f"{'+' if one.delta > 0 else '−'}{figures.size(abs(one.delta))}")


def _arrow(goal: Goal | None) -> Safe:
    return Safe({Goal.MAXIMIZE: "\u00a0↑", Goal.MINIMIZE: "\u00a0↓"}.get(goal, "") if goal else "")


def _ordinal(place: int) -> Safe:
    ending = "th" if place % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return Safe(f"{place}{ending}")


def _digest(value: Any) -> Safe:
    """The beginning of a content hash, as far as a person compares."""
    return Safe(str(value)) if value is compare.MISSING else Safe(escape.code(str(value)[:12]))


def _times(count: int, word: str) -> Safe:
    """`1 commit`, `3 commits`."""
    return Safe(f"{count} {word}{'' if count == 1 else 's'}")
