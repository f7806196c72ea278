"""`mlgit sweep`: search over params, with runs as trials."""

from __future__ import annotations

import click

from mlgit.cli.lazily import Lazily

# name → what it is for, by section. A verb lives in cli/sweep/<name>.py as `command`.
VERBS: dict[str, dict[str, str]] = {
    "Begin": {
        "check": "Explain a sweep file, and count what it tries.",
        "run": "Run a sweep from a file in W&B's format.",
        "create": "Make a sweep for agents to work on, and print its id.",
        "agent": "Work on a sweep, beside any number of other agents.",
    },
    "Steer": {
        "pause": "Let agents begin no more trials, until it is resumed.",
        "resume": "Take back that a sweep was paused, stopped or cancelled.",
        "stop": "Let a sweep end with the trials that run.",
        "cancel": "End a sweep, and the trials that run.",
    },
    "Look": {
        "ls": "List the sweeps of this project, newest first.",
        "status": "Show how a sweep is going: its agents, what they run, how much is left.",
        "show": "Show the trials of a sweep, best first.",
        "best": "The best trial of a sweep: its params, and how to have it again.",
        "report": "What a sweep has found: the best, and what drove it.",
    },
    "Use": {
        "apply": "Open a pull request with the best params.",
    },
}


class _Verbs(Lazily):
    def hint(self, ctx: click.Context, name: str) -> str:
        """As of any command; whoever names a file, as `wandb sweep` has it, hears what to do with it."""
        is_file = name.endswith((".yaml", ".yml", ".json"))
        return f"Did you mean {f'run {name}'!r}?" if is_file else super().hint(ctx, name)


@click.group(cls=_Verbs, package=__name__, sections=VERBS, short_help="Search over params.")
def command() -> None:
    """Search over params: each trial is a run, the search reads the runs' branches.

    \b
    Examples:
      mlgit sweep check sweep.yaml
      mlgit sweep run sweep.yaml --trials 20 --agents 2
      mlgit sweep agent latest --slots 2
      mlgit sweep ls
      mlgit sweep show latest
      mlgit sweep report latest -o report.md
      mlgit sweep apply latest
    """
