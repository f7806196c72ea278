"""`mlgit env`: what a run would record of its environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from mlgit.cli import output


@click.group()
def command() -> None:
    """What a run would record of its environment, now and here."""


@command.command(short_help="Write what is installed here as a pylock.toml.")
@click.option("-o", "--output", "into", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write it there, as a rule to pylock.toml.  [default: standard output]")  # fmt: skip
@click.option("--json", "as_json", is_flag=True,
              help="Print what a run would record itself: Python, packages, hardware, variables.")  # fmt: skip
def freeze(into: Path | None, as_json: bool) -> None:
    """Write what is installed here as a pylock.toml (PEP 751), which uv and pip install from.

    Every file is named with its hash: uv asks the index for just the versions that are here. What came from a commit,
    an archive or a folder of this repository stands in it as that.

    \b
    Examples:
      mlgit env freeze -o pylock.toml
      mlgit env freeze --json
      uv pip sync pylock.toml
    """
    from mlgit import whole
    from mlgit.reproduce import pylock
    from mlgit.store import place
    from mlgit.tracking import installed

    folder = place.here()
    home = place.find(folder)
    top = home.repo.work_tree if home else None
    packages, sources = installed.packages(), installed.sources(top, ours=True)
    if as_json:
        output.as_json(_recorded(folder, sources))
        return
    target = (into or folder / "pylock.toml").absolute()
    known, unknown = pylock.addressed(sources)
    for name, told in unknown.items():
        output.note(f"left out: {name}, from {told.get('folder') or told.get('url')}, of which no address is known")
    known = {name: _seen_from(told, top, target.parent) for name, told in known.items()}
    there = {name: version for name, version in packages.items() if name not in unknown}
    text = pylock.render(there, known, python=installed.interpreter()["python"])
    if into is None:
        output.raw(text)
        return
    with whole.at(target) as scratch:
        scratch.write_text(text)
    output.note(f"{len(there)} packages in {into}")


def _seen_from(told: dict[str, Any], top: Path | None, folder: Path) -> dict[str, Any]:
    """A source with its path, which is that in the repository at *top*, as it is seen from *folder*."""
    return {**told, "path": os.path.relpath(top / told["path"], folder)} if top and "path" in told else told


def _recorded(folder: Path, sources: dict[str, Any]) -> dict[str, Any]:
    from mlgit.tracking import installed, provenance
    from mlgit.tracking.machine import hardware

    about = {**installed.interpreter(), **hardware.quick(), "lock": provenance.lock(folder), "sources": sources}
    about["environment"] = provenance.variables(provenance.ENVIRONMENT)
    return {name: value for name, value in about.items() if value}
