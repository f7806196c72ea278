"""`mlgit model alias`: other names of versions."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.choose import MODEL
from mlgit.cli.model.shown import BASE, JSON
from mlgit.errors import UsageError

if TYPE_CHECKING:
    from mlgit.git.repo import Repo


@click.command(short_help="Give versions other names, and take them off.")
@click.argument("version", type=MODEL, metavar="MODEL[@VERSION]")
@click.argument("names", nargs=-1, metavar="[ALIAS]...")
@click.option("--rm", "gone", multiple=True, metavar="ALIAS", help="Take this one off; more than once.")
@click.option("--pr", "by_pull", is_flag=True, help="Propose it by a pull request, where the branch is protected.")
@BASE
@JSON
def command(
    version: str, names: tuple[str, ...], gone: tuple[str, ...], by_pull: bool, base: str | None, as_json: bool
) -> None:  # fmt: skip
    """Let MODEL@ALIAS mean a version. One that another version has moves; without ALIAS, list those that there are.

    Aliases stand in registry/MODEL/model.yaml on the base branch: a commit there, on origin's where there is one, or a
    pull request. A stage is for what is served, with gates; an alias is a name. Every model has latest.

    \b
    Examples:
      mlgit model alias digits@v1.2.0 paper demo
      mlgit model alias digits@staging candidate --pr
      mlgit model alias digits --rm paper
      mlgit model alias digits
    """
    from mlgit.core import refs
    from mlgit.registry import filing, shared
    from mlgit.registry.versions import aliasing, shelf
    from mlgit.store import registry as store
    from mlgit.wiring import promoting

    place = wiring.place()
    repo, name = place.repo, store.base_name(place.repo, base)
    found = shelf.find(repo, version, base=name)
    if not names and not gone:
        _tell(repo, found.model, name, as_json=as_json)
        return
    if names and not any(mark in version for mark in "@#"):
        raise UsageError(f"{version[:120]!r} names no version.", fix=f"mlgit model alias {found.model}@VERSION ALIAS")
    before = shelf.aliases(repo, found.model, base=name)
    edit = aliasing.edit(repo, found.model, version=found.version, given=names, gone=gone, base=name)
    said = ", ".join([*(f"{one} is {found.version}" for one in names), *(f"{one} is nothing" for one in gone)])
    title = f"{found.model}: {said}"
    pull = commit = None
    origin = wiring.remote(place)
    remote = origin if origin.is_known else None
    if remote and names:
        shared.share_version(remote, found.model, found.version)
    if by_pull:
        branch = refs.alias_branch(found.model, (*names, *gone)[0])
        pull = filing.by_pull(
            repo, wiring.opening(place), name, branch, edit, title=title, body=f"{title}.\n",
            at=promoting.brought(place, name),
        )  # fmt: skip
    else:
        commit = filing.at_once(repo, name, edit, title, remote=remote)
    if as_json:
        output.as_json({
            "model": found.model, "before": dict(before), "after": dict(shelf.aliases(repo, found.model, base=name)),
            "commit": commit, "pull": pull.number if pull else None,
        })  # fmt: skip
        return
    if pull:
        output.say(f"#{pull.number} {pull.title}")
        output.note(f"Next: mlgit pr merge {pull.number}")
        return
    output.say(f"{title}." if commit else f"{title} already.")
    for one in [*names, *gone] if commit else ():
        words = f"{found.model}@{before[one]} {one}" if one in before else f"{found.model} --rm {one}"
        output.note(f"undo: {shlex.join(('mlgit', 'model', 'alias', *words.split()))}")


def _tell(repo: Repo, model: str, base: str, *, as_json: bool) -> None:
    from mlgit.registry.versions import shelf

    known = shelf.aliases(repo, model, base=base)
    if as_json:
        output.as_json({"model": model, "aliases": dict(known)})
        return
    output.table(("alias", "version"), sorted(known.items()), empty=f"{model} has no aliases but latest.")
