"""`mlgit sync`: push runs, the tags of models and the bytes of artifacts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlgit.cli import output
from mlgit.errors import MlgitError

if TYPE_CHECKING:
    from mlgit.git.repo import Repo


@click.command()
@click.option("--to", metavar="REMOTE", default="origin", show_default=True, help="A remote's name, a URL or a path.")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be pushed.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(to: str, dry_run: bool, as_json: bool) -> None:
    """Push every run branch and every tag of a model that the remote lacks, all in one push; nothing is overwritten.

    The bytes of artifacts go to the default DVC remote, where there is one. Code branches are yours to push. In the
    scratch repository (runs made outside of any repository) this is how they move to a real one.

    \b
    Examples:
      mlgit sync
      mlgit sync --dry-run
      mlgit sync --to git@github.com:team/project.git
    """
    from mlgit import wiring
    from mlgit.registry import ledger
    from mlgit.store import registry, sync

    repo = wiring.place().repo
    if f"remote.{to}.url" not in repo.config and Path(to).is_dir():
        to = str(Path(to).resolve())  # as seen from here, not from the repository
    waiting = sync.waiting(repo, to, [tag.name for tag in registry.tags(repo) if ledger.parse(tag)])
    if not dry_run and waiting.refs and (refused := sync.push(repo, to, waiting.refs)):
        names = ", ".join(f"{_short(ref)} ({reason})" for ref, reason in refused[:5])
        raise MlgitError(f"{to} refused {names}; nothing was pushed.", fix="git fetch, and mlgit sync again")
    if not as_json and waiting.refs:
        kinds = ((waiting.runs, "run"), (waiting.tags, "model tag"))
        what = " and ".join(_count(len(some), name) for some, name in kinds if some)
        output.say(f"{what} {_pushed(len(waiting.refs), dry_run=dry_run)} to {to}")
    known, sent = _artifacts(repo, dry_run=dry_run)
    if as_json:
        output.as_json(
            {
                "to": to, "pushed": [] if dry_run else waiting.refs, "waiting": waiting.refs if dry_run else [],
                "clashing": waiting.clashing, "artifacts": {"known": known, "remote": sent is not None,
                "pushed": [] if dry_run else sent or [], "waiting": (sent or []) if dry_run else []},
            }
        )  # fmt: skip
    elif sent:
        output.say(f"{_count(len(sent), 'artifact')} {_pushed(len(sent), dry_run=dry_run)} to the DVC remote")
    elif not waiting.refs:
        output.say("Nothing to push.")
    for name in [*map(_short, waiting.refs), *(sent or [])] if dry_run and not as_json else ():
        output.say(f"  {name}")
    if waiting.clashing:
        names = ", ".join(map(_short, waiting.clashing[:5]))
        output.note(f"{to} has another {names}; it stays. To fix: git fetch --tags --force, then mlgit model settle")
    if sent is None:
        fix = " To fix: dvc remote add -d NAME URL (after dvc init), then mlgit sync again" if repo.work_tree else ""
        output.note(f"The bytes of {_count(known, 'artifact')} stay here: there is no default DVC remote.{fix}")


def _artifacts(repo: Repo, *, dry_run: bool) -> tuple[int, list[str] | None]:
    """(how many artifacts the runs logged, the hashes of those that are sent); None where some have no remote."""
    from mlgit.dvc import cache
    from mlgit.index import query

    logged = {version.hash: run.folder for run in query.runs(repo) for version in run.logged}
    sent: list[str] | None = []
    for folder in sorted(set(logged.values())):
        here = [content for content, home in logged.items() if home == folder]
        some = cache.push(repo, here, folder=folder, dry_run=dry_run)
        sent = None if some is None or sent is None else [*sent, *some]
    return len(logged), sent


def _pushed(number: int, *, dry_run: bool) -> str:
    return f"{'would be' if dry_run else 'is' if number == 1 else 'are'} pushed"


def _short(ref: str) -> str:
    return ref.removeprefix("refs/heads/").removeprefix("refs/tags/")


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'s' * (number != 1)}"
