"""Markdown that is too long for a comment, cut where a reader would cut it (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_DEEPER = re.compile(r"<(?:details|table|ul)\b", re.IGNORECASE)
_HIGHER = re.compile(r"</(?:details|table|ul)>", re.IGNORECASE)
_BEGINS = re.compile(r"#{1,6} |<details\b|---\s*$")


def fitted(text: str, most: int, *, whole: str) -> str:
    """As many sections of *text* as *most* characters hold, and a last line that leads to the *whole*.

    Cut is before a heading or a folded part; within a section that alone is too long, between two blocks; and in a
    block that alone is too long, between two lines. Nothing that was opened stays open.
    """
    more = f"\n\n*This is too long for a comment: [all of it]({whole}).*\n"
    room = most - len(more)
    borders = [at for at in _borders(text) if at[0] <= room]
    cut = max((at for at, is_section in borders if is_section), default=0)
    if cut < room // 2:
        cut = max((at for at, _ in borders), default=0)
    if cut < room // 4:
        cut = max(text.rfind("\n", 0, room - 8), 0)
        return text[:cut] + _closing(text[:cut]) + more
    return text[:cut].rstrip() + more


def _borders(text: str) -> Iterator[tuple[int, bool]]:
    """Where a block begins that is in no other, and whether it begins a section."""
    at, depth, fence, was_blank = 0, 0, "", True
    for line in text.splitlines(keepends=True):
        found = _FENCE.match(line)
        if not fence and depth == 0 and at and (was_blank or _BEGINS.match(line)) and line.strip():
            yield at, bool(_BEGINS.match(line))
        if found and not fence:
            fence = found[1]
        elif found and found[1].startswith(fence) and not line.strip().strip(fence[0]):
            fence = ""
        elif not fence:
            depth = max(0, depth + len(_DEEPER.findall(line)) - len(_HIGHER.findall(line)))
        at, was_blank = at + len(line), not line.strip()


def _closing(text: str) -> str:
    """What ends a fence that *text* leaves open."""
    fence = ""
    for line in text.splitlines():
        if found := _FENCE.match(line):
            fence = "" if fence and found[1].startswith(fence) else fence or found[1]
    return f"\n{fence}" if fence else ""
