"""`mlgit purge`: destroy runs for good."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mlgit.cli import edits, output
from mlgit.cli.choose import RUN
from mlgit.core import figures
from mlgit.errors import MlgitError, NotFoundError, UsageError

if TYPE_CHECKING:
    from mlgit.core.run import Run
    from mlgit.store.place import Place
    from mlgit.store.purge import Doomed


@click.command()
@click.argument("names", type=RUN, nargs=-1, required=True, metavar="RUN...")
@click.option("--remote", is_flag=True, help="Take them off the remote too, and off the default DVC remote.")
@click.option("--to", metavar="REMOTE", default="origin", show_default=True, help="The remote that --remote means.")
@click.option("-y", "--yes", is_flag=True, help="Do it without asking.")
@click.option("--dry-run", is_flag=True, help="Say what would be destroyed; destroy nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print what was destroyed, or would be, as JSON.")
def command(names: tuple[str, ...], remote: bool, to: str, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Destroy runs for good, hidden and archived ones too: for a secret, or a person's data, that is in them.

    What goes: the branch, the archive's entry (its month begins anew, without its past), reflogs, git's objects that
    nothing else needs, and the bytes in DVC's cache that no other run, model or pointer uses. Nothing brings them back;
    to take runs out of sight, mlgit rm does. A run that a tag, another branch, a stash, your own work in a reflog or a
    fork leads to is refused, and one of which a file is staged. One whose purge was cut short is named by its id.

    With --remote the branch and the month go there too. What a forge keeps beyond that, it says.

    \b
    Examples:
      mlgit purge radiant-glade-12 --dry-run
      mlgit purge radiant-glade-12 --remote
    """
    from mlgit import wiring
    from mlgit.git import erase
    from mlgit.git.remote import Remote
    from mlgit.store import purge
    from mlgit.wiring import erasing

    place = wiring.place()
    if erase.finish(place.repo):
        output.note("a purge that was cut short is finished")
    found = list({run.id: run for name in names for run in _named(place, name)}.values())
    plan, files = erasing.doomed(place, found)
    if remote:
        purge.check_there(Remote(repo=place.repo, name=to), plan, takes_bytes=bool(files))
    if not as_json:
        _say(plan, sum(map(len, files.values())), to if remote else None)
    if not dry_run:
        _ask(found, yes=yes)
        objects = erasing.purge(place, plan, files)
        moved, is_off = erasing.purge_there(place, to, plan, files) if remote else ([], False)
    if as_json:
        gone = {"runs": list(map(edits.known_by, found)), "refs": sorted(plan.refs), "months": plan.months,
                "files": sorted({oid for some in files.values() for oid in some})}  # fmt: skip
        output.as_json(gone if dry_run else {**gone, "objects": objects, "remote": moved})
    elif not dry_run:
        output.say(f"purged; {figures.count(objects, 'object')} of git's gone")
        for code, leading in purge.kept_code(place.repo, plan).items():
            output.note(f"the code as it ran ({code[:10]}) stays: {output.some(leading, 3) or 'a HEAD'} leads to it")
        if stay := erasing.kept_bytes(place, found):
            what = "another run, a model or a pointer in some commit names them"
            output.note(f"{output.some(stay, 3)} stay{'s' * (len(stay) == 1)} in DVC's cache: {what}")
        if lent := erase.lent(place.repo, set(plan.results)):
            output.note(
                f"{len(lent)} commits stay: another repository, which objects/info/alternates names, lends them; "
                "purge there"
            )
        _warn(place, to if remote else None, is_off=is_off or not files)


def _named(place: Place, text: str) -> list[Run]:
    """The run that *text* names; a hidden one too, or what is left of one, by its id."""
    from mlgit.index import query
    from mlgit.store import purge, runs

    try:
        return [query.find(place.repo, text, project=place.meant)]
    except NotFoundError:
        hidden = [run for run in runs.hidden(place.repo) if text in (run.id, run.name, edits.label(run))]
        if found := hidden or purge.remains(place.repo, text):
            return found[:1]
        raise


def _say(plan: Doomed, files: int, to: str | None) -> None:
    for run in plan.runs:
        output.say(f"{edits.label(run)} ({run.id}) of {run.project}: {run.state.value}, {len(run.metrics)} metrics")
    if plan.refs:
        output.say(f"refs that go: {output.some(sorted(plan.refs))}")
    for month in plan.months:
        output.say(f"{month} begins anew, without them and without its past")
    if files:
        output.say(f"{figures.count(files, 'file')} of DVC's cache that nothing else uses")
    if to:
        output.say(f"the same on {to}, and on the default DVC remote")


def _ask(runs: Sequence[Run], *, yes: bool) -> None:
    if yes:
        return
    if not (output.is_terminal(sys.stdin) and output.is_terminal(sys.stderr)):
        raise UsageError("Nobody is there to be asked whether that is meant.", fix="mlgit purge --yes")
    if not click.confirm(f"Destroy {len(runs)} run{'s' * (len(runs) > 1)}? Nothing brings them back", err=True):
        raise MlgitError("Nothing was destroyed.")


def _warn(place: Place, to: str | None, *, is_off: bool) -> None:
    """What was not in our hands."""
    if to is None:
        if any(key.startswith("remote.") and key.endswith(".url") for key in place.repo.config):
            output.note("a remote has them until the next mlgit sync; --remote takes them off at once")
        return
    output.note(
        f"{to} may keep the commits until it collects its garbage (GitHub: ask its support); pull requests, forks and "
        "other clones keep what they have; what was secret is to be revoked all the same"
    )
    if not is_off:
        output.note("no DVC remote was there to delete their files from; one that has them keeps them")
