"""What a command prints: tables for people on a terminal, plain columns in a pipe, JSON for scripts."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import IO, Any, Literal

from mlgit.core import escape, figures


def is_terminal(stream: IO[str] | None = None) -> bool:
    """Whether a person watches."""
    return (stream or sys.stdout).isatty()


def say(text: str = "") -> None:
    """A line for the person, made harmless for a terminal."""
    sys.stdout.write(f"{escape.terminal(text)}\n")


def gap() -> None:
    """An empty line between two things, for a person; in a pipe there is none."""
    if is_terminal():
        say()


def note(text: str) -> None:
    """A line beside the result, on standard error: never in the way of a pipe."""
    sys.stderr.write(f"{escape.terminal(text)}\n")


def as_json(data: Any) -> None:
    """*data* as indented JSON; nan and the infinities as words, for JSON has no such numbers."""
    json.dump(_finite(data), sys.stdout, indent=2, ensure_ascii=not _takes_unicode(), default=str)
    sys.stdout.write("\n")


def table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = (), empty: str = "Nothing here."
) -> None:
    """*rows* under *columns*; those named in *right* are aligned to the right. Tab-separated when piped.

    On a terminal that is too narrow for it, the table is turned on its side if that fits; else its last columns are
    left out, and named on standard error. With no rows, *empty* is said there alone.
    """
    if not rows:
        note(empty)
    elif not is_terminal():
        for row in (columns, *rows):
            sys.stdout.write("\t".join(escape.line(cell, 2000) for cell in row) + "\n")
    else:
        _rich_table(columns, rows, right)


def _rich_table(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    lines = [[escape.line(cell) for cell in row] for row in (columns, *rows)]
    turned = [list(column) for column in zip(*lines, strict=True)]
    if _width(lines) > console.width >= _width(turned):  # few rows of many columns are read better on their side
        lines, right = turned, turned[0][1:]
    count = len(lines[0])
    while count > 2 and _width([line[:count] for line in lines], most=20) > console.width:
        count -= 1
    grid = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for number, name in enumerate(lines[0][:count]):
        align: Literal["left", "right"] = "right" if name in right else "left"
        grid.add_column(name, justify=align, no_wrap=number == 0, overflow="ellipsis")
    for line in lines[1:]:
        grid.add_row(*(Text(cell, style=_style(cell)) for cell in line[:count]))
    console.print(grid)
    if count < len(lines[0]):
        note(f"no room for {', '.join(lines[0][count:])}")


def _width(lines: Sequence[Sequence[str]], *, most: int = 1000) -> int:
    """How many characters a table of *lines* takes, if columns but the first are folded to *most* characters."""
    first, *others = (max(map(len, column)) for column in zip(*lines, strict=True))
    return first + sum(3 + min(width, most) for width in others)


def _style(cell: str) -> str:
    return {"running": "cyan", "failed": "red", "crashed": "red", "preempted": "yellow", "worse": "red",
            "better": "green"}.get(cell, "")  # fmt: skip


def _takes_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().startswith("utf")


def _finite(data: Any) -> Any:
    if isinstance(data, float):
        return data if math.isfinite(data) else figures.number(data)
    if isinstance(data, Mapping):
        return {str(key): _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return data
