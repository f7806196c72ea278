"""What `mlgit push`, `pull` and `sync` have in common: the options and the act."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlgit.cli import output, shared
from mlgit.cli.choose import RUN
from mlgit.cli.options import Decorator, together
from mlgit.core import refs
from mlgit.errors import MlgitError, NotFoundError, UsageError

if TYPE_CHECKING:
    from mlgit.artifacts.carrying import Carrier
    from mlgit.git.remote import Remote
    from mlgit.store.meeting import Wish
    from mlgit.store.place import Place
    from mlgit.store.sync import Outcome

_MOST = 5
"""Runs that are named one by one."""


def options(flag: str, whom: str) -> Decorator:
    """The arguments of a command that shares runs, called as the fields of `Asked`; *flag* is the remote's."""
    return together(
        click.argument("names", type=RUN, nargs=-1, metavar="[RUN]..."),
        click.option(flag, "remote", metavar="REMOTE", default="origin", show_default=True,
                     help=f"{whom}: a remote's name, a URL or a path."),
        click.option("--ours", type=RUN, multiple=True, metavar="RUN",
                     help="Where this run was edited here and there, and otherwise: what is here counts. "
                          "May be given several times."),
        click.option("--theirs", type=RUN, multiple=True, metavar="RUN", help="Likewise: what is there counts."),
        click.option("-n", "--dry-run", is_flag=True, help="Say what would be done; move nothing."),
        click.option("--json", "as_json", is_flag=True, help="Print what was done, or would be, as JSON."),
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What was asked for on the command line."""

    remote: str
    pushes: bool = True
    pulls: bool = True
    names: Sequence[str] = ()
    ours: Sequence[str] = ()
    theirs: Sequence[str] = ()
    dry_run: bool = False
    as_json: bool = False


def share(asked: Asked) -> None:
    """Do it, and say what has become of it; raises `MlgitError` then where runs clash, or the remote refuses."""
    from mlgit import wiring
    from mlgit.artifacts import carrying
    from mlgit.git.remote import bare
    from mlgit.git.repo import Move
    from mlgit.store import sync

    place = wiring.place()
    name = asked.remote
    if f"remote.{name.lower()}.url" not in place.repo.config and name and Path(name).is_dir():
        name = str(Path(name).resolve())  # as seen from here, not from the repository
    outcome, error = sync.Outcome(), None
    remote = wiring.remote(place, name)
    carrier = carrying.Carrier(place.repo, dry_run=asked.dry_run, anew=bool(asked.names))
    wish = _wish(place, asked, remote)
    name = bare(name)  # it is said, and an address may hold a password
    try:
        if asked.pushes and not asked.names:
            carrier.catch_up(place.folder)
        with _watching() as (watch, pause):

            def carry(moves: Sequence[Move]) -> Mapping[str, str]:
                pause()  # bytes have a bar of their own
                return carrier(moves)

            sync.exchange(replace(remote, watch=watch), replace(wish, carry=carry), outcome=outcome)
        if asked.pushes and wish.only:
            tips = place.repo.refs(*wish.only)
            carrier([Move(ref, None, tip) for ref, tip in tips.items()])
    except MlgitError as exc:
        error = exc
    if outcome.clashing and error is None:
        error = shared.clash(outcome, name)
    if carrier.stays and error is None:
        error = shared.waiting(outcome, carrier)
    if asked.as_json:
        output.as_json(
            {**shared.document(name, outcome, carrier, dry_run=asked.dry_run), "error": error and str(error)}
        )
    else:
        _say(asked, name, outcome, carrier, is_whole=error is None or bool(outcome.clashing))
    for line in shared.notes(outcome, name):
        output.note(line)
    for line in shared.notes_of_bytes(carrier, can_configure=place.repo.work_tree is not None):
        output.note(line)
    if error:
        raise error


def _say(asked: Asked, name: str, outcome: Outcome, carrier: Carrier, *, is_whole: bool) -> None:
    told = [*shared.told(outcome, name, dry_run=asked.dry_run)]
    if sent := carrier.sent:
        done = shared.done(len(sent), "pushed", dry_run=asked.dry_run)
        told.append(f"{shared.kinds(carrier, sent)} {done} to the DVC remote")
    if not told and is_whole:
        told.append(f"Nothing to {' or '.join(['push'] * asked.pushes + ['pull'] * asked.pulls)}.")
    if asked.dry_run:
        told += (f"  {what}" for what in [*map(shared.short, (*outcome.there, *outcome.brought)), *sent])
    for line in told:
        output.say(line)


def _wish(place: Place, asked: Asked, remote: Remote) -> Wish:
    from mlgit.core.merging import Side
    from mlgit.index import query
    from mlgit.registry.shared import is_ours
    from mlgit.store import meeting, registry

    annotated = registry.annotated(place.repo)

    def is_shared(tag: str) -> bool:
        return is_ours(f"refs/tags/{tag}") and annotated.get(tag, True)

    far = remote if asked.pulls else None
    return meeting.Wish(
        pushes=asked.pushes, pulls=asked.pulls, dry=asked.dry_run, is_shared=is_shared,
        telling=lambda names: query.told(place.repo, *names),
        only=frozenset(_branch(place, name, far) for name in asked.names) if asked.names else None,
        prefer={_branch(place, name): Side.OURS for name in asked.ours}
        | {_branch(place, name): Side.THEIRS for name in asked.theirs},
    )  # fmt: skip


def _branch(place: Place, name: str, remote: Remote | None = None) -> str:
    """The branch of the run *name*: `exp/…` as it is; of one that is not here, as *remote* has it."""
    from mlgit.index import query

    if name.startswith("exp/"):
        return f"refs/heads/{name}"
    try:
        run = query.find(place.repo, name, project=place.meant)
    except NotFoundError:
        if remote is None:
            raise
        return _far(remote, name)
    if not run.ref:
        raise MlgitError(f"{run.name} has no branch yet.", fix="mlgit checkpoint makes one of a run that is under way")
    return f"{refs.RUNS}{run.ref.partition('/exp/')[2]}"


def _far(remote: Remote, name: str) -> str:
    """The branch on *remote* that ends in *name*, with or without an id behind. Else raises `MlgitError`."""
    from mlgit.git.remote import bare

    ends = {name, refs.slug(name)}
    found = [
        ref for ref in remote.refs(f"{refs.RUNS}*") if ends & {last := ref.rpartition("/")[2], last.rpartition("-")[0]}
    ]
    if not found:
        raise NotFoundError(
            f"There is no run {name[:80]!r}, neither here nor on a branch of {bare(remote.name)}.",
            fix="mlgit pull brings all, archived ones too",
        )
    if found[1:]:
        raise UsageError(
            f"{name[:80]!r} names {len(found)} runs there: {output.some(list(map(shared.short, found)), _MOST)}.",
            fix="give the branch",
        )
    return found[0]


@contextlib.contextmanager
def _watching() -> Iterator[tuple[Callable[[str], None] | None, Callable[[], None]]]:
    """(what hears how far git is, and shows it where a person watches; what lets it draw nothing for a while).

    It draws nothing while git may ask for a word, either.
    """
    if not output.is_terminal(sys.stderr):
        yield None, lambda: None
        return
    from rich.console import Console
    from rich.markup import escape as plain
    from rich.progress import Progress

    from mlgit.git import progress

    bar = Progress(console=Console(stderr=True), transient=True)
    task = bar.add_task("")

    def tell(what: str, done: float, of: float | None) -> None:
        bar.start()
        bar.update(task, description=plain(what), completed=done, total=of)

    try:
        yield progress.reading(tell), bar.stop
    finally:
        bar.stop()
