"""What is said of a push, pull or sync: in lines, notes, errors and JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from mlgit.cli import output
from mlgit.core import escape, refs
from mlgit.errors import MlgitError

if TYPE_CHECKING:
    from mlgit.artifacts.carrying import Carrier
    from mlgit.store.sync import Outcome

_WORDS = {
    "list of jobs": ("list of jobs", "lists of jobs"),
    "part": ("long history or folder", "long histories or folders"),
}
"""What some kinds are called, one and many."""
_KINDS = {refs.RUNS: "run", "refs/tags/": "model tag", refs.SWEEPS: "sweep", refs.ARCHIVE: "archived month",
          refs.ARTIFACTS: "ledger", refs.SIGNATURES: "signature",
          refs.JOBS: "list of jobs", refs.OBSERVED: "observed target"}  # fmt: skip
_MOST = 5
"""Runs that are named one by one."""


def told(outcome: Outcome, name: str, *, dry_run: bool) -> Iterator[str]:
    """What has moved, in a line for each direction."""
    for moved, verb, where, hiding in (
        (outcome.there, "pushed", f"to {name}", f"on {name}"),
        (outcome.brought, "pulled", f"from {name}", "here"),
    ):
        made = [ref for ref, move in moved.items() if move.new]
        counts = {kind: sum(ref.startswith(prefix) for ref in made) for prefix, kind in _KINDS.items()}
        if some := [_count(number, kind) for kind, number in counts.items() if number]:
            what = " and ".join(filter(None, (", ".join(some[:-1]), some[-1])))
            yield f"{what} {done(sum(counts.values()), verb, dry_run=dry_run)} {where}"
        if number := sum(ref.startswith(refs.TRASH) for ref in made):
            yield f"{_count(number, 'run')} {done(number, 'hidden', dry_run=dry_run)} {hiding}"


def notes(outcome: Outcome, name: str) -> Iterator[str]:
    """What a person should know besides."""
    for one in outcome.parted.values():
        yield (f"{short(one.ref)} went on here and elsewhere: what was recorded here is {short(one.own)} now, "
               f"and both are kept")  # fmt: skip
    if outcome.merged:
        yield f"edited here and elsewhere, with both edits now: {output.some([*map(short, outcome.merged)], _MOST)}"
    moved = [one for one in outcome.renumbered.values() if one.before != one.after]
    if moved:
        yield output.some([f"{one.name}:v{one.before} here is {one.name}:v{one.after} now" for one in moved], _MOST)
    for (ref, _, _), word in outcome.overruled.items():
        project = ref.removeprefix(refs.ARTIFACTS).partition("/")[0]
        yield (f"{word.version}: {word.clash.field} is {_value(word.clash.theirs)}, as on {name}, and not "
               f"{_value(word.clash.ours)}, as it was set here. To set it again: "
               f"mlgit.Api().artifact({f'{project}/{word.version}'!r}), and its save()")  # fmt: skip
    if outcome.gone:
        yield (f"deleted on {name}, and still here: {output.some([*map(short, outcome.gone)], _MOST)}. "
               "mlgit push RUN sends one there again, mlgit rm RUN hides it here")  # fmt: skip
    tags = [ref for ref in outcome.stuck if ref.startswith("refs/tags/")]
    if tags:
        names = ", ".join(map(short, tags[:_MOST]))
        anew = any("@" in tag for tag in tags)  # a version; a stage's tag follows its file
        then = "mlgit model register RUN gives yours another number" if anew else "mlgit registry reconcile"
        yield f"{name} has another {names}; it stays. To fix: git fetch --tags --force, then {then}"
    for ref, why in outcome.stuck.items():
        if ref not in tags:
            yield f"{short(ref)} stays as it is here: {why}"


def notes_of_bytes(carrier: Carrier, *, can_configure: bool) -> Iterator[str]:
    """What they should know of the DVC remote."""
    if carrier.homeless:
        fix = " To fix: dvc remote add -d NAME URL (after dvc init), then mlgit sync again"
        what = f"The bytes of {kinds(carrier, carrier.homeless)} stay here: there is no default DVC remote."
        yield f"{what}{fix if can_configure else ''}"
    if carrier.lost:
        labels = output.some([piece.label for piece in carrier.lost], _MOST)
        yield f"{labels}: neither whole here nor on the DVC remote. To fix: mlgit data push where they were made"
    if carrier.unasked:
        yield f"Whether all that was sent is still there is not known. {carrier.unasked.what}"


def clash(outcome: Outcome, name: str) -> MlgitError:
    lines = [
        f"{short(ref)}: {clash.field}: {_value(clash.ours)} here, {_value(clash.theirs)} there"
        for ref, clashes in outcome.clashing.items()
        for clash in clashes
    ]
    one = short(next(iter(outcome.clashing)))
    return MlgitError(
        f"{_count(len(outcome.clashing), 'run')} edited differently here and on {name}: left on both sides as before.",
        why="\n".join(lines[:20]), fix=f"mlgit sync --ours {one} to keep what is here, --theirs {one} what is there",
    )  # fmt: skip


def waiting(outcome: Outcome, carrier: Carrier) -> MlgitError:
    """Bytes did not get where others find them: what names them stays, too."""
    refs_ = [short(ref) for ref in outcome.waiting]
    what = f"{output.some(refs_, _MOST)} not pushed: bytes go before what names them." if refs_ else (
        f"The bytes of {kinds(carrier, carrier.stays)} did not get to the DVC remote.")  # fmt: skip
    if carrier.error:
        return MlgitError(
            what, why="\n".join(filter(None, (carrier.error.what, carrier.error.why))), fix=carrier.error.fix
        )
    lines = [f"{carrier.pieces[content].label}: {why}" for content, why in carrier.stays.items()]
    return MlgitError(what, why="\n".join(lines[:_MOST]), fix="mlgit data push says it again when it is mended")


def _value(value: object) -> str:
    return "nothing" if value is None else escape.line(repr(value), 60)


def document(name: str, outcome: Outcome, carrier: Carrier, *, dry_run: bool) -> dict[str, Any]:
    """It as JSON."""
    there, here = list(outcome.there), list(outcome.brought)
    tags = [ref for ref in outcome.stuck if ref.startswith("refs/tags/")]
    return {
        "to": name,
        "pushed": [] if dry_run else there,
        "waiting": there if dry_run else [],
        "pulled": [] if dry_run else here,
        "coming": here if dry_run else [],
        "merged": list(outcome.merged),
        "parted": {one.ref: one.own for one in outcome.parted.values()},
        "clashing": tags,
        "clashes": {ref: [vars(clash) for clash in clashes] for ref, clashes in outcome.clashing.items()},
        "renumbered": [
            {"name": one.name, "before": f"v{one.before}", "after": f"v{one.after}"}
            for one in outcome.renumbered.values()
        ],
        "overruled": [{"version": one.version, **vars(one.clash)} for one in outcome.overruled.values()],
        "gone": outcome.gone,
        "held": outcome.waiting,
        "stuck": {ref: why for ref, why in outcome.stuck.items() if ref not in tags},
        "artifacts": {
            "known": len(carrier.pieces), "remote": not carrier.homeless,
            "pushed": [] if dry_run else carrier.sent, "waiting": carrier.sent if dry_run else [],
            "stuck": carrier.stays, "lost": [piece.content for piece in carrier.lost],
        },
    }  # fmt: skip


def kinds(carrier: Carrier, contents: Iterable[str]) -> str:
    """How many of each kind: `2 artifacts and 1 long history or folder`."""
    counts = Counter(carrier.pieces[content].kind for content in contents)
    return " and ".join(_count(counts[kind], kind) for kind in sorted(counts))


def done(number: int, verb: str, *, dry_run: bool) -> str:
    return f"{'would be' if dry_run else 'is' if number == 1 else 'are'} {verb}"


def short(ref: str) -> str:
    return ref.removeprefix("refs/heads/").removeprefix("refs/tags/")


def _count(number: int, name: str) -> str:
    one, many = _WORDS.get(name, (name, f"{name}s"))
    return f"{number} {one if number == 1 else many}"
