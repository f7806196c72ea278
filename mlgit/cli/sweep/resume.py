"""`mlgit sweep resume`."""

from mlgit.cli.sweep import telling
from mlgit.core.sweep import SweepState

command = telling.command(
    "resume",
    SweepState.RUNNING,
    short="Take back that a sweep was paused, stopped or cancelled.",
    text="""Let SWEEP go on that was paused, stopped or cancelled: agents that wait go on at once.

    Where there are none any more, `mlgit sweep agent SWEEP` begins one. A sweep that is finished goes on if there is
    something left to try.
    """,
)
