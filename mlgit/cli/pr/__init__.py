"""`mlgit pr`: pull requests, from the code of a run to its merge."""

from __future__ import annotations

import click

from mlgit.cli.lazily import Lazily

# name → what it is for, by section. A verb lives in cli/pr/<name>.py as `command`.
VERBS: dict[str, dict[str, str]] = {
    "Propose": {
        "open": "Propose a run's code, or a branch, and report on it.",
        "edit": "Change its title, its description, its labels.",
        "ready": "Make a draft ready for review.",
    },
    "Look": {
        "ls": "List pull requests, newest first.",
        "show": "Show one, with its files, comments and checks.",
        "diff": "Print what a pull request changes, as a patch.",
        "checks": "Whether the checks on its last commit passed.",
    },
    "Talk": {
        "comment": "Write a comment.",
        "review": "Give a verdict on somebody else's pull request.",
    },
    "Decide": {
        "merge": "Merge; a merged promotion moves its stage.",
        "close": "Close without merging.",
        "reopen": "Open again what was closed.",
    },
}
_GH = {"create": "open", "list": "ls", "view": "show"}
"""What GitHub's own command line calls them."""


@click.group(
    cls=Lazily, package=__name__, sections=VERBS, elsewhere=_GH, short_help="Open, show and merge pull requests."
)
def command() -> None:
    """Open, show and merge pull requests: on GitHub, or with no server, in the repository's own git folder.

    GitHub it is where the remote origin is there and a token is at hand (`mlgit login`), or where mlgit.yaml says so.

    \b
    Examples:
      mlgit pr open radiant-glade-12     # the code of a run, with its report
      mlgit pr ls
      mlgit pr show 1 --html pr.html
      mlgit pr merge 1
    """
