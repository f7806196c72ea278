"""`mlgit model get`: its bytes."""

from __future__ import annotations

from pathlib import Path

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.choose import MODEL
from mlgit.cli.model import signing
from mlgit.cli.model.shown import BASE, JSON
from mlgit.core import figures


@click.command(short_help="Bring the bytes of a version.")
@click.argument("version", type=MODEL, metavar="MODEL[@VERSION|@STAGE]")
@click.option("-o", "--output", "--to", "folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Put it into this folder.  [default: MODEL-VERSION]")  # fmt: skip
@BASE
@JSON
def command(version: str, folder: Path | None, base: str | None, as_json: bool) -> None:
    """Bring the bytes of a version, every one of them checked; of MODEL alone, what production serves, or the latest.

    \b
    Examples:
      mlgit model get digits@v1.2.0
      mlgit model get digits@production -o model/
    """
    from mlgit.registry import deliver, shelf, vouching
    from mlgit.store import registry as store

    repo = wiring.place().repo
    name = store.base_name(repo, base)
    found = shelf.find(repo, version, base=name)
    target = deliver.deliver(repo, found, folder or Path(f"{found.model}-{found.version}"))
    said = shelf.deprecated(repo, found)
    checked = vouching.vouched(repo, found, target, name)
    if as_json:
        told = {"model": found.model, "version": found.version, "path": str(target), "unsafe": found.unsafe,
                "deprecated": said.why if said else None}  # fmt: skip
        output.as_json(told | {"sha256": dict(found.sha256), "signatures": [signing.plain(one) for one in checked]})
        return
    output.say(str(target))
    output.note(
        f"{found.model} {found.version}, {figures.size(found.size)}, verified; {'; '.join(signing.told(checked))}."
    )
    if said:
        output.note(f"{said}.")
    if found.unsafe:
        output.note(f"UNSAFE to load: {found.unsafe}.")
