"""`mlgit ci upgrade`: workflows as this mlgit writes them, with what somebody changed in them."""

from __future__ import annotations

from typing import Any

import click

from mlgit.cli import output
from mlgit.cli.ci import chosen
from mlgit.core import figures
from mlgit.errors import MlgitError


@click.command()
@chosen.options()
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be done; write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written, or would be, as JSON.")
def command(only: str | None, dry_run: bool, as_json: bool, **asked: Any) -> None:
    """Write the workflows that are there as this version of mlgit does, or with other options. Edits are kept.

    Three ways: what mlgit wrote before, what you made of it, and what it writes now. Where both have changed the same
    lines, both stand in the file between git's marks, and the exit code is 1. What mlgit wrote before is found in git
    by the digest in the file's head; where it was never committed, nor added, each difference is marked.

    \b
    Examples:
      mlgit ci upgrade
      mlgit ci upgrade --runners self-hosted,linux
      mlgit ci upgrade --dry-run
    """
    from mlgit.ci import keeping

    place = chosen.place()
    names = chosen.names(only) if only else keeping.names(place.repo)
    if not names:
        raise MlgitError("There are no workflows of mlgit here.", fix="mlgit ci init")
    kept = keeping.look(place.repo, names, chosen.given(asked))
    if marked := [one.path for one in kept if one.standing is keeping.Standing.MARKED]:
        fix = "settle what lies between the marks, <<<<<<< and >>>>>>>, then again"
        raise MlgitError(f"{', '.join(marked)} is in conflict since an upgrade before.", fix=fix)
    changes = list(keeping.upgraded(place.repo, kept))
    if not dry_run:
        keeping.write(place.repo, {one.path: one.text for one in changes})
    foreign = [one.path for one in kept if one.standing is keeping.Standing.FOREIGN]
    if as_json:
        told = [{"path": one.path, "conflicts": one.conflicts} for one in changes]
        output.as_json({"written": told, "left": foreign})
    else:
        for one in changes:
            conflicts = f", {figures.count(one.conflicts, 'conflict')} marked in it" if one.conflicts else ""
            output.say(f"{'would write' if dry_run else 'wrote'} {one.path}{conflicts}")
        if not changes:
            output.say("Everything is as this mlgit writes it.")
    for path in foreign:
        output.note(f"left {path} as it is: no mlgit wrote it")
    for one in changes:
        if one.is_blind:
            output.note(f"what {one.path} was before you changed it is in no commit: each difference is marked")
    if found := [one.path for one in changes if one.conflicts]:
        fix = "settle what lies between the marks, <<<<<<< and >>>>>>>, before you commit"
        raise MlgitError(f"{', '.join(found)} changed here and in mlgit, in the same lines.", fix=fix)
