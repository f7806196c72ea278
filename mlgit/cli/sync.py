"""`mlgit sync`: push runs, the tags of models and the bytes that DVC holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlgit.cli import output
from mlgit.errors import MlgitError

if TYPE_CHECKING:
    from mlgit.git.repo import Repo

_PART = "long history or folder"
"""What a run holds of its own in DVC's cache: its history in full, its media, its files."""


@click.command()
@click.option("--to", metavar="REMOTE", default="origin", show_default=True,
              help="Push to there: a remote's name, a URL or a path.")  # fmt: skip
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be pushed; push nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print what was pushed, or would be, as JSON.")
def command(to: str, dry_run: bool, as_json: bool) -> None:
    """Push every run branch and every tag of a model that the remote lacks, all in one push; nothing is overwritten.

    The bytes of artifacts, and long histories and large media, go to the default DVC remote, where there is one. Code
    branches are yours to push. In the scratch repository (runs made outside of any repository) this is how they move to
    a real one.

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
    parted, behind = ([], []) if dry_run else sync.settle(repo, to, waiting.runs)
    for one in parted:
        output.note(
            f"{_short(one.ref)} went on here and elsewhere: what was recorded here is {_short(one.own)} now, "
            f"and both are kept"
        )
    if behind:
        output.note(f"{_count(len(behind), 'run')} went on elsewhere, and here {'has' if len(behind) == 1 else 'have'} "
                    f"caught up: {', '.join(map(_short, behind[:5]))}")  # fmt: skip
    if parted or behind:
        waiting = sync.waiting(repo, to, [tag.name for tag in registry.tags(repo) if ledger.parse(tag)])
    if not dry_run and waiting.refs and (refused := sync.push(repo, to, waiting.refs)):
        names = ", ".join(f"{_short(ref)} ({reason})" for ref, reason in refused[:5])
        raise MlgitError(f"{to} refused {names}; nothing was pushed.", fix="git fetch, and mlgit sync again")
    if not as_json and waiting.refs:
        kinds = ((waiting.runs, "run"), (waiting.tags, "model tag"))
        what = " and ".join(_count(len(some), name) for some, name in kinds if some)
        output.say(f"{what} {_pushed(len(waiting.refs), dry_run=dry_run)} to {to}")
    held = _held(repo)
    sent = _send(repo, held, dry_run=dry_run)
    if as_json:
        output.as_json(
            {
                "to": to, "pushed": [] if dry_run else waiting.refs, "waiting": waiting.refs if dry_run else [],
                "clashing": waiting.clashing, "artifacts": {"known": len(held), "remote": sent is not None,
                "pushed": [] if dry_run else sent or [], "waiting": (sent or []) if dry_run else []},
            }
        )  # fmt: skip
    elif sent:
        output.say(f"{_kinds(held, sent)} {_pushed(len(sent), dry_run=dry_run)} to the DVC remote")
    elif not waiting.refs:
        output.say("Nothing to push.")
    for name in [*map(_short, waiting.refs), *(sent or [])] if dry_run and not as_json else ():
        output.say(f"  {name}")
    if waiting.clashing:
        names = ", ".join(map(_short, waiting.clashing[:5]))
        output.note(f"{to} has another {names}; it stays. To fix: git fetch --tags --force, then mlgit model settle")
    if sent is None:
        fix = " To fix: dvc remote add -d NAME URL (after dvc init), then mlgit sync again" if repo.work_tree else ""
        output.note(f"The bytes of {_kinds(held, held)} stay here: there is no default DVC remote.{fix}")


def _held(repo: Repo) -> dict[str, tuple[str, str]]:
    """What DVC holds of the runs: content hash → what it is, and the folder of the project."""
    from mlgit.index import query

    found = query.runs(repo)
    parts = {content: (_PART, run.folder) for run in found for content in run.held.values()}
    return parts | {version.hash: ("artifact", run.folder) for run in found for version in run.logged}


def _send(repo: Repo, held: Mapping[str, tuple[str, str]], *, dry_run: bool) -> list[str] | None:
    """The contents of *held* that the default DVC remote lacked; None where some have no remote."""
    from mlgit.dvc import cache

    sent: list[str] | None = []
    for folder in sorted({home for _, home in held.values()}):
        here = [content for content, (_, home) in held.items() if home == folder]
        some = cache.push(repo, here, folder=folder, dry_run=dry_run)
        sent = None if some is None or sent is None else [*sent, *some]
    return sent


def _kinds(held: Mapping[str, tuple[str, str]], contents: Iterable[str]) -> str:
    """How many of each kind: `2 artifacts and 1 long history or folder`."""
    counts = Counter(held[content][0] for content in contents)
    return " and ".join(_count(counts[kind], kind) for kind in sorted(counts))


def _pushed(number: int, *, dry_run: bool) -> str:
    return f"{'would be' if dry_run else 'is' if number == 1 else 'are'} pushed"


def _short(ref: str) -> str:
    return ref.removeprefix("refs/heads/").removeprefix("refs/tags/")


def _count(number: int, name: str) -> str:
    plural = "long histories or folders" if name == _PART else f"{name}s"
    return f"{number} {name if number == 1 else plural}"
