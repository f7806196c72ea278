"""What earlier reports on a pull request said, by commit: the comment itself keeps it, hidden, and shows it folded."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Sequence
from typing import NamedTuple

from mlgit.core import escape

MOST = 10
"""Reports that are kept, the one that stands among them."""
_LINE, _COMMIT = 200, 10
_HIDDEN = re.compile(r"<!-- mlgit:history ([A-Za-z0-9+/=]+) -->")


class Said(NamedTuple):
    """What a report said of a commit."""

    commit: str
    verdict: str


def following(before: str, commit: str, verdict: str) -> list[Said]:
    """The reports that the comment *before* kept, newest first, and this one, which replaces what was said of *commit*.

    Whoever may write comments may have changed that one: what is no history of ours is none.
    """
    now = Said(commit[:_COMMIT], escape.line(verdict, _LINE))
    return [now, *(said for said in _read(before) if said.commit != now.commit)][:MOST]


def hidden(said: Sequence[Said]) -> str:
    """*said* for the next report to find, as no reader sees it."""
    told = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    return f"<!-- mlgit:history {base64.b64encode(told).decode()} -->"


def _read(comment: str) -> list[Said]:
    kept = _HIDDEN.findall(comment)
    try:
        told = json.loads(base64.b64decode(kept[-1])) if kept else []
    except (ValueError, binascii.Error, RecursionError):
        return []
    return [
        Said(escape.line(one[0], _COMMIT), escape.line(one[1], _LINE))
        for one in (told if isinstance(told, list) else ())
        if isinstance(one, list) and len(one) == 2 and all(isinstance(part, str) for part in one)
    ]
