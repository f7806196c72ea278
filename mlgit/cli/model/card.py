"""`mlgit model card`: a version's README.md."""

from __future__ import annotations

from pathlib import Path

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.choose import MODEL
from mlgit.cli.model.shown import BASE, JSON
from mlgit.errors import UsageError


@click.command(short_help="The model card of a version, as Hugging Face reads it.")
@click.argument("version", type=MODEL, metavar="MODEL[@VERSION|@STAGE]")
@click.option("-o", "--output", "to", type=click.Path(path_type=Path), metavar="PATH",
              help="Write it there: a file, or a folder for its README.md.")  # fmt: skip
@click.option("--template", type=click.Path(path_type=Path, dir_okay=False, exists=True), metavar="FILE",
              help="Your own Jinja2 template in the place of templates/model/card.md.j2.")  # fmt: skip
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@BASE
@JSON
def command(
    version: str, to: Path | None, template: Path | None, force: bool, base: str | None, as_json: bool
) -> None:  # fmt: skip
    """Make the model card of a version from what it records: its fields, metrics, params, data, files, and its run.

    The fields were given by mlgit model register --set or --card, or stood under card: in registry/MODEL/model.yaml
    then. What Hugging Face's card has beside them (library, model-index) comes from the run.

    \b
    Examples:
      mlgit model card digits@v1.2.0
      mlgit model card digits@production -o model/
      mlgit model card digits@production --json | jq .metadata.license
    """
    from mlgit.registry.versions import huggingface, shelf
    from mlgit.store import registry as store

    repo = wiring.place().repo
    found = shelf.find(repo, version, base=store.base_name(repo, base))
    said = shelf.deprecated(repo, found)
    text = huggingface.render(
        found, deprecated=said.why if said else "", emergencies=shelf.emergencies(repo, found), template=template
    )
    target = to / "README.md" if to and to.is_dir() else to
    if target:
        if target.exists() and not force:
            raise UsageError(f"{target} is there already.", fix="--force writes over it")
        target.write_text(text, encoding="utf-8")
    if as_json:
        told = {"model": found.model, "version": found.version, "metadata": huggingface.metadata(found), "text": text}
        output.as_json(told | {"path": str(target) if target else None})
    elif target:
        output.say(str(target))
    else:
        output.raw(text)
