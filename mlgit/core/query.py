"""What runs have under a key, and their order by it: `accuracy`, `params.lr`, `state`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, TypeVar

from mlgit.core.artifact import called, claims, is_hash, odd_namings
from mlgit.core.compare import flatten, is_number, within
from mlgit.core.run import Run
from mlgit.errors import UsageError

T = TypeVar("T")
FIELDS = (
    "id", "name", "project", "state", "group", "sweep", "job_type", "notes", "created", "finished", "duration", "tags",
    "tag", "branch", "commit", "source", "parent", "reruns", "reproduces", "used", "logged",
)  # fmt: skip
TREE, HELD, GIVEN = ".tree", ".held", ".given"
"""What only mlgit itself asks about: the tree of a run's code; how many of its files DVC holds, and how many of its
params came from outside."""
DATA, USED, LOGGED, CALLED = ".data", ".used", ".logged", ".called"
"""Likewise by content hash: the data that DVC held when it ran, the artifacts it used, those it logged (`Claim`), and
what it calls those (`Naming`)."""
_OWN: Mapping[str, Callable[[Run], str | int | Sequence[str] | None]] = {
    TREE: lambda run: run.tree, HELD: lambda run: len(run.held), GIVEN: lambda run: len(run.given),
    DATA: lambda run: contents(run.data), USED: lambda run: distinct(one.hash for one in run.used),
    LOGGED: lambda run: [claim.text for claim in claims(run.logged, run.created)],
    CALLED: lambda run: [naming.text for naming in odd_namings(run.logged, run.created)],
}  # fmt: skip
KINDS = ("metrics.", "params.")
"""What the full name of a metric or a param begins with."""
ALIASES = {"tag": "tags"}
"""Fields that have a second name: what reads well in a condition."""


def names(runs: Iterable[Run]) -> set[str]:
    """The dotted names of the metrics and params of *runs*, bare and with `metrics.` or `params.` before them."""
    trees = [(kind, tree) for run in runs for kind, tree in (("metrics", run.metrics), ("params", run.params))]
    return {name for kind, tree in trees for bare in flatten(tree) for name in (bare, f"{kind}.{bare}")}


def check(runs: Sequence[Run], keys: Iterable[str]) -> None:
    """Raise `UsageError` for one of *keys* that none of *runs* has; `-` before it, as in an order, is no part of it.

    Without runs nothing is known, and nothing is wrong.
    """
    left = {key.removeprefix("-") for key in keys} - set(FIELDS)
    known: set[str] = set()
    for run in runs if left else ():
        known |= names((run,))
        if left <= known:
            return
    if runs and (missing := sorted(left - known)):
        raise unknown(missing[0], known)


def distinct(contents: Iterable[str]) -> list[str]:
    """*contents*, each once."""
    return list(dict.fromkeys(contents))


def contents(data: Mapping[str, object]) -> list[str]:
    """What DVC held of a run's *data*, path → content hash, each content once."""
    return distinct(content for content in data.values() if isinstance(content, str) and is_hash(content))


def unknown(key: str, names: Iterable[str]) -> UsageError:
    """The error for a *key* that no run has; *names* are those of what they have."""
    bare = sorted(name for name in names if not name.startswith(("metrics.", "params.", "_")))
    close = difflib.get_close_matches(key, [*bare, *FIELDS], 1)
    some = ", ".join(bare[:10] or FIELDS)
    return UsageError(f"No run has {key[:80]!r}.", fix=f"did you mean {close[0]!r}?" if close else f"they have {some}")


def meant(key: str) -> tuple[str, ...]:
    """What *key* may stand for: itself, where it is a field or a full name, else a metric and a param."""
    is_one = key in (*FIELDS, *_OWN) or key.startswith(KINDS)
    return (key,) if is_one else tuple(f"{kind}{key}" for kind in KINDS)


def value_of(run: Run, key: str) -> Any:
    """What *run* has under *key*, or None: a field, a metric, a param; `metrics.` and `params.` say which."""
    if key in _OWN:
        return _OWN[key](run) or None
    if key.startswith("params."):
        return within(run.params, key[7:])
    if key.startswith("metrics."):
        return within(run.metrics, key[8:])
    if key in FIELDS:
        found = getattr(run, ALIASES.get(key, key))
        if key in ("used", "logged"):
            found = called(found)
        elif key == "state":
            found = found.value
        return None if found in ("", ()) else found  # a run that is alive has no branch yet
    found = within(run.metrics, key)
    return within(run.params, key) if found is None else found


def ordered(items: Sequence[T], *keys: str, value: Callable[[Any, str], Any] = value_of) -> list[T]:
    """*items*, which are runs or have a *value* of their own, by *keys*: smallest first, `-key` largest first.

    The first key counts most. Numbers come before words, and those that have neither last, whichever way.
    """
    found = list(items)
    for key in reversed(keys):
        found = _ordered([(value(item, key.removeprefix("-")), item) for item in found], backwards=key.startswith("-"))
    return found


def word(value: Any) -> str:
    """What sorts *value*, which is no finite number, among others of the kind."""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _ordered(pairs: Sequence[tuple[Any, T]], *, backwards: bool) -> list[T]:
    numbers = [(value, item) for value, item in pairs if is_number(value)]
    words = [(word(value), item) for value, item in pairs if not is_number(value) and value is not None]
    for group in (numbers, words):
        group.sort(key=itemgetter(0), reverse=backwards)
    return [item for _, item in (*numbers, *words)] + [item for value, item in pairs if value is None]
