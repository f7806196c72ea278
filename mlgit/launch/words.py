"""A command as the words of a process."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from mlgit.core.job import JobSpec, Member


def with_variables(one: JobSpec | Member) -> list[str]:
    """The command with its variables; `env` would take a program with a = in its name for one of them."""
    own = ["sh", "-c", 'exec "$0" "$@"', *one.command] if "=" in one.command[0] else one.command
    return ["env", "--", *(f"{name}={value}" for name, value in sorted(one.env.items())), *own]


def cases(tasks: Iterable[JobSpec | Member]) -> str:
    """The lines of a shell's `case` that take a task's number, and leave its words as `"$@"`."""
    return "".join(f"{number}) set -- {shlex.join(with_variables(one))} ;;\n" for number, one in enumerate(tasks))
