"""A stream of bytes without the secrets in it, each part of it as soon as no secret can begin there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MASK = b"***"
_SHORT = 4
"""Characters of a line that tells nothing by itself: a bracket of a key in JSON."""


def parts(value: str) -> list[str]:
    """What is hidden of a secret's *value*: its lines, for lines are what programs print of it."""
    lines = [line for line in (line.strip() for line in value.splitlines()) if line]
    return [line for line in lines if len(line) >= _SHORT] if len(lines) > 1 else lines


class Mask:
    """Hides *values* in what is fed to it, block by block, wherever blocks begin and end."""

    def __init__(self, values: Iterable[bytes]) -> None:
        self._values = tuple(filter(None, values))
        self._tail = b""
        self._hidden = 0
        """Bytes of the tail that are a secret's, for which the mask is out already."""

    def feed(self, block: bytes) -> bytes:
        """What can be shown by now."""
        text = self._tail + block
        return self._shown(text, len(text) - max((_begun(text, value) for value in self._values), default=0))

    def end(self) -> bytes:
        """The rest, which has begun like a secret and was none."""
        return self._shown(self._tail, len(self._tail))

    def _shown(self, text: bytes, until: int) -> bytes:
        """*text* as far as *until*; the rest is kept."""
        shown, at = list[bytes](), 0
        for start, end in _spans(text, self._values, self._hidden):
            is_shown = bool(self._hidden) and not start
            if start >= until and not is_shown:
                break
            shown += (text[at:start], b"" if is_shown else MASK)
            at = end
        shown.append(text[at:until])
        self._tail, self._hidden = text[until:], max(0, at - until)
        return b"".join(shown)


def _begun(text: bytes, value: bytes) -> int:
    """How many bytes at the end of *text* may be the beginning of *value*."""
    at = text.find(value[:1], max(0, len(text) - len(value) + 1))
    while at >= 0 and not value.startswith(text[at:]):
        at = text.find(value[:1], at + 1)
    return len(text) - at if at >= 0 else 0


def _spans(text: bytes, values: Sequence[bytes], hidden: int) -> list[tuple[int, int]]:
    """Where *values* stand in *text*, those that overlap as one, beside the first *hidden* bytes."""
    found = [(0, hidden)] if hidden else []
    for value in values:
        at = text.find(value)
        while at >= 0:
            found.append((at, at + len(value)))
            at = text.find(value, at + 1)
    spans: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if spans and start < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans
