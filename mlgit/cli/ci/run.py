"""`mlgit ci run`: one run in a job of a workflow of your own."""

from __future__ import annotations

import click

from mlgit import wiring
from mlgit.errors import UsageError


@click.command(short_help="Record a command in a workflow of your own.")
@click.option("--command", "text", default="", metavar="WORDS",
              help="What is run, as one text.  [default: ci.command in mlgit.yaml, or the stages]")  # fmt: skip
@click.option("--params", default="", metavar="'NAME=VALUE…'", help="Its params, as in an Mlgit-Run.")
@click.option("--name", default="", help="The run's name for people.  [default: two words and a number]")
def command(text: str, params: str, name: str) -> None:
    """Do what `mlgit run` does, with texts that somebody has put into a workflow: they are words, and never a script.

    In a job its log and its page tell how the run stands, and the steps after it know it by the outputs `run`, from its
    beginning, and `branch`. Nothing is pushed: that is for a step of its own, which has a token, and the command none.

    \b
    Examples:
      mlgit ci run --command 'python train.py --fast' --params 'lr=0.1 epochs=20'
      mlgit ci run --name nightly
      mlgit push -- "$RUN"
    """
    from mlgit.ci import request, settings
    from mlgit.cli.run import command as run

    try:
        program = settings.words(text) or settings.read(wiring.place().settings).words
    except ValueError as exc:
        raise UsageError(f"--command: {exc}.") from None
    given = [word for one in request.words(params, source="--params") for word in ("-p", one)]
    words = [*given, *(["-n", name] if name else []), *(["--", *program] if program else [])]
    with run.make_context("run", words, parent=click.get_current_context()) as context:
        run.invoke(context)
