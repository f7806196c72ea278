"""What a command prints: tables for people on a terminal, plain columns in a pipe, JSON for scripts."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from mlgit.core import escape, figures, waiting

if TYPE_CHECKING:
    from rich.table import Table

_BLINK = 0.05
"""Seconds between two looks at a bar."""


def is_terminal(stream: IO[str] | None = None) -> bool:
    """Whether a person watches."""
    return (stream or sys.stdout).isatty()


def draws() -> bool:
    """Whether a person watches, on a terminal that knows more than letters."""
    return is_terminal() and takes_unicode()


def in_job() -> bool:
    """Whether a runner of GitHub's reads what is printed, and takes some of it for commands."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def hand_on(**told: str) -> None:
    """Let the steps after ours know what is *told*; nothing outside of a job."""
    if name := os.environ.get("GITHUB_OUTPUT"):
        try:
            with Path(name).open("a", encoding="utf-8") as file:
                file.writelines(f"{key}={value}\n" for key, value in told.items())
        except OSError as exc:  # no reason to end a run
            note(f"the outputs of this step cannot be written: {exc.strerror}")


def harmless(text: str) -> str:
    """*text* for a terminal; in a job of CI no command: a name could set a step's outputs."""
    plain = escape.terminal(text)
    return "\n".join(map(escape.uncommanded, plain.split("\n"))) if in_job() else plain


def say(text: str = "") -> None:
    """A line for the person, made harmless for a terminal."""
    sys.stdout.write(f"{harmless(text)}\n")


def raw(text: str) -> None:
    """*text* as it is, for another program."""
    sys.stdout.write(text)


def fitted(text: str) -> None:
    """A line that a terminal shows whole: its end is left out where there is no room for it."""
    room = shutil.get_terminal_size().columns
    say(f"{text[: room - 1]}…" if is_terminal() and len(text) > room else text)


def gap() -> None:
    """An empty line between two things, for a person; in a pipe there is none."""
    if is_terminal():
        say()


def note(text: str) -> None:
    """A line beside the result, on standard error: never in the way of a pipe, and after what was said before it."""
    sys.stdout.flush()
    sys.stderr.write(f"{harmless(text)}\n")


@contextlib.contextmanager
def kept_for_us() -> Iterator[None]:
    """What programs that are started meanwhile print goes to standard error: ours is to hold nothing but JSON."""
    sys.stdout.flush()
    before = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(before, 1)
        os.close(before)


def as_json(data: Any) -> None:
    """*data* as indented JSON; nan and the infinities as words, for JSON has no such numbers."""
    sys.stdout.write(_uncommanded(json_text(data, ascii_only=not takes_unicode())))


def as_json_list(items: Iterable[Any]) -> None:
    """A list of *items* like `as_json`, each printed before the next one is asked for."""
    before = "[\n  "
    for item in items:
        text = json_text(item, ascii_only=not takes_unicode()).rstrip()
        sys.stdout.write(before + _uncommanded(text.replace("\n", "\n  ")))  # inside of its texts it is escaped
        before = ",\n  "
    sys.stdout.write("[]\n" if before == "[\n  " else "\n]\n")


def json_text(data: Any, *, ascii_only: bool = False) -> str:
    """The same as text, for a file."""
    return json.dumps(figures.finite(data), indent=2, ensure_ascii=ascii_only, default=str) + "\n"


def json_line(data: Any) -> None:
    """*data* as JSON on a line, likewise."""
    text = json.dumps(figures.finite(data), ensure_ascii=not takes_unicode(), default=str)
    sys.stdout.write(_uncommanded(text) + "\n")


def _uncommanded(text: str) -> str:
    """The JSON *text*, which says the same; what a job's runner could take for a command stands inside of strings."""
    return text.replace("##[", "#\\u0023[") if in_job() else text


@contextlib.contextmanager
def progress(
    title: str, total: int | None, unit: waiting.Unit = "", *, quiet: bool = False
) -> Iterator[Callable[[int, str], None]]:
    """A bar for who watches, as long as there is much to do; it is told how many more are done, and of what now."""
    if quiet or not is_terminal(sys.stderr):
        yield lambda _count, _title: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    done = DownloadColumn() if unit == "bytes" else MofNCompleteColumn()
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), done, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        left, shown = 0, 0.0

        def tell(count: int, now: str) -> None:
            nonlocal left, shown
            left += count
            if (moment := time.monotonic()) - shown > _BLINK:  # of a hundred thousand things nobody sees each
                bar.update(task, advance=left, description=now)
                left, shown = 0, moment

        yield tell
        bar.update(task, advance=left)


def some(names: Sequence[str], most: int = 10, *, of: int | None = None) -> str:
    """The first of *names*, and how many there are besides (*of* so many): `a, b and 3 others`."""
    rest = (len(names) if of is None else of) - most
    return ", ".join(names[:most]) + (f" and {rest:,} other{'s' * (rest > 1)}" if rest > 0 else "")


def tell_rest(rest: int, what: str, page: int) -> None:
    """How many were not listed, and how they are."""
    if rest > 0:
        note(f"{rest:,} more {what}{'s' * (rest > 1)}: --page {page + 1}, or --limit 0 for all")


def table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = (), empty: str = "Nothing here.",
    spare: Sequence[str] = (), firm: Sequence[str] = (),
) -> None:  # fmt: skip
    """*rows* under *columns*; those named in *right* are aligned to the right. Tab-separated when piped.

    On a terminal that is too narrow for it, long texts are folded; if that does not do, the table is turned on its side
    where that fits; else columns are left out, those of *spare* first and in that order, then the last ones, and named
    on standard error. Those of *firm* stay: sooner the first column loses its middle. With no rows, *empty* is said
    there alone.
    """
    if not rows:
        note(empty)
    elif not is_terminal():
        for row in (columns, *rows):
            sys.stdout.write(harmless("\t".join(escape.line(cell, 2000) for cell in row)) + "\n")
    else:
        _rich_table(columns, rows, right, spare, firm)


def _rich_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str], spare: Sequence[str],
    firm: Sequence[str],
) -> None:  # fmt: skip
    from rich.console import Console

    console = Console()
    table, left_out = grid(columns, rows, console.width, right=right, spare=spare, firm=firm)
    console.print(table)
    if left_out:
        note(f"no room for {', '.join(left_out)}")


def grid(
    columns: Sequence[str], rows: Sequence[Sequence[str]], width: int, *, right: Sequence[str] = (),
    spare: Sequence[str] = (), firm: Sequence[str] = (),
) -> tuple[Table, list[str]]:  # fmt: skip
    """(the table that a terminal of this *width* shows, the columns that it had no room for), as `table` has it."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    lines = [[escape.line(cell) for cell in row] for row in (columns, *rows)]
    turned = [list(column) for column in zip(*lines, strict=True)]
    if _total(_widths(lines, right, width)) > width >= _total(_widths(turned, turned[0])):
        lines, right, spare, firm = turned, turned[0], (), ()  # few rows of many columns are read better on their side
    left_out: list[int] = []
    while True:
        kept = [number for number in range(len(lines[0])) if number not in left_out]
        widths = _widths([[line[number] for number in kept] for line in lines], right, width)
        over = _total(widths) - width
        if len(kept) <= 2 or over <= 0:
            break
        if (one := next((n for name in spare for n in kept[1:] if lines[0][n] == name), None)) is not None:
            left_out.append(one)
        elif firm and widths[0] > _SHORT:
            lines = [[shortened(line[0], max(_SHORT, widths[0] - over)), *line[1:]] for line in lines]
        else:
            left_out.append(next((n for n in reversed(kept[1:]) if lines[0][n] not in firm), kept[-1]))
    made = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for number, room in zip(kept, widths, strict=True):
        align: Literal["left", "right"] = "right" if number and lines[0][number] in right else "left"
        made.add_column(Text(lines[0][number]), justify=align, no_wrap=not number, overflow="ellipsis", max_width=room)
    for line in lines[1:]:
        made.add_row(*(Text(line[number], style=_style(line[number])) for number in kept))
    return made, [lines[0][number] for number in sorted(left_out)]


_SHORT = 20
"""To so many characters the texts of a first column are shortened."""


def shortened(text: str, width: int) -> str:
    """*text* without its middle: what a run is called stands first, and its id, by which it is found, last."""
    end = min(len(text), width // 2)
    return text if len(text) <= width else f"{text[: width - end - 1]}…{text[len(text) - end :]}"


def _widths(lines: Sequence[Sequence[str]], right: Sequence[str], room: int = sys.maxsize) -> list[int]:
    """How wide each column is: where *room* asks for it, the longest texts are folded, to no less than 20 characters.

    The first column and those named in *right* stay as they are.
    """
    from rich.cells import cell_len  # a letter of Chinese is two wide

    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    texts = [number for number, name in enumerate(lines[0]) if number and name not in right]
    while _total(widths) > room and (long := [number for number in texts if widths[number] > 20]):
        widths[max(long, key=widths.__getitem__)] -= 1
    return widths


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + 3 * (len(widths) - 1)


def _style(cell: str) -> str:
    return _STYLES.get(cell.partition(": ")[0], "")


_STYLES = {
    "running": "cyan", "failed": "red", "crashed": "red", "lost": "red", "timed out": "red", "preempted": "yellow",
    "pruned": "magenta", "worse": "red", "better": "green",
}  # fmt: skip
"""Of what a cell says first."""


def takes_unicode() -> bool:
    """Whether who reads it takes more than letters."""
    return (sys.stdout.encoding or "").lower().startswith("utf")
