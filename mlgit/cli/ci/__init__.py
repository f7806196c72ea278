"""`mlgit ci`: what a commit asks CI for, what CI does about it, and the workflows by which it does."""

from __future__ import annotations

import click

from mlgit.cli.lazily import Lazily

# name → what it is for, by section. A verb lives in cli/ci/<name>.py as `command`.
VERBS: dict[str, dict[str, str]] = {
    "Set up": {
        "init": "Write the workflows by which GitHub calls mlgit.",
        "check": "Whether they are as mlgit would write them, and GitHub lets them run.",
        "upgrade": "Bring them up to date, and keep what you changed.",
    },
    "For a commit": {
        "plan": "Show what CI does for a commit, before or after it is pushed.",
    },
    "On GitHub": {
        "status": "Show how CI gets on with a commit, a branch, a run, a sweep.",
        "watch": "Watch it until it has ended.",
        "logs": "Print what its jobs printed.",
        "cancel": "End it.",
        "retry": "Have done once more what has failed or was cancelled.",
        "ls": "List what CI does and did.",
        "dispatch": "Have a commit that is pushed trained, as it asks or as you do.",
    },
    "In a job": {
        "run": "Record a command in a workflow of your own.",
        "trial": "Do the trials of a job, and hand over each as it ends.",
        "collect": "Judge what jobs have handed over, and push it at once.",
        "promote": "Propose what was trained for a stage, where it is better.",
        "gates": "Ask the gates about the merge of the pull request that the job is about.",
        "comment": "Do what a comment asks of the registry: open a pull request, and answer.",
        "settle": "Let the stages serve what was merged, where the gates pass.",
        "report": "Post the report on the pull request that the job is about.",
    },
}


@click.group(cls=Lazily, package=__name__, sections=VERBS, short_help="Train by commits: what CI does for one.")
def command() -> None:
    """Train by commits: a commit asks for runs or a sweep, and CI makes them; see how it gets on from the terminal.

    \b
    Examples:
      mlgit ci init
      mlgit ci plan
      mlgit ci plan --sweep sweeps/lr.yaml
      git push && mlgit ci watch
      mlgit ci logs --failed
    """
