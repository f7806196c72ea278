"""`mlgit sweep cancel`."""

from mlgit.cli.sweep import telling
from mlgit.core.sweep import SweepState

command = telling.command(
    "cancel",
    SweepState.CANCELLED,
    short="End a sweep, and the trials that run.",
    text="End SWEEP: its agents end what they run, which keeps what it logged, and then themselves.",
)
