"""`mlgit registry reconcile`: stages as their files say."""

from __future__ import annotations

import time

import click

from mlgit import wiring
from mlgit.cli import following, output
from mlgit.cli.registry.options import BASE, JSON
from mlgit.wiring import promoting


@click.command(short_help="Let every stage serve what its file says now.")
@BASE
@click.option("-n", "--dry-run", is_flag=True, help="Say what would move, and what the gates say; tag nothing.")
@click.option("--pages", is_flag=True, help="Keep a page of each stage on the branch mlgit-registry, from now on.")
@JSON
def command(base: str | None, dry_run: bool, pages: bool, as_json: bool) -> None:
    """Let every stage serve what its file says now: after a revert, a merge elsewhere, or an edit by hand.

    The gates are asked again; exits with 4 where one fails. A stage whose file is gone becomes empty. A version that
    the stage served before is not compared with the one that it takes the place of.

    Then what registry/automations.yaml says is done: versions that pass propose themselves, and what follows on what
    has happened, follows; what failed before is tried again. Of a repository on GitHub a job of CI does the latter.

    \b
    Examples:
      mlgit registry reconcile --dry-run
      mlgit registry reconcile
    """
    from mlgit.registry.moving import settle as settling

    place, began = wiring.place(), time.time()
    stages = promoting.settle_stages(place, base=base, dry_run=dry_run)
    if pages and not dry_run:
        promoting.post(place, base, begin=True)
    proposed = following.advance(place, base=base, dry_run=dry_run, quiet=as_json)
    followed = [] if dry_run else following.follow(place, since=began, base=base)
    if as_json:
        told = {"stages": [settling.plain(one) for one in stages], "proposed": [one.plain for one in proposed]}
        output.as_json(told | {"followed": [one.plain for one in followed]})
    elif not stages:
        output.note("Every stage serves what its file says.")
    for one in stages:
        if one.refusal:
            output.note(settling.sentence(one))
        elif not as_json:
            what = f"{one.model} {one.version}" if one.version else f"no {one.model}"
            output.say(f"{one.stage} would serve {what}." if dry_run else settling.sentence(one))
    refusals = sorted((one.refusal for one in stages if one.refusal), key=lambda refusal: -refusal.exit_code)
    for refusal in refusals[1:]:
        output.note(str(refusal))
    if refusals:
        raise refusals[0]
