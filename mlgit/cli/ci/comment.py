"""`mlgit ci comment`: what a comment on GitHub asks of the registry."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.ci import job, stages
from mlgit.core import escape
from mlgit.errors import MlgitError, UsageError

if TYPE_CHECKING:
    from mlgit.forge.base import Forge
    from mlgit.wiring.commanding import Heard


@click.command()
def command() -> None:
    """Do what the comment asks for that started this job of GitHub's: open a pull request, and answer.

    Its first line: `/mlgit promote MODEL@VERSION STAGE`, `rollback MODEL STAGE`, `hold MODEL STAGE`, `lift MODEL
    STAGE`, `approve COMMIT`, `help`. Who wrote it has to have the role write or more. No comment moves a stage: a
    person merges, and the approval of who asked does not count. `approve` counts where a gate says `comments: true`;
    the gates are asked again then. Talk, bots and comments that were edited are passed over.

    \b
    Examples:
      mlgit ci comment
      mlgit ci init --only comments
    """
    from mlgit.registry.moving import commanded
    from mlgit.store import registry
    from mlgit.wiring import commanding

    place = wiring.place()
    forge, remote = stages.github(place)
    heard = commanding.heard(place, job.event())
    who = heard.comment.author
    if heard.passed_over:
        _pass_over(heard.passed_over)
        return
    try:
        asked = commanded.read(heard.comment.body)
        if asked is None:
            _pass_over("it asks for nothing")
            return
        if not heard.may_write:
            raise UsageError(f"{who} has the role {heard.role} here: this takes write.", fix="ask somebody who has it")
        base = registry.base_name(place.repo, os.environ.get("GITHUB_REF_NAME"))
        said = commanding.do(place, remote, asked, who=who, base=base, number=heard.number)
    except MlgitError as exc:
        _answer(forge, heard, _refused(exc))
        raise
    _answer(forge, heard, said)
    output.say(said)


def _refused(exc: MlgitError) -> str:
    fix = f"To fix: {escape.code(exc.fix, 1_000)}" if exc.fix else ""
    return "\n\n".join(filter(None, (escape.markdown(exc.what, 2_000), escape.markdown(exc.why or "", 2_000), fix)))


def _answer(forge: Forge, heard: Heard, said: str) -> None:
    from mlgit.forge.sticky import upsert

    job.summarize(said)
    upsert(forge, heard.number, f"mlgit:comment/{heard.comment.id}", f"@{heard.comment.author} {said}")


def _pass_over(why: str) -> None:
    output.say(f"The comment is passed over: {escape.line(why)}.")
    job.summarize(f"The comment is passed over: {escape.markdown(why)}.")
