"""`mlgit ci settle`: what the workflow mlgit-settle calls."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import click

from mlgit import wiring
from mlgit.cli import following, output
from mlgit.cli.ci import job, stages
from mlgit.errors import MlgitError, UsageError

if TYPE_CHECKING:
    from mlgit.forge.base import PullRequest


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print what became of each stage, as JSON.")
def command(as_json: bool) -> None:
    """Let the stages serve what was merged: tags, made and pushed, where the gates pass; of a job of GitHub's.

    Of a push it is what that push has changed, and the policy that stood before it is asked: no change lowers the gate
    that it goes through. Where a gate fails, the stage stays as it is, the pull request that takes the merge back is
    opened, and the exit code is 4. Otherwise, as after a dispatch or by the clock, all stages are looked at, as
    mlgit registry reconcile does; what a job before could not take back, for GitHub was away, is taken back then.

    \b
    Examples:
      mlgit ci settle
      GITHUB_REF_NAME=main mlgit ci settle --json
    """
    from mlgit.registry.moving import settle
    from mlgit.wiring import settling

    place, began = wiring.place(), time.time()
    forge, remote = stages.github(place)
    branch = os.environ.get("GITHUB_REF_NAME", "")
    if not branch:
        raise UsageError("On which branch is not said.", fix="GITHUB_REF_NAME=main, as GitHub sets it")
    told = job.event()
    event: dict[str, Any] = told if isinstance(told, dict) else {}
    before, after = event.get("before"), event.get("after")
    backs: list[PullRequest | MlgitError] = []
    push = None
    if isinstance(before, str) and isinstance(after, str):
        push = settling.Push(branch=branch, before="" if not before.strip("0") else before, after=after)
        found, backs = settling.settled(place, forge, remote, push)
    else:
        found, backs = settling.reconciled(place, forge, remote, branch)
    if as_json:
        output.as_json([settle.plain(one) for one in found])
    for back in backs:
        output.note(str(back) if isinstance(back, MlgitError) else f"#{back.number} takes it back: {back.url}")
    following.advance(place, base=branch, remote=remote, quiet=as_json)
    merged = push.after if push else None
    following.follow(place, since=began, base=branch, remote=remote, merged=merged)
    stages.say(found, quiet=as_json, none="Every stage serves what its file says.")
