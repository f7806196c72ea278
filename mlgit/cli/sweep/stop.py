"""`mlgit sweep stop`."""

from mlgit.cli.sweep import telling
from mlgit.core.sweep import SweepState

command = telling.command(
    "stop",
    SweepState.STOPPED,
    short="Let a sweep end with the trials that run.",
    text="Let SWEEP end: no trial begins any more, those that run go on to their end, and the agents end with them.",
)
