"""The command line: one file a command, each loaded when it is called."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager

import click

from mlgit.cli.lazily import Lazily
from mlgit.core import waiting

# name → what it is for, by section, in the order of a first day. A command lives in cli/<name>.py as `command`,
# or in cli/<name>/__init__.py.
COMMANDS: dict[str, dict[str, str]] = {
    "Runs": {
        "init": "Make this folder an mlgit project.",
        "run": "Run a command and record it as a branch.",
        "ls": "List runs.",
        "show": "Show one run.",
        "log": "Who recorded a run, and edited what since.",
        "watch": "Watch runs while they are under way.",
        "diff": "What changed between two runs.",
        "compare": "Compare runs in a table and a chart.",
    },
    "Keep order": {
        "tag": "Put tags on runs, and take them off.",
        "note": "Write down what you have to say of a run.",
        "rename": "Call a run something else.",
        "group": "File runs under a group.",
        "rm": "Hide runs; restore brings them back.",
        "restore": "Bring hidden runs back.",
    },
    "Store and share": {
        "archive": "Fold old runs; they are found as before.",
        "unarchive": "Give archived runs their branches back.",
        "purge": "Destroy runs for good.",
        "gc": "Free what nobody needs, after saying what that is.",
        "fsck": "Whether all that mlgit keeps is whole.",
        "recover": "Make branches of runs that died.",
        "checkpoint": "Commit runs that are under way.",
        "sync": "Share runs: pull what a remote has, push what it lacks.",
        "push": "Push runs to a remote.",
        "pull": "Pull runs from a remote.",
    },
    "Take along": {
        "checkout": "Bring back the code of a run, or files of it.",
        "reproduce": "Make a run again, and say whether it came out the same.",
        "rerun": "Make a new run from an old one, with other params.",
        "env": "What a run would record of its environment.",
        "export": "Write runs to tables, archives and folders.",
        "import": "Take along the runs of W&B, MLflow, DVCLive or TensorBoard.",
    },
    "Lineage": {
        "lineage": "What something was made of, and what it led to.",
        "affected": "What a dataset has reached: stages first.",
    },
    "Sweeps": {"sweep": "Search over params."},
    "Launch": {
        "launch": "Run a command elsewhere, or later.",
        "jobs": "What was launched, and how it stands.",
        "queues": "Where jobs can run.",
        "runner": "GitHub's runners on your own machines.",
    },
    "By commits": {
        "commit": "Commit, and ask CI for runs or a sweep.",
        "ci": "What a commit asks CI for, and what CI does.",
    },
    "Review": {
        "pr": "Open, show and merge pull requests.",
        "report": "Report on a change: its run against its base's.",
    },
    "Data and models": {
        "data": "Datasets and other artifacts by name and version.",
        "model": "Register models and list their versions.",
        "promote": "Propose a version for a stage.",
        "policy": "What stages ask of a version, and whether they would take it.",
        "rollback": "Let a stage serve again what it served before.",
        "hold": "Keep a stage from being moved by itself.",
        "freeze": "Let stages stand still for a while.",
        "unfreeze": "Let them move again.",
        "registry": "Audit the registry, and find what drifted.",
    },
    "Help": {
        "login": "Who you are on GitHub, and what your token can do.",
        "demo": "Watch the whole story, in a scratch repository.",
        "doctor": "Check this machine and this repository.",
        "completion": "Print the shell's completion script.",
    },
}

# W&B's command → ours
_OF_WANDB = {"agent": "sweep agent", "artifact": "data", "leet": "watch", "purge-cache": "gc", "status": "doctor"}


@click.group(
    cls=Lazily,
    package=__name__,
    sections=COMMANDS,
    elsewhere=_OF_WANDB,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="`mlgit COMMAND --help` has examples. Start with `mlgit demo`, or, in your own project, `mlgit init`.",
)
@click.option("-V", "--version", is_flag=True, expose_value=False, is_eager=True, help="Print the version.",
              callback=lambda ctx, _param, value: _print_version(ctx) if value else None)  # fmt: skip
def root() -> None:
    """Experiment tracking, sweeps, a registry and reports: git is the database, the pull request the interface.

    A RUN is named by its name, id, branch or result commit, or by how one of them begins, from three characters;
    `latest` is the newest of the project.
    """
    waiting.watcher.set(_watch)


def _watch(what: str, size: int, unit: waiting.Unit) -> AbstractContextManager[waiting.Tell]:
    from mlgit.cli import output

    return output.progress(what, size or None, unit)


@root.result_callback()
@click.pass_context
def _afterwards(ctx: click.Context, /, *_results: object, **_params: object) -> None:
    """Tidy up behind the commands that people wait for least when they have said what they had to say."""
    if ctx.invoked_subcommand == "sync" or (ctx.invoked_subcommand == "ls" and sys.stdout.isatty()):
        from mlgit.cli import tidying

        tidying.tidy()


def _print_version(ctx: click.Context) -> None:
    from mlgit.version import __version__

    click.echo(f"mlgit {__version__}")
    ctx.exit()
