"""What `run.yaml` says of data that were not what the run's code names, in a person's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SINCE = "changed since its pointer"
"""How the words begin of what had changed before the run began: what it was then is among the run's data."""


UNSEEN = "data_unseen"
"""The key of those of a run that ended without a word, so that nobody has looked."""
_UNSURE = {
    "data_by_size": "judged by its size alone",
    "data_unread": "could not be read",
    UNSEEN: "nobody looked: the run was killed",
}


def words(about: Mapping[str, Any]) -> dict[str, str]:
    """Path → what had become of it: `changed during the run`, …; also of what only its size speaks for."""
    found = {
        str(path): became
        for key, became in _UNSURE.items()
        for path in (about[key] if isinstance(about.get(key), list) else ())
    }
    told = about.get("changed_data")
    pairs = told.items() if isinstance(told, Mapping) else ()
    return found | {str(path): _words(one) for path, one in pairs if isinstance(one, Mapping)}


def was_never_added(about: Mapping[str, Any], path: str, content: str) -> bool:
    """Whether the run saw *content* at *path*, and no pointer named that: only who adds it puts it into a cache."""
    told = about.get("changed_data")
    one = told.get(path) if isinstance(told, Mapping) else None
    return isinstance(one, Mapping) and one.get("now") == content


def _words(one: Mapping[str, Any]) -> str:
    if one.get("now") == "missing":
        return "missing"
    if "expected" in one:
        return f"in part: {one.get('files')} of {one['expected']} files"
    return "changed during the run" if one.get("during") else f"{SINCE}, {one.get('pointer')}"
