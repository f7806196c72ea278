"""`mlgit ci init`: the workflows by which GitHub calls mlgit."""

from __future__ import annotations

from typing import Any

import click

from mlgit.cli import output
from mlgit.cli.ci import chosen


@click.command()
@click.option("--forge", type=click.Choice(["github"]), default="github", show_default=True, expose_value=False,
              help="Whose CI it is.")  # fmt: skip
@chosen.options()
@click.option("--json", "as_json", is_flag=True, help="Print the paths of the files that were written, as JSON.")
def command(only: str | None, as_json: bool, **asked: Any) -> None:
    """Write workflows into .github, and the actions that they call, or yours. Nothing is committed: read them first.

    What is there stays as it is, so it may be run again. Each file says in its head what it was made of; edit them as
    you like, `mlgit ci upgrade` keeps what you change.

    \b
    Examples:
      mlgit ci init
      mlgit ci init --only report --runners self-hosted,linux
      mlgit ci init --only launch --secret HF_TOKEN
      mlgit ci init --only run
      mlgit ci init --only retrain --schedule '0 3 * * 1' --watch 'data/**'
    """
    from mlgit.ci import installing, keeping, workflows
    from mlgit.tracking import installed

    place, names, given = chosen.place(), chosen.names(only), chosen.given(asked)
    found = "requirements.txt" if (place.settings.folder / "requirements.txt").is_file() else ""
    ours = installed.sources(None, ours=True).get("mlgit", {})
    defaults = {
        "folder": place.folder or ".", "requirements": found and f"{place.folder}/{found}".lstrip("/"),
        "install": installing.requirement(ours),
    }  # fmt: skip
    options = workflows.Options(**(defaults | given))
    written = keeping.create(place.repo, workflows.rendered(names, options))
    if as_json:
        output.as_json({"written": written})
        return
    for path in written:
        output.say(f"wrote {path}")
    for one in keeping.look(place.repo, names, given):
        if one.standing is keeping.Standing.FOREIGN:
            output.note(f"left {one.path} as it is: no mlgit wrote it")
        elif one.standing in (keeping.Standing.OLD, keeping.Standing.EDITED_AND_OLD):
            output.note(f"{one.path} was made by other options or another mlgit: mlgit ci upgrade with the options")
    if not written:
        output.say("Everything is there already.")
        return
    has_workflows = {*names} & {*workflows.WORKFLOWS}
    if has_workflows and "install" not in given and (doubt := installing.doubt(ours)):
        output.note(doubt)
    if not has_workflows:
        output.say("\nA step of a workflow of yours calls it: uses: ./.github/actions/mlgit-run")
    output.say("\nNext: git add .github, commit, and open a pull request; then mlgit ci check")
