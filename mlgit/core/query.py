"""What runs have under a key, and their order by it: `accuracy`, `params.lr`, `state`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

from mlgit.core.compare import flatten, is_number
from mlgit.core.run import Run
from mlgit.errors import UsageError

FIELDS = (
    "id", "name", "project", "state", "group", "sweep", "job_type", "notes", "created", "finished", "duration", "tags",
    "tag", "branch", "commit",
)  # fmt: skip


def check(runs: Sequence[Run], keys: Iterable[str]) -> None:
    """Raise `UsageError` for one of *keys* that none of *runs* has; `-` before it, as in an order, is no part of it.

    Without runs nothing is known, and nothing is wrong.
    """
    left = {key.removeprefix("-") for key in keys} - set(FIELDS)
    known: set[str] = set()
    for run in runs if left else ():
        for kind, tree in (("metrics", run.metrics), ("params", run.params)):
            for name in flatten(tree):
                known |= {name, f"{kind}.{name}"}
        if left <= known:
            return
    if not runs or not (missing := sorted(left - known)):
        return
    names = sorted(name for name in known if not name.startswith(("metrics.", "params.", "_")))
    close = difflib.get_close_matches(missing[0], [*names, *FIELDS], 1)
    some = ", ".join(names[:10] or FIELDS)
    raise UsageError(
        f"No run has {missing[0][:80]!r}.", fix=f"did you mean {close[0]!r}?" if close else f"they have {some}"
    )


def value_of(run: Run, key: str) -> Any:
    """What *run* has under *key*, or None: a field, a metric, a param; `metrics.` and `params.` say which."""
    if key.startswith("params."):
        return flatten(run.params).get(key[7:])
    if key.startswith("metrics."):
        return flatten(run.metrics).get(key[8:])
    if key in FIELDS:
        return run.state.value if key == "state" else getattr(run, "tags" if key == "tag" else key)
    metrics = flatten(run.metrics)
    return metrics[key] if key in metrics else flatten(run.params).get(key)


def ordered(runs: Sequence[Run], key: str) -> list[Run]:
    """*runs* by *key*, smallest first, `-key` largest first; those without a number there come last."""
    name, sign = (key[1:], -1) if key.startswith("-") else (key, 1)
    found = [(value_of(run, name), run) for run in runs]
    numbers = sorted((pair for pair in found if is_number(pair[0])), key=lambda pair: sign * pair[0])
    words = [(str(value), run) for value, run in found if not is_number(value) and value is not None]
    words.sort(key=lambda pair: pair[0], reverse=sign < 0)
    return [run for _, run in (*numbers, *words)] + [run for value, run in found if value is None]
