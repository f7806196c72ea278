"""`mlgit data verify`: whether the bytes in the cache, or on a remote, are those that they should be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mlgit.cli import output
from mlgit.cli.choose import ARTIFACT
from mlgit.core import figures
from mlgit.dvc.pointers import Kept
from mlgit.errors import UsageError

if TYPE_CHECKING:
    from mlgit.dvc.remotes.auditing import Audit
    from mlgit.store.place import Place

_MOST = 5
"""So many names of one object are told."""


@click.command(short_help="Read the cache again, or ask a remote, and mend them.")
@click.argument("versions", nargs=-1, metavar="[NAME@VERSION|PATH]...", type=ARTIFACT)
@click.option("--all", "everything", is_flag=True, help="Everything that the caches of this repository hold, or that "
              "runs made and people added.")  # fmt: skip
@click.option("--remote", "asks", is_flag=True, help="Look at the default DVC remote instead of the cache.")
@click.option("-r", "far", default="", metavar="NAME", help="Likewise, at this DVC remote.")
@click.option("--read", "reads", is_flag=True, help="Read there what the remote keeps no checksum of.")
@click.option(
    "--repair", is_flag=True,
    help="Fetch what is damaged or missing from the DVC remote, or send it there anew from the cache; what they lack "
    "stays as it is.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.pass_context
def command(
    ctx: click.Context, versions: Sequence[str], everything: bool, asks: bool, far: str, reads: bool, repair: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Read every byte of versions of data in the cache, and compare it with its hash; of what the pointers here name,
    where no version is given. Exits with 1 where something is damaged or missing and stays so.

    Of a DVC remote, its own checksums are compared, without reading anything; a folder, SSH and most of http keep none,
    and tell the size.

    What is damaged in the cache may be data that somebody has edited in place: --repair keeps it, and says where.
    mlgit fsck looks at what git holds of runs, and whether their bytes are anywhere; this reads the bytes.

    \b
    Examples:
      mlgit data verify
      mlgit data verify digits@v3 data/train
      mlgit data verify --all --repair
      mlgit data verify --remote --all
      mlgit data verify -r backup --read --repair
    """
    from mlgit import wiring

    if everything and versions:
        raise UsageError("--all is everything: no version can be named beside it.", fix="leave one of them out")
    place = wiring.place()
    if asks or far:
        is_well = _there(place, versions, everything=everything, far=far, reads=reads, repair=repair, as_json=as_json)
    elif reads:
        raise UsageError("--read is about a DVC remote: the cache is always read.", fix="add --remote, or leave it out")
    else:
        is_well = _here(place, versions, everything=everything, repair=repair, as_json=as_json)
    ctx.exit(not is_well)


def _here(place: Place, versions: Sequence[str], *, everything: bool, repair: bool, as_json: bool) -> bool:
    """Whether the cache is well, or is now."""
    from mlgit.dvc import verifying

    folder = place.folder
    called = {} if everything else _called(place, versions)
    if everything:
        found = verifying.verify_all(place.repo, folder=folder)
    else:
        found = verifying.verify(place.repo, called, folder=folder)
    wrong = verifying.names(place.repo, found, called, folder=folder)
    back = verifying.repair(place.repo, found, folder=folder) if repair and wrong else {}
    if as_json:
        output.as_json(
            {
                "files": found.files, "size": found.size, "missing": list(found.missing),
                "damaged": [str(path) for path in found.damaged], "names": wrong, "repaired": sorted(back),
                "kept": {oid: list(map(str, paths)) for oid, paths in back.items() if paths},
            }
        )  # fmt: skip
        return wrong.keys() <= back.keys()
    for oid, paths in wrong.items():
        state = "missing" if oid in found.missing else "damaged"
        mended = " (fetched again)" if oid in back else ""
        output.say(f"{state}: {oid}{mended}{': ' + output.some(paths, _MOST) if paths else ''}")
        for kept in back.get(oid, ()):
            output.say(f"  what lay there, an edit maybe, is kept as {kept}")
    count = f"{figures.count(found.files, 'file')} of the cache read, {figures.size(found.size)}"
    output.say(f"{count}: {len(found.damaged):,} damaged, {len(found.missing):,} missing")
    if wrong.keys() - back.keys():
        output.note(
            "no DVC remote gave them: add them again where they are whole"
            if repair
            else "mlgit data verify --repair fetches them again where there is a DVC remote"
        )
    return wrong.keys() <= back.keys()


def _called(place: Place, versions: Sequence[str]) -> dict[str, str]:
    """Hash → name of *versions*, or of what the pointers in the work tree name."""
    from mlgit.artifacts import wanting

    meant = wanting.chosen(place.repo, versions, project=place.meant)
    return {one.content: one.label for one in meant if one.kept is Kept.BY_CONTENT}


def _there(
    place: Place, versions: Sequence[str], *, everything: bool, far: str, reads: bool, repair: bool, as_json: bool
) -> bool:
    """Whether the DVC remotes of what is meant are well, or are now."""
    from mlgit.artifacts import wanting

    repo = place.repo
    meant = wanting.everything(repo) if everything else wanting.chosen(repo, versions, project=place.meant)
    wanted = [one for one in meant if not one.stays and one.kept is Kept.BY_CONTENT]
    told, is_well = [], True
    for group in wanting.grouped(repo, wanted, far.lower()):
        found = wanting.audit(repo, group, reads=reads)
        back = set(wanting.mend(repo, group, found)) if repair and found.wrong else set()
        told.append(
            {
                "remote": found.remote, "objects": len(found.called), "read": found.read,
                "wrong": [
                    {"hash": oid, "what": what, "names": found.called[oid], "repaired": oid in back}
                    for oid, what in found.wrong.items()
                ],
                "unsure": list(found.unsure),
            }
        )  # fmt: skip
        is_well &= found.wrong.keys() <= back
        if not as_json:
            _say(found, back)
    if as_json:
        output.as_json(told)
    elif not is_well:
        fix = "add them again where they are whole, and push" if repair else "--repair sends them anew from the cache"
        output.note(f"the remote has not all of it whole: {fix}")
    return is_well


def _say(found: Audit, back: set[str]) -> None:
    for oid, what in found.wrong.items():
        mended = " (sent anew)" if oid in back else ""
        output.say(f"{what}{mended}: {oid}: {output.some(found.called[oid], _MOST)}")
    read = f", {found.read:,} read there" if found.read else ""
    output.say(
        f"{found.remote}: {figures.count(len(found.called), 'object')}{read}: {len(found.wrong):,} damaged or missing"
    )
    if found.unsure:
        what = f"{found.remote} tells no more than the size of {figures.count(len(found.unsure), 'object')}"
        output.note(f"{what}, {figures.size(sum(found.unsure.values()))}: --read reads them there")
