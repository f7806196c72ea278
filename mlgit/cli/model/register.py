"""`mlgit model register`: a version of what a run made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.choose import MODEL, THING, SweepName
from mlgit.cli.model import shown
from mlgit.cli.model.shown import BASE, JSON
from mlgit.core import figures
from mlgit.wiring import registering as origins


@click.command()
@click.argument("what", type=THING, required=False, metavar="[RUN|ARTIFACT]")
@click.option("--sweep", type=SweepName(), metavar="SWEEP", help="Of the best run of this sweep, by its own metric.")
@click.option("--path", type=click.Path(path_type=Path, exists=True), metavar="PATH",
              help="Of a file or folder that no run logged: a run of the type import brings it in.")  # fmt: skip
@click.option("--name", type=MODEL, metavar="MODEL", help="The model's name.  [default: the project's]")
@click.option("--version", metavar="vX.Y.Z", help="Its version, instead of the next one.")
@click.option("--bump", type=click.Choice(["major", "minor", "patch"]), default="minor", show_default=True,
              help="Which part of the newest version goes up.")  # fmt: skip
@click.option("--artifact", metavar="NAME", help="Which artifact it is, where the run logged several models.")
@click.option("--description", default="", help="A sentence for people.")
@click.option("--card", "card", type=click.Path(path_type=Path, dir_okay=False, exists=True), metavar="FILE",
              help="A model card as Hugging Face has it (README.md), or its fields as YAML.")  # fmt: skip
@click.option("--set", "words", multiple=True, metavar="NAME=VALUE",
              help="A field of the model card: license=mit; more than once.")  # fmt: skip
@click.option("--force", is_flag=True, help="Take a run that failed, crashed or was preempted.")
@BASE
@JSON
def command(
    what: str | None, sweep: str | None, path: Path | None, name: str | None, version: str | None, bump: Any,
    artifact: str | None, description: str, card: Path | None, words: tuple[str, ...], force: bool, base: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Make the model that RUN logged the next version, or an artifact like digits:v3. The first is v1.0.0.

    Nothing is copied. A version never changes: other bytes are another one. The fields under card: in
    registry/MODEL/model.yaml are those of each version that does not say otherwise.

    \b
    Examples:
      mlgit model register radiant-glade-12
      mlgit model register radiant-glade-12 --name digits --bump major
      mlgit model register digits-net:best --name digits
      mlgit model register --sweep lr --name digits
      mlgit model register --path net.onnx --name digits
      mlgit model register latest --set license=mit --set 'tags=[vision, small]'
      mlgit model register radiant-glade-12 --card README.md
    """
    from mlgit.registry import ledger
    from mlgit.registry.versions import fields, registering, shelf
    from mlgit.store import registry as store
    from mlgit.tracking.files import parse_assignments

    said, text = fields.read(card.read_bytes(), source=str(card)) if card else ({}, "")
    said = fields.checked(said | parse_assignments(words, "--set"))
    place = wiring.place()
    if name:
        ledger.name(name, "model")
    found, chosen = origins.origin(place, what, sweep=sweep, path=path, name=name)
    model = name or found.project
    usual = shelf.card(place.repo, model, base=store.base_name(place.repo, base)).card
    usual = fields.of_file(usual, where=f"{store.card_path(model)}: card")
    made = registering.register(
        place.repo, found, chosen=chosen, model=model, version=version, bump=bump, artifact=artifact,
        description=description or text, fields=usual | said, force=force,
    )  # fmt: skip
    if as_json:
        output.as_json(shown.plain(made))
        return
    output.say(f"{made.model} {made.version} is {made.artifact} of run {found.name} ({figures.size(made.size)}).")
    output.note(f"Next: mlgit promote {made.model}@{made.version} STAGE")
