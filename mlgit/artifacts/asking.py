"""Conditions on runs that are about versions: `used = digits:v2` asks for its content, which is what runs record."""

from __future__ import annotations

import re

from mlgit.core import query
from mlgit.core.artifact import is_hash
from mlgit.core.condition import Condition, Operation, Or, Predicate, mapped
from mlgit.git.repo import Repo


def told(repo: Repo, wanted: Condition, project: str | None) -> Condition:
    """*wanted*, with the contents of the versions that `used` and `logged` are compared with in place of these.

    A run used what DVC held when it ran, too. Raises `NotFoundError` for a version that is not there.
    """

    def change(test: Predicate) -> Condition:
        versions = [value for value in test.values if isinstance(value, str) and _is_version(value)]
        if test.key not in ("used", "logged") or test.operation is not Operation.EQUAL or not versions:
            return test
        contents = tuple(_content(repo, value, project) for value in versions)
        names = tuple(value for value in test.values if value not in versions)
        named = (Predicate(test.key, Operation.EQUAL, names),) if names else ()
        if test.key == "used":
            keys = (query.USED, query.DATA)
            return Or((*named, *(Predicate(key, Operation.EQUAL, contents) for key in keys)))
        pattern = f"^({'|'.join(map(re.escape, contents))}) "  # what a claim begins with
        return Or((*named, Predicate(query.LOGGED, Operation.MATCH, (pattern,))))

    return mapped(wanted, change)


def _is_version(text: str) -> bool:
    """Whether *text* names one: no artifact's own name has such a mark."""
    return ":" in text or "@" in text or is_hash(text)


def _content(repo: Repo, text: str, project: str | None) -> str:
    if is_hash(text):
        return text
    from mlgit.artifacts import log

    return log.find(repo, text, project=project).version.hash
