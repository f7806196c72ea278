"""`mlgit sweep pause`."""

from mlgit.cli.sweep import telling
from mlgit.core.sweep import SweepState

command = telling.command(
    "pause",
    SweepState.PAUSED,
    short="Let agents begin no more trials, until it is resumed.",
    text="Let the agents of SWEEP begin no more trials; what runs goes on, and they wait for `mlgit sweep resume`.",
)
