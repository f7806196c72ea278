"""CODEOWNERS, as GitHub reads it: who has to review what (pure).

https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners
"""

from __future__ import annotations

import re

PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
"""Where it may lie; the first that is there counts."""


def owners(text: str, path: str) -> list[str]:
    """Who has to review *path* by the file's *text*: of the last line that matches it, perhaps nobody."""
    found: list[str] = []
    for line in text.splitlines():
        pattern, *who = line.partition(" #")[0].split() or [""]
        if pattern and not pattern.startswith("#") and _matches(pattern, path):
            found = who
    return found


def _matches(pattern: str, path: str) -> bool:
    """As in .gitignore, without its `!` and `[…]`; `docs/*` is only what lies right in it."""
    anchored = "/" in pattern.rstrip("/")
    parts = (re.escape(part) for part in re.split(r"(\*\*/?|\*|\?)", pattern.strip("/")))
    told = {r"\*\*/": "(?:.*/)?", r"\*\*": ".*", r"\*": "[^/]*", r"\?": "[^/]"}
    regex = "".join(told.get(part, part) for part in parts)
    below = "/.*" if pattern.endswith("/") else "" if pattern.endswith("/*") else "(?:/.*)?"
    return re.fullmatch(f"{'' if anchored else '(?:.*/)?'}{regex}{below}", path) is not None
