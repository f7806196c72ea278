"""The command lines that make a run again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from mlgit.core.compare import flatten
from mlgit.core.run import Run


def command(words: Sequence[object], params: Mapping[str, Any], metrics: Sequence[str] = ()) -> str:
    """`mlgit run` with the program's own *words*, with *params* from outside and *metrics* read from these files."""
    given = [f"-p {shlex.quote(f'{key}={_argument(value)}')}" for key, value in flatten(params).items()]
    files = [f"-m {shlex.quote(name)}" for name in metrics]
    return " ".join(("mlgit run", *given, *files, "--", shlex.join(map(str, words))))


def reproduce(run: Run) -> str:
    """What makes *run* again as it was, with all that it had, and compares the two."""
    return f"mlgit reproduce {run.branch.rpartition('/')[2] or run.id}"


def _argument(value: Any) -> str:
    if isinstance(value, float):
        return repr(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
