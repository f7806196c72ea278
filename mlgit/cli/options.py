"""Options that several commands have in common."""

from __future__ import annotations

from collections.abc import Callable

Command = Callable[..., None]
Decorator = Callable[[Command], Command]


def together(*every: Decorator) -> Decorator:
    """What gives a command *every* argument and option, by which its help lists them in this order."""

    def add(command: Command) -> Command:
        for option in reversed(every):
            command = option(command)
        return command

    return add
