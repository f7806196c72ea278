"""A command as the words of a process."""

from __future__ import annotations

from mlgit.core.job import JobSpec, Member


def with_variables(one: JobSpec | Member) -> list[str]:
    """The command with its variables; `env` would take a program with a = in its name for one of them."""
    own = ["sh", "-c", 'exec "$0" "$@"', *one.command] if "=" in one.command[0] else one.command
    return ["env", "--", *(f"{name}={value}" for name, value in sorted(one.env.items())), *own]
