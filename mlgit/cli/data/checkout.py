"""`mlgit data checkout`: a version of data, in the work tree."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlgit.cli import output
from mlgit.cli.choose import ARTIFACT
from mlgit.cli.data import shown
from mlgit.core import figures
from mlgit.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from mlgit.artifacts.catalog import Held
    from mlgit.artifacts.manifest import Entry
    from mlgit.dvc.worktree.placing import Plan
    from mlgit.git.repo import Repo
    from mlgit.store.place import Place


@click.command(short_help="Bring a version to where it was added, or elsewhere.")
@click.argument("version", metavar="NAME@VERSION", type=ARTIFACT)
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace files that no cache holds, too: they are gone then.")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would change; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print what has changed as JSON.")
def command(version: str, folder: Path | None, force: bool, dry_run: bool, as_json: bool) -> None:
    """Bring a version of data to where it was added, and let the pointer there name it; or to DIR.

    All of it changes at one moment or nothing does. A file that differs and that no cache holds is never replaced
    without --force: mlgit data add keeps it. What .dvcignore names stays. What the cache lacks is pulled from the DVC
    remote. What a version references elsewhere comes to a new DIR alone, if it has not changed since.

    \b
    Examples:
      mlgit data checkout digits@v3
      mlgit data checkout digits:gold /tmp/digits
      mlgit data checkout digits@v3 --dry-run
    """
    from mlgit import wiring
    from mlgit.artifacts import bringing, log, logged, manifest
    from mlgit.dvc import workshop
    from mlgit.dvc.worktree import placing

    place, here = wiring.place(), Path.cwd()
    try:
        held = log.find(place.repo, version, project=place.meant)
    except NotFoundError:
        if Path(version).exists() or Path(f"{version}.dvc").exists():
            fix = f"a version is named like digits@v3; mlgit data pull {version} brings what a pointer names"
            raise NotFoundError(f"{version} is a path, and there is no artifact called so.", fix=fix) from None
        raise
    if folder is not None and (entries := _references(place, held)):
        if not dry_run:
            bringing.bring_all(entries, folder.absolute())
        _tell(place.repo, _Done(held, folder.absolute(), brought=len(entries)), here, dry_run=dry_run, as_json=as_json)
        return
    target = _own_place(place, held) if folder is None else _elsewhere(held, folder)
    if not dry_run:
        workshop.tidy(target)
    plan = placing.plan(place.repo, held.version.hash, target, folder=held.folder, what=lambda: logged.called(held))
    _refuse_to_lose(plan, moved=folder is not None, force=force)
    _refuse_from_inside(plan, here)
    before, written = None, list[str]()
    if not dry_run:
        links = placing.links(target)
        if not plan.is_done:
            placing.carry_out(place.repo, plan, links=links)
        if folder is None:
            before, written = _pointed(place, held, plan)
    brought, kept = len(plan.wanted.keys() - plan.stays), len(plan.stays)
    done = _Done(
        held, target, brought=brought, kept=kept, gone=len(plan.goes), away=len(set(plan.goes) - plan.wanted.keys()),
        written=written, is_old=plan.is_done,
    )  # fmt: skip
    _tell(place.repo, done, here, dry_run=dry_run, as_json=as_json)
    if manifest.REFERENCES in plan.wanted:
        output.note(f"what it references elsewhere stays there: mlgit data checkout {held.name} DIR brings that too")
    if before and not as_json:
        output.note(f"back: {before}")


@dataclass(frozen=True)
class _Done:
    """What has come to *target*, or would: so many files."""

    held: Held
    target: Path
    brought: int
    kept: int = 0
    gone: int = 0
    """Files that were replaced or taken away."""
    away: int = 0
    """Those of them in whose place nothing has come."""
    written: Sequence[str] = ()
    is_old: bool = False
    """Whether all of it lay there already."""


def _tell(repo: Repo, done: _Done, here: Path, *, dry_run: bool, as_json: bool) -> None:
    held = done.held
    if as_json:
        output.as_json(
            {
                "version": held.name, "hash": held.version.hash, "path": str(done.target), "done": not dry_run,
                "brought": done.brought, "kept": done.kept, "gone": done.gone, "written": list(done.written),
            }
        )  # fmt: skip
        return
    moved = f"{figures.count(done.brought, 'file')} brought, {done.kept:,} kept as they were"
    moved += f", {done.away:,} taken away" if done.away else ""
    state = "already there" if done.is_old else moved
    output.say(f"{held.name} {'would come to' if dry_run else 'is at'} {done.target}: {state}")
    if done.written:
        output.say(f"to commit: {shown.from_here(repo, done.written, here)}")


def _references(place: Place, held: Held) -> dict[str, Entry]:
    """All that is in *held*, where it references something elsewhere; else nothing."""
    from mlgit.artifacts import logged, manifest
    from mlgit.dvc import cache

    content, home = held.version.hash, held.folder
    if manifest.REFERENCES not in cache.listing(place.repo, content, folder=home, what=lambda: logged.called(held)):
        return {}
    return logged.entries(place.repo, content, folder=home)


def _own_place(place: Place, held: Held) -> Path:
    """Where *held* was added. Raises `UsageError` where no data can be put there."""
    from mlgit.artifacts import manifest
    from mlgit.dvc import project
    from mlgit.dvc.worktree import overlaps

    if manifest.is_address(held.version.path):
        raise UsageError(
            f"{held.name} references {held.version.path}, and has no place here.",
            fix=f"name a new folder for it: mlgit data checkout {held.name} DIR",
        )
    top = place.repo.work_tree
    if top is None:
        raise UsageError(f"{place.repo.git_dir} is bare: it has no place for data.", fix="name a folder")
    path = top / held.folder / held.version.path
    inner = (path.parent.resolve() / path.name) if path.name not in ("", "..") else top
    if not inner.is_relative_to(top) or inner == top or ".git" in inner.relative_to(top).parts:
        raise UsageError(f"{held.name} lay at {held.version.path!r}, which is no place here.", fix="name a folder")
    if project.root(inner.parent, top) is None:
        raise UsageError(f"{held.name} was never added here: there is no DVC project.", fix="name a folder")
    overlaps.refuse(place.repo, inner, top)
    return inner


def _elsewhere(held: Held, folder: Path) -> Path:
    """In *folder*: a single file by its own name, a folder as *folder* itself. Raises `UsageError` for what is none."""
    from mlgit.dvc import pointers
    from mlgit.dvc.caches import tree

    place = tree.named(folder)
    if place.exists() and not place.is_dir():
        raise UsageError(f"{folder} is no folder.", fix=f"name a folder for {held.name}")
    if pointers.is_folder(held.version.hash) and (place / ".git").exists():
        raise UsageError(
            f"{folder} is a git repository, whose place {held.name} would take.", fix="name a folder in it"
        )
    return place if pointers.is_folder(held.version.hash) else place / (Path(held.version.path).name or "data")


def _refuse_to_lose(plan: Plan, *, moved: bool, force: bool) -> None:
    """Raise `UsageError` if something would be lost, or another folder's files replaced, unless that is wanted."""
    if plan.lost and not force:
        raise UsageError(
            f"{plan.target} holds {figures.count(len(plan.lost), 'file')} that no cache holds, and that would be gone: "
            f"{output.some(plan.lost, 3)}.",
            fix=f"mlgit data add {plan.target} keeps them, --force gives them up",
        )
    if moved and plan.goes and not force:
        raise UsageError(
            f"{plan.target} holds something else already: {output.some(plan.goes, 3)}.",
            fix="name another folder, or give --force to replace it",
        )


def _refuse_from_inside(plan: Plan, here: Path) -> None:
    """Raise `UsageError` where the folder would go in which somebody's shell stands: it would be left in nothing."""
    target = plan.target.resolve()
    if not plan.is_done and target.is_dir() and here.resolve().is_relative_to(target):
        raise UsageError(
            "This folder would be replaced by another one, and your shell would be left in nothing.",
            fix=f"cd {shlex.quote(str(target.parent))}, and do it from there",
        )


def _pointed(place: Place, held: Held, plan: Plan) -> tuple[str | None, list[str]]:
    """Let the pointer of what *plan* has brought name it; (the command that goes back, the files that were written)."""
    from mlgit.artifacts import log
    from mlgit.dvc import pointers
    from mlgit.dvc.pointers import Out
    from mlgit.dvc.worktree import adding, standing

    target = plan.target
    try:
        (was, *_) = standing.tracked(place.repo, [target])
    except NotFoundError:
        before = None
    else:
        before = was.out.hash if was.out.hash != plan.content else None
    nfiles = len(plan.wanted) if pointers.is_folder(plan.content) else None
    size = sum(file.stat().st_size for _, file in plan.wanted.values())
    out = Out(path=target.name, hash=plan.content, size=size, nfiles=nfiles)
    written = adding.hold(place.repo, target, out)
    if before is None:
        return None, written
    try:
        back = log.find(place.repo, f"{held.collection}:{before[:12]}", project=place.meant, hidden=True)
    except NotFoundError:
        return f"git checkout -- {shlex.quote(str(target))}.dvc && dvc checkout {shlex.quote(str(target))}", written
    unhidden = f"mlgit data restore {back.name} && " if back.version.deleted else ""
    return f"{unhidden}mlgit data checkout {back.name}", written
