"""`mlgit data pull`: bytes from a DVC remote."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from mlgit.cli import output
from mlgit.cli.data import moving
from mlgit.dvc.pointers import Kept
from mlgit.errors import MlgitError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlgit.artifacts.wanting import Wanted
    from mlgit.git.repo import Repo


@click.command(short_help="Bring bytes from a DVC remote.")
@moving.options(dry_run="Say what is lacking here; bring nothing.", as_json="Print what came, or would, as JSON.")
def command(names: tuple[str, ...], far: str, jobs: int | None, dry_run: bool, as_json: bool) -> None:
    """Bring what the pointers in the work tree name, or those of the PATHs, into the cache and to its place.

    A PATH inside a folder that is held as a whole comes alone. Of a version named it is the cache alone: mlgit
    data checkout brings that to a place. Each file is compared with its hash on the way, and appears whole or not at
    all. Data in the work tree that no cache holds is never replaced: where some is in the way, this exits with 1.

    \b
    Examples:
      mlgit data pull
      mlgit data pull data/train data/test/one.csv
      mlgit data pull digits@v3 --dry-run
    """
    from mlgit import wiring
    from mlgit.artifacts import wanting
    from mlgit.dvc import cache

    place = wiring.place()
    repo = place.repo
    meant = list(wanting.with_parts(repo, names, project=place.meant, name=far.lower()))
    is_away = [one for one in meant if one.tracked and not one.tracked.place.exists()]
    foreign = [one for one in is_away if one.kept is not Kept.BY_CONTENT]
    wanted = [one for one in meant if one.kept is Kept.BY_CONTENT]
    away = [one for one in wanted if not cache.exists(repo, one.content, folder=one.folder)]
    imported, lacking = [one for one in away if one.is_imported], [one for one in away if not one.is_imported]
    error: MlgitError | None = None
    for group in wanting.grouped(repo, lacking, far.lower()) if not dry_run else ():
        try:
            wanting.pull(repo, group, jobs=jobs)
        except MlgitError as exc:  # the others may have another remote
            error = error or exc
    came = [one for one in lacking if dry_run or cache.exists(repo, one.content, folder=one.folder)]
    brought, left = ([], []) if dry_run else _bring(repo, [one for one in wanted if one.tracked])
    if as_json:
        output.as_json(
            {
                "done": not dry_run, "pulled": [{"hash": one.content, "name": one.label} for one in came],
                "brought": brought, "left": left, "error": error and str(error),
            }
        )  # fmt: skip
    else:
        for one in came:
            output.say(f"{one.label} {'would be' if dry_run else 'is'} pulled")
        for label in brought:
            output.say(f"{label} is in its place")
        if not (came or brought or left or error or foreign or imported):
            output.say("Nothing to pull: all of it is here.")
    for label in left:
        output.note(f"{label} holds files that no cache holds, and stays as it is: mlgit data add keeps them")
    for one in imported:
        output.note(f"{one.label} is imported: dvc pull {one.label} brings it from where it comes from")
    moving.tell_of_foreign(foreign, verb="pull")
    if error:
        raise error
    if left or foreign or imported:
        sys.exit(1)


def _bring(repo: Repo, wanted: Sequence[Wanted]) -> tuple[list[str], list[str]]:
    """(what has come to its place, what stays as it is for something would be lost), of what the cache has."""
    from mlgit.dvc import cache, workshop
    from mlgit.dvc.worktree import placing

    brought, left = list[str](), list[str]()
    for one in wanted:
        if one.tracked is None or not cache.exists(repo, one.content, folder=one.folder):
            continue
        workshop.tidy(one.tracked.place)
        plan = placing.plan(repo, one.content, one.tracked.place, folder=one.folder)
        if plan.lost:
            left.append(one.label)
        elif not plan.is_done:
            placing.carry_out(repo, plan, links=placing.links(one.tracked.place))
            brought.append(one.label)
    return brought, left
