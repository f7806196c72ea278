"""How deep values lie within values, in bytes that a library reads by recursion: too deep, and it ends the process."""

from __future__ import annotations

import re

_DEEPEST = 100
"""Values within values: a booster has a dozen."""
_JSON = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)
"""A text, to its end or that of the file, or a bracket."""
_ARRAY, _OBJECT = -1, -2
"""What is open until its bracket; else how many values are left in it."""
_SIZES = {b"Z": 0, b"N": 0, b"T": 0, b"F": 0, b"i": 1, b"U": 1, b"C": 1, b"I": 2, b"l": 4, b"d": 4, b"L": 8, b"D": 8}


def is_too_deep(content: bytes) -> bool:
    """Whether *content*, a booster of XGBoost's as JSON or as UBJSON, is too deep to be read.

    What is neither is not: whoever reads it stops where this does.
    """
    return _in_ubjson(content) or (content[1:2] != b"L" and _in_json(content))


def _in_json(content: bytes) -> bool:
    depth = 0
    for found in _JSON.finditer(content):
        mark = found[0][0]
        depth += (mark in b"[{") - (mark in b"]}")
        if depth > _DEEPEST:
            return True
    return False


def _in_ubjson(content: bytes) -> bool:
    at, left = 0, [1]
    while left and at < len(content) and len(left) <= _DEEPEST:
        mark = content[at : at + 1]
        if left[-1] == 0:
            left.pop()
            continue
        if left[-1] < 0 and mark in (b"]", b"}"):
            left.pop()
            at += 1
            continue
        if left[-1] == _OBJECT:
            at += _text(content, at)
            mark = content[at : at + 1]
        elif left[-1] > 0:
            left[-1] -= 1
        at += 1
        if mark == b"{":
            left.append(_OBJECT)
        elif mark == b"S":
            at += _text(content, at)
        elif mark == b"[":
            at += _opened(content, at, left)
        elif mark in _SIZES:
            at += _SIZES[mark]
        else:
            return False  # whoever reads it stops here
    return len(left) > _DEEPEST


def _opened(content: bytes, at: int, left: list[int]) -> int:
    """Open the array whose bracket ends before *at*; return how many bytes lie before its next value."""
    kind = content[at : at + 1]
    if kind == b"$":  # numbers of one type, then as many as is said
        return 12 + _count(content, at + 4) * _SIZES.get(content[at + 1 : at + 2], 0)
    if kind == b"#":
        left.append(_count(content, at + 2))
        return 10
    left.append(_ARRAY)
    return 0


def _text(content: bytes, at: int) -> int:
    """The bytes of a text at *at*: `L`, its length, and itself."""
    return 9 + _count(content, at + 1)


def _count(content: bytes, at: int) -> int:
    return int.from_bytes(content[at : at + 8], "big") & (1 << 63) - 1
