"""The command lines that make a run again, bring it and show it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from mlgit.core.compare import flatten
from mlgit.core.run import Run


def command(words: Sequence[object], params: Mapping[str, Any]) -> str:
    """`mlgit run` with the program's own *words*, and with *params* from outside."""
    given = [f"-p {shlex.quote(f'{key}={_argument(value)}')}" for key, value in flatten(params).items()]
    return " ".join(("mlgit run", *given, "--", shlex.join(map(str, words))))


def reproduce(run: Run) -> str:
    """What makes *run* again as it was, with all that it had, and compares the two."""
    return f"mlgit reproduce {_named(run)}"


def pull(run: Run) -> str:
    """What brings *run* to a clone that lacks it."""
    return f"mlgit pull {_named(run)}"


def show(run: Run) -> str:
    """What shows *run*."""
    return f"mlgit show {_named(run)}"


def _named(run: Run) -> str:
    """What *run* is called in a shell, by all that may stand in a branch's name and by none that begins an option."""
    short = run.branch.rpartition("/")[2] or run.id
    return shlex.quote(run.branch if short.startswith("-") else short)


def _argument(value: Any) -> str:
    if isinstance(value, float):
        return repr(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
