"""`mlgit data add`: files, folders and addresses become versions of datasets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlgit.cli import output
from mlgit.cli.choose import ARTIFACT
from mlgit.core import figures
from mlgit.errors import UsageError

if TYPE_CHECKING:
    from mlgit.artifacts.adding import Added, Plan, Wish
    from mlgit.git.repo import Repo


@click.command(short_help="Keep files or folders as a version.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(), metavar="PATH...")
@click.option("--name", type=ARTIFACT, help="What the artifact is called.  [default: as before, else what the path is]")
@click.option("--type", "kind", metavar="TYPE", help="What it is.  [default: dataset]")
@click.option("--split", "splits", multiple=True, metavar="NAME=PATTERN",
              help="Call a group of its files so: a file, a folder or a glob in it. Several stand behind one another "
                   "with commas, or the option is given again.  [default: as before]")  # fmt: skip
@click.option("--alias", "aliases", multiple=True, metavar="ALIAS", help="Another name of this version. Repeatable.")
@click.option("--description", default="", help="A sentence for people.")
@click.option("--meta", "metadata", multiple=True, metavar="NAME=VALUE",
              help="What else is to be known of it, read as YAML. Repeatable.")  # fmt: skip
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be added; add nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(
    paths: tuple[str, ...], name: str | None, kind: str | None, splits: tuple[str, ...], aliases: tuple[str, ...],
    description: str, metadata: tuple[str, ...], dry_run: bool, as_json: bool,
) -> None:  # fmt: skip
    """Keep what lies at each PATH as the newest version of an artifact.

    The bytes go into DVC's cache, and a pointer beside the path and a line in .gitignore are written, as dvc add does
    it: both are yours to commit, and staged where DVC's core.autostage says so. The same content is the same version. A
    URL or s3://… is kept as a reference, by its ETag, version and size: nothing is downloaded.

    \b
    Examples:
      mlgit data add data/digits
      mlgit data add data/digits --split train=train/,test=test/ --alias gold
      mlgit data add prices.csv --name prices --meta rows=70000
      mlgit data add s3://bucket/churn.parquet
    """
    from mlgit import wiring
    from mlgit.artifacts import adding
    from mlgit.artifacts import splits as groups
    from mlgit.tracking.files import parse_assignments

    if name and len(paths) > 1:
        raise UsageError(f"{len(paths)} paths cannot all be called {name}.", fix="name one path, or a folder of them")
    place = wiring.place()
    wish = adding.Wish(
        name=name, type=kind, splits=groups.parse(splits), aliases=aliases, description=description,
        metadata=parse_assignments(metadata, "--meta"),
    )  # fmt: skip
    plans = [adding.plan(place, path, wish, looks=dry_run) for path in paths]  # all, before anything is done
    if dry_run:
        _foretell(plans, wish, as_json=as_json)
        return
    done = []
    for plan in plans:
        done.append(adding.add(place, plan, wish))
        if not as_json:
            _tell(place.repo, done[-1])
    if as_json:
        output.as_json([_document(one) for one in done])


def _foretell(plans: list[Plan], wish: Wish, *, as_json: bool) -> None:
    if as_json:
        told = [
            {
                "name": one.name,
                "type": one.type,
                "path": one.target,
                "files": len(one.files),
                "size": sum(one.files.values()),
            }
            for one in plans
        ]
        output.as_json(told)
        return
    for one in plans:
        about = f"{figures.count(len(one.files), 'file')}, {figures.size(sum(one.files.values()))}"
        splits = f", split into {', '.join(wish.splits)}" if wish.splits else ""
        output.say(f"{one.target} would be added to {one.name}, a {one.type}: {about}{splits}")
        for note in one.notes:
            output.note(note)


def _tell(repo: Repo, done: Added) -> None:
    from mlgit.cli.data import shown

    held = done.held
    about = (
        f"{figures.count(held.version.files, 'file')}, {figures.size(held.version.size)}" if done.is_new else "already"
    )
    written = shown.from_here(repo, done.written, Path.cwd())
    commit = f"; {'staged:' if done.staged else 'git add'} {written}" if written else ""
    output.say(f"{held.name}{', ' if done.is_new else ' '}{about}{commit}")
    for note in done.notes:
        output.note(note)


def _document(done: Added) -> dict[str, Any]:
    from mlgit.cli.data import shown

    return {**shown.document(done.held), "new": done.is_new, "written": list(done.written), "notes": list(done.notes)}
