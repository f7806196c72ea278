"""What `mlgit push`, `pull` and `sync` have in common: the act, and what is said of it."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlgit.cli import output
from mlgit.cli.choose import RUN
from mlgit.core import escape, refs
from mlgit.errors import MlgitError, NotFoundError, UsageError

if TYPE_CHECKING:
    from mlgit.artifacts.carrying import Carrier
    from mlgit.git.remote import Remote
    from mlgit.store.meeting import Wish
    from mlgit.store.place import Place
    from mlgit.store.sync import Outcome

_WORDS = {"part": ("long history or folder", "long histories or folders")}
"""What some kinds are called, one and many."""
_KINDS = {refs.RUNS: "run", "refs/tags/": "model tag", refs.SWEEPS: "sweep", refs.ARCHIVE: "archived month",
          refs.ARTIFACTS: "ledger", refs.SIGNATURES: "signature"}  # fmt: skip
_MOST = 5
"""Runs that are named one by one."""


def options(flag: str, whom: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The arguments of a command that shares runs, called as the fields of `Asked`; *flag* is the remote's."""
    every = (
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

    def add(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(every):
            command = option(command)
        return command

    return add


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
    from mlgit.git.remote import Remote, bare
    from mlgit.git.repo import Move
    from mlgit.store import sync

    place = wiring.place()
    name = asked.remote
    if f"remote.{name.lower()}.url" not in place.repo.config and name and Path(name).is_dir():
        name = str(Path(name).resolve())  # as seen from here, not from the repository
    outcome, error = sync.Outcome(), None
    remote = Remote(repo=place.repo, name=name)
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
        error = _clash(outcome, name)
    if carrier.stays and error is None:
        error = _waiting(outcome, carrier)
    if asked.as_json:
        output.as_json({**_document(asked, name, outcome, carrier), "error": error and str(error)})
    else:
        _say(asked, name, outcome, carrier, is_whole=error is None or bool(outcome.clashing))
    for line in _notes(outcome, name):
        output.note(line)
    if carrier.homeless:
        fix = " To fix: dvc remote add -d NAME URL (after dvc init), then mlgit sync again"
        output.note(f"The bytes of {_kinds(carrier, carrier.homeless)} stay here: there is no default DVC remote."
                    f"{fix if place.repo.work_tree else ''}")  # fmt: skip
    if error:
        raise error


def _say(asked: Asked, name: str, outcome: Outcome, carrier: Carrier, *, is_whole: bool) -> None:
    told = [*_told(outcome, name, dry_run=asked.dry_run)]
    if sent := carrier.sent:
        told.append(f"{_kinds(carrier, sent)} {_done(len(sent), 'pushed', dry_run=asked.dry_run)} to the DVC remote")
    if not told and is_whole:
        told.append(f"Nothing to {' or '.join(['push'] * asked.pushes + ['pull'] * asked.pulls)}.")
    if asked.dry_run:
        told += (f"  {what}" for what in [*map(_short, (*outcome.there, *outcome.brought)), *sent])
    for line in told:
        output.say(line)


def _wish(place: Place, asked: Asked, remote: Remote) -> Wish:
    from mlgit.core.merging import Side
    from mlgit.index import query
    from mlgit.registry import ledger
    from mlgit.store import meeting, registry

    annotated = {tag.name for tag in registry.tags(place.repo)}
    here = place.repo.refs("refs/tags/")

    def is_shared(tag: str) -> bool:
        is_ours = ledger.parse(registry.Tag(name=tag, commit="", when=0)) is not None
        return is_ours and (tag in annotated or f"refs/tags/{tag}" not in here)

    far = remote if asked.pulls else None
    return meeting.Wish(
        pushes=asked.pushes, pulls=asked.pulls, dry=asked.dry_run, is_shared=is_shared,
        logging=lambda names: query.logging(place.repo, *names),
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
            f"{name[:80]!r} names {len(found)} runs there: {output.some(list(map(_short, found)), _MOST)}.",
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


def _told(outcome: Outcome, name: str, *, dry_run: bool) -> Iterator[str]:
    """What has moved, in a line for each direction."""
    for moved, verb, where, hiding in (
        (outcome.there, "pushed", f"to {name}", f"on {name}"),
        (outcome.brought, "pulled", f"from {name}", "here"),
    ):
        made = [ref for ref, move in moved.items() if move.new]
        counts = {kind: sum(ref.startswith(prefix) for ref in made) for prefix, kind in _KINDS.items()}
        if some := [_count(number, kind) for kind, number in counts.items() if number]:
            what = " and ".join(filter(None, (", ".join(some[:-1]), some[-1])))
            yield f"{what} {_done(sum(counts.values()), verb, dry_run=dry_run)} {where}"
        if number := sum(ref.startswith(refs.TRASH) for ref in made):
            yield f"{_count(number, 'run')} {_done(number, 'hidden', dry_run=dry_run)} {hiding}"


def _notes(outcome: Outcome, name: str) -> Iterator[str]:
    """What a person should know besides."""
    for one in outcome.parted.values():
        yield (f"{_short(one.ref)} went on here and elsewhere: what was recorded here is {_short(one.own)} now, "
               f"and both are kept")  # fmt: skip
    if outcome.merged:
        yield f"edited here and elsewhere, with both edits now: {output.some([*map(_short, outcome.merged)], _MOST)}"
    moved = [one for one in outcome.renumbered.values() if one.before != one.after]
    if moved:
        told = [f"{one.name}:v{one.before} here is {one.name}:v{one.after} now" for one in moved]
        yield output.some(told, _MOST)
    if outcome.gone:
        yield (f"deleted on {name}, and still here: {output.some([*map(_short, outcome.gone)], _MOST)}. "
               "mlgit push RUN sends one there again, mlgit rm RUN hides it here")  # fmt: skip
    tags = [ref for ref in outcome.stuck if ref.startswith("refs/tags/")]
    if tags:
        names = ", ".join(map(_short, tags[:_MOST]))
        yield f"{name} has another {names}; it stays. To fix: git fetch --tags --force, then mlgit model settle"
    for ref, why in outcome.stuck.items():
        if ref not in tags:
            yield f"{_short(ref)} stays as it is here: {why}"


def _clash(outcome: Outcome, name: str) -> MlgitError:
    lines = [
        f"{_short(ref)}: {clash.field}: {_value(clash.ours)} here, {_value(clash.theirs)} there"
        for ref, clashes in outcome.clashing.items()
        for clash in clashes
    ]
    one = _short(next(iter(outcome.clashing)))
    return MlgitError(
        f"{_count(len(outcome.clashing), 'run')} edited differently here and on {name}: left on both sides as before.",
        why="\n".join(lines[:20]), fix=f"mlgit sync --ours {one} to keep what is here, --theirs {one} what is there",
    )  # fmt: skip


def _waiting(outcome: Outcome, carrier: Carrier) -> MlgitError:
    """Bytes did not get where others find them: what names them stays, too."""
    refs_ = [_short(ref) for ref in outcome.waiting]
    what = f"{output.some(refs_, _MOST)} not pushed: bytes go before what names them." if refs_ else (
        f"The bytes of {_kinds(carrier, carrier.stays)} did not get to the DVC remote.")  # fmt: skip
    if carrier.error:
        return MlgitError(
            what, why="\n".join(filter(None, (carrier.error.what, carrier.error.why))), fix=carrier.error.fix
        )
    lines = [f"{carrier.pieces[content].label}: {why}" for content, why in carrier.stays.items()]
    return MlgitError(what, why="\n".join(lines[:_MOST]), fix="mlgit data push says it again when it is mended")


def _value(value: object) -> str:
    return "nothing" if value is None else escape.line(repr(value), 60)


def _document(asked: Asked, name: str, outcome: Outcome, carrier: Carrier) -> dict[str, Any]:
    """It as JSON."""
    there, here = list(outcome.there), list(outcome.brought)
    tags = [ref for ref in outcome.stuck if ref.startswith("refs/tags/")]
    return {
        "to": name,
        "pushed": [] if asked.dry_run else there,
        "waiting": there if asked.dry_run else [],
        "pulled": [] if asked.dry_run else here,
        "coming": here if asked.dry_run else [],
        "merged": list(outcome.merged),
        "parted": {one.ref: one.own for one in outcome.parted.values()},
        "clashing": tags,
        "clashes": {ref: [vars(clash) for clash in clashes] for ref, clashes in outcome.clashing.items()},
        "renumbered": [
            {"name": one.name, "before": f"v{one.before}", "after": f"v{one.after}"}
            for one in outcome.renumbered.values()
        ],
        "gone": outcome.gone,
        "held": outcome.waiting,
        "stuck": {ref: why for ref, why in outcome.stuck.items() if ref not in tags},
        "artifacts": {
            "known": len(carrier.pieces), "remote": not carrier.homeless,
            "pushed": [] if asked.dry_run else carrier.sent, "waiting": carrier.sent if asked.dry_run else [],
            "stuck": carrier.stays,
        },
    }  # fmt: skip


def _kinds(carrier: Carrier, contents: Iterable[str]) -> str:
    """How many of each kind: `2 artifacts and 1 long history or folder`."""
    counts = Counter(carrier.pieces[content].kind for content in contents)
    return " and ".join(_count(counts[kind], kind) for kind in sorted(counts))


def _done(number: int, verb: str, *, dry_run: bool) -> str:
    return f"{'would be' if dry_run else 'is' if number == 1 else 'are'} {verb}"


def _short(ref: str) -> str:
    return ref.removeprefix("refs/heads/").removeprefix("refs/tags/")


def _count(number: int, name: str) -> str:
    one, many = _WORDS.get(name, (name, f"{name}s"))
    return f"{number} {one if number == 1 else many}"
