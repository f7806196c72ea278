"""What a terminal would show once a program has had its say: progress bars in their last state, colours gone."""

from __future__ import annotations

import re

from mlgit.core import escape

HEIGHT = 50
"""Lines that the cursor can go back to: the usual terminal shows no more, and a program can reach no further."""
WIDTH = 1000
"""As far right as a program may set its cursor."""

# Control characters that move the cursor or erase; all others but tab and newline leave no trace.
_MOVING = re.compile(r"[\x08\x0b-\x0d\x1b\x85\x9b]")
_SILENT = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[^ -/0-?@ABCDEFGHJKPXdfsu`a]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()*+#%][^\x1b])"
)
_TOKEN = re.compile(
    r"(?P<text>[^\x00-\x08\x0a-\x1f\x7f-\x9f]+)"
    r"|(?:\x1b\[|\x9b)(?P<given>[0-?]*)[ -/]*(?P<verb>[@-~])"
    r"|\x1b(?P<short>[78DEM])"
    r"|(?P<control>[\x08\n\x0b-\x0d\x85])"
)


def render(text: str) -> str:
    """*text*, with its carriage returns, backspaces and escape sequences, as a terminal would leave it.

    Nothing is cut at the right, and clearing the screen begins a new page below: what was said before stays. Blanks at
    the ends of lines go.
    """
    plain = _SILENT.sub("", text.replace("\r\n", "\n"))
    if _MOVING.search(plain):
        plain = _Screen().show(plain)
    return "\n".join(line.rstrip(" ") for line in escape.terminal(plain).split("\n"))


class _Screen:
    """Lines of characters and a cursor (ECMA-48; xterm where that is silent)."""

    def __init__(self) -> None:
        self._rows: list[list[str]] = [[]]
        self._row = self._column = self._page = 0
        self._saved = (0, 0)

    def show(self, text: str) -> str:
        for token in _TOKEN.finditer(text):
            if words := token["text"]:
                self._write(words)
            elif verb := token["verb"]:
                self._obey(verb, token["given"])
            else:
                self._control(token["control"] or token["short"])
        return "\n".join("".join(row) for row in self._rows)

    @property
    def _top(self) -> int:
        """The first line that the cursor can reach."""
        return max(self._page, len(self._rows) - HEIGHT)

    def _write(self, words: str) -> None:
        row, end = self._rows[self._row], self._column + len(words)
        if self._column > len(row):
            row.extend(" " * (self._column - len(row)))
        row[self._column : end] = words
        self._column = end

    def _control(self, mark: str) -> None:
        if mark == "\r":
            self._column = 0
        elif mark == "\b":
            self._column = max(0, self._column - 1)
        elif mark == "7":
            self._saved = (self._row, self._column)
        elif mark == "8":
            self._row, self._column = max(self._saved[0], self._top), self._saved[1]
        elif mark == "M":
            self._row = max(self._top, self._row - 1)
        else:
            if mark not in "\x0b\x0cD":
                self._column = 0
            self._row += 1
            if self._row == len(self._rows):
                self._rows.append([])

    def _obey(self, verb: str, given: str) -> None:
        numbers = [min(int(part), 100_000) if part.isdecimal() else 0 for part in given[:40].split(";")]
        count, row = max(1, numbers[0]), self._rows[self._row]
        bottom = len(self._rows) - 1
        match verb:
            case "A" | "F":
                self._row = max(self._top, self._row - count)
            case "B" | "E":
                self._row = min(bottom, self._row + count)
            case "C" | "a":
                self._column = max(self._column, min(WIDTH, self._column + count))
            case "D":
                self._column = max(0, self._column - count)
            case "G" | "`":
                self._column = min(WIDTH, count - 1)
            case "d":
                self._row = min(bottom, self._top + count - 1)
            case "H" | "f":
                self._row = min(bottom, self._top + count - 1)
                self._column = min(WIDTH, max(1, numbers[1] if len(numbers) > 1 else 1) - 1)
            case "s":
                self._saved = (self._row, self._column)
            case "u":
                self._row, self._column = max(self._saved[0], self._top), self._saved[1]
            case "K":
                self._erase_in_line(numbers[0])
            case "J":
                self._erase_below(numbers[0])
            case "P":
                del row[self._column : self._column + count]
            case "X":
                row[self._column : self._column + count] = " " * len(row[self._column : self._column + count])
            case "@":
                if self._column < len(row):
                    row[self._column : self._column] = " " * min(count, WIDTH)
        if verb in "EF":
            self._column = 0

    def _erase_in_line(self, which: int) -> None:
        row = self._rows[self._row]
        if which == 0:
            del row[self._column :]
        else:
            end = len(row) if which == 2 else min(len(row), self._column + 1)
            row[:end] = " " * end

    def _erase_below(self, which: int) -> None:
        if which == 0:
            del self._rows[self._row][self._column :], self._rows[self._row + 1 :]
        elif any(self._rows[-1]) or len(self._rows) > 1:
            if self._rows[-1]:
                self._rows.append([])
            self._page = self._row = len(self._rows) - 1
            self._column = 0
